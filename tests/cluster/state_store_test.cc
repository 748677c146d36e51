#include "server/cluster/state_store.h"

#include <gtest/gtest.h>

#include "membership/facts.h"
#include "server/replication/follow_plan.h"
#include "storage/local_records.h"
#include "storage/memory_engine.h"
#include "storage/replication_log.h"

namespace syntropy {
namespace {

using Keep = StateStore::Keep;

LineageId lineage(char letter) {
  return *LineageId::from_bytes(std::string(LineageId::kBytes, letter));
}

class StateStoreTest : public testing::Test {
 protected:
  StateStoreTest() : random_(1), states_(engine_) {
    membership_.id = NodeId::random(random_);
    membership_.store = 7;
  }

  void put_position(const LogPosition& position) {
    std::string history;
    encode_history(position.history, &history);
    const std::unique_ptr<EngineBatch> batch = engine_.new_batch();
    batch->put(log_history_record_key(), history);
    batch->put(log_offset_record_key(), encode_position(position));
    ASSERT_TRUE(engine_.write(*batch).ok());
  }

  LogPosition position() { return *ReplicationLog::position_in(engine_, nullptr); }

  SeededRandom random_;
  MemoryEngine engine_{nullptr};
  StateStore states_;
  MembershipState membership_;
};

TEST_F(StateStoreTest, StoreThatHasLostRowsIsAnotherOneOfTheSameNode) {
  ASSERT_TRUE(states_.save(membership_, Keep::kLog).ok());
  const auto node = states_.lose_rows(random_);
  ASSERT_TRUE(node.ok());
  EXPECT_EQ(*node, membership_.id);
  const auto stored = states_.load();
  ASSERT_TRUE(stored.ok() && *stored);
  EXPECT_EQ((*stored)->membership.id, membership_.id);
  EXPECT_NE((*stored)->membership.store, 7u);
  EXPECT_EQ((*stored)->joining, Keep::kRows);
}

TEST_F(StateStoreTest, RowsThatWereToGoBeforeItFollowsAreNotHandedOver) {
  ASSERT_TRUE(states_.save(membership_, Keep::kNothing).ok());
  ASSERT_TRUE(states_.lose_rows(random_).ok());
  EXPECT_EQ((**states_.load()).joining, Keep::kNothing);
}

TEST_F(StateStoreTest, PrimaryThatHasItsWholeLogComparesAllRowsAllTheSame) {
  ASSERT_TRUE(states_.save(membership_, Keep::kLog).ok());
  put_position({{{lineage('a'), 0}, {lineage('b'), 500}}, 900, std::nullopt});
  ASSERT_TRUE(states_.lose_rows(random_).ok());
  EXPECT_EQ(position().offset, 0u);
  const LogPosition primary{{{lineage('a'), 0}, {lineage('b'), 500}}, 2000, std::nullopt};
  // As LogApplier::stop_writing(kRows) leaves it.
  const LogPosition follows{{}, 0, position().owed};
  EXPECT_EQ(plan_to_follow(primary, follows).hand_over, FollowPlan::HandOver::kRows);
  EXPECT_TRUE(is_of_shard(primary, follows)) << "what was purged there may be among its rows";
}

TEST_F(StateStoreTest, LineageThatTheLogHasLostIsTheOneThatWasTold) {
  MemberRecord own;
  own.id = membership_.id;
  Entry entry;
  entry.key = EntryKey::kReplication;
  entry.version = 3;
  entry.value = std::make_shared<const std::string>(encode(ReplicationFact{lineage('c'), 5, true}));
  own.max_version = entry.version;
  own.entries.push_back(entry);
  membership_.own = std::make_shared<const MemberRecord>(own);
  ASSERT_TRUE(states_.save(membership_, Keep::kLog).ok());
  ASSERT_TRUE(states_.lose_rows(random_).ok());
  EXPECT_EQ(position().lineage(), lineage('c'));
}

TEST_F(StateStoreTest, StoreOfNoClusterStaysOne) {
  const auto node = states_.lose_rows(random_);
  ASSERT_TRUE(node.ok());
  EXPECT_FALSE(*node);
  EXPECT_FALSE(*ReplicationLog::exists(engine_));
}

}  // namespace
}  // namespace syntropy
