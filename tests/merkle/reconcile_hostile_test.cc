// A peer that lies, garbles or answers something else: the session ends with an error or with what
// can be had; it doesn't crash, hang or grow.
#include <gtest/gtest.h>

#include "merkle/reconciler.h"
#include "merkle/responder.h"
#include "storage/base/random.h"
#include "tests/merkle/memory_rows.h"

namespace syntropy {
namespace {

using testing::MemoryRows;

void fill(MemoryRows* rows, Random& random, int count, const std::string& value) {
  for (int i = 0; i < count; ++i) {
    rows->put(random.below(kPositions), "k" + std::to_string(i), value);
  }
}

std::string garble(std::string bytes, Random& random) {
  if (bytes.empty()) return bytes;
  switch (random.below(4)) {
    case 0:
      bytes.resize(random.below(bytes.size()));
      break;
    case 1:
      bytes[random.below(bytes.size())] = static_cast<char>(random.next());
      break;
    case 2:
      bytes.append(random.below(20), static_cast<char>(random.next()));
      break;
    default:
      bytes.insert(random.below(bytes.size()), 1, static_cast<char>(random.next()));
  }
  return bytes;
}

TEST(ReconcileHostile, GarbledRepliesEndOrAreOutlived) {
  SeededRandom random(1);
  int errors = 0;
  for (int round = 0; round < 400; ++round) {
    SeededRandom dealer(round % 7);
    MemoryRows mine;
    MemoryRows theirs;
    fill(&mine, dealer, 200, "a");
    fill(&theirs, dealer, 200, "b");
    ReconcileOptions options;
    options.pull = round % 2 == 0;
    options.push = round % 3 == 0;
    Reconciler reconciler(&mine, options, nullptr);
    Responder responder(&theirs);
    std::deque<std::string> wire;
    bool failed = false;
    for (int step = 0; step < 2000 && !reconciler.done() && !failed; ++step) {
      for (std::string& request : reconciler.take_requests()) wire.push_back(std::move(request));
      ASSERT_FALSE(wire.empty());
      std::string reply = responder.answer(wire.front());
      wire.pop_front();
      if (random.one_in(4)) reply = garble(std::move(reply), random);
      failed = !reconciler.receive(reply).ok();
    }
    EXPECT_TRUE(failed || reconciler.done()) << round;
    if (failed) ++errors;
  }
  EXPECT_GT(errors, 100);
}

TEST(ReconcileHostile, GarbledRequestsAreAnswered) {
  SeededRandom random(2);
  MemoryRows mine;
  MemoryRows theirs;
  fill(&mine, random, 300, "a");
  fill(&theirs, random, 300, "b");
  ReconcileOptions options;
  options.pull = true;
  Reconciler reconciler(&mine, options, nullptr);
  Responder responder(&theirs);
  std::deque<std::string> wire;
  while (!reconciler.done()) {
    for (std::string& request : reconciler.take_requests()) wire.push_back(std::move(request));
    for (int i = 0; i < 50; ++i) {
      EXPECT_TRUE(decode_reply(responder.answer(garble(wire.front(), random))).ok());
    }
    // The honest session may have been overwritten by a garbled one: it is opened anew below.
    if (!reconciler.receive(responder.answer(wire.front())).ok()) break;
    wire.pop_front();
  }
  EXPECT_FALSE(theirs.rows().empty());
}

// What is taken for the peer's and isn't is told apart further.
TEST(ReconcileHostile, CountsThatLieCostTimeAlone) {
  for (uint8_t lie = 0; lie < kCountModulus; ++lie) {
    SeededRandom random(3);
    MemoryRows mine;
    MemoryRows theirs;
    fill(&mine, random, 3000, "a");
    fill(&theirs, random, 3000, "b");
    Reconciler reconciler(&mine, {}, nullptr);
    Responder responder(&theirs);
    std::deque<std::string> wire;
    bool counted = false;
    while (!reconciler.done()) {
      for (std::string& request : reconciler.take_requests()) wire.push_back(std::move(request));
      ASSERT_FALSE(wire.empty());
      Result<ReconcileReply> reply = decode_reply(responder.answer(wire.front()));
      wire.pop_front();
      ASSERT_TRUE(reply.ok());
      if (auto* sums = std::get_if<SumsReply>(&*reply)) {
        counted = counted || !sums->counts.empty();
        for (uint8_t& count : sums->counts) count = (count + lie) % kCountModulus;
      }
      ASSERT_TRUE(reconciler.receive(encode_reply(*reply)).ok());
    }
    EXPECT_TRUE(counted) << "or there is nothing to be shown";
    EXPECT_TRUE(reconciler.summary().proven) << int{lie};
    EXPECT_EQ(reconciler.summary().missing_here, 3000u);
    EXPECT_EQ(reconciler.summary().missing_there, 3000u);
  }
}

TEST(ReconcileHostile, CountsThatDontFitTheRequestAreRefused) {
  SeededRandom random(3);
  MemoryRows mine;
  MemoryRows theirs;
  fill(&mine, random, 3000, "a");
  fill(&theirs, random, 3000, "b");
  for (const bool more : {false, true}) {
    Reconciler reconciler(&mine, {}, nullptr);
    Responder responder(&theirs);
    Status status;
    while (status.ok() && !reconciler.done()) {
      for (const std::string& request : reconciler.take_requests()) {
        ReconcileReply reply = *decode_reply(responder.answer(request));
        if (auto* sums = std::get_if<SumsReply>(&reply); sums && !sums->counts.empty()) {
          sums->counts.resize(sums->counts.size() + (more ? 1 : -1));
        }
        if (status.ok()) status = reconciler.receive(encode_reply(reply));
      }
    }
    EXPECT_TRUE(status.is(StatusCode::kCorruption)) << more;
  }
}

TEST(ReconcileHostile, RepliesOfAnotherKindAreRefused) {
  MemoryRows mine;
  mine.put(5, "k", "v");
  const std::vector<ReconcileReply> replies = {
      CensusReply{Census::from_bytes(std::string(32768, 0), kFullCensusBits)}, SumsReply{{}, {1}, {}},
      ListReply{false, {{}}}, FetchReply{1, false, {}, {}}, ErrorReply{"no"}};
  for (const ReconcileReply& reply : replies) {
    Reconciler reconciler(&mine, {}, nullptr);
    EXPECT_EQ(reconciler.take_requests().size(), 1u);
    EXPECT_FALSE(reconciler.receive(encode_reply(reply)).ok()) << reply.index();
  }
  Reconciler reconciler(&mine, {}, nullptr);
  EXPECT_FALSE(reconciler.receive(encode_reply(PushReply{})).ok()) << "nobody asked";
}

// A peer that always has more to tell, and tells nothing.
TEST(ReconcileHostile, AWalkHasToGetOn) {
  MemoryRows empty;
  ReconcileOptions options;
  options.pull = true;
  Reconciler reconciler(&empty, options, nullptr);
  reconciler.take_requests();
  OpenReply differs;
  differs.rows = 5;
  differs.check = 5;
  differs.census = Census::from_bytes(std::string(48, 'c'), kOpeningCensusBits);
  ASSERT_TRUE(reconciler.receive(encode_reply(differs)).ok());
  ASSERT_EQ(reconciler.take_requests().size(), 1u);
  ASSERT_TRUE(reconciler.receive(encode_reply(WalkReply{7, {}})).ok());
  ASSERT_EQ(reconciler.take_requests().size(), 1u);
  EXPECT_FALSE(reconciler.receive(encode_reply(WalkReply{7, {}})).ok());
  EXPECT_TRUE(reconciler.done());
}

TEST(ReconcileHostile, SessionsAreBounded) {
  MemoryRows rows;
  Responder responder(&rows);
  for (uint64_t session = 1; session <= 100; ++session) {
    responder.answer(encode_request({session, OpenRequest{SlotRanges::all(), 1, 1}}));
  }
  const auto ask = [&](uint64_t session) {
    const auto reply = decode_reply(responder.answer(encode_request({session, CensusRequest{}})));
    return std::holds_alternative<CensusReply>(*reply);
  };
  EXPECT_TRUE(ask(100));
  EXPECT_TRUE(ask(100 - Responder::kMostSessions + 1));
  EXPECT_FALSE(ask(100 - Responder::kMostSessions));
}

}  // namespace
}  // namespace syntropy
