// The trees of a store are the sums over its rows, whatever is done to the rows, and after whatever
// end of the process.
#include "server/trees/row_trees.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "storage/base/random.h"
#include "tests/trees/tree_node.h"

namespace syntropy::testing {
namespace {

class RowTreesOf : public ::testing::TestWithParam<bool> {
 protected:
  TreeNode node_{GetParam()};
};

INSTANTIATE_TEST_SUITE_P(, RowTreesOf, ::testing::Bool(),
                         [](const auto& param) { return param.param ? "Replicated" : "Alone"; });

// Everything that changes rows, at random, several in a commit; some commits fail.
void do_something(TreeNode& node, SeededRandom& random) {
  if (random.below(40) == 0) node.engine().fail_next_write(Status::io_error("injected"));
  const bool done = node.run([&](Tick& tick) {
    for (uint64_t i = random.below(4); i < 4; ++i) {
      const auto db = static_cast<uint16_t>(random.below(4));
      const std::string key = "key" + std::to_string(random.below(60));
      const uint64_t later = tick.now_ms() + random.below(2000);
      switch (random.below(8)) {
        case 0:
          tick.erase(db, key);
          break;
        case 1:
          (void)tick.increment(db, "n" + key, 1);
          break;
        case 2:
          tick.set_expiry(db, key, later);
          break;
        case 3:
          tick.drain_expired(1 + random.below(5));
          break;
        case 4:
          if (random.below(30) == 0) tick.flush_db(db);
          break;
        default:
          tick.put(db, key, RowKind::kString, std::to_string(random.next()),
                   random.below(3) == 0 ? later : 0);
      }
    }
  });
  if (!done) {
    EXPECT_TRUE(node.engine().recover().ok());
  }
  node.clock().advance_ms(random.below(200));
}

TEST_P(RowTreesOf, AreTheSumsOverTheRows) {
  SeededRandom random(1);
  for (int round = 0; round < 20; ++round) {
    for (int i = 0; i < 100; ++i) do_something(node_, random);
    EXPECT_GT(node_.expect_right(), 0u);
  }
  EXPECT_TRUE(node_.run([](Tick& tick) {
    for (uint16_t db = 0; db < 4; ++db) tick.flush_db(db);
  }));
  EXPECT_EQ(node_.expect_right(), 0u);
}

TEST_P(RowTreesOf, AreThereAfterEveryEnd) {
  SeededRandom random(2);
  for (int round = 0; round < 60; ++round) {
    for (int i = 0; i < 30; ++i) do_something(node_, random);
    if (random.below(3) == 0) {
      EXPECT_TRUE(node_.trees().save().ok());
    }
    if (random.below(3) == 0) {
      EXPECT_TRUE(node_.engine().sync().ok());
    }
    switch (random.below(3)) {
      case 0:
        node_.crash();
        break;
      case 1:
        node_.restart();
        break;
      default:
        node_.lose_power();
    }
    node_.expect_right();
  }
}

TEST_P(RowTreesOf, AreReadyAfterACrashWithoutReadingRows) {
  for (int i = 0; i < 3000; ++i) node_.put("key" + std::to_string(i), "value");
  node_.crash();
  EXPECT_EQ(node_.trees().stats().stale_slots, 0u);
  EXPECT_EQ(node_.trees().stats().rows, 3000u);
  EXPECT_EQ(node_.trees().stats().rows_read, 0u);
  node_.expect_right();
}

TEST_P(RowTreesOf, FollowARowThatIsWrittenAgain) {
  node_.put("key", "one");
  const Summary one = node_.root();
  node_.put("key", "two");
  EXPECT_NE(node_.root(), one);
  EXPECT_EQ(node_.root().rows, 1u);
}

// Keys expire while an I/O thread's tick, which doesn't wait for the disk, counts them.
TEST_P(RowTreesOf, KnowWhichRowsExpiredThoughTheyAreCold) {
  EXPECT_TRUE(node_.run([](Tick& tick) {
    for (int i = 0; i < 50; ++i) {
      tick.put(0, "key" + std::to_string(i), RowKind::kString, "value", tick.now_ms() + 1);
    }
  }));
  node_.keyspace().set_row_cache_bytes(0);
  node_.engine().set_cold(true);
  node_.clock().advance_ms(10);
  Tick tick(node_.keyspace());
  tick.begin_command(node_.clock().wall_ms(), ReadTier::kMemory);
  tick.begin_write();
  EXPECT_EQ(tick.drain_expired(100), 50u);
  EXPECT_TRUE(tick.commit().ok());
  // Told one by one: else all rows would have to be read anew.
  EXPECT_TRUE(node_.trees().access(SlotRanges::all()).ok());
  EXPECT_EQ(node_.expect_right(), GetParam() ? 50u : 0u);
}

// One slot with more and more rows: its tree grows as deep as they ask for.
TEST_P(RowTreesOf, DeepenWithTheirSlot) {
  const uint16_t slot = slot_of("{tag}");
  for (int i = 0; i < 5000; ++i) node_.put("{tag}" + std::to_string(i), "value");
  node_.expect_right();
  const Result<RowTrees::Access> access = node_.trees().access(SlotRanges::all());
  ASSERT_TRUE(access.ok());
  EXPECT_EQ(access->tree().depth(slot), depth_for(5000));
}

TEST_P(RowTreesOf, AreMadeAnewWhenTheirFilesAreGone) {
  for (int i = 0; i < 1000; ++i) node_.put("key" + std::to_string(i), "value");
  const Summary before = node_.root();
  node_.close();
  std::filesystem::remove_all(node_.dir());
  node_.open();
  EXPECT_EQ(node_.trees().stats().stale_slots, kSlotCount);
  EXPECT_TRUE(node_.trees().access(SlotRanges::all()).status().is(StatusCode::kUnavailable));
  node_.put("another", "value");
  EXPECT_EQ(node_.expect_right(), 1001u);
  node_.run([](Tick& tick) { tick.erase(0, "another"); });
  if (!GetParam()) {
    EXPECT_EQ(node_.root(), before);
  }
}

TEST_P(RowTreesOf, AreMadeAnewWhenTheJournalHasAHole) {
  for (int i = 0; i < 100; ++i) node_.put("key" + std::to_string(i), "value");
  node_.close();
  for (const auto& entry : std::filesystem::directory_iterator(node_.dir())) {
    if (entry.path().filename().string().starts_with("journal-")) {
      std::filesystem::resize_file(entry.path(), 500);
    }
  }
  node_.open();
  EXPECT_EQ(node_.trees().stats().stale_slots, kSlotCount);
  EXPECT_EQ(node_.expect_right(), 100u);
}

TEST_P(RowTreesOf, AreEmptyWhenRowsAreDiscarded) {
  for (int i = 0; i < 100; ++i) node_.put("key" + std::to_string(i), "value");
  ASSERT_TRUE(node_.keyspace().discard_rows().ok());
  EXPECT_EQ(node_.expect_right(), 0u);
  node_.put("key", "value");
  node_.crash();
  EXPECT_EQ(node_.expect_right(), 1u);
}

TEST(RowTrees, KnowDeadRowsWhereOthersHaveToHearOfThem) {
  TreeNode alone(/*replicated=*/false);
  TreeNode replicated(/*replicated=*/true);
  for (TreeNode* node : {&alone, &replicated}) {
    node->put("key", "value");
    node->run([](Tick& tick) { tick.erase(0, "key"); });
  }
  EXPECT_EQ(alone.expect_right(), 0u);
  EXPECT_EQ(replicated.expect_right(), 1u);
}

// A row changed below the keyspace, as a rotten disk does.
TEST(RowTrees, NameTheRowThatIsRotten) {
  TreeNode node(/*replicated=*/false);
  for (int i = 0; i < 200; ++i) node.put("key" + std::to_string(i), "value");
  std::string row_key;
  encode_row_key(0, "key7", {}, &row_key);
  std::string row;
  ASSERT_TRUE(node.engine().get(row_key, ReadTier::kDisk, &row).ok());
  row.back() ^= 1;
  const auto batch = node.engine().new_batch();
  batch->put(row_key, row);
  std::string lost_key;
  encode_row_key(0, "key8", {}, &lost_key);
  batch->erase(lost_key);
  ASSERT_TRUE(node.engine().write(*batch).ok());
  std::vector<std::string> rotten;
  std::vector<uint64_t> lost;
  for (const char* key : {"key7", "key8"}) {
    const uint16_t slot = slot_of(key);
    const auto verdict = node.trees().verify(SlotRange{slot, slot});
    ASSERT_TRUE(verdict.ok());
    EXPECT_EQ(verdict->wrong_slots, std::vector<uint16_t>{slot});
    rotten.insert(rotten.end(), verdict->rotten.begin(), verdict->rotten.end());
    lost.insert(lost.end(), verdict->lost.begin(), verdict->lost.end());
  }
  EXPECT_EQ(rotten, std::vector<std::string>{row_key});
  EXPECT_EQ(lost, (std::vector<uint64_t>{row_position(slot_of("key8"), row_hash("key8"))}));
}

// What the disk has changed or lost comes back from a node that has it, and nothing else does.
TEST(RowTrees, TakeTheRowInPlaceOfARottenOne) {
  TreeNode node(/*replicated=*/false);
  for (int i = 0; i < 200; ++i) node.put("key" + std::to_string(i), "value");
  const Summary before = node.root();
  std::vector<std::pair<std::string, std::string>> rows;
  for (const char* key : {"key7", "key8"}) {
    std::string row_key;
    encode_row_key(0, key, {}, &row_key);
    std::string row;
    ASSERT_TRUE(node.engine().get(row_key, ReadTier::kDisk, &row).ok());
    rows.emplace_back(row_key, row);
  }
  EXPECT_TRUE(node.trees().mend(rows[0].first, rows[0].second).is(StatusCode::kInvalidArgument));
  std::string rotten = rows[0].second;
  rotten.back() ^= 1;
  const auto batch = node.engine().new_batch();
  batch->put(rows[0].first, rotten);
  batch->erase(rows[1].first);
  ASSERT_TRUE(node.engine().write(*batch).ok());

  std::string forged = rows[0].second;
  forged.back() ^= 2;
  EXPECT_TRUE(node.trees().mend(rows[0].first, forged).is(StatusCode::kInvalidArgument));
  EXPECT_TRUE(node.trees().mend(rows[0].first, rotten).is(StatusCode::kInvalidArgument));
  for (const auto& [key, value] : rows) EXPECT_TRUE(node.trees().mend(key, value).ok());
  EXPECT_EQ(node.expect_right(), 200u);
  EXPECT_EQ(node.root(), before);
  EXPECT_EQ(node.keyspace().key_count(0), 200u);
}

// Rows are read in the background while others are written.
TEST(RowTrees, AreMadeAnewBesideWriters) {
  TreeNode node(/*replicated=*/true);
  for (int i = 0; i < 2000; ++i) node.put("key" + std::to_string(i), "value");
  node.close();
  std::filesystem::remove_all(node.dir());
  TreeNode* const open = &node;
  open->open();
  std::thread reader([&] { EXPECT_TRUE(node.trees().make_ready().ok()); });
  for (int i = 0; i < 4000; ++i) node.put("key" + std::to_string(i % 2500), std::to_string(i));
  reader.join();
  EXPECT_EQ(node.expect_right(), 2500u);
}

TEST_P(RowTreesOf, KnowThatTheyWereOffSinceTheStoreWasEmpty) {
  node_.run_without_trees([](Tick& tick) { tick.put(0, "k", RowKind::kString, "v", 0); });
  EXPECT_EQ(node_.expect_right(), 1u);
}

// Commits are counted anew then, up to the number for which the old file stands, and beyond.
TEST_P(RowTreesOf, LeaveNoFileOfTheTimeBeforeTheyWereOff) {
  for (int i = 0; i < 3; ++i) node_.put("key" + std::to_string(i), "before");
  node_.run_without_trees([](Tick& tick) { tick.put(0, "k", RowKind::kString, "v", 0); });
  for (int i = 0; i < 10; ++i) {
    node_.put("key" + std::to_string(i), "after");
    node_.crash();
    node_.expect_right();
  }
}

}  // namespace
}  // namespace syntropy::testing
