#include "membership/gossip_state.h"

#include <gtest/gtest.h>

#include "membership/delta.h"
#include "tests/membership/gossip_support.h"

namespace syntropy {
namespace {

using Applied = GossipState::Applied;

const NodeId kSelf = id_of(1);
const NodeId kPeer = id_of(2);

Entry load(EntryVersion version, std::string_view value = "x") {
  return entry_of(EntryKey::kLoad, version, value);
}
Entry role(EntryVersion version, std::string_view value = "r") {
  return entry_of(EntryKey::kRole, version, value);
}
Entry joined(EntryVersion version, uint64_t stamp) {
  return entry_of(EntryKey::kJoined, version, encode_join_stamp(stamp));
}

class GossipStateTest : public ::testing::Test {
 protected:
  Applied apply(const NodeId& id, EntryVersion from, std::vector<Entry> entries) {
    change = {};
    return state.apply(delta_of(id, from, std::move(entries)), &change);
  }
  std::string value(const NodeId& id, EntryKey key) {
    const MemberRecordPtr* record = state.members().find(id);
    return record == nullptr ? "none" : std::string((*record)->value(key));
  }

  GossipState state{kSelf, {}};
  MemberChange change;
};

TEST_F(GossipStateTest, OwnEntriesGetGrowingVersionsAndEqualValuesNone) {
  ASSERT_TRUE(state.set_own(EntryKey::kLoad, "a"));
  ASSERT_TRUE(state.set_own(EntryKey::kRole, "b"));
  EXPECT_FALSE(state.set_own(EntryKey::kLoad, "a"));
  EXPECT_EQ(state.own()->max_version, 2u);
  const auto changed = state.set_own(EntryKey::kLoad, "c");
  ASSERT_TRUE(changed);
  EXPECT_EQ(changed->keys, KeySet{EntryKey::kLoad});
  EXPECT_EQ(changed->before->value(EntryKey::kLoad), "a");
  EXPECT_EQ(changed->after->value(EntryKey::kLoad), "c");
  ASSERT_EQ(state.own()->entries.size(), 2u);
  EXPECT_EQ(state.own()->entries.back().version, 3u);
  EXPECT_EQ(state.members().find(kSelf)->get(), state.own().get());
}

TEST_F(GossipStateTest, TheFirstOwnVersionIsAboveTheOneThatWasAskedFor) {
  GossipState other(kPeer, {}, 100);
  EXPECT_EQ(other.own()->max_version, 0u);
  other.set_own(EntryKey::kLoad, "a");
  EXPECT_EQ(other.own()->max_version, 101u);
}

TEST_F(GossipStateTest, TakesWhatIsNewAndReplacesByKey) {
  ASSERT_EQ(apply(kPeer, 0, {load(3, "a"), role(4, "b")}), Applied::kNews);
  EXPECT_EQ(change.before, nullptr);
  EXPECT_EQ(change.keys, (KeySet{EntryKey::kLoad, EntryKey::kRole}));
  ASSERT_EQ(apply(kPeer, 4, {load(7, "c")}), Applied::kNews);
  EXPECT_EQ(change.keys, KeySet{EntryKey::kLoad});
  EXPECT_EQ(change.before->max_version, 4u);
  EXPECT_EQ(change.after->max_version, 7u);
  EXPECT_EQ(value(kPeer, EntryKey::kLoad), "c");
  EXPECT_EQ(value(kPeer, EntryKey::kRole), "b");
  ASSERT_EQ(change.after->entries.size(), 2u);
  EXPECT_EQ(change.after->entries[0].version, 4u);
}

TEST_F(GossipStateTest, AValueWrittenAgainIsAChangeOfNoKey) {
  apply(kPeer, 0, {load(3, "a")});
  ASSERT_EQ(apply(kPeer, 0, {load(5, "a")}), Applied::kNews);
  EXPECT_TRUE(change.keys.empty());
  EXPECT_EQ(state.version_of(digest_id(kPeer)), 5u);
}

TEST_F(GossipStateTest, SkipsThePartOfADeltaThatIsKnown) {
  apply(kPeer, 0, {load(3, "a"), role(4, "b")});
  ASSERT_EQ(apply(kPeer, 2, {role(4, "never"), load(9, "d")}), Applied::kNews);
  EXPECT_EQ(value(kPeer, EntryKey::kRole), "b");
  EXPECT_EQ(value(kPeer, EntryKey::kLoad), "d");
  EXPECT_EQ(change.keys, KeySet{EntryKey::kLoad});
}

TEST_F(GossipStateTest, WhatIsOldChangesNothing) {
  apply(kPeer, 0, {load(3, "a"), role(4, "b")});
  const uint64_t hash = state.hash();
  EXPECT_EQ(apply(kPeer, 0, {load(3, "z")}), Applied::kOld);
  EXPECT_EQ(apply(kPeer, 0, {role(4, "z")}), Applied::kOld);
  EXPECT_EQ(state.hash(), hash);
  EXPECT_EQ(value(kPeer, EntryKey::kLoad), "a");
}

TEST_F(GossipStateTest, ADeltaThatBeginsAboveIsAHole) {
  EXPECT_EQ(apply(kPeer, 1, {load(3)}), Applied::kHole);
  EXPECT_EQ(state.members().find(kPeer), nullptr);
  apply(kPeer, 0, {load(3)});
  EXPECT_EQ(apply(kPeer, 4, {role(5)}), Applied::kHole);
  EXPECT_EQ(state.version_of(digest_id(kPeer)), 3u);
  EXPECT_EQ(apply(kPeer, 3, {role(5)}), Applied::kNews);
}

TEST_F(GossipStateTest, SharesTheSendersRecordWhenItIsTheSame) {
  const MemberRecordPtr whole = record_of(kPeer, {load(3, "a"), role(4, "b")});
  MemberDelta delta = delta_of(kPeer, 0, whole->entries);
  delta.whole = whole;
  ASSERT_EQ(state.apply(delta, &change), Applied::kNews);
  EXPECT_EQ(state.members().find(kPeer)->get(), whole.get());
}

TEST_F(GossipStateTest, DoesNotShareARecordThatLacksAnEntry) {
  apply(kPeer, 0, {entry_of(EntryKey::kStore, 1, "s")});
  const MemberRecordPtr whole = record_of(kPeer, {load(3, "a"), role(4, "b")});
  MemberDelta delta = delta_of(kPeer, 0, whole->entries);
  delta.whole = whole;
  ASSERT_EQ(state.apply(delta, &change), Applied::kNews);
  EXPECT_EQ(value(kPeer, EntryKey::kStore), "s");
}

TEST_F(GossipStateTest, RefusesIllFormedDeltasAndStaysAsItWas) {
  apply(kPeer, 0, {load(3, "a")});
  const uint64_t hash = state.hash();
  EXPECT_EQ(apply(NodeId(), 0, {load(1)}), Applied::kRefused);
  EXPECT_EQ(apply(kPeer, 0, {}), Applied::kRefused);
  EXPECT_EQ(apply(kPeer, 0, {load(6), role(5)}), Applied::kRefused);  // runs backwards
  EXPECT_EQ(apply(kPeer, 0, {load(5), role(5)}), Applied::kRefused);  // twice the version
  EXPECT_EQ(apply(kPeer, 0, {load(5), load(6)}), Applied::kRefused);  // twice the key
  EXPECT_EQ(apply(kPeer, 5, {load(5)}), Applied::kRefused);           // not above `from`
  EXPECT_EQ(apply(kPeer, 0, {load(kMaxEntryVersion + 1)}), Applied::kRefused);
  EXPECT_EQ(apply(kPeer, 0, {entry_of(EntryKey{0}, 5, "")}), Applied::kRefused);
  EXPECT_EQ(apply(kPeer, 0, {load(5, std::string((16 << 10) + 1, 'x'))}), Applied::kRefused);
  EXPECT_EQ(apply(kPeer, 0, {Entry{EntryKey::kLoad, 5, nullptr}}), Applied::kRefused);
  std::vector<Entry> many;
  for (int i = 1; i <= 49; ++i) many.push_back(entry_of(static_cast<EntryKey>(i), 10u + i, ""));
  EXPECT_EQ(apply(kPeer, 0, many), Applied::kRefused);
  EXPECT_EQ(state.hash(), hash);
  many.pop_back();
  EXPECT_EQ(apply(kPeer, 0, many), Applied::kNews);
}

TEST_F(GossipStateTest, KeepsKeysThatItDoesNotKnow) {
  ASSERT_EQ(apply(kPeer, 0, {entry_of(EntryKey{200}, 5, "from the future")}), Applied::kNews);
  EXPECT_EQ(value(kPeer, EntryKey{200}), "from the future");
}

TEST_F(GossipStateTest, AMembersEntriesTogetherStayWithinTheLimit) {
  GossipLimits limits;
  limits.max_record_bytes = 100;
  GossipState small(kSelf, limits);
  EXPECT_EQ(small.apply(delta_of(kPeer, 0, {load(1, std::string(60, 'x'))}), &change),
            Applied::kNews);
  EXPECT_EQ(small.apply(delta_of(kPeer, 1, {role(2, std::string(60, 'x'))}), &change),
            Applied::kRefused);
  EXPECT_EQ(small.apply(delta_of(kPeer, 1, {load(2, std::string(90, 'x'))}), &change),
            Applied::kNews);
}

TEST_F(GossipStateTest, TakesNoMoreMembersThanAllowedButChangesOfThoseItHas) {
  GossipLimits limits;
  limits.max_members = 3;
  GossipState small(kSelf, limits);
  EXPECT_EQ(small.apply(delta_of(id_of(10), 0, {load(1)}), &change), Applied::kNews);
  EXPECT_EQ(small.apply(delta_of(id_of(11), 0, {load(1)}), &change), Applied::kNews);
  EXPECT_EQ(small.apply(delta_of(id_of(12), 0, {load(1)}), &change), Applied::kRefused);
  EXPECT_FALSE(small.add_contact(id_of(12)));
  EXPECT_FALSE(small.wants(digest_id(id_of(12)), 1));
  EXPECT_TRUE(small.wants(digest_id(id_of(11)), 2));
  EXPECT_EQ(small.apply(delta_of(id_of(11), 1, {load(2)}), &change), Applied::kNews);
}

TEST_F(GossipStateTest, AnIdThatLooksLikeAnothersInDigestsIsRefused) {
  std::string bytes(kPeer.bytes());
  bytes.back() = static_cast<char>(bytes.back() + 1);
  const NodeId twin = *NodeId::from_bytes(bytes);
  apply(kPeer, 0, {load(1)});
  EXPECT_EQ(apply(twin, 0, {load(9)}), Applied::kRefused);
  EXPECT_FALSE(state.add_contact(twin));
  std::string own(kSelf.bytes());
  own.back() = static_cast<char>(own.back() + 1);
  EXPECT_EQ(apply(*NodeId::from_bytes(own), 0, {load(9)}), Applied::kRefused);
}

TEST_F(GossipStateTest, AnEchoOfWhatWeSaidIsNothing) {
  state.set_own(EntryKey::kLoad, "a");
  state.set_own(EntryKey::kRole, "b");
  EXPECT_EQ(apply(kSelf, 0, {load(1, "a"), role(2, "b")}), Applied::kOld);
  state.set_own(EntryKey::kLoad, "c");
  EXPECT_EQ(apply(kSelf, 0, {load(1, "a")}), Applied::kOld);
  EXPECT_EQ(state.own()->max_version, 3u);
}

TEST_F(GossipStateTest, AfterARestartWithAnOldDiskAllIsWrittenAgainAboveTheOldLife) {
  state.set_own(EntryKey::kLoad, "new load");
  state.set_own(EntryKey::kRole, "new role");
  ASSERT_EQ(apply(kSelf, 2, {load(40, "old load"), entry_of(EntryKey::kStore, 41, "old store")}),
            Applied::kEcho);
  EXPECT_EQ(value(kSelf, EntryKey::kLoad), "new load");
  EXPECT_EQ(value(kSelf, EntryKey::kRole), "new role");
  EXPECT_EQ(value(kSelf, EntryKey::kStore), "old store");  // nobody forgets a key that we drop
  for (const Entry& entry : state.own()->entries) EXPECT_GT(entry.version, 41u);
  EXPECT_EQ(change.keys, KeySet{EntryKey::kStore});
  EXPECT_EQ(change.after, state.own());
  // And others take it whatever they had of the old life.
  GossipState other(kPeer, {});
  MemberChange ignored;
  other.apply(delta_of(kSelf, 0, {role(39, "old"), load(40, "old load")}), &ignored);
  EXPECT_EQ(other.apply(delta_of(kSelf, 0, state.own()->entries), &ignored), Applied::kNews);
  EXPECT_EQ((*other.members().find(kSelf))->value(EntryKey::kRole), "new role");
}

TEST_F(GossipStateTest, AnEchoWithAnotherValueAtOurVersionIsAnotherLife) {
  state.set_own(EntryKey::kLoad, "a");
  ASSERT_EQ(apply(kSelf, 0, {load(1, "of the life before")}), Applied::kEcho);
  EXPECT_EQ(value(kSelf, EntryKey::kLoad), "a");
  EXPECT_EQ(state.own()->max_version, 2u);
  EXPECT_EQ(apply(kSelf, 0, {load(1, "of the life before")}), Applied::kOld);
}

TEST_F(GossipStateTest, AnEchoCannotMakeOurRecordGrowBeyondTheLimits) {
  GossipLimits limits;
  limits.max_record_bytes = 50;
  GossipState small(kSelf, limits);
  small.set_own(EntryKey::kLoad, std::string(40, 'x'));
  ASSERT_EQ(
      small.apply(
          delta_of(kSelf, 0, {role(9, std::string(40, 'y')), entry_of(EntryKey::kStore, 10, "s")}),
          &change),
      Applied::kEcho);
  EXPECT_EQ(small.own()->find(EntryKey::kRole), nullptr);
  EXPECT_EQ(small.own()->value(EntryKey::kStore), "s");
  EXPECT_EQ(small.own()->entries.back().version, small.own()->max_version);
}

TEST_F(GossipStateTest, AContactIsKnownButIsNoNewsToOthers) {
  const uint64_t hash = state.hash();
  ASSERT_TRUE(state.add_contact(kPeer));
  EXPECT_FALSE(state.add_contact(kPeer));
  EXPECT_FALSE(state.add_contact(kSelf));
  EXPECT_FALSE(state.add_contact(NodeId()));
  EXPECT_EQ(state.hash(), hash);
  EXPECT_TRUE(missing_from(state.members(), {}).empty());
  ASSERT_EQ(apply(kPeer, 0, {load(1)}), Applied::kNews);
  ASSERT_NE(change.before, nullptr);
  EXPECT_TRUE(change.before->entries.empty());
}

TEST_F(GossipStateTest, AForgottenMemberDoesNotComeBackByRumour) {
  apply(kPeer, 0, {joined(1, 100), load(2)});
  const auto gone = state.forget(kPeer, 100);
  ASSERT_TRUE(gone);
  EXPECT_EQ(gone->after, nullptr);
  EXPECT_EQ(gone->id(), kPeer);
  EXPECT_EQ(gone->keys, (KeySet{EntryKey::kJoined, EntryKey::kLoad}));
  EXPECT_TRUE(state.is_forgotten(kPeer));
  EXPECT_EQ(apply(kPeer, 0, {joined(1, 100), load(2)}), Applied::kRefused);
  EXPECT_EQ(apply(kPeer, 0, {joined(1, 100), load(5)}), Applied::kRefused);  // it is still alive
  EXPECT_EQ(apply(kPeer, 0, {load(6)}), Applied::kRefused);  // a part that hides the stamp
  EXPECT_EQ(state.members().size(), 1u);
}

TEST_F(GossipStateTest, AForgottenMemberIsNotAskedForAgainAndAgain) {
  apply(kPeer, 0, {joined(1, 100), load(2)});
  state.forget(kPeer, 100);
  EXPECT_FALSE(state.wants(digest_id(kPeer), 2));
  EXPECT_TRUE(state.wants(digest_id(kPeer), 3));  // it may have joined again
  apply(kPeer, 0, {joined(1, 100), load(3)});
  EXPECT_FALSE(state.wants(digest_id(kPeer), 3));
}

TEST_F(GossipStateTest, AForgottenMemberThatJoinsAgainIsTaken) {
  apply(kPeer, 0, {joined(1, 100), load(2)});
  state.forget(kPeer, 100);
  ASSERT_EQ(apply(kPeer, 0, {load(2), joined(3, 101)}), Applied::kNews);
  EXPECT_FALSE(state.is_forgotten(kPeer));
  EXPECT_FALSE(state.forget(kPeer, 100));  // the old order, heard late, doesn't count any more
  EXPECT_EQ(state.members().size(), 2u);
  EXPECT_FALSE(state.is_forgotten(kPeer));
  EXPECT_TRUE(state.forget(kPeer, 101));
}

TEST_F(GossipStateTest, AMemberCanBeForgottenBeforeItIsKnown) {
  EXPECT_FALSE(state.forget(kPeer, 100));
  EXPECT_EQ(apply(kPeer, 0, {joined(1, 100)}), Applied::kRefused);
  EXPECT_FALSE(state.forget(kPeer, 50));  // an older order doesn't weaken it
  EXPECT_EQ(apply(kPeer, 0, {joined(1, 99)}), Applied::kRefused);
  EXPECT_TRUE(state.add_contact(kPeer));  // the operator says so
  EXPECT_EQ(apply(kPeer, 0, {joined(1, 100)}), Applied::kNews);
}

TEST_F(GossipStateTest, WeDoNotForgetOurselves) {
  EXPECT_FALSE(state.forget(kSelf, 1000));
  EXPECT_FALSE(state.is_forgotten(kSelf));
  EXPECT_EQ(state.members().size(), 1u);
}

TEST_F(GossipStateTest, TheListOfTheForgottenIsBounded) {
  GossipLimits limits;
  limits.max_forgotten = 3;
  GossipState small(kSelf, limits);
  for (uint64_t i = 10; i < 15; ++i) small.forget(id_of(i), 7);
  EXPECT_FALSE(small.is_forgotten(id_of(11)));
  EXPECT_TRUE(small.is_forgotten(id_of(12)));
  EXPECT_TRUE(small.is_forgotten(id_of(14)));
}

TEST_F(GossipStateTest, NonsenseIsNoJoinStamp) {
  EXPECT_EQ(join_stamp(*record_of(kPeer, {joined(1, 77)})), 77u);
  EXPECT_EQ(join_stamp(*record_of(kPeer, {entry_of(EntryKey::kJoined, 1, "123456789")})), 0u);
  EXPECT_EQ(join_stamp(*record_of(kPeer, {load(1)})), 0u);
}

TEST_F(GossipStateTest, StartsWithAViewThatOthersShare) {
  MemberList view;
  view.put(record_of(kPeer, {load(5)}));
  view.put(record_of(kSelf, {load(7, "mine")}));
  state.start_with(view);
  EXPECT_EQ(state.own()->max_version, 7u);
  EXPECT_EQ(state.members().find(kPeer)->get(), view.find(kPeer)->get());
  state.set_own(EntryKey::kLoad, "other");
  EXPECT_EQ((*view.find(kSelf))->value(EntryKey::kLoad), "mine");
  EXPECT_EQ(state.own()->max_version, 8u);
  GossipState stranger(id_of(3), {});
  stranger.start_with(view);
  EXPECT_EQ(stranger.members().size(), 3u);
}

/// A source that writes and a state that hears arbitrary, lost and repeated deltas of it: what the
/// state has is always what the source had at that version.
TEST_F(GossipStateTest, AnyMixOfTrueDeltasLeadsToATrueRecord) {
  SeededRandom random(11);
  GossipState source(kPeer, {});
  std::vector<MemberRecordPtr> history = {source.own()};
  MemberChange ignored;
  for (int step = 0; step < 5000; ++step) {
    if (random.one_in(2)) {
      source.set_own(static_cast<EntryKey>(1 + random.below(8)), std::to_string(step));
      if (source.own() != history.back()) history.push_back(source.own());
    }
    std::vector<DeltaSource> sources = {
        {history[history.size() - 1 - random.below(std::min<size_t>(history.size(), 20))],
         random.below(history.size())}};
    if (sources[0].from >= sources[0].record->max_version) continue;
    for (const MemberDelta& delta :
         build_delta(sources, DeltaOrder::kDepth, 30 + random.below(100), random).deltas) {
      state.apply(delta, &ignored);
    }
    const MemberRecordPtr* known = state.members().find(kPeer);
    if (known == nullptr) continue;
    // Of all that the source had at this version, what it hasn't changed since must be here.
    const MemberRecord& then = *history[(*known)->max_version];
    ASSERT_EQ(then.max_version, (*known)->max_version);
    for (const Entry& entry : source.own()->entries) {
      if (entry.version > then.max_version) continue;
      ASSERT_EQ((*known)->value(entry.key), *entry.value);
    }
    EntryVersion last = 0;
    for (const Entry& entry : (*known)->entries) {
      ASSERT_GT(entry.version, last);
      last = entry.version;
    }
    ASSERT_EQ(last, (*known)->max_version);
  }
  EXPECT_GT(state.version_of(digest_id(kPeer)), 100u);
}

}  // namespace
}  // namespace syntropy
