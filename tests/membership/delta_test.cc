#include "membership/delta.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <map>

#include "tests/membership/gossip_support.h"

namespace syntropy {
namespace {

size_t size_of(const DeltaResult& result) {
  size_t bytes = 0;
  for (const MemberDelta& delta : result.deltas) bytes += wire_size(delta);
  return bytes;
}

MemberRecordPtr record_with(uint64_t seed, size_t entries, size_t value_bytes = 10) {
  std::vector<Entry> list;
  for (size_t i = 1; i <= entries; ++i) {
    list.push_back(entry_of(static_cast<EntryKey>(i), i * 10, std::string(value_bytes, 'v')));
  }
  return record_of(id_of(seed), std::move(list));
}

TEST(Delta, HoldsWhatIsAboveAndAllOfItWhenThereIsRoom) {
  SeededRandom random(1);
  const MemberRecordPtr record = record_with(1, 4);
  std::vector<DeltaSource> sources = {{record, 20}};
  const DeltaResult result = build_delta(sources, DeltaOrder::kDepth, 1000, random);
  EXPECT_TRUE(result.complete);
  ASSERT_EQ(result.deltas.size(), 1u);
  EXPECT_EQ(result.deltas[0].from, 20u);
  ASSERT_EQ(result.deltas[0].entries.size(), 2u);
  EXPECT_EQ(result.deltas[0].entries[0].version, 30u);
  EXPECT_EQ(result.deltas[0].whole, record);
}

TEST(Delta, IsAPrefixWithinTheBudgetWhateverItIs) {
  SeededRandom random(2);
  for (int round = 0; round < 300; ++round) {
    std::vector<DeltaSource> sources;
    size_t missing = 0;
    for (uint64_t i = 0; i < 1 + random.below(10); ++i) {
      sources.push_back({record_with(i, 1 + random.below(9), random.below(300)), 0});
      sources.back().from = random.below(sources.back().record->max_version);
      for (const Entry& entry : sources.back().record->entries) {
        missing += entry.version > sources.back().from ? 1 : 0;
      }
    }
    const size_t budget = random.below(3000);
    const auto order = random.one_in(2) ? DeltaOrder::kDepth : DeltaOrder::kBreadth;
    const DeltaResult result = build_delta(sources, order, budget, random);
    ASSERT_LE(size_of(result), budget);
    size_t sent = 0;
    for (const MemberDelta& delta : result.deltas) {
      sent += delta.entries.size();
      const auto source = std::find_if(sources.begin(), sources.end(),
                                       [&](const auto& s) { return s.record->id == delta.id; });
      ASSERT_NE(source, sources.end());
      ASSERT_EQ(delta.from, source->from);
      const auto& entries = source->record->entries;
      const auto first = std::find_if(entries.begin(), entries.end(),
                                      [&](const Entry& e) { return e.version > delta.from; });
      ASSERT_FALSE(delta.entries.empty());
      for (size_t i = 0; i < delta.entries.size(); ++i) {
        ASSERT_EQ((first + static_cast<std::ptrdiff_t>(i))->version, delta.entries[i].version);
      }
      ASSERT_EQ(delta.whole != nullptr, delta.entries.back().version == entries.back().version);
    }
    ASSERT_EQ(result.complete, sent == missing);
  }
}

TEST(Delta, DepthFinishesTheMemberThatLacksMostFirst) {
  SeededRandom random(3);
  for (int round = 0; round < 20; ++round) {
    std::vector<DeltaSource> sources = {
        {record_with(1, 2), 0}, {record_with(2, 6), 0}, {record_with(3, 4), 0}};
    const DeltaResult result = build_delta(sources, DeltaOrder::kDepth, 140, random);
    EXPECT_FALSE(result.complete);
    ASSERT_EQ(result.deltas.size(), 1u);
    EXPECT_EQ(result.deltas[0].id, id_of(2));
  }
}

TEST(Delta, BreadthGivesEachMemberItsFirstEntryBeforeAnyGetsItsSecond) {
  SeededRandom random(4);
  for (int round = 0; round < 20; ++round) {
    std::vector<DeltaSource> sources = {
        {record_with(1, 2), 0}, {record_with(2, 6), 0}, {record_with(3, 4), 0}};
    const DeltaResult result = build_delta(sources, DeltaOrder::kBreadth, 140, random);
    EXPECT_FALSE(result.complete);
    ASSERT_EQ(result.deltas.size(), 3u);
    for (const MemberDelta& delta : result.deltas) EXPECT_LE(delta.entries.size(), 2u);
  }
}

TEST(Delta, TiesAreBrokenAtRandomSoThatNobodyStarves) {
  SeededRandom random(5);
  std::map<NodeId, int> first;
  for (int round = 0; round < 300; ++round) {
    std::vector<DeltaSource> sources = {
        {record_with(1, 1), 0}, {record_with(2, 1), 0}, {record_with(3, 1), 0}};
    const auto order = round % 2 == 0 ? DeltaOrder::kDepth : DeltaOrder::kBreadth;
    const DeltaResult result = build_delta(sources, order, 45, random);
    ASSERT_EQ(result.deltas.size(), 1u);
    ++first[result.deltas[0].id];
  }
  ASSERT_EQ(first.size(), 3u);
  for (const auto& [id, count] : first) EXPECT_GT(count, 60);
}

TEST(Digest, NamesTheMembersOfTheGroupsAskedForInOrder) {
  MemberList members;
  for (uint64_t i = 0; i < 100; ++i) members.put(record_with(i, 1 + i % 3));
  members.put(record_of(id_of(1000), {}));
  const Digest all = build_digest(members);
  EXPECT_EQ(all.size(), 100u);  // of a contact there is nothing to say
  EXPECT_TRUE(std::is_sorted(all.begin(), all.end(),
                             [](const auto& a, const auto& b) { return a.id < b.id; }));
  size_t parts = 0;
  for (size_t group = 0; group < 64; ++group) {
    for (const DigestItem& item : build_digest(members, uint64_t{1} << group)) {
      EXPECT_EQ(MemberList::group_of(item.id), group);
      ++parts;
    }
  }
  EXPECT_EQ(parts, 100u);
}

TEST(Digest, WhatItsSenderLacksIsFound) {
  MemberList members;
  for (uint64_t i = 0; i < 4; ++i) members.put(record_with(i, 3));
  Digest digest = build_digest(members);
  EXPECT_TRUE(missing_from(members, digest).empty());
  digest[1].version = 10;
  digest.erase(digest.begin() + 3);
  digest[0].version = 99;  // it knows more than we
  const std::vector<DeltaSource> missing = missing_from(members, digest);
  ASSERT_EQ(missing.size(), 2u);
  EXPECT_EQ(missing[0].from, 10u);
  EXPECT_EQ(missing[1].from, 0u);
}

TEST(Precise, SendsWhatIsMissingInEitherOrder) {
  SeededRandom random(6);
  MemberList mine, theirs;
  mine.put(record_with(1, 4));
  theirs.put(
      record_of(id_of(1), {entry_of(EntryKey{2}, 20, "v"), entry_of(EntryKey{3}, 25, "old")}));
  const PreciseDigest digest = build_precise_digest(theirs);
  const auto order_of = [&](PreciseOrder order) {
    std::vector<EntryVersion> versions;
    const DeltaResult result = build_precise_delta(mine, digest, order, 1000, random);
    for (const Entry& entry : result.deltas.at(0).entries) versions.push_back(entry.version);
    return versions;
  };
  EXPECT_EQ(order_of(PreciseOrder::kOldestFirst), (std::vector<EntryVersion>{10, 30, 40}));
  EXPECT_EQ(order_of(PreciseOrder::kNewestFirst), (std::vector<EntryVersion>{40, 30, 10}));
  const DeltaResult one = build_precise_delta(mine, digest, PreciseOrder::kNewestFirst, 45, random);
  EXPECT_FALSE(one.complete);
  ASSERT_EQ(one.deltas.at(0).entries.size(), 1u);
  EXPECT_TRUE(apply_precise(theirs, one.deltas[0]));
  EXPECT_FALSE(apply_precise(theirs, one.deltas[0]));
  EXPECT_NE((*theirs.find(id_of(1)))->find(EntryKey{4}), nullptr);
}

TEST(Precise, ExchangesUnderABudgetEndInEqualViews) {
  SeededRandom random(7);
  for (const auto order : {PreciseOrder::kOldestFirst, PreciseOrder::kNewestFirst}) {
    MemberList mine, theirs;
    for (uint64_t i = 0; i < 20; ++i) mine.put(record_with(i, 1 + i % 7));
    for (int round = 0;; ++round) {
      ASSERT_LT(round, 100);
      const DeltaResult result =
          build_precise_delta(mine, build_precise_digest(theirs), order, 300, random);
      ASSERT_LE(size_of(result), 300u);
      for (const MemberDelta& delta : result.deltas) apply_precise(theirs, delta);
      if (result.deltas.empty()) break;
    }
    EXPECT_EQ(mine.hash(), theirs.hash());
    EXPECT_EQ(wire_size(build_precise_digest(mine)), wire_size(build_precise_digest(theirs)));
  }
}

// The comparison of the paper's section 5: nodes that write faster than a message can carry. How
// stale are views with each kind of reconciliation and order?

enum class Kind { kDepth, kBreadth, kPreciseOldest, kPreciseNewest };

struct Staleness {
  double stale_entries = 0;  // mean over views and time, of all entries
  size_t oldest_rounds = 0;  // the longest that a view was behind on an entry
  double digest_bytes = 0;
};

class BudgetedGossip {
 public:
  BudgetedGossip(Kind kind, size_t budget) : kind_(kind), budget_(budget) {
    for (size_t i = 0; i < kNodes; ++i) {
      views_.emplace_back();
      versions_.push_back(0);
    }
    for (size_t i = 0; i < kNodes; ++i) {
      for (size_t key = 1; key <= kKeys; ++key) write(i, key);
      for (MemberList& view : views_) view.put(*views_[i].find(id_of(i)));
    }
  }

  Staleness run(size_t rounds, size_t writers) {
    Staleness result;
    for (round_ = 1; round_ <= rounds; ++round_) {
      for (size_t i = 0; i < writers; ++i) write(random_.below(kNodes), 1 + random_.below(kKeys));
      for (size_t i = 0; i < kNodes; ++i) {
        const size_t peer = (i + 1 + random_.below(kNodes - 1)) % kNodes;
        send(i, peer);
        send(peer, i);
      }
      observe(result);
    }
    result.stale_entries /= static_cast<double>(rounds * kNodes);
    result.digest_bytes = static_cast<double>(digest_bytes_) / static_cast<double>(digests_);
    return result;
  }

 private:
  static constexpr size_t kNodes = 30;
  static constexpr size_t kKeys = 8;

  void write(size_t node, size_t key) {
    const MemberRecordPtr* known = views_[node].find(id_of(node));
    const Entry entry = entry_of(static_cast<EntryKey>(key), ++versions_[node],
                                 std::to_string(round_) + "_padding");
    auto record = std::make_shared<MemberRecord>();
    record->id = id_of(node);
    record->max_version = entry.version;
    if (known != nullptr) {
      for (const Entry& other : (*known)->entries) {
        if (other.key != entry.key) record->entries.push_back(other);
      }
    }
    record->entries.push_back(entry);
    views_[node].put(std::move(record));
    written_[{node, key}] = {entry.version, round_};
  }

  void send(size_t from, size_t to) {
    ++digests_;
    if (kind_ == Kind::kDepth || kind_ == Kind::kBreadth) {
      const Digest digest = build_digest(views_[to]);
      digest_bytes_ += 11 * digest.size();
      std::vector<DeltaSource> sources = missing_from(views_[from], digest);
      const auto order = kind_ == Kind::kDepth ? DeltaOrder::kDepth : DeltaOrder::kBreadth;
      for (const MemberDelta& delta : build_delta(sources, order, budget_, random_).deltas) {
        GossipState state(id_of(to), {});
        state.start_with(views_[to]);
        MemberChange change;
        state.apply(delta, &change);
        views_[to] = state.members();
      }
    } else {
      const PreciseDigest digest = build_precise_digest(views_[to]);
      digest_bytes_ += wire_size(digest);
      const auto order =
          kind_ == Kind::kPreciseOldest ? PreciseOrder::kOldestFirst : PreciseOrder::kNewestFirst;
      const DeltaResult result = build_precise_delta(views_[from], digest, order, budget_, random_);
      for (const MemberDelta& delta : result.deltas) apply_precise(views_[to], delta);
    }
  }

  void observe(Staleness& result) {
    for (const MemberList& view : views_) {
      for (const auto& [what, latest] : written_) {
        const Entry* entry =
            (*view.find(id_of(what.first)))->find(static_cast<EntryKey>(what.second));
        if (entry != nullptr && entry->version >= latest.first) continue;
        result.stale_entries += 1;
        // How long the view has been without the newest value.
        result.oldest_rounds = std::max(result.oldest_rounds, round_ - latest.second);
      }
    }
  }

  Kind kind_;
  size_t budget_;
  SeededRandom random_{99};
  size_t round_ = 0;
  std::vector<MemberList> views_;
  std::vector<EntryVersion> versions_;
  std::map<std::pair<size_t, size_t>, std::pair<EntryVersion, size_t>> written_;
  size_t digests_ = 0;
  size_t digest_bytes_ = 0;
};

TEST(DeltaOrders, UnderATightBudgetAreComparedWithPreciseReconciliation) {
  std::map<Kind, Staleness> tight, ample;
  const std::map<Kind, const char*> names = {{Kind::kDepth, "scuttle-depth"},
                                             {Kind::kBreadth, "scuttle-breadth"},
                                             {Kind::kPreciseOldest, "precise-oldest"},
                                             {Kind::kPreciseNewest, "precise-newest"}};
  std::printf("%-16s %28s %28s\n", "", "250 bytes: stale, oldest", "20000 bytes: stale, oldest");
  for (const auto& [kind, name] : names) {
    tight[kind] = BudgetedGossip(kind, 250).run(60, 15);
    ample[kind] = BudgetedGossip(kind, 20000).run(60, 15);
    std::printf("%-16s %19.1f %8zu %19.1f %8zu   digest %.0f\n", name, tight[kind].stale_entries,
                tight[kind].oldest_rounds, ample[kind].stale_entries, ample[kind].oldest_rounds,
                tight[kind].digest_bytes);
  }
  for (const auto& [kind, name] : names) {
    // With room for all, they differ in nothing but the digest.
    EXPECT_NEAR(ample[kind].stale_entries, ample[Kind::kDepth].stale_entries,
                0.15 * ample[Kind::kDepth].stale_entries)
        << name;
    EXPECT_GT(tight[kind].stale_entries, ample[kind].stale_entries) << name;
  }
  // Why depth is the default: fewer members named in a message leave more room for entries.
  EXPECT_LT(tight[Kind::kDepth].stale_entries, 0.8 * tight[Kind::kBreadth].stale_entries);
  EXPECT_LT(2 * tight[Kind::kDepth].digest_bytes, tight[Kind::kPreciseOldest].digest_bytes);
}

}  // namespace
}  // namespace syntropy
