// Two stores with their trees, compared and mended through what a client carries between them.
#include "server/trees/reconcile_conversation.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

#include "storage/local_keys.h"
#include "tests/support/engine_helpers.h"
#include "tests/trees/tree_node.h"

namespace syntropy::testing {
namespace {

struct Side {
  explicit Side(bool replicated) : node(replicated) {}
  std::map<std::string, std::string> rows() {
    std::map<std::string, std::string> rows;
    for (auto& [key, value] : scan(node.engine(), {}, kRowKeysEnd)) rows.emplace(key, value);
    return rows;
  }
  TreeNode node;
  uint64_t synced = 0;
  ReconcileConversation conversation{node.keyspace(), node.trees(), [this] {
                                       ++synced;
                                       return Status();
                                     }};
};

struct Outcome {
  ReconcileSummary summary;
  std::map<std::string, DifferenceKind> differences;  // by key
};

Outcome reconcile(Side& mine, Side& theirs, const ReconcileOptions& options) {
  Outcome outcome;
  Result<ReconcileConversation::Step> step = mine.conversation.begin(options);
  while (true) {
    EXPECT_TRUE(step.ok()) << step.status().message();
    if (!step.ok()) return outcome;
    if (step->begun_anew) outcome.differences.clear();
    for (const auto& difference : step->differences) {
      outcome.differences[std::string(decode_row_key(difference.row_key)->key)] = difference.kind;
    }
    outcome.summary = step->summary;
    if (step->done) return outcome;
    std::vector<std::string> replies;
    for (const std::string& request : step->requests) {
      replies.push_back(theirs.conversation.answer(request));
    }
    step = mine.conversation.go_on({replies.begin(), replies.end()});
  }
}

class Conversation : public ::testing::TestWithParam<bool> {
 protected:
  Conversation() {
    for (int i = 0; i < 500; ++i) {
      const std::string key = "key" + std::to_string(i);
      mine_.node.clock().advance_ms(1);
      theirs_.node.clock().advance_ms(1);
      if (i % 50 != 1) mine_.node.put(key, i % 50 == 2 ? "mine" : "same");
      if (i % 50 == 1 || i % 50 == 2) theirs_.node.put(key, "theirs");
    }
    // What both have is the same row, with its version.
    copy("same");
  }

  void copy(const std::string& payload) {
    theirs_.node.run([&](Tick& tick) {
      for (const auto& [key, value] : mine_.rows()) {
        if (decode_row(value)->payload == payload && decode_row_key(key)->key != "key0") {
          EXPECT_TRUE(tick.merge_row(key, value).ok());
        }
      }
    });
  }

  Side mine_{GetParam()};
  Side theirs_{GetParam()};
};

INSTANTIATE_TEST_SUITE_P(, Conversation, ::testing::Bool(),
                         [](const auto& param) { return param.param ? "Replicated" : "Alone"; });

TEST_P(Conversation, FindsEachDifferenceAndItsKind) {
  const Outcome outcome = reconcile(mine_, theirs_, {});
  EXPECT_TRUE(outcome.summary.proven);
  EXPECT_EQ(outcome.differences.size(), 21u);
  EXPECT_EQ(outcome.differences.at("key0"), DifferenceKind::kMissingThere);
  EXPECT_EQ(outcome.differences.at("key51"), DifferenceKind::kMissingHere);
  EXPECT_EQ(outcome.differences.at("key102"), DifferenceKind::kDifferent);
  EXPECT_EQ(mine_.synced + theirs_.synced, 0u);
}

TEST_P(Conversation, MendsBothSides) {
  ReconcileOptions options;
  options.pull = options.push = true;
  const Outcome outcome = reconcile(mine_, theirs_, options);
  EXPECT_TRUE(outcome.summary.proven);
  EXPECT_EQ(mine_.rows(), theirs_.rows());
  EXPECT_GT(mine_.synced, 0u);
  EXPECT_GT(theirs_.synced, 0u);
  EXPECT_EQ(reconcile(mine_, theirs_, {}).differences.size(), 0u);
  EXPECT_EQ(mine_.node.root(), theirs_.node.root());
  mine_.node.expect_right();
  theirs_.node.expect_right();
}

// A deletion is a version like any other where it is kept; where it may be purged at any moment it
// is none.
TEST_P(Conversation, DeletedRowsGoOrComeBack) {
  theirs_.node.clock().advance_ms(60'000);
  mine_.node.clock().advance_ms(60'000);
  ReconcileOptions options;
  options.pull = options.push = true;
  reconcile(mine_, theirs_, options);
  const auto before = mine_.rows();
  for (Side* side : {&mine_, &theirs_}) {
    const std::string key = side == &mine_ ? "key3" : "key4";
    side->node.run([&](Tick& tick) { tick.erase(0, key); });
  }
  const Outcome outcome = reconcile(mine_, theirs_, options);
  EXPECT_EQ(outcome.differences.size(), 2u);
  EXPECT_TRUE(reconcile(mine_, theirs_, {}).differences.empty());
  EXPECT_EQ(mine_.rows(), theirs_.rows());
  EXPECT_EQ(mine_.rows() == before, !GetParam());
  mine_.node.expect_right();
  theirs_.node.expect_right();
}

TEST_P(Conversation, IsAboutItsSlotsAlone) {
  ReconcileOptions options;
  const uint16_t slot = slot_of("key51");
  options.slots = SlotRanges{{slot, slot}};
  options.pull = true;
  const Outcome outcome = reconcile(mine_, theirs_, options);
  EXPECT_EQ(outcome.differences.size(), 1u);
  EXPECT_EQ(outcome.summary.rows_pulled, 1u);
}

TEST_P(Conversation, RefusesRowsOfOtherSlots) {
  const uint16_t slot = slot_of("key51");
  (void)theirs_.conversation.answer(
      encode_request({1, OpenRequest{SlotRanges{{slot, slot}}, 0, 0}}));
  const auto rows = mine_.rows();
  PushRequest push;
  for (const auto& [key, value] : rows) push.rows.push_back({key, value});
  const Result<ReconcileReply> reply =
      decode_reply(theirs_.conversation.answer(encode_request({1, push})));
  ASSERT_TRUE(reply.ok());
  EXPECT_TRUE(std::holds_alternative<ErrorReply>(*reply));
}

TEST_P(Conversation, EndsWhenTheOtherSideTalksNonsense) {
  ASSERT_TRUE(mine_.conversation.begin({}).ok());
  EXPECT_FALSE(mine_.conversation.go_on({"garbage"}).ok());
  EXPECT_TRUE(mine_.conversation.go_on({"x"}).status().is(StatusCode::kInvalidArgument));
}

TEST(ConversationOfDatabases, FindsRowsOfEach) {
  Side mine(false);
  Side theirs(false);
  for (uint16_t db = 0; db < 4; ++db) {
    mine.node.run([&](Tick& tick) {
      for (int i = 0; i < 50; ++i) {
        tick.put(db, "key" + std::to_string(i), RowKind::kString, "value", 0);
      }
    });
  }
  ReconcileOptions options;
  options.push = true;
  EXPECT_EQ(reconcile(mine, theirs, options).summary.rows_pushed, 200u);
  EXPECT_EQ(mine.rows(), theirs.rows());
}

}  // namespace
}  // namespace syntropy::testing
