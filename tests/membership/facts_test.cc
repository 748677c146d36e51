#include "membership/facts.h"

#include <gtest/gtest.h>

#include <tuple>

#include "storage/base/random.h"
#include "tests/membership/slots_support.h"

namespace syntropy {
namespace {

using testing::lineage;
using testing::node;
using namespace std::string_literals;

// A fact of each type with nothing left at its default.
std::tuple<AddressFact, RoleFact, SlotsFact, ReplicationFact, LoadFact, SoftwareFact,
           IncarnationFact, StoreFact, SuspectsFact, ForgottenFact>
samples() {
  return {AddressFact{"fe80::1%eth0", "node-1.example", 7379, 7380, 17379},
          RoleFact{node(1), node(2), true},
          SlotsFact{300, {{0, 5460}, {5462, 5462}}},
          ReplicationFact{lineage(3), 1ull << 40, true},
          LoadFact{1, 2ull << 33, 300, 4},
          SoftwareFact{"syntropy-1.0.0+g1234567"},
          IncarnationFact{3, 1'700'000'000'000},
          StoreFact{0x0123456789ABCDEF},
          SuspectsFact{{{node(4), 1}, {node(5), 0}}},
          ForgottenFact{{{node(6), 1'700'000'000'000}}}};
}

template <class Fact>
std::string bytes_of(const Fact& fact) {
  return encode(fact);
}

template <class Visit>
void for_each_sample(Visit visit) {
  std::apply([&](const auto&... facts) { (visit(facts), ...); }, samples());
}

TEST(Facts, ComeBackFromTheirBytes) {
  for_each_sample([](const auto& fact) {
    using Fact = std::decay_t<decltype(fact)>;
    const Result<Fact> back = decode_fact<Fact>(encode(fact));
    ASSERT_TRUE(back.ok()) << back.status().message();
    EXPECT_EQ(*back, fact);
    const Result<Fact> none = decode_fact<Fact>(encode(Fact{}));
    ASSERT_TRUE(none.ok());
    EXPECT_EQ(*none, Fact{});
  });
}

TEST(Facts, CutOffOrWithBytesLeftOverAreRefused) {
  for_each_sample([](const auto& fact) {
    using Fact = std::decay_t<decltype(fact)>;
    const std::string bytes = encode(fact);
    for (size_t cut = 0; cut < bytes.size(); ++cut) {
      const Result<Fact> part = decode_fact<Fact>(std::string_view(bytes).substr(0, cut));
      EXPECT_FALSE(part.ok()) << typeid(Fact).name() << " cut at " << cut;
      EXPECT_TRUE(part.status().is(StatusCode::kCorruption));
    }
    EXPECT_FALSE(decode_fact<Fact>(bytes + '\0').ok()) << typeid(Fact).name();
  });
}

// Any bytes: a fact whose only encoding they are, or an error.
template <class Fact>
int survives(std::string_view bytes) {
  const Result<Fact> fact = decode_fact<Fact>(bytes);
  if (!fact.ok()) return 0;
  EXPECT_EQ(encode(*fact), bytes);
  return 1;
}

TEST(Facts, FromHostileBytesAreRefusedOrEncodeToTheSameBytes) {
  SeededRandom random(21);
  int decoded = 0;
  for_each_sample([&](const auto& fact) {
    using Fact = std::decay_t<decltype(fact)>;
    for (int round = 0; round < 20'000; ++round) {
      std::string bytes = encode(fact);
      for (uint64_t changes = 1 + random.below(3); changes > 0; --changes) {
        const size_t at = random.below(bytes.size());
        switch (random.below(4)) {
          case 0:
            bytes[at] = static_cast<char>(random.next());
            break;
          case 1:
            bytes[at] = static_cast<char>(bytes[at] ^ (1 << random.below(8)));
            break;
          case 2:
            bytes.insert(at, 1, static_cast<char>(random.next()));
            break;
          default:
            if (bytes.size() > 1) bytes.erase(at, 1);
        }
      }
      decoded += survives<Fact>(bytes);
    }
  });
  EXPECT_GT(decoded, 10'000);
}

TEST(Facts, HaveTheBytesOfTheGrammar) {
  const std::string id1(node(1).bytes());
  const std::string id2(node(2).bytes());
  EXPECT_EQ(encode(IncarnationFact{1, 300}), "\x01\xAC\x02"s);
  EXPECT_EQ(encode(AddressFact{"::1", "h", 0x1CD3, 0, 0x43E3}),
            "\x03::1\x01h\xD3\x1C\x00\x00\xE3\x43"s);
  EXPECT_EQ(encode(RoleFact{{}, node(1), false}), "\x00"s + id1);
  EXPECT_EQ(encode(RoleFact{node(2), node(1), true}), "\x03"s + id2 + id1);
  EXPECT_EQ(encode(SlotsFact{5, {{1, 2}}}), "\x05\x01\x01\x01"s);
  EXPECT_EQ(encode(ReplicationFact{lineage(1), 128, true}),
            "\x01"s + std::string(lineage(1).bytes()) + "\x80\x01");
  EXPECT_EQ(encode(LoadFact{1, 2, 3, 4}), "\x01\x02\x03\x04"s);
  EXPECT_EQ(encode(SoftwareFact{"1.0"}),
            "\x03"
            "1.0"s);
  EXPECT_EQ(encode(StoreFact{1}), "\x01\0\0\0\0\0\0\0"s);
  EXPECT_EQ(encode(SuspectsFact{{{node(1), 7}}}), "\x01"s + id1 + "\x07");
}

TEST(Facts, HostsThatWouldForgeALineOfClusterNodesAreRefused) {
  for (const char* host : {"a b", "a\nb", "a,b", "a@1", "a\tb", "a=b", "\x80"}) {
    EXPECT_FALSE(valid_host(host)) << host;
    const std::string text = std::string(1, static_cast<char>(std::string(host).size())) + host;
    EXPECT_FALSE(decode_fact<AddressFact>(text + "\0"s + std::string(6, '\0')).ok()) << host;
    EXPECT_FALSE(decode_fact<AddressFact>("\0"s + text + std::string(6, '\0')).ok()) << host;
  }
  EXPECT_TRUE(valid_host(""));
  EXPECT_TRUE(valid_host("[fe80::1%eth0]"));
  EXPECT_TRUE(valid_host(std::string(kMaxHostBytes, 'a')));
  EXPECT_FALSE(valid_host(std::string(kMaxHostBytes + 1, 'a')));
}

TEST(Facts, VersionsOfSoftwareArePrintableAndShort) {
  EXPECT_FALSE(decode_fact<SoftwareFact>("\x01\n"s).ok());
  EXPECT_FALSE(decode_fact<SoftwareFact>("\x01 "s).ok());
  const std::string longest(kMaxSoftwareBytes, 'v');
  EXPECT_TRUE(decode_fact<SoftwareFact>("\x40" + longest).ok());
  EXPECT_FALSE(decode_fact<SoftwareFact>("\x41" + longest + "v").ok());
}

TEST(Facts, ReplicaOfNobodyIsRefused) {
  EXPECT_FALSE(decode_fact<RoleFact>("\x01"s + std::string(40, '\0')).ok());
  EXPECT_FALSE(decode_fact<RoleFact>("\x04"s + std::string(20, '\0')).ok()) << "unknown flag";
}

TEST(Facts, ReplicationWithUnknownFlagsIsRefused) {
  EXPECT_FALSE(decode_fact<ReplicationFact>("\x02"s + std::string(21, '\0')).ok());
}

TEST(Facts, EpochsSoHighThatTheNextWouldWrapAreRefused) {
  EXPECT_TRUE(decode_fact<SlotsFact>(encode(SlotsFact{kMaxEpoch, {}})).ok());
  EXPECT_FALSE(decode_fact<SlotsFact>(encode(SlotsFact{kMaxEpoch + 1, {}})).ok());
}

TEST(Facts, ListsOfNodesOutOfOrderDoubledOrTooLongAreRefused) {
  const auto item = [](uint32_t number) { return std::string(node(number).bytes()) + '\1'; };
  EXPECT_TRUE(decode_fact<SuspectsFact>("\2" + item(1) + item(2)).ok());
  EXPECT_FALSE(decode_fact<SuspectsFact>("\2" + item(2) + item(1)).ok());
  EXPECT_FALSE(decode_fact<SuspectsFact>("\2" + item(1) + item(1)).ok());
  EXPECT_FALSE(decode_fact<ForgottenFact>("\2" + item(2) + item(1)).ok());
  ForgottenFact longest;
  for (uint32_t i = 0; i < kMaxForgotten; ++i) longest.forgotten.push_back({node(i), 1});
  EXPECT_TRUE(decode_fact<ForgottenFact>(encode(longest)).ok());
  std::string more;
  put_varint64(&more, kMaxForgotten + 1);
  for (uint32_t i = 0; i <= kMaxForgotten; ++i) more += item(i);
  EXPECT_FALSE(decode_fact<ForgottenFact>(more).ok());
  std::string lies;
  put_varint64(&lies, UINT64_MAX);
  EXPECT_FALSE(decode_fact<SuspectsFact>(lies).ok());
}

}  // namespace
}  // namespace syntropy
