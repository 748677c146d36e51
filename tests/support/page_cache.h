// Makes files cold, so that the next read of them has to go to the disk.
#pragma once

#include <filesystem>

namespace syntropy::testing {

/// Writes what isn't yet on the disk of every file below `dir`, and lets the kernel forget all it
/// holds of them. False if it still holds some after a few seconds of asking: it may keep pages
/// that another CPU has just touched, and a file system in memory (tmpfs) never forgets.
[[nodiscard]] bool drop_page_cache(const std::filesystem::path& dir);

}  // namespace syntropy::testing
