// CLIENT PAUSE's state. Replies of redis-server 7.0.15 to overlapping pauses are the model.

#include "server/context.h"

#include <gtest/gtest.h>

namespace syntropy {
namespace {

using Mode = PauseState::Mode;

TEST(PauseStateTest, HoldsNothingAtFirst) {
  const PauseState pause;
  EXPECT_FALSE(pause.holds(0, true));
  EXPECT_FALSE(pause.holds(1000, true));
}

TEST(PauseStateTest, WritePauseHoldsWritesUntilItsEnd) {
  PauseState pause;
  pause.pause(1000, 1500, Mode::kWrite);
  EXPECT_TRUE(pause.holds(1499, true));
  EXPECT_FALSE(pause.holds(1499, false));
  EXPECT_FALSE(pause.holds(1500, true));
}

TEST(PauseStateTest, FullPauseHoldsReadsToo) {
  PauseState pause;
  pause.pause(1000, 1500, Mode::kAll);
  EXPECT_TRUE(pause.holds(1499, false));
  EXPECT_FALSE(pause.holds(1500, false));
}

TEST(PauseStateTest, SecondPauseNeverShortensTheFirst) {
  PauseState pause;
  pause.pause(1000, 2000, Mode::kWrite);
  pause.pause(1000, 1100, Mode::kWrite);
  EXPECT_EQ(pause.until_ms(), 2000u);
  pause.pause(1000, 3000, Mode::kWrite);
  EXPECT_EQ(pause.until_ms(), 3000u);
}

TEST(PauseStateTest, SecondPauseNeverLoosensTheFirst) {
  PauseState pause;
  pause.pause(1000, 2000, Mode::kAll);
  pause.pause(1000, 2000, Mode::kWrite);
  EXPECT_TRUE(pause.holds(1500, false));
}

TEST(PauseStateTest, PauseThatHasEndedLeavesNoTrace) {
  PauseState pause;
  pause.pause(1000, 2000, Mode::kAll);
  pause.pause(2000, 2500, Mode::kWrite);
  EXPECT_FALSE(pause.holds(2100, false));
  EXPECT_TRUE(pause.holds(2100, true));
}

TEST(PauseStateTest, UnpauseEndsAtOnce) {
  PauseState pause;
  pause.pause(1000, 2000, Mode::kAll);
  pause.unpause();
  EXPECT_FALSE(pause.holds(1000, true));
  pause.pause(1000, 2000, Mode::kWrite);
  EXPECT_FALSE(pause.holds(1000, false));
}

}  // namespace
}  // namespace syntropy
