// What comes from a redis-server, in the store: keys, commands, transactions, what has no place.
#include "server/migration/upstream_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "tests/support/test_services.h"

namespace syntropy {
namespace {

using ::testing::HasSubstr;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

class UpstreamStoreTest : public ::testing::Test {
 protected:
  Status apply(const std::vector<std::string_view>& command) { return store_->apply(command); }
  void expect_applied(const std::vector<std::string_view>& command) {
    const Status applied = apply(command);
    EXPECT_TRUE(applied.ok()) << applied.message();
  }
  void leave_out() { store_.emplace(services_.context, true); }
  std::optional<std::string> get(std::string_view key, uint16_t db = 0) {
    Tick tick(*services_.keyspace);
    tick.begin_command(services_.clock.wall_ms(), ReadTier::kDisk);
    const std::optional<RowView> row = tick.get(db, key);
    return row ? std::optional(std::string(row->payload)) : std::nullopt;
  }
  static RdbReader::Entry entry(uint32_t db, const std::string& key, const std::string& value) {
    RdbReader::Entry entry;
    entry.database = db;
    entry.key = key;
    entry.value = value;
    entry.type = "string";
    return entry;
  }
  static RdbReader::Entry hash() {
    RdbReader::Entry entry;
    entry.key = "h";
    entry.type = "hash";
    return entry;
  }
  void commit() { EXPECT_TRUE(store_->commit().ok()); }

  testing::TestServices services_;
  std::optional<UpstreamStore> store_{std::in_place, services_.context, false};
};

TEST_F(UpstreamStoreTest, ACopyReplacesWhatIsHere) {
  expect_applied({"SET", "old", "x"});
  commit();
  EXPECT_TRUE(store_->begin_copy().ok());
  EXPECT_TRUE(store_->put(entry(0, "a", "1")).ok());
  RdbReader::Entry expiring = entry(2, "b", "2");
  expiring.expires_at_ms = static_cast<int64_t>(services_.clock.wall_ms() + 1000);
  EXPECT_TRUE(store_->put(expiring).ok());
  EXPECT_TRUE(store_->end_copy().ok());
  EXPECT_EQ(get("old"), std::nullopt);
  EXPECT_EQ(get("a"), "1");
  EXPECT_EQ(get("b", 2), "2");
  services_.clock.advance_ms(1001);
  EXPECT_EQ(get("b", 2), std::nullopt);
}

TEST_F(UpstreamStoreTest, CommandsAreSeenWhenTheyAreCommitted) {
  expect_applied({"SELECT", "3"});
  expect_applied({"SET", "a", "1"});
  expect_applied({"INCRBY", "n", "5"});
  expect_applied({"PING"});
  expect_applied({"REPLCONF", "GETACK", "*"});
  EXPECT_EQ(get("a", 3), std::nullopt);
  commit();
  EXPECT_EQ(get("a", 3), "1");
  EXPECT_EQ(store_->counts().commands, 2u);
}

TEST_F(UpstreamStoreTest, ATransactionIsNotParted) {
  expect_applied({"SET", "before", "1"});
  expect_applied({"MULTI"});
  expect_applied({"SET", "a", "1"});
  EXPECT_FALSE(store_->at_rest());
  commit();  // more is awaited
  EXPECT_EQ(get("before"), "1");
  EXPECT_EQ(get("a"), std::nullopt);
  expect_applied({"SET", "b", "2"});
  expect_applied({"EXEC"});
  EXPECT_TRUE(store_->at_rest());
  commit();
  EXPECT_EQ(get("a"), "1");
  EXPECT_EQ(get("b"), "2");
}

TEST_F(UpstreamStoreTest, WhatIsNotCommittedIsGoneWithTheConnection) {
  expect_applied({"SET", "a", "1"});
  expect_applied({"MULTI"});
  expect_applied({"SET", "b", "1"});
  store_->abandon();
  EXPECT_TRUE(store_->at_rest());
  commit();
  EXPECT_EQ(get("a"), std::nullopt);
  // The writers' lock is free.
  Tick tick(*services_.keyspace);
  tick.begin_command(services_.clock.wall_ms(), ReadTier::kDisk);
  tick.begin_write();
  tick.put(0, "c", RowKind::kString, "1", 0);
  EXPECT_TRUE(tick.commit().ok());
}

TEST_F(UpstreamStoreTest, NothingExpiresBeforeTheOtherSaysSo) {
  expect_applied({"SET", "n", "5", "PXAT", std::to_string(services_.clock.wall_ms() + 10)});
  commit();
  services_.clock.advance_ms(1000);
  expect_applied({"APPEND", "n", "6"});
  expect_applied({"PERSIST", "n"});
  commit();
  EXPECT_EQ(get("n"), "56");
}

TEST_F(UpstreamStoreTest, WhatHasNoPlaceEndsIt) {
  EXPECT_TRUE(store_->begin_copy().ok());
  store_->pass_over(hash());
  EXPECT_TRUE(store_->put(entry(0, "a", "1")).ok());
  store_->pass_over(hash());
  const Status ended = store_->end_copy();
  EXPECT_TRUE(ended.is(StatusCode::kInvalidArgument));
  EXPECT_THAT(std::string(ended.message()), HasSubstr("2 hash"));
  EXPECT_EQ(get("a"), std::nullopt);
  const Status command = apply({"HSET", "h", "f", "v"});
  EXPECT_TRUE(command.is(StatusCode::kInvalidArgument));
  EXPECT_THAT(std::string(command.message()), HasSubstr("'hset'"));
}

TEST_F(UpstreamStoreTest, OrIsLeftOut) {
  leave_out();
  EXPECT_TRUE(store_->begin_copy().ok());
  store_->pass_over(hash());
  EXPECT_TRUE(store_->put(entry(0, "s", "1")).ok());
  EXPECT_TRUE(store_->end_copy().ok());
  expect_applied({"HSET", "h", "f", "v"});
  expect_applied({"HSET", "h", "g", "v"});
  // There "s" is a hash now.
  expect_applied({"RENAME", "h", "s"});
  commit();
  EXPECT_EQ(get("s"), std::nullopt);
  EXPECT_EQ(store_->counts().failed, 1u);
  EXPECT_THAT(store_->counts().left_out, UnorderedElementsAre(Pair("hash", 1), Pair("hset", 2)));
}

TEST_F(UpstreamStoreTest, ADatabaseThatIsNotHereEndsIt) {
  const Status selected = apply({"SELECT", "99"});
  EXPECT_TRUE(selected.is(StatusCode::kInvalidArgument));
  EXPECT_THAT(std::string(selected.message()), HasSubstr("set 'databases' to 100"));
  EXPECT_TRUE(store_->put(entry(99, "a", "1")).is(StatusCode::kInvalidArgument));
  EXPECT_TRUE(apply({"SELECT", "x"}).is(StatusCode::kCorruption));
  EXPECT_TRUE(apply({"SET", "a"}).is(StatusCode::kCorruption));
}

}  // namespace
}  // namespace syntropy
