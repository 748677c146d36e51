#include "membership/membership_state.h"

#include <gtest/gtest.h>

#include "membership/facts.h"

namespace syntropy {
namespace {

MemberRecordPtr record(const NodeId& id,
                       std::initializer_list<std::pair<EntryKey, std::string>> values) {
  auto made = std::make_shared<MemberRecord>();
  made->id = id;
  for (const auto& [key, value] : values) {
    made->max_version += 3;
    made->entries.push_back({key, made->max_version, std::make_shared<const std::string>(value)});
  }
  return made;
}

MembershipState example() {
  SeededRandom random(5);
  MembershipState state;
  state.id = NodeId::random(random);
  state.store = 77;
  state.version_bound = 4096;
  state.ownership.current_epoch = 9;
  state.ownership.config_epoch = 7;
  state.ownership.last_vote_epoch = 8;
  state.ownership.voted_for = NodeId::random(random);
  state.ownership.slots.add({0, 100});
  state.own = record(state.id, {{EntryKey::kStore, encode(StoreFact{77})}});
  state.others.push_back(
      record(NodeId::random(random), {{EntryKey::kRole, "x"}, {EntryKey{200}, ""}}));
  state.others.push_back(record(NodeId::random(random), {}));
  return state;
}

TEST(MembershipState, IsReadBackAsItWasWritten) {
  const MembershipState state = example();
  const Result<MembershipState> read = decode_membership_state(encode(state));
  ASSERT_TRUE(read.ok()) << read.status().message();
  EXPECT_EQ(read->id, state.id);
  EXPECT_EQ(read->store, 77u);
  EXPECT_EQ(read->version_bound, 4096u);
  EXPECT_EQ(read->ownership, state.ownership);
  ASSERT_EQ(read->others.size(), 2u);
  EXPECT_EQ(read->others[0]->value(EntryKey::kRole), "x");
  EXPECT_EQ(read->others[0]->max_version, 6u);
  EXPECT_EQ(encode(*read), encode(state));
}

TEST(MembershipState, WithoutAnOwnRecordHasAnEmptyOne) {
  MembershipState state = example();
  state.own = nullptr;
  const Result<MembershipState> read = decode_membership_state(encode(state));
  ASSERT_TRUE(read.ok());
  ASSERT_NE(read->own, nullptr);
  EXPECT_EQ(read->own->id, state.id);
  EXPECT_TRUE(read->own->entries.empty());
}

TEST(MembershipState, RefusesEveryCutAndEveryStrangeFormat) {
  const std::string bytes = encode(example());
  const Result<MembershipState> whole = decode_membership_state(bytes);
  ASSERT_TRUE(whole.ok());
  for (size_t size = 0; size < bytes.size(); ++size) {
    const Result<MembershipState> cut = decode_membership_state(bytes.substr(0, size));
    // Members stand side by side: a cut between two of them is a state with fewer.
    if (cut.ok()) {
      EXPECT_LT(cut->others.size(), whole->others.size()) << size;
    }
  }
  std::string other = bytes;
  other[0] = 2;
  EXPECT_TRUE(decode_membership_state(other).status().is(StatusCode::kCorruption));
}

TEST(MembershipState, RefusesVersionsThatDoNotAscend) {
  MembershipState state = example();
  auto odd = std::make_shared<MemberRecord>(*state.others[0]);
  odd->entries[1].version = odd->entries[0].version;
  state.others[0] = odd;
  EXPECT_FALSE(decode_membership_state(encode(state)).ok());
}

}  // namespace
}  // namespace syntropy
