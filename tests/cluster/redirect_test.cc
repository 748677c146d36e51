// Where a request may run. The texts and their order of precedence are those of redis-server
// 7.0.15 with the same slots and flags.
#include "server/cluster/redirect.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace syntropy {
namespace {

constexpr uint16_t kSlotOfB = 3300;   // "b", "{b}1"
constexpr uint16_t kSlotOfA = 15495;  // "a"
constexpr std::string_view kDownForWrites =
    "CLUSTERDOWN The cluster is down and only accepts read commands";

NodeId node(char digit) { return *NodeId::parse(std::string(40, digit)); }

/// Slots up to 5000 are node 1's, up to 16000 node 2's, the rest nobody's; this is node 1.
Routing two_primaries() {
  Routing routing;
  routing.self = node('1');
  routing.covered = true;
  routing.nodes = {{node('1'), "10.0.0.1", 7001, false}, {node('2'), "10.0.0.2", 7002, false}};
  std::fill(routing.owner.begin(), routing.owner.end(), Routing::kNobody);
  std::fill_n(routing.owner.begin(), 5001, uint16_t{0});
  std::fill(routing.owner.begin() + 5001, routing.owner.begin() + 16001, uint16_t{1});
  return routing;
}

/// The same cluster, seen by a replica of node 1.
Routing replica_of_first() {
  Routing routing = two_primaries();
  routing.self = node('3');
  routing.primary = node('1');
  routing.nodes.push_back({node('3'), "10.0.0.3", 7003, false});
  return routing;
}

RequestKeys keys_of(std::initializer_list<std::string_view> keys) {
  RequestKeys request;
  for (const std::string_view key : keys) request.add(key);
  return request;
}

RequestTerms healthy() {
  RequestTerms terms;
  terms.may_serve = true;
  return terms;
}

RequestTerms write_terms() {
  RequestTerms terms = healthy();
  terms.writes = true;
  return terms;
}

// --- keys ----------------------------------------------------------------------------------------

TEST(RequestKeys, KnowTheirSlotAndWhetherTheyAreSeveral) {
  EXPECT_TRUE(RequestKeys().empty());
  const RequestKeys one = keys_of({"b"});
  EXPECT_EQ(one.slot(), kSlotOfB);
  EXPECT_FALSE(one.several());
  const RequestKeys twice = keys_of({"b", "b"});
  EXPECT_FALSE(twice.several());
  EXPECT_FALSE(twice.crosses_slots());
  const RequestKeys tagged = keys_of({"b", "{b}1"});
  EXPECT_TRUE(tagged.several());
  EXPECT_FALSE(tagged.crosses_slots());
  const RequestKeys apart = keys_of({"b", "b", "a"});
  EXPECT_TRUE(apart.crosses_slots());
  EXPECT_EQ(apart.slot(), kSlotOfB);
}

// --- a cluster at rest ---------------------------------------------------------------------------

TEST(Redirect, ServesItsOwnSlots) {
  EXPECT_EQ(redirect(two_primaries(), keys_of({"b"}), healthy()), "");
  EXPECT_EQ(redirect(two_primaries(), keys_of({"b", "{b}1"}), write_terms()), "");
}

TEST(Redirect, SendsToTheOwnerOfTheSlot) {
  EXPECT_EQ(redirect(two_primaries(), keys_of({"a"}), healthy()), "MOVED 15495 10.0.0.2:7002");
}

TEST(Redirect, NamesNoHostWhenNoneIsKnown) {
  Routing routing = two_primaries();
  routing.nodes[1].host.clear();
  EXPECT_EQ(redirect(routing, keys_of({"a"}), healthy()), "MOVED 15495 :7002");
}

TEST(Redirect, RefusesKeysOfDifferentSlots) {
  EXPECT_EQ(redirect(two_primaries(), keys_of({"b", "a"}), healthy()),
            "CROSSSLOT Keys in request don't hash to the same slot");
}

TEST(Redirect, ASlotWithoutOwnerComesBeforeAnythingElse) {
  Routing routing = two_primaries();
  routing.owner[kSlotOfB] = Routing::kNobody;
  routing.covered = false;
  EXPECT_EQ(redirect(routing, keys_of({"b", "a"}), RequestTerms()),
            "CLUSTERDOWN Hash slot not served");
}

// --- a cluster that is down ----------------------------------------------------------------------

TEST(Redirect, ServesNothingWhenItMayHaveBeenReplaced) {
  RequestTerms terms;
  EXPECT_EQ(redirect(two_primaries(), keys_of({"b"}), terms), kClusterDown);
  EXPECT_EQ(redirect(two_primaries(), keys_of({"a"}), terms), kClusterDown);
  terms.writes = true;
  EXPECT_EQ(redirect(two_primaries(), keys_of({"b"}), terms), kClusterDown);
}

TEST(Redirect, ServesNothingWhenSlotsAreUncovered) {
  Routing routing = two_primaries();
  routing.covered = false;
  EXPECT_EQ(redirect(routing, keys_of({"b"}), healthy()), kClusterDown);
}

TEST(Redirect, KeysOfDifferentSlotsAreToldBeforeTheStateOfTheCluster) {
  Routing routing = two_primaries();
  routing.covered = false;
  EXPECT_TRUE(redirect(routing, keys_of({"b", "a"}), healthy()).starts_with("CROSSSLOT"));
}

TEST(Redirect, ReadsGoOnWhenDownWhereThatIsAllowed) {
  Routing routing = two_primaries();
  routing.covered = false;
  RequestTerms terms;
  terms.reads_when_down = true;
  EXPECT_EQ(redirect(routing, keys_of({"b"}), terms), "");
  EXPECT_TRUE(redirect(routing, keys_of({"a"}), terms).starts_with("MOVED"));
  terms.writes = true;
  EXPECT_EQ(redirect(routing, keys_of({"b"}), terms), kDownForWrites);
}

// --- replicas ------------------------------------------------------------------------------------

TEST(Redirect, AReplicaSendsToItsPrimary) {
  EXPECT_EQ(redirect(replica_of_first(), keys_of({"b"}), healthy()), "MOVED 3300 10.0.0.1:7001");
  EXPECT_EQ(redirect(replica_of_first(), keys_of({"b"}), write_terms()),
            "MOVED 3300 10.0.0.1:7001");
}

TEST(Redirect, AReplicaAnswersReadsOfItsPrimarysSlotsAfterReadonly) {
  RequestTerms terms = healthy();
  terms.readonly = true;
  EXPECT_EQ(redirect(replica_of_first(), keys_of({"b"}), terms), "");
  EXPECT_EQ(redirect(replica_of_first(), keys_of({"a"}), terms), "MOVED 15495 10.0.0.2:7002");
  terms.writes = true;
  EXPECT_EQ(redirect(replica_of_first(), keys_of({"b"}), terms), "MOVED 3300 10.0.0.1:7001");
}

TEST(Redirect, ReadonlyChangesNothingAtAPrimary) {
  RequestTerms terms = healthy();
  terms.readonly = true;
  EXPECT_EQ(redirect(two_primaries(), keys_of({"a"}), terms), "MOVED 15495 10.0.0.2:7002");
}

// --- requests without keys -----------------------------------------------------------------------

TEST(Redirect, ReadsWithoutKeysAreAnsweredAnywhere) {
  EXPECT_EQ(redirect(two_primaries(), RequestKeys(), RequestTerms()), "");
  EXPECT_EQ(redirect(replica_of_first(), RequestKeys(), RequestTerms()), "");
}

TEST(Redirect, WritesWithoutKeysNeedAPrimaryThatMayServe) {
  EXPECT_EQ(redirect(two_primaries(), RequestKeys(), write_terms()), "");
  EXPECT_EQ(redirect(replica_of_first(), RequestKeys(), write_terms()), kReadOnlyReplica);
  RequestTerms cut_off;
  cut_off.writes = true;
  EXPECT_EQ(redirect(two_primaries(), RequestKeys(), cut_off), kClusterDown);
  Routing uncovered = two_primaries();
  uncovered.covered = false;
  EXPECT_EQ(redirect(uncovered, RequestKeys(), write_terms()), "");
}

// --- slots on their way --------------------------------------------------------------------------

/// With what a look at the keys found.
RequestKeys looked_up(RequestKeys keys, int found, int missing) {
  for (int i = 0; i < found; ++i) keys.note_lookup(true);
  for (int i = 0; i < missing; ++i) keys.note_lookup(false);
  return keys;
}

Routing migrating() {
  Routing routing = two_primaries();
  routing.migrating = {{kSlotOfB, 1}};
  return routing;
}

Routing importing() {
  Routing routing = two_primaries();
  routing.importing = {{kSlotOfA, 1}};
  return routing;
}

TEST(Redirect, WritesWaitForASlotThatIsAboutToGo) {
  Routing routing = two_primaries();
  routing.held = {{kSlotOfB, kSlotOfB}};
  EXPECT_TRUE(is_on_its_way(redirect(routing, keys_of({"b"}), write_terms())));
  EXPECT_EQ(redirect(routing, keys_of({"b"}), healthy()), "") << "reads don't";
  EXPECT_EQ(redirect(routing, keys_of({"f"}), write_terms()), "") << "nor those of other slots";
  EXPECT_TRUE(is_on_its_way(redirect(routing, RequestKeys(), write_terms()))) << "FLUSHALL";
  EXPECT_EQ(redirect(routing, RequestKeys(), healthy()), "");
}

TEST(Redirect, NothingIsServedOfASlotThatWasGivenAway) {
  Routing routing = two_primaries();
  routing.given = {{kSlotOfB, kSlotOfB}};
  EXPECT_TRUE(is_on_its_way(redirect(routing, keys_of({"b"}), write_terms())));
  EXPECT_TRUE(is_on_its_way(redirect(routing, keys_of({"b"}), healthy())));
}

TEST(Redirect, KeysAreLookedUpOnlyInSlotsOnTheirWay) {
  EXPECT_FALSE(moves_here(two_primaries(), keys_of({"b"})));
  EXPECT_TRUE(moves_here(migrating(), keys_of({"b"})));
  EXPECT_FALSE(moves_here(migrating(), keys_of({"a"})));
  EXPECT_TRUE(moves_here(importing(), keys_of({"a"})));
  EXPECT_FALSE(moves_here(migrating(), RequestKeys()));
}

TEST(Redirect, AKeyThatHasLeftIsAskedForAtTheTarget) {
  EXPECT_EQ(redirect(migrating(), looked_up(keys_of({"b"}), 1, 0), write_terms()), "");
  EXPECT_EQ(redirect(migrating(), looked_up(keys_of({"b"}), 0, 1), healthy()),
            "ASK 3300 10.0.0.2:7002");
  EXPECT_EQ(redirect(migrating(), looked_up(keys_of({"b", "{b}1"}), 0, 2), healthy()),
            "ASK 3300 10.0.0.2:7002");
}

TEST(Redirect, KeysOfWhichSomeHaveLeftAreTriedAgain) {
  EXPECT_EQ(redirect(migrating(), looked_up(keys_of({"b", "{b}1"}), 1, 1), healthy()),
            "TRYAGAIN Multiple keys request during rehashing of slot");
}

TEST(Redirect, TheTargetServesThoseWhoSaidAsking) {
  RequestTerms terms = healthy();
  EXPECT_EQ(redirect(importing(), looked_up(keys_of({"a"}), 0, 1), terms),
            "MOVED 15495 10.0.0.2:7002");
  terms.asking = true;
  EXPECT_EQ(redirect(importing(), looked_up(keys_of({"a"}), 0, 1), terms), "");
  EXPECT_EQ(redirect(importing(), looked_up(keys_of({"a", "a"}), 0, 2), terms), "");
  EXPECT_EQ(redirect(importing(), looked_up(keys_of({"a", "{a}1"}), 2, 0), terms), "");
  EXPECT_EQ(redirect(importing(), looked_up(keys_of({"a", "{a}1"}), 1, 1), terms),
            "TRYAGAIN Multiple keys request during rehashing of slot");
}

TEST(Redirect, AskingOpensNoOtherSlots) {
  RequestTerms terms = healthy();
  terms.asking = true;
  EXPECT_EQ(redirect(two_primaries(), keys_of({"a"}), terms), "MOVED 15495 10.0.0.2:7002");
  EXPECT_EQ(redirect(importing(), keys_of({"foo"}), terms), "MOVED 12182 10.0.0.2:7002");
}

}  // namespace
}  // namespace syntropy
