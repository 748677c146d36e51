// Makes files cold, so that the next read of them has to go to the disk.
#pragma once

#include <filesystem>

namespace syntropy::testing {

/// Lets the kernel forget what it holds of every file below `dir`. What isn't synced stays.
void drop_page_cache(const std::filesystem::path& dir);

}  // namespace syntropy::testing
