// SessionTest: one primary and one replica, their sessions joined by hand.
//
// Thread safety: none.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "server/replication/primary_session.h"
#include "server/replication/replica_session.h"
#include "server/replication/tree_sessions.h"
#include "storage/keyspace.h"
#include "storage/local_keys.h"
#include "storage/log_applier.h"
#include "storage/memory_engine.h"
#include "storage/tick.h"
#include "tests/support/engine_helpers.h"
#include "tests/support/manual_clock.h"

namespace syntropy::testing {

inline LineageId id(char letter) {
  return *LineageId::from_bytes(std::string(LineageId::kBytes, letter));
}

struct Store {
  explicit Store(WriterId writer) {
    KeyspaceOptions options;
    options.databases = 1;
    options.new_writer_id = writer;
    options.replicated = true;
    options.log = {.backlog_bytes = 2000, .reader_bytes = 4000};
    keyspace = std::move(*Keyspace::open(engine, clock, purge, options));
    applier = std::make_unique<LogApplier>(*keyspace);
    RowTreesOptions options_of_trees;
    options_of_trees.background = false;
    trees = std::move(*RowTrees::open(*keyspace, options_of_trees));
    sessions = std::make_unique<TreeSessions>(*keyspace, *trees, *applier);
  }
  Status put(std::string_view key, std::string_view value) {
    Tick tick(*keyspace);
    tick.begin_command(clock.wall_ms(), ReadTier::kDisk);
    tick.begin_write();
    tick.put(0, key, RowKind::kString, value, 0);
    return tick.commit();
  }
  Status erase(std::string_view key) {
    Tick tick(*keyspace);
    tick.begin_command(clock.wall_ms(), ReadTier::kDisk);
    tick.begin_write();
    tick.erase(0, key);
    return tick.commit();
  }
  Pairs rows() { return scan(engine, {}, kRowKeysEnd); }
  ReplicationLog& log() { return *keyspace->replication_log(); }

  MemoryEngine engine;
  ManualClock clock;
  PurgePolicy purge{PurgePolicy::Mode::kNever};
  std::unique_ptr<Keyspace> keyspace;
  std::unique_ptr<LogApplier> applier;
  std::unique_ptr<RowTrees> trees;
  std::unique_ptr<TreeSessions> sessions;
};

class SessionTest : public ::testing::Test {
 protected:
  SessionTest() {
    options_.stream = {.window_bytes = 400, .piece_bytes = 100, .retry_ms = 100};
    options_.store_bytes = 200;
    options_.timeout_ms = 2000;
    options_.heartbeat_ms = 500;
    EXPECT_TRUE(primary_.applier->begin_lineage(id('a')).ok());
    new_replica();
  }
  ~SessionTest() override {
    primary_session_.reset();
    replica_session_.reset();
  }

  void new_replica() {
    replica_session_ = std::make_unique<ReplicaSession>(replica_.log(), *replica_.sessions,
                                                        SlotRanges::all(), options_, random_, now_);
  }

  /// Both go on until neither has anything to do at this moment.
  void settle() {
    for (bool busy = true; busy;) busy = turn_replica() | turn_primary();
  }

  bool turn_replica() {
    ReplicaSession::Ready ready = replica_session_->take_ready(now_);
    if (ready.disconnect) primary_session_.reset();
    if (ready.connect) {
      ++connections_;
      primary_session_ =
          std::make_unique<PrimarySession>(primary().log(), *primary().sessions, options_, now_);
      replica_session_->connected(now_);
    }
    for (const ReplicaMessage& message : ready.send) {
      if (const auto* ack = std::get_if<ReplicaAck>(&message)) last_ack_ = *ack;
      handed_over_ += std::holds_alternative<HandOverData>(message);
      if (const auto* ask = std::get_if<Ask>(&message))
        handed_over_ += ask->round == kHandOverRound;
      if (lose_ > 0) {
        --lose_;
      } else if (primary_session_) {
        primary_session_->step(message, now_);
      }
    }
    if (ready.op) {
      const StoreOpResult done = apply_store_op(*replica_.applier, *ready.op);
      replica_session_->stored(done, now_);
      if (ready.op->moves_log()) {
        replica_session_->acknowledged(ready.op->session, replica_.log().offset());
      }
    }
    return ready.connect || ready.disconnect || !ready.send.empty() || ready.op;
  }

  bool turn_primary() {
    if (!primary_session_) return false;
    PrimarySession::Ready ready = primary_session_->take_ready(now_);
    for (const PrimaryMessage& message : ready.send) {
      if (const auto* reply = std::get_if<Reply>(&message)) {
        copied_ += reply->round == kCopyRound;
        reply_bytes_ += reply->piece.bytes.size();
      }
      if (const auto* refused = std::get_if<Refused>(&message)) refusal_ = refused->reason;
      if (lose_ > 0) {
        --lose_;
      } else {
        replica_session_->step(message, now_);
      }
    }
    if (ready.take_over) {
      primary_session_->taken_over(primary().applier->take_over(*ready.take_over, ready.purged));
    }
    if (ready.answer) primary_session_->answered(answer_work(*ready.answer), now_);
    if (ready.close) {
      primary_session_.reset();
      replica_session_->disconnected(now_);
    }
    return ready.close || !ready.send.empty() || ready.take_over || ready.answer;
  }

  Store& primary() { return older_ != nullptr ? *older_ : primary_; }

  void pass(TimeMs ms) {
    for (TimeMs end = now_ + ms; now_ < end; now_ += 10) settle();
    settle();
  }

  void expect_equal() {
    EXPECT_EQ(replica_session_->state(), ReplicaSession::State::kFollowing);
    EXPECT_EQ(replica_.rows(), primary_.rows());
    EXPECT_EQ(replica_.log().position(), primary_.log().position());
    ASSERT_TRUE(primary_session_);
    EXPECT_EQ(primary_session_->acknowledged(), primary_.log().offset());
  }

  ReplicationSessionOptions options_;
  SeededRandom random_{1};
  TimeMs now_ = 1000;
  Store primary_{100};
  Store replica_{200};
  Store* older_ = nullptr;  // in the primary's place
  std::unique_ptr<PrimarySession> primary_session_;
  std::unique_ptr<ReplicaSession> replica_session_;
  int lose_ = 0;  // so many messages
  int connections_ = 0;
  int copied_ = 0;          // pieces of replies in a copy
  size_t reply_bytes_ = 0;  // of all comparisons
  int handed_over_ = 0;
  std::string refusal_;
  ReplicaAck last_ack_;
};

}  // namespace syntropy::testing
