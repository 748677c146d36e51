// What the process uses of its machine: memory and processor time, as the allocator and the
// operating system count them.
//
// The allocator is asked when it is jemalloc (found at run time, so that a build with another one,
// as under a sanitizer, needs no switch); otherwise the C library's figures are taken.
//
// Thread safety: any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace syntropy {

struct MemoryFigures {
  uint64_t allocated = 0;  // bytes that the program asked for and holds
  uint64_t active = 0;     // bytes of pages with such bytes; 0 when the allocator doesn't tell
  uint64_t resident = 0;   // bytes of pages that the allocator keeps; 0 when it doesn't tell
  uint64_t rss = 0;        // bytes of the process in physical memory
};

/// All of them; asks every arena, so about as dear as a small command per core.
MemoryFigures memory_figures();
/// MemoryFigures::allocated alone.
uint64_t allocated_bytes();
/// "jemalloc-5.3.0" or "libc".
std::string allocator_name();
/// The allocator's own report, for people.
std::string allocator_report();
/// Gives pages that are free back to the operating system. False when the allocator can't.
bool release_free_pages();

/// The physical memory of the machine, in bytes.
uint64_t machine_memory();

struct CpuSeconds {
  double user = 0;
  double system = 0;
};
CpuSeconds process_cpu();
/// Of children that have ended.
CpuSeconds children_cpu();
/// Seconds in which cores of the machine had nothing to do, since it started; nullopt when the
/// system doesn't tell.
std::optional<double> machine_idle_seconds();
/// Of the main thread, to 10 ms.
CpuSeconds main_thread_cpu();

}  // namespace syntropy
