#include "server/process_stats.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <malloc.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <vector>

// jemalloc's functions, null where the program isn't linked with it.
extern "C" {
int mallctl(const char* name, void* old_value, size_t* old_size, void* new_value, size_t new_size)
    __attribute__((weak));
void malloc_stats_print(void (*write)(void*, const char*), void* opaque, const char* options)
    __attribute__((weak));
// A sanitizer's allocator, whose figures mallinfo2() doesn't know.
size_t __sanitizer_get_current_allocated_bytes() __attribute__((weak));
}

namespace syntropy {

namespace {

uint64_t jemalloc_figure(const char* name) {
  size_t value = 0;
  size_t size = sizeof(value);
  return mallctl(name, &value, &size, nullptr, 0) == 0 ? value : 0;
}

// jemalloc answers from figures that it gathered at the last "epoch".
void refresh_jemalloc() {
  uint64_t epoch = 1;
  size_t size = sizeof(epoch);
  mallctl("epoch", &epoch, &size, &epoch, size);
}

uint64_t libc_allocated() {
  if (__sanitizer_get_current_allocated_bytes != nullptr) {
    return __sanitizer_get_current_allocated_bytes();
  }
  const struct mallinfo2 info = mallinfo2();
  return info.uordblks + info.hblkhd;
}

// A file of /proc has no size to ask for; those read here are shorter than a page.
std::string read_proc(const char* path) {
  char bytes[4096];
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return {};
  const ssize_t n = read(fd, bytes, sizeof(bytes));
  close(fd);
  return n > 0 ? std::string(bytes, static_cast<size_t>(n)) : std::string();
}

// The fields of `text`, which are separated by single blanks.
std::vector<std::string_view> split_blanks(std::string_view text) {
  std::vector<std::string_view> fields;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find(' ', at), text.size());
    fields.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return fields;
}

uint64_t to_number(std::string_view text) {
  uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

uint64_t resident_bytes() {
  const std::string statm = read_proc("/proc/self/statm");
  const std::vector<std::string_view> fields = split_blanks(statm);
  if (fields.size() < 2) return 0;
  return to_number(fields[1]) * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

CpuSeconds usage_of(int who) {
  rusage usage{};
  getrusage(who, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return {seconds(usage.ru_utime), seconds(usage.ru_stime)};
}

}  // namespace

MemoryFigures memory_figures() {
  MemoryFigures figures;
  figures.rss = resident_bytes();
  if (mallctl == nullptr) {
    figures.allocated = libc_allocated();
    return figures;
  }
  refresh_jemalloc();
  figures.allocated = jemalloc_figure("stats.allocated");
  figures.active = jemalloc_figure("stats.active");
  figures.resident = jemalloc_figure("stats.resident");
  return figures;
}

uint64_t allocated_bytes() {
  if (mallctl == nullptr) return libc_allocated();
  refresh_jemalloc();
  return jemalloc_figure("stats.allocated");
}

std::string allocator_name() {
  if (mallctl == nullptr) return "libc";
  const char* version = "";
  size_t size = sizeof(version);
  if (mallctl("version", &version, &size, nullptr, 0) != 0) return "jemalloc";
  const std::string_view text(version);
  return "jemalloc-" + std::string(text.substr(0, text.find('-')));
}

std::string allocator_report() {
  std::string report;
  if (malloc_stats_print != nullptr) {
    malloc_stats_print(
        [](void* to, const char* text) { static_cast<std::string*>(to)->append(text); }, &report,
        nullptr);
    return report;
  }
  char* text = nullptr;
  size_t size = 0;
  std::FILE* file = open_memstream(&text, &size);
  if (file == nullptr) return report;
  malloc_info(0, file);
  std::fclose(file);
  report.assign(text, size);
  std::free(text);
  return report;
}

bool release_free_pages() {
  if (mallctl == nullptr) return malloc_trim(0) >= 0;
  unsigned arenas = 0;
  size_t size = sizeof(arenas);
  if (mallctl("arenas.narenas", &arenas, &size, nullptr, 0) != 0) return false;
  // The index behind the last arena stands for all of them.
  return mallctl(fmt::format("arena.{}.purge", arenas).c_str(), nullptr, nullptr, nullptr, 0) == 0;
}

uint64_t machine_memory() {
  return static_cast<uint64_t>(sysconf(_SC_PHYS_PAGES)) *
         static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

std::optional<double> machine_idle_seconds() {
  // proc(5): "cpu  user nice system idle iowait ...", in ticks, summed over the cores.
  const std::string stat = read_proc("/proc/stat");
  const std::vector<std::string_view> fields = split_blanks(stat);
  constexpr size_t kIdle = 5;  // two blanks follow the name
  if (fields.size() < kIdle + 2 || fields.front() != "cpu") return std::nullopt;
  const uint64_t ticks = to_number(fields[kIdle]) + to_number(fields[kIdle + 1]);
  return static_cast<double>(ticks) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

CpuSeconds process_cpu() { return usage_of(RUSAGE_SELF); }

CpuSeconds children_cpu() { return usage_of(RUSAGE_CHILDREN); }

CpuSeconds main_thread_cpu() {
  const std::string stat = read_proc(fmt::format("/proc/self/task/{}/stat", getpid()).c_str());
  // The second field is the name in parentheses and may hold blanks; proc(5) numbers utime 14.
  const size_t name_end = stat.rfind(')');
  if (name_end == std::string::npos || name_end + 2 > stat.size()) return {};
  const std::vector<std::string_view> fields =
      split_blanks(std::string_view(stat).substr(name_end + 2));
  constexpr size_t kUserTime = 14 - 3;
  if (fields.size() < kUserTime + 2) return {};
  const double ticks_per_second = static_cast<double>(sysconf(_SC_CLK_TCK));
  return {static_cast<double>(to_number(fields[kUserTime])) / ticks_per_second,
          static_cast<double>(to_number(fields[kUserTime + 1])) / ticks_per_second};
}

}  // namespace syntropy
