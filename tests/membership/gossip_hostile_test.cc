#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "membership/gossip.h"
#include "tests/membership/gossip_fixture.h"

namespace syntropy {
namespace {

// Random messages, among them half-true ones.
class Wild {
 public:
  Wild(uint64_t seed, std::function<NodeId(uint64_t)> id_of)
      : random(seed), id_of_(std::move(id_of)) {}

  NodeId id() { return id_of_(random.below(60)); }

  GossipMessage message(uint64_t true_hash) {
    switch (random.below(4)) {
      case 0:
        return syn(true_hash);
      case 1:
        return ack();
      case 2:
        return GossipPush{random.one_in(2) ? random.next() : 0, random.below(2), deltas()};
      default:
        return GossipAgree{random.below(3), random.one_in(2)};
    }
  }

  SeededRandom random;

 private:
  EntryVersion version() { return random.one_in(20) ? random.next() : random.below(60); }
  uint32_t number() { return static_cast<uint32_t>(random.next()); }

  Digest digest() {
    Digest digest;
    for (uint64_t i = random.below(30); i > 0; --i) {
      digest.push_back({random.one_in(3) ? random.next() : digest_id(id()), version()});
    }
    if (!random.one_in(4)) {
      std::sort(digest.begin(), digest.end(),
                [](const auto& a, const auto& b) { return a.id < b.id; });
    }
    return digest;
  }

  std::vector<MemberDelta> deltas() {
    std::vector<MemberDelta> deltas;
    for (uint64_t i = random.below(40); i > 0; --i) {
      std::vector<Entry> entries;
      EntryVersion last = random.below(50);
      const EntryVersion from = random.one_in(3) ? version() : last;
      for (uint64_t j = random.below(6); j > 0; --j) {
        last += random.one_in(10) ? 0 : 1 + random.below(5);
        entries.push_back(entry_of(static_cast<EntryKey>(random.below(12)),
                                   random.one_in(30) ? version() : last,
                                   std::string(random.below(120), 'h')));
      }
      deltas.push_back(delta_of(random.one_in(50) ? NodeId() : id(), from, entries));
    }
    return deltas;
  }

  GossipSyn syn(uint64_t true_hash) {
    GossipSyn syn;
    syn.hash = random.one_in(2) ? random.next() : true_hash;
    syn.extra = random.below(2);
    syn.digest = digest();
    syn.covered = random.one_in(2) ? random.next() : 0;
    syn.pull = random.one_in(3);
    syn.sums_wanted = random.one_in(2);
    syn.rate = random.one_in(2) ? number() : static_cast<uint32_t>(random.below(3000));
    syn.demand = number();
    if (random.one_in(2)) syn.deltas = deltas();
    return syn;
  }

  GossipAck ack() {
    GossipAck ack;
    ack.residual = random.one_in(2) ? random.next() : 0;
    ack.digest = digest();
    ack.deltas = deltas();
    for (uint64_t j = random.one_in(2) ? 64 : random.below(70); j > 0; --j) {
      ack.sums.push_back(number());
    }
    ack.more = random.one_in(2);
    ack.rate = number();
    ack.demand = number();
    ack.deep = random.one_in(2);
    return ack;
  }

  std::function<NodeId(uint64_t)> id_of_;
};

void expect_within_limits(const MemberList& members) {
  for (const MemberRecordPtr& record : members) {
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
}

TEST_F(GossipTest, HostileMessagesNeitherBreakNorGrowIt) {
  GossipOptions options;
  options.limits.max_members = 50;
  options.limits.max_entry_bytes = 100;
  options.limits.max_record_bytes = 300;
  options.limits.max_entries = 8;
  add_agreed(20, options);
  Gossip& node = *nodes[0];
  Wild wild(77, [](uint64_t i) { return id_of(i); });
  for (int i = 0; i < 20'000; ++i) {
    now += wild.random.below(50);
    const GossipMessage message = wild.message(node.hash());
    if (wild.random.one_in(30)) node.forget(wild.id(), wild.random.below(3));
    if (wild.random.one_in(30)) node.set_own(EntryKey::kLoad, std::to_string(i), now);
    node.step(id_of(1 + wild.random.below(19)), message, now);
    node.tick(now);
    GossipReady ready;
    node.take_ready(ready);
    ASSERT_LE(ready.sends.size(), 2 + 1 + 3u);  // answers, a round, a rumour
    ASSERT_LE(node.members().size(), 50u);
    ASSERT_NE(node.members().find(node.self()), nullptr);
    ASSERT_GT(node.next_deadline(), now);
  }
  expect_within_limits(node.members());
  EXPECT_GE(node.flow().rate(), 20u);
  EXPECT_LE(node.flow().rate(), 2000u);
}

}  // namespace
}  // namespace syntropy
