#include "membership/voter_set.h"

#include <gtest/gtest.h>

#include <set>

#include "storage/base/random.h"

namespace syntropy {
namespace {

VoterSet of(std::initializer_list<size_t> ranks) {
  VoterSet set;
  for (const size_t rank : ranks) set.add(rank);
  return set;
}

TEST(VoterSet, HoldsWhatWasAdded) {
  VoterSet set;
  EXPECT_TRUE(set.empty());
  EXPECT_TRUE(set.words().empty());
  EXPECT_TRUE(set.add(3));
  EXPECT_TRUE(set.add(64));
  EXPECT_FALSE(set.add(3));
  EXPECT_TRUE(set.contains(3));
  EXPECT_TRUE(set.contains(64));
  EXPECT_FALSE(set.contains(4));
  EXPECT_FALSE(set.contains(10'000));
  EXPECT_EQ(set.count(), 2u);
  EXPECT_EQ(set.words(), (VoterSet::Words{8, 1}));
  set.clear();
  EXPECT_TRUE(set.empty());
}

TEST(VoterSet, LosesWhatWasRemoved) {
  VoterSet set = of({3, 64});
  const VoterSet copy = set;
  set.remove(4);
  set.remove(10'000);
  EXPECT_EQ(set, copy);
  set.remove(64);
  EXPECT_EQ(set.words(), (VoterSet::Words{8}));
  EXPECT_EQ(copy, of({3, 64}));
  set.remove(3);
  EXPECT_TRUE(set.empty());
}

TEST(VoterSet, DropsZeroWordsAtTheEnd) {
  EXPECT_TRUE(VoterSet(VoterSet::Words{0, 0}).empty());
  EXPECT_EQ(VoterSet(VoterSet::Words{5, 0}).words(), (VoterSet::Words{5}));
}

TEST(VoterSet, MergesAndSaysWhetherThereWasNews) {
  VoterSet set = of({1, 70});
  EXPECT_FALSE(set.merge(of({70})));
  EXPECT_FALSE(set.merge(VoterSet()));
  EXPECT_TRUE(set.merge(of({2, 200})));
  EXPECT_EQ(set, of({1, 2, 70, 200}));
  VoterSet fresh;
  EXPECT_TRUE(fresh.merge(set));
  EXPECT_EQ(fresh, set);
}

TEST(VoterSet, CopiesDoNotSeeLaterChanges) {
  VoterSet set = of({1});
  const VoterSet copy = set;
  VoterSet taken;
  taken.merge(set);
  set.add(2);
  set.make_room(0);
  EXPECT_EQ(copy, of({1}));
  EXPECT_EQ(taken, of({1}));
  EXPECT_EQ(set, of({2, 3}));
}

TEST(VoterSet, CountsWhatIsInBoth) {
  EXPECT_EQ(of({1, 2, 70, 300}).count_in(of({2, 70, 71})), 2u);
  EXPECT_EQ(of({1}).count_in(VoterSet()), 0u);
}

TEST(VoterSet, FollowsMembersThatComeAndGo) {
  SeededRandom random(3);
  VoterSet set;
  std::set<size_t> model;
  for (int step = 0; step < 5'000; ++step) {
    const size_t rank = random.below(300);
    std::set<size_t> moved;
    switch (random.below(3)) {
      case 0:
        EXPECT_EQ(set.add(rank), model.insert(rank).second);
        continue;
      case 1:
        set.make_room(rank);
        for (const size_t r : model) moved.insert(r >= rank ? r + 1 : r);
        break;
      default:
        set.close_gap(rank);
        for (const size_t r : model) {
          if (r != rank) moved.insert(r > rank ? r - 1 : r);
        }
    }
    model = moved;
    ASSERT_EQ(set.count(), model.size()) << "step " << step;
    for (const size_t r : model) ASSERT_TRUE(set.contains(r)) << "step " << step << " rank " << r;
    ASSERT_TRUE(set.words().empty() || set.words().back() != 0);
  }
  EXPECT_GT(model.size(), 20u);
}

}  // namespace
}  // namespace syntropy
