#include "server/io_balance.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace syntropy {
namespace {

constexpr int kLong = 40;  // intervals

size_t after(IoBalance& balance, const IoLoad& load, int intervals = kLong) {
  for (int i = 0; i < intervals; ++i) balance.step(load);
  return balance.active();
}

TEST(IoBalance, OneThreadServesALightLoad) {
  IoBalance balance(8);
  EXPECT_EQ(after(balance, {.cores = 8, .idle = 7, .io_threads = 0.5}), 1u);
}

TEST(IoBalance, AThreadThatIsFullForAWhileGetsHelp) {
  IoBalance balance(8);
  const IoLoad full{.cores = 8, .idle = 7, .io_threads = 0.95};
  EXPECT_EQ(after(balance, full, 2), 1u);
  balance.step({.cores = 8, .idle = 7.5, .io_threads = 0.5});
  EXPECT_EQ(after(balance, full, 2), 1u);
  EXPECT_EQ(after(balance, full, 2), 2u);
}

TEST(IoBalance, WithoutAnIdleCoreAnotherThreadWouldOnlyTakeTurns) {
  IoBalance balance(2);
  EXPECT_EQ(after(balance, {.cores = 2, .idle = 0.1, .io_threads = 0.95}), 1u);
}

TEST(IoBalance, StaysWithinTheConfiguredNumber) {
  IoBalance balance(2);
  EXPECT_EQ(after(balance, {.cores = 8, .idle = 6, .io_threads = 2}), 2u);
  IoBalance single(1);
  EXPECT_EQ(after(single, {.cores = 8, .idle = 7, .io_threads = 1}), 1u);
}

TEST(IoBalance, GivesUpThreadsThatFewerCouldStandInFor) {
  IoBalance balance(8);
  EXPECT_EQ(after(balance, {.cores = 16, .idle = 8, .io_threads = 8}), 8u);
  EXPECT_EQ(after(balance, {.cores = 16, .idle = 14, .io_threads = 1.5}), 3u);
  EXPECT_EQ(after(balance, {.cores = 16, .idle = 16, .io_threads = 0}), 1u);
}

TEST(IoBalance, GivesUpThreadsWhoseCoresOthersWant) {
  IoBalance balance(2);
  EXPECT_EQ(after(balance, {.cores = 2, .idle = 0.8, .io_threads = 1}), 2u);
  EXPECT_EQ(after(balance, {.cores = 2, .idle = 0, .io_threads = 1.3}), 1u);
}

TEST(IoBalance, KeepsAllThreadsOfAMachineOfItsOwn) {
  IoBalance balance(8);
  EXPECT_EQ(after(balance, {.cores = 8, .idle = 1, .io_threads = 7}), 8u);
  EXPECT_EQ(after(balance, {.cores = 8, .idle = 0, .io_threads = 7.8}), 8u);
}

// Whatever the load: if it stays the same, the number settles.
TEST(IoBalance, SettlesUnderASteadyLoad) {
  constexpr double kCores = 8;
  for (double others = 0; others < 6; others += 0.5) {
    for (double wanted = 0; wanted < 8; wanted += 0.1) {
      IoBalance balance(8);
      const auto step = [&] {
        const double used =
            std::min({wanted, static_cast<double>(balance.active()), kCores - others});
        return balance.step({kCores, kCores - others - used, used});
      };
      for (int i = 0; i < 100; ++i) step();
      const size_t settled = balance.active();
      for (int i = 0; i < kLong; ++i) EXPECT_EQ(step(), settled) << wanted << " " << others;
    }
  }
}

}  // namespace
}  // namespace syntropy
