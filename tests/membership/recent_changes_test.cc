#include "membership/recent_changes.h"

#include <gtest/gtest.h>

namespace syntropy {
namespace {

TEST(RecentChanges, KeepsTheVersionBeforeTheFirstOfSeveralChanges) {
  RecentChanges recent(10, 1000);
  recent.add(7, 3, false, 100);
  recent.add(7, 5, false, 600);
  ASSERT_EQ(recent.items().size(), 1u);
  EXPECT_EQ(recent.find(7)->base, 3u);
  EXPECT_EQ(recent.find(7)->last, 600u);
}

TEST(RecentChanges, MovesTheBaseOfAMemberThatNeverRests) {
  RecentChanges recent(10, 1000);
  for (TimeMs now = 0; now < 5000; now += 500) recent.add(7, now, false, now);
  EXPECT_GE(recent.find(7)->base, 3000u);
}

TEST(RecentChanges, DropsWhatIsOldAndKeepsWhatIsNot) {
  RecentChanges recent(10, 1000);
  recent.add(1, 0, false, 0);
  recent.add(2, 0, false, 10);
  recent.add(1, 1, false, 20);
  recent.expire(1009);
  EXPECT_NE(recent.find(2), nullptr);
  recent.expire(1010);
  EXPECT_EQ(recent.find(2), nullptr);
  EXPECT_NE(recent.find(1), nullptr);
  recent.expire(1020);
  EXPECT_TRUE(recent.empty());
}

TEST(RecentChanges, MakesRoomByDroppingTheOldest) {
  RecentChanges recent(3, 1000);
  for (uint64_t id = 1; id <= 4; ++id) recent.add(id, 0, false, id);
  EXPECT_EQ(recent.items().size(), 3u);
  EXPECT_EQ(recent.find(1), nullptr);
  EXPECT_EQ(recent.items().back().id, 4u);
}

TEST(RecentChanges, HandsOutEachRumourOnce) {
  RecentChanges recent(10, 1000);
  recent.add(1, 0, true, 0);
  recent.add(2, 0, false, 0);
  recent.add(1, 1, false, 1);  // the first change still has to be told
  std::vector<uint64_t> told;
  recent.take_rumours([&](const RecentChange& item) { told.push_back(item.id); });
  EXPECT_EQ(told, std::vector<uint64_t>{1});
  told.clear();
  recent.take_rumours([&](const RecentChange& item) { told.push_back(item.id); });
  EXPECT_TRUE(told.empty());
}

TEST(RecentChanges, ANewChangeIsNotSettled) {
  RecentChanges recent(10, 1000);
  recent.add(1, 0, false, 0);
  recent.note_told(0);
  recent.settle();
  EXPECT_TRUE(recent.find(1)->settled);
  recent.add(1, 1, false, 1);
  EXPECT_FALSE(recent.find(1)->settled);
  EXPECT_EQ(recent.find(1)->told, 0);
}

}  // namespace
}  // namespace syntropy
