#include "server/io_balance.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace syntropy {
namespace {

TEST(IoBalance, OneThreadServesALightLoad) {
  EXPECT_EQ(balanced_io_threads(1, 8, {.io_threads = 0.5, .idle = 7}), 1u);
}

TEST(IoBalance, AFullThreadGetsHelpFromAnIdleCore) {
  EXPECT_EQ(balanced_io_threads(1, 8, {.io_threads = 0.95, .idle = 7}), 2u);
  EXPECT_EQ(balanced_io_threads(3, 8, {.io_threads = 2.9, .idle = 2}), 4u);
}

TEST(IoBalance, WithoutAnIdleCoreAnotherThreadWouldOnlyTakeTurns) {
  EXPECT_EQ(balanced_io_threads(1, 2, {.io_threads = 0.95, .idle = 0.1}), 1u);
}

TEST(IoBalance, StaysWithinTheConfiguredNumber) {
  EXPECT_EQ(balanced_io_threads(2, 2, {.io_threads = 2, .idle = 6}), 2u);
  EXPECT_EQ(balanced_io_threads(1, 1, {.io_threads = 0, .idle = 8}), 1u);
}

TEST(IoBalance, ThreadsThatFewerCouldStandInForAreGivenUp) {
  EXPECT_EQ(balanced_io_threads(4, 8, {.io_threads = 1.5, .idle = 6}), 3u);
  EXPECT_EQ(balanced_io_threads(2, 8, {.io_threads = 0.5, .idle = 7}), 1u);
}

// Whatever the load: if it stays the same, the number settles.
TEST(IoBalance, SettlesUnderASteadyLoad) {
  constexpr size_t kCores = 8;
  for (double wanted = 0; wanted < 8; wanted += 0.05) {
    size_t active = 1;
    const auto step = [&] {
      const double used = std::min(wanted, static_cast<double>(active));
      return balanced_io_threads(active, kCores, {used, static_cast<double>(kCores) - used});
    };
    for (size_t i = 0; i < 2 * kCores; ++i) active = step();
    EXPECT_EQ(step(), active) << wanted;
  }
}

}  // namespace
}  // namespace syntropy
