#include "tools/cli/tree_problems.h"

#include <gtest/gtest.h>

#include "storage/base/slot.h"
#include "storage/row.h"

namespace syntropy {
namespace {

std::string row_key(const std::string& key) {
  std::string encoded;
  encode_row_key(0, key, {}, &encoded);
  return encoded;
}

TEST(TreeProblemsTest, StepsAreAllSlotsOnce) {
  SlotRanges all;
  uint32_t slots = 0;
  for (const SlotRange& step : verify_steps()) {
    slots += step.count();
    all.add(step);
  }
  EXPECT_EQ(slots, kSlotCount);
  EXPECT_EQ(all, SlotRanges::all());
}

TEST(TreeProblemsTest, SoundRowsAreCounted) {
  TreeProblems found(10);
  found.add(1000, 0, {}, 0, 0);
  found.add(234, 0, {}, 0, 0);
  EXPECT_TRUE(found.sound());
  EXPECT_TRUE(found.texts().empty());
  EXPECT_EQ(found.summary(), "1,234 rows are what was written");
}

TEST(TreeProblemsTest, TheFirstBadRowsAreNamedAndAllCounted) {
  TreeProblems found(2);
  found.add(10, 3, {row_key("a"), row_key("b"), row_key("c")}, 1, 0);
  EXPECT_FALSE(found.sound());
  EXPECT_EQ(found.texts(),
            (std::vector<std::string>{"db0 key \"a\" is not what was written",
                                      "db0 key \"b\" is not what was written",
                                      "1 more rows are not what was written (--max-problems)",
                                      "1 rows that were written are not there"}));
}

TEST(TreeProblemsTest, RowsThatCannotBeReadAreRotten) {
  TreeProblems found(2);
  found.add(10, 0, {"not a row key"}, 0, 0);
  EXPECT_FALSE(found.sound());
  EXPECT_EQ(found.texts().size(), 1u);
}

}  // namespace
}  // namespace syntropy
