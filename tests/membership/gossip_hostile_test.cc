#include <gtest/gtest.h>

#include <algorithm>

#include "membership/gossip.h"
#include "tests/membership/gossip_fixture.h"

namespace syntropy {
namespace {

/// Random messages, among them half-true ones: nothing breaks, and nothing grows beyond the limits.
TEST_F(GossipTest, HostileMessagesNeitherBreakNorGrowIt) {
  GossipOptions options;
  options.limits.max_members = 50;
  options.limits.max_entry_bytes = 100;
  options.limits.max_record_bytes = 300;
  options.limits.max_entries = 8;
  add_agreed(20, options);
  Gossip& node = *nodes[0];
  SeededRandom wild(77);
  const auto some_id = [&] { return id_of(wild.below(60)); };
  const auto some_version = [&] { return wild.one_in(20) ? wild.next() : wild.below(60); };
  const auto some_digest = [&] {
    Digest digest;
    for (uint64_t i = wild.below(30); i > 0; --i) {
      digest.push_back({wild.one_in(3) ? wild.next() : digest_id(some_id()), some_version()});
    }
    if (!wild.one_in(4)) {
      std::sort(digest.begin(), digest.end(),
                [](const auto& a, const auto& b) { return a.id < b.id; });
    }
    return digest;
  };
  const auto some_deltas = [&] {
    std::vector<MemberDelta> deltas;
    for (uint64_t i = wild.below(40); i > 0; --i) {
      std::vector<Entry> entries;
      EntryVersion version = wild.below(50);
      const EntryVersion from = wild.one_in(3) ? some_version() : version;
      for (uint64_t j = wild.below(6); j > 0; --j) {
        version += wild.one_in(10) ? 0 : 1 + wild.below(5);
        entries.push_back(entry_of(static_cast<EntryKey>(wild.below(12)),
                                   wild.one_in(30) ? some_version() : version,
                                   std::string(wild.below(120), 'h')));
      }
      deltas.push_back(delta_of(wild.one_in(50) ? NodeId() : some_id(), from, entries));
    }
    return deltas;
  };
  for (int i = 0; i < 20'000; ++i) {
    now += wild.below(50);
    GossipMessage message;
    switch (wild.below(4)) {
      case 0: {
        GossipSyn syn;
        syn.hash = wild.one_in(2) ? wild.next() : node.hash();
        syn.extra = wild.below(2);
        syn.digest = some_digest();
        syn.covered = wild.one_in(2) ? wild.next() : 0;
        syn.pull = wild.one_in(3);
        syn.sums_wanted = wild.one_in(2);
        syn.rate = static_cast<uint32_t>(wild.one_in(2) ? wild.next() : wild.below(3000));
        syn.demand = static_cast<uint32_t>(wild.next());
        if (wild.one_in(2)) syn.deltas = some_deltas();
        message = std::move(syn);
        break;
      }
      case 1: {
        GossipAck ack;
        ack.residual = wild.one_in(2) ? wild.next() : 0;
        ack.digest = some_digest();
        ack.deltas = some_deltas();
        for (uint64_t j = wild.one_in(2) ? 64 : wild.below(70); j > 0; --j) {
          ack.sums.push_back(static_cast<uint32_t>(wild.next()));
        }
        ack.more = wild.one_in(2);
        ack.rate = static_cast<uint32_t>(wild.next());
        ack.demand = static_cast<uint32_t>(wild.next());
        ack.deep = wild.one_in(2);
        message = std::move(ack);
        break;
      }
      case 2:
        message = GossipPush{wild.one_in(2) ? wild.next() : 0, wild.below(2), some_deltas()};
        break;
      default:
        message = GossipAgree{wild.below(3), wild.one_in(2)};
    }
    if (wild.one_in(30)) node.forget(some_id(), wild.below(3));
    if (wild.one_in(30)) node.set_own(EntryKey::kLoad, std::to_string(i), now);
    node.step(id_of(1 + wild.below(19)), message, now);
    node.tick(now);
    GossipReady ready;
    node.take_ready(ready);
    ASSERT_LE(ready.sends.size(), 2 + 1 + 3u);  // answers, a round, a rumour
    ASSERT_LE(node.members().size(), 50u);
    ASSERT_NE(node.members().find(node.self()), nullptr);
    ASSERT_GT(node.next_deadline(), now);
  }
  for (const MemberRecordPtr& record : node.members()) {
    size_t bytes = 0;
    EntryVersion last = 0;
    for (const Entry& entry : record->entries) {
      bytes += entry.value->size();
      EXPECT_GT(entry.version, last);
      last = entry.version;
    }
    EXPECT_LE(bytes, 300u);
    EXPECT_LE(record->entries.size(), 8u);
  }
  EXPECT_GE(node.flow().rate(), 20u);
  EXPECT_LE(node.flow().rate(), 2000u);
}

}  // namespace
}  // namespace syntropy
