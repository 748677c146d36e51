#include "membership/member_list.h"

#include <gtest/gtest.h>

#include <map>

#include "tests/membership/gossip_support.h"

namespace syntropy {
namespace {

MemberRecordPtr plain(const NodeId& id, EntryVersion version) {
  return record_of(id, {entry_of(EntryKey::kLoad, version, "v")});
}

/// All that a list says must follow from the model.
void expect_same(const MemberList& list, const std::map<NodeId, EntryVersion>& model) {
  ASSERT_EQ(list.size(), model.size());
  uint64_t hash = 0;
  std::array<uint64_t, MemberList::kGroups> groups{};
  size_t index = 0;
  auto it = list.begin();
  for (const auto& [id, version] : model) {
    ASSERT_FALSE(it == list.end());
    ASSERT_EQ((*it)->id, id);
    ASSERT_EQ(it->get(), list.at(index).get());
    ASSERT_EQ(list.rank(id), index);
    ASSERT_NE(list.find(id), nullptr);
    EXPECT_EQ((*list.find(id))->max_version, version);
    EXPECT_EQ(list.find_digest(digest_id(id)), list.find(id));
    const size_t group = MemberList::group_of(digest_id(id));
    EXPECT_GE(index, list.group_begin(group));
    EXPECT_LT(index, list.group_end(group));
    hash += member_hash(digest_id(id), version);
    groups[group] += member_hash(digest_id(id), version);
    ++index;
    ++it;
  }
  EXPECT_TRUE(it == list.end());
  EXPECT_EQ(list.hash(), hash);
  for (size_t group = 0; group < groups.size(); ++group) {
    EXPECT_EQ(list.group_sum(group), groups[group]);
  }
}

TEST(MemberList, BehavesLikeASortedMapOverManyRandomChanges) {
  SeededRandom random(1);
  std::vector<NodeId> ids;
  for (uint64_t i = 0; i < 300; ++i) ids.push_back(id_of(i));
  MemberList list;
  std::map<NodeId, EntryVersion> model;
  for (int step = 0; step < 2000; ++step) {
    const NodeId& id = ids[random.below(ids.size())];
    if (random.one_in(3)) {
      EXPECT_EQ(list.erase(id), model.erase(id) == 1);
    } else {
      const EntryVersion version = 1 + random.below(1000);
      EXPECT_TRUE(list.put(plain(id, version)));
      model[id] = version;
    }
    if (step % 100 == 0) expect_same(list, model);
  }
  expect_same(list, model);
}

TEST(MemberList, CopiesDoNotSeeEachOthersChanges) {
  MemberList a;
  std::map<NodeId, EntryVersion> model;
  for (uint64_t i = 0; i < 50; ++i) {
    a.put(plain(id_of(i), 1));
    model[id_of(i)] = 1;
  }
  MemberList b = a;
  std::map<NodeId, EntryVersion> changed = model;
  b.put(plain(id_of(3), 9));
  changed[id_of(3)] = 9;
  b.erase(id_of(4));
  changed.erase(id_of(4));
  b.put(plain(id_of(99), 1));
  changed[id_of(99)] = 1;
  expect_same(a, model);
  expect_same(b, changed);
  a.put(plain(id_of(3), 7));
  EXPECT_EQ((*b.find(id_of(3)))->max_version, 9u);
}

TEST(MemberList, CopiesShareRecordsUntilTheyChange) {
  MemberList a;
  for (uint64_t i = 0; i < 50; ++i) a.put(plain(id_of(i), 1));
  MemberList b = a;
  EXPECT_EQ(&*b.find(id_of(7)), &*a.find(id_of(7)));  // the very place
  b.put(plain(id_of(7, 0), 1));
  EXPECT_EQ(b.find(id_of(8))->get(), a.find(id_of(8))->get());
}

TEST(MemberList, AnEmptyListIsNotTouchedByOthers) {
  MemberList a, b;
  a.put(plain(id_of(1), 1));
  EXPECT_TRUE(b.empty());
  EXPECT_TRUE(MemberList().empty());
  EXPECT_EQ(b.begin(), b.end());
  EXPECT_EQ(b.find(id_of(1)), nullptr);
}

TEST(MemberList, RefusesASecondMemberWithTheSameDigestId) {
  std::string bytes(id_of(1).bytes());
  bytes.back() = static_cast<char>(bytes.back() + 1);
  const NodeId twin = *NodeId::from_bytes(bytes);
  ASSERT_EQ(digest_id(twin), digest_id(id_of(1)));
  MemberList list;
  ASSERT_TRUE(list.put(plain(id_of(1), 1)));
  EXPECT_FALSE(list.put(plain(twin, 1)));
  EXPECT_EQ(list.find(twin), nullptr);
  EXPECT_FALSE(list.erase(twin));
  EXPECT_EQ(list.size(), 1u);
}

TEST(MemberList, AMemberOfWhomNothingIsKnownDoesNotCountInTheHash) {
  MemberList list;
  const uint64_t empty = list.hash();
  list.put(record_of(id_of(1), {}));
  EXPECT_EQ(list.size(), 1u);
  EXPECT_EQ(list.hash(), empty);
}

TEST(MemberList, DigestIdsAscendAsIdsDo) {
  std::string low(NodeId::kBytes, '\0'), high(NodeId::kBytes, '\0');
  low[7] = '\xFF';
  high[0] = '\x01';
  EXPECT_EQ(digest_id(*NodeId::from_bytes(low)), 0xFFu);
  EXPECT_EQ(digest_id(*NodeId::from_bytes(high)), uint64_t{1} << 56);
}

}  // namespace
}  // namespace syntropy
