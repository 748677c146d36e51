// The log of a primary and those of its followers: offsets that fall and stand with their rows,
// bytes that are the same on all, roles that can't be mixed up.
#include "storage/replication_log.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "storage/keyspace.h"
#include "storage/local_keys.h"
#include "storage/log_applier.h"
#include "storage/log_record.h"
#include "storage/memory_engine.h"
#include "storage/tick.h"
#include "tests/support/engine_helpers.h"
#include "tests/support/manual_clock.h"

namespace syntropy {
namespace {

LineageId id(char letter) { return *LineageId::from_bytes(std::string(LineageId::kBytes, letter)); }

class Store {
 public:
  explicit Store(WriterId writer, bool replicated = true)
      : next_writer_(writer), replicated_(replicated) {
    open();
  }

  void open() {
    applier_.reset();
    keyspace_.reset();
    KeyspaceOptions options;
    options.databases = 2;
    options.new_writer_id = next_writer_++;
    options.replicated = replicated_;
    options.log.backlog_bytes = 4096;
    keyspace_ = std::move(*Keyspace::open(engine_, clock_, purge_, options));
    applier_ = std::make_unique<LogApplier>(*keyspace_);
  }

  void lose_power() {
    applier_.reset();
    keyspace_.reset();
    engine_.lose_unsynced();
    open();
  }

  Status put(std::string_view key, std::string_view value, uint64_t judged_by = UINT64_MAX) {
    Tick tick(*keyspace_);
    tick.judged_by(judged_by);
    tick.begin_command(clock_.wall_ms(), ReadTier::kDisk);
    tick.begin_write();
    tick.put(0, key, RowKind::kString, value, 0);
    return tick.commit();
  }

  std::optional<std::string> get(std::string_view key) {
    Tick tick(*keyspace_);
    tick.begin_command(clock_.wall_ms(), ReadTier::kDisk);
    const std::optional<RowView> row = tick.get(0, key);
    return row ? std::optional(std::string(row->payload)) : std::nullopt;
  }

  testing::Pairs rows() { return testing::scan(engine_, {}, kRowKeysEnd); }

  /// Takes all that the other's log has beyond this one's.
  void pull(Store& from) {
    const uint64_t offset = log().offset();
    const Result<std::string> records = from.log().read(offset, SIZE_MAX);
    ASSERT_TRUE(records.ok());
    ASSERT_TRUE(applier().append(offset, *records).ok());
  }

  ReplicationLog& log() { return *keyspace_->replication_log(); }
  LogApplier& applier() { return *applier_; }
  Keyspace& keyspace() { return *keyspace_; }
  MemoryEngine& engine() { return engine_; }

  testing::ManualClock clock_;

 private:
  WriterId next_writer_;
  const bool replicated_;
  MemoryEngine engine_;
  PurgePolicy purge_{PurgePolicy::Mode::kNever};
  std::unique_ptr<Keyspace> keyspace_;
  std::unique_ptr<LogApplier> applier_;
};

class ReplicationLogTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(primary_.applier().begin_lineage(id('a')).ok());
    ASSERT_TRUE(replica_.applier().follow(primary_.log().position().history, 0, {}).ok());
  }

  Store primary_{100};
  Store replica_{200};
};

TEST_F(ReplicationLogTest, FollowerHoldsTheSameRowsAndTheSameBytes) {
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(primary_.put("k" + std::to_string(i), "v").ok());
  replica_.pull(primary_);
  EXPECT_EQ(replica_.rows(), primary_.rows());
  EXPECT_EQ(replica_.log().offset(), primary_.log().offset());
  EXPECT_EQ(*replica_.log().read(0, SIZE_MAX), *primary_.log().read(0, SIZE_MAX));
  EXPECT_EQ(replica_.keyspace().key_count(0), 5u);
}

TEST_F(ReplicationLogTest, TickThatChangesNoRowAppendsNothing) {
  ASSERT_TRUE(primary_.put("k", "v").ok());
  const uint64_t offset = primary_.log().offset();
  Tick tick(primary_.keyspace());
  tick.begin_command(primary_.clock_.wall_ms(), ReadTier::kDisk);
  tick.begin_write();
  EXPECT_FALSE(tick.erase(0, "absent"));
  ASSERT_TRUE(tick.commit().ok());
  EXPECT_EQ(primary_.log().offset(), offset);
}

TEST_F(ReplicationLogTest, FlushTravels) {
  ASSERT_TRUE(primary_.put("k", "v").ok());
  Tick tick(primary_.keyspace());
  tick.begin_command(primary_.clock_.wall_ms(), ReadTier::kDisk);
  tick.begin_write();
  tick.put(0, "k2", RowKind::kString, "v", 0);
  tick.flush_db(0);
  tick.put(0, "k3", RowKind::kString, "v", 0);
  ASSERT_TRUE(tick.commit().ok());
  replica_.pull(primary_);
  EXPECT_EQ(replica_.get("k"), std::nullopt);
  EXPECT_EQ(replica_.get("k2"), std::nullopt);
  EXPECT_EQ(replica_.get("k3"), "v");
  EXPECT_EQ(replica_.keyspace().key_count(0), 1u);
}

TEST_F(ReplicationLogTest, OffsetFallsBackWithTheRowsThatPowerTook) {
  ASSERT_TRUE(primary_.put("a", "1").ok());
  replica_.pull(primary_);
  ASSERT_TRUE(replica_.engine().sync().ok());
  const uint64_t durable = replica_.log().offset();
  ASSERT_TRUE(primary_.put("b", "2").ok());
  replica_.pull(primary_);
  EXPECT_GT(replica_.log().offset(), durable);
  replica_.lose_power();
  EXPECT_EQ(replica_.log().offset(), durable);
  EXPECT_EQ(replica_.get("b"), std::nullopt);
  EXPECT_FALSE(replica_.log().covers(0)) << "the bytes are not stored";
  replica_.pull(primary_);
  EXPECT_EQ(replica_.rows(), primary_.rows());
}

TEST_F(ReplicationLogTest, FailedCommitLeavesTheLogAlone) {
  ASSERT_TRUE(primary_.put("a", "1").ok());
  const uint64_t offset = primary_.log().offset();
  const std::string bytes = *primary_.log().read(0, SIZE_MAX);
  primary_.engine().fail_next_write(Status::io_error("injected"));
  EXPECT_FALSE(primary_.put("b", "2").ok());
  EXPECT_EQ(primary_.log().offset(), offset);
  ASSERT_TRUE(primary_.engine().recover().ok());
  ASSERT_TRUE(primary_.put("c", "3").ok());
  EXPECT_EQ(primary_.log().read(0, SIZE_MAX)->substr(0, bytes.size()), bytes);
  replica_.pull(primary_);
  EXPECT_EQ(replica_.rows(), primary_.rows());
}

TEST_F(ReplicationLogTest, FollowerTakesNoWritesOfItsOwn) {
  EXPECT_TRUE(replica_.put("k", "v").is(StatusCode::kUnavailable));
  EXPECT_EQ(replica_.get("k"), std::nullopt);
  EXPECT_TRUE(replica_.applier().take_over("").status().is(StatusCode::kUnavailable));
  EXPECT_TRUE(primary_.applier().append(0, "").is(StatusCode::kUnavailable));
  // Nor does a node that has not been told its role.
  primary_.open();
  EXPECT_TRUE(primary_.put("k", "v").is(StatusCode::kUnavailable));
}

TEST_F(ReplicationLogTest, TickThatWasUnderWayWhenTheRoleChangedIsRefused) {
  Tick tick(primary_.keyspace());
  tick.begin_command(primary_.clock_.wall_ms(), ReadTier::kDisk);
  EXPECT_FALSE(tick.get(0, "k"));
  ASSERT_TRUE(primary_.applier().follow({{id('z'), 0}}, 0, {}).ok());
  tick.begin_write();
  tick.put(0, "k", RowKind::kString, "v", 0);
  EXPECT_TRUE(tick.commit().is(StatusCode::kUnavailable));
  EXPECT_EQ(primary_.get("k"), std::nullopt);
}

TEST_F(ReplicationLogTest, FencedIsWhatWasJudgedBefore) {
  primary_.applier().fence(7);
  EXPECT_TRUE(primary_.put("k", "v", 6).is(StatusCode::kUnavailable));
  EXPECT_TRUE(primary_.put("k", "v", 7).ok());
  EXPECT_TRUE(primary_.put("k", "v").ok()) << "what nobody judges";
}

TEST_F(ReplicationLogTest, WhileSomethingIsHeldOnlyWhoKnowsOfItWrites) {
  ASSERT_TRUE(primary_.put("k", "v", 6).ok());
  ASSERT_TRUE(primary_.applier().hold(7).ok());
  EXPECT_TRUE(primary_.put("k", "w", 6).is(StatusCode::kUnavailable));
  EXPECT_TRUE(primary_.put("k", "w").is(StatusCode::kUnavailable));
  EXPECT_FALSE(primary_.applier().purge(1, {}).ok()) << "nor is anything removed";
  EXPECT_EQ(primary_.get("k"), "v");
  EXPECT_TRUE(primary_.put("other", "v", 7).ok());
  primary_.applier().release();
  EXPECT_TRUE(primary_.put("k", "w").ok());
  EXPECT_TRUE(primary_.put("k", "x", 6).is(StatusCode::kUnavailable)) << "fenced as before";
}

TEST_F(ReplicationLogTest, AChangeOfRolesEndsAHold) {
  ASSERT_TRUE(primary_.applier().hold(7).ok());
  ASSERT_TRUE(primary_.applier().stop_writing().ok());
  EXPECT_TRUE(primary_.applier().hold(8).is(StatusCode::kUnavailable)) << "it is no writer";
  ASSERT_TRUE(primary_.applier().begin_lineage(id('b')).ok());
  EXPECT_TRUE(primary_.put("k", "v").ok());
}

TEST_F(ReplicationLogTest, SwappingDatabasesIsRefused) {
  Tick tick(primary_.keyspace());
  tick.begin_command(primary_.clock_.wall_ms(), ReadTier::kDisk);
  tick.begin_write();
  tick.swap_dbs(0, 1);
  EXPECT_TRUE(tick.commit().is(StatusCode::kUnavailable));
}

TEST_F(ReplicationLogTest, RecordsThatDoNotContinueTheLogAreRefused) {
  ASSERT_TRUE(primary_.put("a", "1").ok());
  ASSERT_TRUE(primary_.put("b", "2").ok());
  const std::string records = *primary_.log().read(0, SIZE_MAX);
  EXPECT_TRUE(replica_.applier().append(5, records).is(StatusCode::kInvalidArgument));
  EXPECT_TRUE(replica_.applier().append(0, records.substr(1)).is(StatusCode::kCorruption));
  EXPECT_TRUE(replica_.rows().empty());
  EXPECT_EQ(replica_.log().offset(), 0u);
  EXPECT_TRUE(replica_.applier().append(0, records).ok());
}

TEST_F(ReplicationLogTest, BacklogKeepsItsBytesAndNoMore) {
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(primary_.put("k", std::string(100, 'x')).ok());
  const uint64_t end = primary_.log().offset();
  EXPECT_GE(primary_.log().held_bytes(), 4096u);
  EXPECT_LT(primary_.log().held_bytes(), 4096u + 300);
  EXPECT_EQ(primary_.log().backlog_begin(), end - primary_.log().held_bytes());
  EXPECT_TRUE(primary_.log().read(0, 10).status().is(StatusCode::kNotFound));
  EXPECT_TRUE(primary_.log().read(end + 1, 10).status().is(StatusCode::kNotFound));
  EXPECT_EQ(*primary_.log().read(end, 10), "");
  // Cut anywhere, it is the same bytes.
  const std::string all = *primary_.log().read(end - 1000, SIZE_MAX);
  std::string pieces;
  while (pieces.size() < all.size()) {
    pieces += *primary_.log().read(end - 1000 + pieces.size(), 77);
  }
  EXPECT_EQ(pieces, all);
  // A record larger than the backlog is there until the next one comes.
  ASSERT_TRUE(primary_.put("k", std::string(10'000, 'x')).ok());
  EXPECT_TRUE(primary_.log().covers(end));
  primary_.log().set_backlog_bytes(1);
  EXPECT_TRUE(primary_.log().covers(end));
}

TEST_F(ReplicationLogTest, ReaderHoldsWhatItHasYetToRead) {
  LogReader reader(primary_.log(), 0);
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(primary_.put("k", std::string(100, 'x')).ok());
  EXPECT_TRUE(primary_.log().covers(0));
  while (!reader.read(1000)->empty()) {
  }
  EXPECT_EQ(reader.offset(), primary_.log().offset());
  EXPECT_LT(primary_.log().held_bytes(), 4096u + 300);
}

TEST_F(ReplicationLogTest, PromotedReplicaContinuesTheOthers) {
  Store other(300);
  ASSERT_TRUE(other.applier().follow(primary_.log().position().history, 0, {}).ok());
  ASSERT_TRUE(primary_.put("a", "1").ok());
  replica_.pull(primary_);
  ASSERT_TRUE(replica_.applier().begin_lineage(id('b')).ok());
  ASSERT_TRUE(replica_.put("b", "2").ok());
  // It has nothing yet, and still needs no copy.
  EXPECT_EQ(replica_.log().position().common_offset(other.log().position()), 0u);
  ASSERT_TRUE(other.applier().follow(replica_.log().position().history, 0, {}).ok());
  other.pull(replica_);
  EXPECT_EQ(other.rows(), replica_.rows());
  EXPECT_EQ(other.log().position(), replica_.log().position());
}

TEST_F(ReplicationLogTest, WriteAfterATakeoverIsNewerThanWhatTheOldPrimaryStillHandsOver) {
  // The replica's clock is behind: within what it follows, and far beyond it.
  for (const uint64_t behind_ms : {20'000, 3'600'000}) {
    SCOPED_TRACE(behind_ms);
    Store primary(300), replica(400);
    replica.clock_.set_wall_ms(primary.clock_.wall_ms() - behind_ms);
    ASSERT_TRUE(primary.applier().begin_lineage(id('a')).ok());
    ASSERT_TRUE(replica.applier().follow(primary.log().position().history, 0, {}).ok());
    ASSERT_TRUE(primary.put("known", "1").ok());
    replica.pull(primary);
    const uint64_t common = replica.log().offset();

    primary.clock_.advance_ms(2000);
    replica.clock_.advance_ms(2000);
    ASSERT_TRUE(primary.put("known", "2").ok());
    ASSERT_TRUE(primary.put("unknown", "2").ok());
    ASSERT_TRUE(primary.put("alone", "2").ok());
    ASSERT_TRUE(replica.applier().begin_lineage(id('b')).ok());
    ASSERT_TRUE(replica.put("known", "3").ok());
    ASSERT_TRUE(replica.put("unknown", "3").ok());
    ASSERT_TRUE(replica.applier().take_over(*primary.log().read(common, SIZE_MAX)).ok());
    EXPECT_EQ(replica.get("known"), "3");
    EXPECT_EQ(replica.get("unknown"), "3");
    EXPECT_EQ(replica.get("alone"), "2");
  }
}

TEST_F(ReplicationLogTest, OldPrimaryGoesBackToTheCommonPoint) {
  ASSERT_TRUE(primary_.put("a", "1").ok());
  replica_.pull(primary_);
  const uint64_t common = replica_.log().offset();
  ASSERT_TRUE(primary_.put("alone", "2").ok());
  ASSERT_TRUE(replica_.applier().begin_lineage(id('b')).ok());
  ASSERT_TRUE(replica_.put("b", "3").ok());
  ASSERT_EQ(primary_.log().position().common_offset(replica_.log().position()), common);
  const Result<LogPoint> taken =
      replica_.applier().take_over(*primary_.log().read(common, SIZE_MAX));
  ASSERT_TRUE(taken.ok());
  EXPECT_EQ(taken->lineage, id('b'));
  ASSERT_TRUE(primary_.applier().follow(replica_.log().position().history, common, *taken).ok());
  EXPECT_EQ(primary_.log().position().owed, *taken);
  EXPECT_TRUE(primary_.log().covers(0)) << "what is common is kept";
  EXPECT_EQ(primary_.get("alone"), "2") << "nothing is wiped";
  primary_.pull(replica_);
  EXPECT_EQ(primary_.log().position(), replica_.log().position());
  EXPECT_EQ(primary_.rows(), replica_.rows());
  EXPECT_EQ(*primary_.log().read(0, SIZE_MAX), *replica_.log().read(0, SIZE_MAX));
}

TEST_F(ReplicationLogTest, TakingOverWhatIsThereAppendsNothing) {
  ASSERT_TRUE(primary_.put("a", "1").ok());
  const uint64_t offset = primary_.log().offset();
  ASSERT_TRUE(primary_.applier().take_over(*primary_.log().read(0, SIZE_MAX)).ok());
  EXPECT_EQ(primary_.log().offset(), offset);
}

TEST_F(ReplicationLogTest, RowsFromElsewhereAreOwedUntilAllHaveArrived) {
  ASSERT_TRUE(primary_.put("a", "1").ok());
  ASSERT_TRUE(primary_.put("b", "1").ok());
  std::vector<std::string> records;
  for (const auto& [key, value] : primary_.rows()) {
    LogRecordBuilder builder;
    builder.add_row(key, value);
    records.push_back(*builder.take());
  }
  ASSERT_EQ(records.size(), 2u);
  const LogPosition source = primary_.log().position();
  ASSERT_TRUE(primary_.put("later", "1").ok());
  Store fresh(300);
  ASSERT_TRUE(fresh.applier().merge(records[0], {id('a'), source.offset}).ok());
  EXPECT_EQ(fresh.log().position().owed, (LogPoint{id('a'), source.offset}));
  EXPECT_EQ(fresh.log().offset(), 0u);
  ASSERT_TRUE(fresh.engine().sync().ok());
  fresh.lose_power();
  EXPECT_TRUE(fresh.log().position().owed) << "it is remembered";
  ASSERT_TRUE(fresh.applier().merge(records[1], {id('a'), source.offset}).ok());
  ASSERT_TRUE(fresh.applier().arrive(source.history, source.offset).ok());
  EXPECT_FALSE(fresh.log().position().owed);
  fresh.pull(primary_);
  EXPECT_EQ(fresh.rows(), primary_.rows());
}

TEST(StartOfReplication, KeepsTheRowsAndMakesAWriter) {
  Store store(1, /*replicated=*/false);
  ASSERT_TRUE(store.put("before", "1").ok());
  EXPECT_EQ(store.keyspace().replication_log(), nullptr);
  store.engine().fail_next_write(Status::io_error("injected"));
  EXPECT_FALSE(store.keyspace().start_replication({}, id('a')).ok());
  EXPECT_EQ(store.keyspace().replication_log(), nullptr);
  ASSERT_TRUE(store.engine().recover().ok());
  ASSERT_TRUE(store.keyspace().start_replication({}, id('a')).ok());
  ASSERT_TRUE(store.keyspace().start_replication({}, id('b')).ok());
  EXPECT_EQ(store.log().position().history, (History{{id('a'), 0}}));
  ASSERT_TRUE(store.put("after", "1").ok());
  EXPECT_GT(store.log().offset(), 0u);
  store.open();  // it stays replicated
  EXPECT_NE(store.keyspace().replication_log(), nullptr);
}

TEST(StartOfReplication, ListenerHearsOfWhatIsAppended) {
  Store store(1);
  ASSERT_TRUE(store.applier().begin_lineage(id('a')).ok());
  int heard = 0;
  store.log().set_listener([&] {
    ++heard;
    EXPECT_TRUE(store.log().read(0, 1).ok());  // no lock is held
  });
  ASSERT_TRUE(store.put("k", "v").ok());
  EXPECT_EQ(heard, 1);
}

}  // namespace
}  // namespace syntropy
