#include "tests/support/page_cache.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <thread>
#include <vector>

namespace syntropy::testing {
namespace {

constexpr std::chrono::seconds kPatience{5};

// Whether the page cache holds any page of the file.
bool holds_any(int file) {
  struct stat about {};
  if (fstat(file, &about) != 0 || about.st_size == 0) return false;
  const auto bytes = static_cast<size_t>(about.st_size);
  const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  void* const map = mmap(nullptr, bytes, PROT_READ, MAP_SHARED, file, 0);
  if (map == MAP_FAILED) return true;
  std::vector<unsigned char> pages((bytes + page - 1) / page);
  const bool told = mincore(map, bytes, pages.data()) == 0;
  munmap(map, bytes);
  return !told || std::any_of(pages.begin(), pages.end(), [](unsigned char p) { return p & 1; });
}

bool drop(const std::filesystem::path& path) {
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return true;  // gone meanwhile
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  bool held = true;
  while (held && std::chrono::steady_clock::now() < deadline) {
    fdatasync(file);
    posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED);
    held = holds_any(file);
    if (held) std::this_thread::yield();
  }
  close(file);
  return !held;
}

}  // namespace

bool drop_page_cache(const std::filesystem::path& dir) {
  bool dropped = true;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(dir)) {
    if (entry.is_regular_file() && !drop(entry.path())) dropped = false;
  }
  return dropped;
}

}  // namespace syntropy::testing
