// Random pipelines of several sessions, interleaved at random, with rows that turn cold and commits
// and syncs that fail, against the sequential model. SYNTROPY_SEED replays one run.
#include <gtest/gtest.h>

#include <cstdlib>
#include <deque>
#include <memory>

#include "storage/base/random.h"
#include "tests/server/sequential_model.h"
#include "tests/server/test_node.h"

namespace syntropy {
namespace {

using namespace testing;  // NOLINT: the vocabulary of these tests

class Interleaving {
 public:
  explicit Interleaving(uint64_t seed) : random_(seed), node_(size_t{64} << 10) {
    for (size_t i = 0; i < kClients; ++i) peers_.push_back({&node_.connect(), {}, {}, {}});
  }

  void run(int ticks) {
    for (int i = 0; i < ticks && !::testing::Test::HasFatalFailure(); ++i) tick();
    EXPECT_GT(failed_commits_, 0);
    EXPECT_GT(fetches_, 0);
  }

 private:
  static constexpr size_t kClients = 4;

  struct Peer {
    Session* session;
    std::deque<Request> sent;       // not seen to be executed yet
    std::vector<std::string> due;   // replies that the model expects and the client hasn't taken
    std::vector<size_t> dependent;  // of them, by index, those of this tick that depend on it
  };

  bool chance(uint64_t percent) { return random_.below(100) < percent; }
  std::string key() { return "k" + std::to_string(random_.below(6)); }

  Request random_request() {
    switch (random_.below(16)) {
      case 0:
      case 1:
        return {"SET", key(), std::to_string(random_.below(1000))};
      case 2:
        return {"SET", key(), "text"};
      case 3:
      case 4:
        return {"GET", key()};
      case 5:
        return {"DEL", key(), key()};
      case 6:
        return {"EXISTS", key(), key()};
      case 7:
        return {"INCR", key()};
      case 8:
        return {"APPEND", key(), "+"};
      case 9:
        return {"MGET", key(), key(), key()};
      case 10:
        return {"MSET", key(), "m1", key(), "m2"};
      case 11:
        return {"MULTI"};
      case 12:
        return {chance(80) ? "EXEC" : "DISCARD"};
      case 13:
        return {"WATCH", key()};
      case 14:
        return {chance(70) ? "DBSIZE" : "UNWATCH"};
      default:
        return {"PING"};
    }
  }

  // The commands whose replies have appeared took place, in this order, just now.
  void observe(size_t number) {
    Peer& peer = peers_[number];
    const std::vector<std::string> replies = split_replies(peer.session->output());
    while (peer.due.size() < replies.size()) {
      ASSERT_FALSE(peer.sent.empty()) << "a reply without a request";
      SequentialModel::Answer answer = model_.execute(number, peer.sent.front());
      peer.sent.pop_front();
      ASSERT_EQ(replies[peer.due.size()], answer.reply);
      if (answer.dependent) peer.dependent.push_back(peer.due.size());
      peer.due.push_back(std::move(answer.reply));
    }
  }

  void execute(size_t number) {
    Peer& peer = peers_[number];
    std::string bytes;
    while (chance(70)) {
      peer.sent.push_back(random_request());
      bytes += request(peer.sent.back());
    }
    node_.run(*peer.session, bytes);
    observe(number);
  }

  void tick() {
    if (chance(10)) node_.engine.set_cold(chance(50));
    if (chance(10)) {  // an eviction of everything
      node_.keyspace->set_row_cache_bytes(0);
      node_.keyspace->set_row_cache_bytes(size_t{64} << 10);
    }
    if (!node_.engine.health().ok() && chance(50)) {
      ASSERT_TRUE(node_.engine.recover().ok());
      model_.set_refusal({});
    }
    node_.begin_tick(chance(20) ? 5 : Turn::kMaxCommands);
    for (uint64_t turns = 1 + random_.below(6); turns > 0; --turns) {
      ASSERT_NO_FATAL_FAILURE(execute(random_.below(kClients)));
    }
    ASSERT_NO_FATAL_FAILURE(end());
    for (size_t i = 0; i < kClients; ++i) {
      if (chance(60)) serve(i);
      if (chance(50)) take(i);
    }
  }

  void end() {
    const bool fail_write = node_.has_writes() && chance(10);
    const bool fail_sync = node_.has_writes() && !fail_write && chance(10);
    const bool fail_store = node_.has_writes() && !fail_write && !fail_sync && chance(10);
    if (fail_write) node_.engine.fail_next_write(Status::io_error("write failed"));
    if (fail_sync) node_.engine.fail_next_sync(Status::io_error("sync failed"));
    if (fail_store) node_.engine.fail_next_store(Status::io_error("not stored"));
    const Status ended = node_.end_tick(/*sync=*/true);
    ASSERT_EQ(ended.ok(), !fail_write && !fail_sync && !fail_store);
    if (fail_write) {
      model_.roll_back();
    } else {
      model_.commit();  // what could not be stored or synced stays visible
    }
    if (!ended.ok()) {
      ++failed_commits_;
      model_.set_refusal(disk_error(node_.engine.health()));
    }
    for (Peer& peer : peers_) {
      for (const size_t index : peer.dependent) {
        if (!ended.ok()) peer.due[index] = error(disk_error(ended));
      }
      peer.dependent.clear();
      ASSERT_EQ(split_replies(peer.session->output()), peer.due);
    }
  }

  void serve(size_t number) {
    Session& session = *peers_[number].session;
    if (session.wait() == Session::Wait::kFetch) {
      ++fetches_;
      node_.serve_fetch(session);
    } else if (session.wait() == Session::Wait::kWorker) {
      node_.serve_worker(session);
      observe(number);
      peers_[number].dependent.clear();
    }
  }

  void take(size_t number) {
    EXPECT_EQ(split_replies(TestNode::take_output(*peers_[number].session)), peers_[number].due);
    peers_[number].due.clear();
  }

  SeededRandom random_;
  TestNode node_;
  SequentialModel model_;
  std::vector<Peer> peers_;
  int failed_commits_ = 0;
  int fetches_ = 0;
};

TEST(InterleavingTest, SessionsAnswerAsIfTheirCommandsWereExecutedOneAfterTheOther) {
  const char* const given = std::getenv("SYNTROPY_SEED");
  const uint64_t first = given == nullptr ? system_seed() : std::strtoull(given, nullptr, 10);
  const int rounds = given == nullptr ? 30 : 1;
  for (int i = 0; i < rounds && !HasFailure(); ++i) {
    const uint64_t seed = first + static_cast<uint64_t>(i);
    SCOPED_TRACE("replay with SYNTROPY_SEED=" + std::to_string(seed));
    Interleaving(seed).run(400);
  }
}

}  // namespace
}  // namespace syntropy
