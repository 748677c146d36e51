// Figures of the process: they are real, not constants.

#include "server/process_stats.h"

#include <gtest/gtest.h>

#include <cstring>
#include <memory>

namespace syntropy {
namespace {

TEST(ProcessStatsTest, AllocatedBytesFollowAllocations) {
  constexpr size_t kSize = size_t{32} << 20;
  constexpr size_t kLeast = kSize - (size_t{1} << 20);  // threads of tests before may free some
  const uint64_t before = allocated_bytes();
  const auto block = std::make_unique<char[]>(kSize);
  std::memset(block.get(), 1, kSize);
  EXPECT_GE(allocated_bytes(), before + kLeast);
  const MemoryFigures figures = memory_figures();
  EXPECT_GE(figures.rss, kSize);
  EXPECT_GE(figures.allocated, before + kLeast);
  if (figures.active != 0) {
    EXPECT_GE(figures.active, figures.allocated);
    EXPECT_GE(figures.resident, figures.active);
  }
}

TEST(ProcessStatsTest, MachineHasMoreMemoryThanTheProcessUses) {
  EXPECT_GT(machine_memory(), memory_figures().rss);
}

TEST(ProcessStatsTest, ProcessorTimeGrowsWithWork) {
  const CpuSeconds before = process_cpu();
  CpuSeconds now = before;
  volatile uint64_t work = 0;
  while (now.user + now.system - before.user - before.system < 0.05) {
    for (int i = 0; i < 1'000'000; ++i) work = work + 1;
    now = process_cpu();
  }
  const CpuSeconds main_thread = main_thread_cpu();
  EXPECT_GE(main_thread.user + main_thread.system, 0.03);
  EXPECT_LE(main_thread.user, process_cpu().user + 0.02);
}

TEST(ProcessStatsTest, AllocatorIsNamedAndReports) {
  const std::string name = allocator_name();
  EXPECT_TRUE(name == "libc" || name.starts_with("jemalloc-")) << name;
  EXPECT_GT(allocator_report().size(), 100u);
  EXPECT_TRUE(release_free_pages());
}

}  // namespace
}  // namespace syntropy
