// CLUSTER, READONLY, READWRITE, ASKING, CLIENT WRITE-ACKS, and what is refused in cluster mode.
// Error texts and their order were taken from redis-server 7.0.15.
#include <algorithm>

#include "server/commands/cluster_commands.h"
#include "server/config/config_store.h"
#include "server/context.h"
#include "tests/commands/command_fixture.h"
#include "tests/support/fake_cluster.h"

namespace syntropy {
namespace {

using testing::FakeCluster;
using testing::FakeMember;
using ::testing::HasSubstr;
using testing::node_id;
using ::testing::Not;
using ::testing::StartsWith;

constexpr std::string_view kDisabled = "ERR This instance has cluster support disabled";

std::string hex(char digit) { return std::string(40, digit); }
std::string simple(std::string_view text) { return "+" + std::string(text) + "\r\n"; }

FakeMember primary(char digit, SlotRanges slots = {}, uint64_t epoch = 0) {
  FakeMember member;
  member.id = node_id(digit);
  member.slots = std::move(slots);
  member.epoch = epoch;
  member.port = static_cast<uint16_t>(7000 + digit - '0');
  return member;
}

FakeMember replica(char digit, char of) {
  FakeMember member = primary(digit);
  member.primary = node_id(of);
  member.offset = 50;
  return member;
}

class ClusterTest : public CommandFixture {
 protected:
  void join(const std::vector<FakeMember>& members) {
    cluster_ = std::make_unique<FakeCluster>(members);
    server().cluster = cluster_.get();
  }
  /// This node alone, without slots.
  void join_alone() { join({primary('1')}); }
  /// 1 and 2 are primaries, 3 a replica of 2; this is 1.
  void join_three() {
    join({primary('1', {{0, 8000}}, 1), primary('2', {{8001, 16000}}, 2), replica('3', '2')});
  }
  /// The same, seen by the replica.
  void join_as_replica() {
    join({replica('3', '2'), primary('1', {{0, 8000}}, 1), primary('2', {{8001, 16000}}, 2)});
  }
  FakeCluster& cluster() { return *cluster_; }
  Membership& membership() { return cluster_->membership(); }

 private:
  std::unique_ptr<FakeCluster> cluster_;
};

// --- without a cluster ---------------------------------------------------------------------------

TEST_F(ClusterTest, EverySubcommandSaysThatThereIsNoCluster) {
  for (const std::string line : {"CLUSTER ADDSLOTS 1",
                                 "CLUSTER ADDSLOTSRANGE 1 2",
                                 "CLUSTER BUMPEPOCH",
                                 "CLUSTER COUNT-FAILURE-REPORTS x",
                                 "CLUSTER COUNTKEYSINSLOT 1",
                                 "CLUSTER DELSLOTS 1",
                                 "CLUSTER DELSLOTSRANGE 1 2",
                                 "CLUSTER FAILOVER",
                                 "CLUSTER FLUSHSLOTS",
                                 "CLUSTER FORGET x",
                                 "CLUSTER GETKEYSINSLOT 1 1",
                                 "CLUSTER HELP",
                                 "CLUSTER INFO",
                                 "CLUSTER KEYSLOT a",
                                 "CLUSTER LINKS",
                                 "CLUSTER MEET a b",
                                 "CLUSTER MYID",
                                 "CLUSTER MYSHARDID",
                                 "CLUSTER NODES",
                                 "CLUSTER REPLICAS x",
                                 "CLUSTER REPLICATE x",
                                 "CLUSTER RESET",
                                 "CLUSTER SAVECONFIG",
                                 "CLUSTER SET-CONFIG-EPOCH 1",
                                 "CLUSTER SETSLOT 1 STABLE",
                                 "CLUSTER SHARDS",
                                 "CLUSTER SLAVES x",
                                 "CLUSTER SLOT-STATS SLOTSRANGE 0 1",
                                 "CLUSTER SLOTS",
                                 "READONLY",
                                 "READWRITE",
                                 "ASKING",
                                 "CLIENT WRITE-ACKS ALL"}) {
    EXPECT_EQ(run(line), error(kDisabled)) << line;
  }
}

// --- what this node sees -------------------------------------------------------------------------

TEST_F(ClusterTest, IdsAreTextsOfFortyDigits) {
  join_as_replica();
  EXPECT_EQ(run("CLUSTER MYID"), bulk(hex('3')));
  EXPECT_EQ(run("CLUSTER MYSHARDID"), bulk(hex('2')));
}

TEST_F(ClusterTest, NodesHasALineForEachNode) {
  join_three();
  const std::string now = std::to_string(now_ms());
  EXPECT_EQ(
      run("CLUSTER NODES"),
      bulk(hex('1') + " 127.0.0.1:7001@17001 myself,master - 0 " + now + " 1 connected 0-8000\n" +
           hex('2') + " 127.0.0.1:7002@17002 master - 0 " + now + " 2 connected 8001-16000\n" +
           hex('3') + " 127.0.0.1:7003@17003 slave " + hex('2') + " 0 " + now + " 2 connected\n"));
  client_.protocol = 3;
  EXPECT_THAT(run("CLUSTER NODES"), StartsWith("="));
}

TEST_F(ClusterTest, SlotsShardsAndInfoDescribeTheView) {
  join_three();
  EXPECT_THAT(run("CLUSTER SLOTS"),
              StartsWith("*2\r\n*3\r\n:0\r\n:8000\r\n*4\r\n" + bulk("127.0.0.1") + ":7001\r\n" +
                         bulk(hex('1')) + "*0\r\n*4\r\n:8001\r\n:16000\r\n"));
  EXPECT_THAT(run("CLUSTER SHARDS"), StartsWith("*2\r\n*4\r\n" + bulk("slots") + "*2\r\n:0\r\n"));
  const std::string info = run("CLUSTER INFO");
  EXPECT_THAT(info, HasSubstr("cluster_slots_assigned:16001\r\n"));
  EXPECT_THAT(info, HasSubstr("cluster_known_nodes:3\r\n"));
  EXPECT_THAT(info, HasSubstr("cluster_size:2\r\n"));
  EXPECT_THAT(info, HasSubstr("cluster_my_epoch:1\r\n"));
  EXPECT_THAT(info, HasSubstr("cluster_current_epoch:2\r\n"));
}

TEST_F(ClusterTest, ReplicasAreLinesOfNodes) {
  join_three();
  const std::string line = hex('3') + " 127.0.0.1:7003@17003 slave " + hex('2') + " 0 " +
                           std::to_string(now_ms()) + " 2 connected";
  EXPECT_EQ(run("CLUSTER REPLICAS " + hex('2')), array({bulk(line)}));
  EXPECT_EQ(run("CLUSTER SLAVES " + hex('2')), array({bulk(line)}));
  EXPECT_EQ(run("CLUSTER REPLICAS " + hex('1')), array({}));
  EXPECT_EQ(run("CLUSTER REPLICAS " + hex('3')), error("ERR The specified node is not a master"));
  EXPECT_EQ(run("CLUSTER REPLICAS " + hex('9')), error("ERR Unknown node " + hex('9')));
  EXPECT_EQ(run("CLUSTER REPLICAS xyz"), error("ERR Unknown node xyz"));
}

TEST_F(ClusterTest, LinksAreThoseOfTheBus) {
  join_three();
  LinkInfo link;
  link.peer = node_id('2');
  link.ready = true;
  cluster().link_list = {link};
  EXPECT_THAT(run("CLUSTER LINKS"), StartsWith("*1\r\n*12\r\n" + bulk("direction") + bulk("from") +
                                               bulk("node") + bulk(hex('2'))));
}

TEST_F(ClusterTest, FailureReportsAreCountedForKnownNodes) {
  join_three();
  EXPECT_EQ(run("CLUSTER COUNT-FAILURE-REPORTS " + hex('2')), integer(0));
  EXPECT_EQ(run("CLUSTER COUNT-FAILURE-REPORTS xyz"), error("ERR Unknown node xyz"));
}

TEST_F(ClusterTest, HelpListsTheSubcommands) {
  join_alone();
  EXPECT_THAT(run("CLUSTER HELP"), HasSubstr("+SETSLOT slot <IMPORTING node-id|MIGRATING node-id|"
                                             "NODE node-id|STABLE>\r\n"));
}

// --- slots ---------------------------------------------------------------------------------------

TEST_F(ClusterTest, AddslotsClaimsWhatIsFree) {
  join_alone();
  EXPECT_EQ(run("CLUSTER ADDSLOTS 16383 0 5"), kOk);
  EXPECT_EQ(membership().epochs().slots, (SlotRanges{{0, 0}, {5, 5}, {16383, 16383}}));
  EXPECT_EQ(run("CLUSTER ADDSLOTS 6 5"), error("ERR Slot 5 is already busy"));
  EXPECT_EQ(run("CLUSTER ADDSLOTS 7 7"), error("ERR Slot 7 specified multiple times"));
  EXPECT_EQ(run("CLUSTER ADDSLOTS 1 x"), error("ERR Invalid or out of range slot"));
  EXPECT_EQ(run("CLUSTER ADDSLOTS 16384"), error("ERR Invalid or out of range slot"));
  EXPECT_EQ(run("CLUSTER ADDSLOTS -1"), error("ERR Invalid or out of range slot"));
  EXPECT_EQ(membership().epochs().slots.count(), 3u);
}

TEST_F(ClusterTest, AddslotsrangeClaimsRanges) {
  join_alone();
  EXPECT_EQ(run("CLUSTER ADDSLOTSRANGE 10 20 30 30"), kOk);
  EXPECT_EQ(membership().epochs().slots, (SlotRanges{{10, 20}, {30, 30}}));
  EXPECT_EQ(run("CLUSTER ADDSLOTSRANGE 20 25"), error("ERR Slot 20 is already busy"));
  EXPECT_EQ(run("CLUSTER ADDSLOTSRANGE 5 4"),
            error("ERR start slot number 5 is greater than end slot number 4"));
  EXPECT_EQ(run("CLUSTER ADDSLOTSRANGE 40 42 41 43"),
            error("ERR Slot 41 specified multiple times"));
  EXPECT_EQ(run("CLUSTER ADDSLOTSRANGE 10 x"), error("ERR Invalid or out of range slot"));
  EXPECT_EQ(run("CLUSTER ADDSLOTSRANGE 1 2 3"),
            error("ERR wrong number of arguments for 'cluster|addslotsrange' command"));
}

TEST_F(ClusterTest, AReplicaClaimsNothing) {
  join_as_replica();
  EXPECT_EQ(run("CLUSTER ADDSLOTS 1"), error("ERR Slot 1 is already busy"));
  EXPECT_EQ(run("CLUSTER ADDSLOTS 16001"),
            error("ERR A replica can't own slots: send CLUSTER ADDSLOTS to a primary"));
  EXPECT_TRUE(membership().epochs().slots.empty());
}

TEST_F(ClusterTest, DelslotsTakesSlotsBack) {
  join_three();
  EXPECT_EQ(run("CLUSTER DELSLOTS 16001"), error("ERR Slot 16001 is already unassigned"));
  EXPECT_EQ(run("CLUSTER DELSLOTS 1 1"), error("ERR Slot 1 specified multiple times"));
  EXPECT_EQ(run("CLUSTER DELSLOTS 1 9000"), kOk);
  EXPECT_FALSE(membership().epochs().slots.contains(1));
  EXPECT_EQ(cluster().current_routing().owner_of(1), nullptr);
  EXPECT_EQ(cluster().current_routing().owner_of(9000), nullptr);
  EXPECT_EQ(run("CLUSTER DELSLOTSRANGE 10 9"),
            error("ERR start slot number 10 is greater than end slot number 9"));
  EXPECT_EQ(run("CLUSTER DELSLOTSRANGE 10 20"), kOk);
  EXPECT_EQ(cluster().current_routing().owner_of(15), nullptr);
}

TEST_F(ClusterTest, FlushslotsNeedsAnEmptyDatabase) {
  join_three();
  run("SET key value");
  EXPECT_EQ(run("CLUSTER FLUSHSLOTS"),
            error("ERR DB must be empty to perform CLUSTER FLUSHSLOTS."));
  run("DEL key");
  EXPECT_EQ(run("CLUSTER FLUSHSLOTS"), kOk);
  EXPECT_TRUE(membership().epochs().slots.empty());
}

TEST_F(ClusterTest, SetslotMarksSlotsOnTheirWay) {
  join_three();
  EXPECT_EQ(run("CLUSTER SETSLOT 5 MIGRATING " + hex('2')), kOk);
  EXPECT_EQ(run("CLUSTER SETSLOT 9000 importing " + hex('2')), kOk);
  EXPECT_THAT(run("CLUSTER NODES"),
              HasSubstr(" [5->-" + hex('2') + "] [9000-<-" + hex('2') + "]\n"));
  EXPECT_EQ(run("CLUSTER SETSLOT 5 STABLE"), kOk);
  EXPECT_EQ(run("CLUSTER SETSLOT 9000 STABLE"), kOk);
  EXPECT_TRUE(membership().epochs().migrating.empty());
  EXPECT_TRUE(membership().epochs().importing.empty());
}

TEST_F(ClusterTest, SetslotSaysWhatIsWrong) {
  join_three();
  const std::string bad =
      error("ERR Invalid CLUSTER SETSLOT action or number of arguments. Try CLUSTER HELP");
  EXPECT_EQ(run("CLUSTER SETSLOT x STABLE"), error("ERR Invalid or out of range slot"));
  EXPECT_EQ(run("CLUSTER SETSLOT 5 FOO"), bad);
  EXPECT_EQ(run("CLUSTER SETSLOT 5 MIGRATING"), bad);
  EXPECT_EQ(run("CLUSTER SETSLOT 5 NODE"), bad);
  EXPECT_EQ(run("CLUSTER SETSLOT 5 STABLE x"), bad);
  EXPECT_EQ(run("CLUSTER SETSLOT 9000 MIGRATING xyz"),
            error("ERR I'm not the owner of hash slot 9000"));
  EXPECT_EQ(run("CLUSTER SETSLOT 5 MIGRATING xyz"), error("ERR I don't know about node xyz"));
  EXPECT_EQ(run("CLUSTER SETSLOT 5 IMPORTING xyz"),
            error("ERR I'm already the owner of hash slot 5"));
  EXPECT_EQ(run("CLUSTER SETSLOT 9000 IMPORTING xyz"), error("ERR I don't know about node xyz"));
  EXPECT_EQ(run("CLUSTER SETSLOT 5 NODE xyz"), error("ERR Unknown node xyz"));
  for (const std::string action : {"5 MIGRATING ", "9000 IMPORTING ", "5 NODE "}) {
    EXPECT_EQ(run("CLUSTER SETSLOT " + action + hex('3')),
              error("ERR Target node is not a master"));
  }
  join_as_replica();
  EXPECT_EQ(run("CLUSTER SETSLOT 5 STABLE"), error("ERR Please use SETSLOT only with masters."));
}

TEST_F(ClusterTest, SetslotNodeGivesASlotAwayOnceItIsEmpty) {
  join_three();
  run("SET b x");  // slot 3300
  EXPECT_EQ(run("CLUSTER SETSLOT 3300 NODE " + hex('2')),
            error("ERR Can't assign hashslot 3300 to a different node while I still hold keys for "
                  "this hash slot."));
  EXPECT_EQ(run("CLUSTER SETSLOT 3300 NODE " + hex('1')), kOk);
  EXPECT_EQ(run("CLUSTER SETSLOT 3301 NODE " + hex('2')), kOk);
  run("DEL b");
  EXPECT_EQ(run("CLUSTER SETSLOT 3300 NODE " + hex('2')), kOk);
  EXPECT_EQ(cluster().current_routing().owner_of(3300)->id, node_id('2'));
  EXPECT_FALSE(membership().epochs().slots.contains(3300));
}

TEST_F(ClusterTest, SlotsTellWhatTheyHoldAndCost) {
  join_three();
  run("CONFIG SET cluster-slot-stats-enabled yes");
  for (const std::string key : {"{b}1", "{b}2", "a"}) run("SET " + key + " x");
  server().stats.record_slot(server().stats.slot(0), 3300, {5'000, 83, 17});
  server().stats.record_slot(server().stats.slot(0), 3300, {2'500, 1, 1});
  const auto fields = [](uint64_t slot, uint64_t keys) {
    return "*2\r\n" + integer(slot) + "*10\r\n" + bulk("key-count") + integer(keys);
  };
  // {b} is slot 3300.
  const std::string range = run("CLUSTER SLOT-STATS SLOTSRANGE 3300 3301");
  EXPECT_THAT(range, StartsWith("*2\r\n" + fields(3300, 2) + bulk("disk-bytes")));
  EXPECT_THAT(range, HasSubstr(bulk("cpu-usec") + integer(7) + bulk("network-bytes-in") +
                               integer(84) + bulk("network-bytes-out") + integer(18)));
  const std::string first = run("CLUSTER SLOT-STATS ORDERBY key-count LIMIT 1");
  EXPECT_THAT(first, StartsWith("*1\r\n" + fields(3300, 2)));
  EXPECT_THAT(run("CLUSTER SLOT-STATS ORDERBY network-bytes-in LIMIT 2 ASC"),
              StartsWith("*2\r\n" + fields(0, 0)))
      << "of equal ones the lower slot";
  run("CONFIG RESETSTAT");
  EXPECT_THAT(run("CLUSTER SLOT-STATS SLOTSRANGE 3300 3300"),
              HasSubstr(bulk("cpu-usec") + integer(0) + bulk("network-bytes-in") + integer(0)));
  run("CONFIG SET cluster-slot-stats-enabled no");
  EXPECT_THAT(run("CLUSTER SLOT-STATS SLOTSRANGE 3300 3300"), Not(HasSubstr(bulk("cpu-usec"))));
}

TEST_F(ClusterTest, SlotStatsRefusesWhatItCannotRead) {
  join_three();
  EXPECT_EQ(run("CLUSTER SLOT-STATS SLOTSRANGE 5 4"),
            error("ERR Start slot number 5 is greater than end slot number 4"));
  EXPECT_EQ(run("CLUSTER SLOT-STATS SLOTSRANGE x 4"), error("ERR Invalid or out of range slot"));
  EXPECT_EQ(run("CLUSTER SLOT-STATS ORDERBY cpu-usec"),
            error("ERR Unrecognized sort metric for ORDERBY."))
      << "nothing is counted";
  EXPECT_EQ(run("CLUSTER SLOT-STATS ORDERBY key-count LIMIT 0"),
            error("ERR Limit has to lie in between 1 and 16384 (maximum number of slots)."));
  EXPECT_EQ(run("CLUSTER SLOT-STATS ORDERBY key-count ASC DESC"),
            error("ERR Multiple filters of the same type are disallowed."));
  EXPECT_EQ(run("CLUSTER SLOT-STATS ORDERBY key-count SIDEWAYS"), error("ERR syntax error"));
  EXPECT_EQ(run("CLUSTER SLOT-STATS SLOTSRANGE 1"),
            error("ERR unknown subcommand or wrong number of arguments for 'SLOT-STATS'. Try "
                  "CLUSTER HELP."));
}

TEST_F(ClusterTest, KeysOfASlotAreCountedAndListed) {
  join_three();
  for (const std::string key : {"{b}1", "{b}2", "b", "a", "foo"}) run("SET " + key + " x");
  EXPECT_EQ(run("CLUSTER KEYSLOT foo"), integer(12182));
  EXPECT_EQ(run("CLUSTER KEYSLOT {b}anything"), integer(3300));
  EXPECT_EQ(run("CLUSTER COUNTKEYSINSLOT 3300"), integer(3));
  EXPECT_EQ(run("CLUSTER COUNTKEYSINSLOT 3301"), integer(0));
  EXPECT_EQ(run("CLUSTER COUNTKEYSINSLOT 16384"), error("ERR Invalid slot"));
  EXPECT_EQ(run("CLUSTER COUNTKEYSINSLOT x"), error(kNotInteger));
  const std::string listed = run("CLUSTER GETKEYSINSLOT 3300 10");
  EXPECT_THAT(listed, StartsWith("*3\r\n"));
  for (const std::string key : {"{b}1", "{b}2", "b"}) EXPECT_THAT(listed, HasSubstr(bulk(key)));
  EXPECT_THAT(run("CLUSTER GETKEYSINSLOT 3300 2"), StartsWith("*2\r\n"));
  EXPECT_EQ(run("CLUSTER GETKEYSINSLOT 3300 0"), array({}));
  EXPECT_EQ(run("CLUSTER GETKEYSINSLOT 3300 -1"), error("ERR Invalid slot or number of keys"));
  EXPECT_EQ(run("CLUSTER GETKEYSINSLOT 16384 1"), error("ERR Invalid slot or number of keys"));
  EXPECT_EQ(run("CLUSTER GETKEYSINSLOT 1 x"), error(kNotInteger));
}

// --- nodes ---------------------------------------------------------------------------------------

TEST_F(ClusterTest, MeetSendsAnIntroduction) {
  join_alone();
  EXPECT_EQ(run("CLUSTER MEET 10.0.0.9 7000"), kOk);
  ASSERT_EQ(cluster().last_ready.meets.size(), 1u);
  EXPECT_EQ(cluster().last_ready.meets[0].host, "10.0.0.9");
  EXPECT_EQ(cluster().last_ready.meets[0].bus_port, 17000);
  EXPECT_EQ(run("CLUSTER MEET 0:0:0:0:0:0:0:1 7000 7001"), kOk);
  ASSERT_EQ(cluster().last_ready.meets.size(), 1u);
  EXPECT_EQ(cluster().last_ready.meets[0].host, "::1");
  EXPECT_EQ(cluster().last_ready.meets[0].bus_port, 7001);
}

TEST_F(ClusterTest, MeetWantsAnAddress) {
  join_alone();
  EXPECT_EQ(run("CLUSTER MEET foo 1"), error("ERR Invalid node address specified: foo:1"));
  EXPECT_EQ(run("CLUSTER MEET 127.0.0.1 x"), error("ERR Invalid TCP base port specified: x"));
  EXPECT_EQ(run("CLUSTER MEET 127.0.0.1 1 x"), error("ERR Invalid TCP bus port specified: x"));
  EXPECT_EQ(run("CLUSTER MEET 127.0.0.1 0"),
            error("ERR Invalid node address specified: 127.0.0.1:0"));
  EXPECT_EQ(run("CLUSTER MEET 127.0.0.1 60000"),
            error("ERR Invalid node address specified: 127.0.0.1:60000"));
  EXPECT_EQ(run("CLUSTER MEET 127.0.0.1 1 70000"),
            error("ERR Invalid node address specified: 127.0.0.1:1"));
  EXPECT_EQ(run("CLUSTER MEET 1 2 3 4"),
            error("ERR unknown subcommand or wrong number of arguments for 'MEET'. Try CLUSTER "
                  "HELP."));
}

TEST_F(ClusterTest, ForgetRemovesANodeAndMayBeSaidTwice) {
  join_three();
  EXPECT_EQ(run("CLUSTER FORGET " + hex('3')), kOk);
  EXPECT_FALSE(membership().member(node_id('3')).has_value());
  EXPECT_EQ(run("CLUSTER FORGET " + hex('3')), kOk);
  EXPECT_EQ(run("CLUSTER FORGET " + hex('9')), error("ERR Unknown node " + hex('9')));
  EXPECT_EQ(run("CLUSTER FORGET xyz"), error("ERR Unknown node xyz"));
  EXPECT_EQ(run("CLUSTER FORGET " + hex('1')),
            error("ERR I tried hard but I can't forget myself..."));
  join_as_replica();
  EXPECT_EQ(run("CLUSTER FORGET " + hex('2')), error("ERR Can't forget my master!"));
}

TEST_F(ClusterTest, ReplicateMakesAnEmptyNodeAReplica) {
  join({primary('4'), primary('1', {{0, 8000}}, 1), replica('3', '1')});
  EXPECT_EQ(run("CLUSTER REPLICATE xyz"), error("ERR Unknown node xyz"));
  EXPECT_EQ(run("CLUSTER REPLICATE " + hex('4')), error("ERR Can't replicate myself"));
  EXPECT_EQ(run("CLUSTER REPLICATE " + hex('3')),
            error("ERR I can only replicate a master, not a replica."));
  run("SET key value");
  EXPECT_EQ(run("CLUSTER REPLICATE " + hex('1')),
            error("ERR To set a master the node must be empty and without assigned slots."));
  run("DEL key");
  EXPECT_EQ(run("CLUSTER REPLICATE " + hex('1')), kOk);
  EXPECT_EQ(membership().primary(), node_id('1'));
  EXPECT_EQ(cluster().last_ready.follow, node_id('1'));
}

TEST_F(ClusterTest, ReplicateIsNotForOwnersOfSlots) {
  join_three();
  EXPECT_EQ(run("CLUSTER REPLICATE " + hex('2')),
            error("ERR To set a master the node must be empty and without assigned slots."));
}

TEST_F(ClusterTest, FailoverIsForReplicas) {
  join_three();
  EXPECT_EQ(run("CLUSTER FAILOVER"), error("ERR You should send CLUSTER FAILOVER to a replica"));
  EXPECT_EQ(run("CLUSTER FAILOVER FORCE"),
            error("ERR You should send CLUSTER FAILOVER to a replica"));
  EXPECT_EQ(run("CLUSTER FAILOVER x"), error("ERR syntax error"));
  EXPECT_EQ(run("CLUSTER FAILOVER FORCE x"),
            error("ERR unknown subcommand or wrong number of arguments for 'FAILOVER'. Try CLUSTER "
                  "HELP."));
}

TEST_F(ClusterTest, TakeoverNeedsNobody) {
  join_as_replica();
  EXPECT_EQ(run("CLUSTER FAILOVER TAKEOVER"), kOk);
  EXPECT_FALSE(membership().primary());
  EXPECT_EQ(membership().epochs().slots, (SlotRanges{{8001, 16000}}));
}

TEST_F(ClusterTest, AFailoverBeginsWithAWordToThePrimary) {
  join_as_replica();
  EXPECT_EQ(run("CLUSTER FAILOVER"), kOk);
  const auto& sends = cluster().last_ready.sends;
  EXPECT_TRUE(std::any_of(sends.begin(), sends.end(), [](const MembershipSend& send) {
    return send.to == node_id('2') && std::holds_alternative<ElectionMessage>(send.message);
  }));
}

TEST_F(ClusterTest, ResetIsNotForPrimariesWithKeys) {
  join_three();
  EXPECT_EQ(run("CLUSTER RESET x"), error("ERR syntax error"));
  EXPECT_EQ(run("CLUSTER RESET HARD x"),
            error("ERR unknown subcommand or wrong number of arguments for 'RESET'. Try CLUSTER "
                  "HELP."));
  EXPECT_EQ(run("CLUSTER RESET"), kOk);
  EXPECT_EQ(run("CLUSTER RESET soft"), kOk);
  EXPECT_EQ(run("CLUSTER RESET hard"), kOk);
  EXPECT_EQ(cluster().resets, (std::vector<bool>{false, false, true}));
  run("SET key value");
  EXPECT_EQ(run("CLUSTER RESET"),
            error("ERR CLUSTER RESET can't be called with master nodes containing keys"));
  join_as_replica();
  EXPECT_EQ(run("CLUSTER RESET"), kOk);
}

TEST_F(ClusterTest, SaveconfigStores) {
  join_alone();
  EXPECT_EQ(run("CLUSTER SAVECONFIG"), kOk);
  EXPECT_EQ(cluster().stores, 1);
  cluster().store_result = Status::io_error("no room");
  EXPECT_EQ(run("CLUSTER SAVECONFIG"), error("ERR error saving the cluster node config: no room"));
}

// --- epochs --------------------------------------------------------------------------------------

TEST_F(ClusterTest, AConfigEpochIsSetOnceByANodeThatIsAlone) {
  join_alone();
  EXPECT_EQ(run("CLUSTER SET-CONFIG-EPOCH x"), error(kNotInteger));
  EXPECT_EQ(run("CLUSTER SET-CONFIG-EPOCH -1"), error("ERR Invalid config epoch specified: -1"));
  EXPECT_EQ(run("CLUSTER SET-CONFIG-EPOCH 0"), kOk);
  EXPECT_EQ(run("CLUSTER SET-CONFIG-EPOCH 5"), kOk);
  EXPECT_EQ(membership().epochs().config_epoch, 5u);
  EXPECT_EQ(run("CLUSTER SET-CONFIG-EPOCH 6"), error("ERR Node config epoch is already non-zero"));
  join_three();
  EXPECT_EQ(run("CLUSTER SET-CONFIG-EPOCH 6"),
            error("ERR The user can assign a config epoch only when the node does not know any "
                  "other node."));
}

TEST_F(ClusterTest, BumpepochTakesANewOneUnlessItIsTheHighest) {
  join_three();
  EXPECT_EQ(run("CLUSTER BUMPEPOCH"), simple("BUMPED 3"));
  EXPECT_EQ(run("CLUSTER BUMPEPOCH"), simple("STILL 3"));
}

// --- connections ---------------------------------------------------------------------------------

TEST_F(ClusterTest, ReadonlyIsSeenInTheListOfClients) {
  join_as_replica();
  EXPECT_EQ(run("READONLY"), kOk);
  EXPECT_TRUE(client_.shared.readonly);
  EXPECT_THAT(run("CLIENT INFO"), HasSubstr(" flags=r "));
  EXPECT_EQ(run("READWRITE"), kOk);
  EXPECT_FALSE(client_.shared.readonly);
}

TEST_F(ClusterTest, WriteAcksIsSetPerConnection) {
  join_three();
  EXPECT_EQ(run("CLIENT WRITE-ACKS"), bulk("1"));
  set_config("cluster-write-acks", "majority");
  EXPECT_EQ(run("CLIENT WRITE-ACKS"), bulk("majority"));
  EXPECT_EQ(run("CLIENT WRITE-ACKS all"), kOk);
  EXPECT_EQ(client_.write_acks, WriteAcks::kAll);
  EXPECT_EQ(run("CLIENT WRITE-ACKS"), bulk("all"));
  EXPECT_EQ(run("CLIENT WRITE-ACKS 1"), kOk);
  EXPECT_EQ(client_.write_acks, WriteAcks::kOne);
  EXPECT_EQ(run("CLIENT WRITE-ACKS ONE"), kOk);
  EXPECT_EQ(run("CLIENT WRITE-ACKS majority"), kOk);
  EXPECT_EQ(client_.write_acks, WriteAcks::kMajority);
  EXPECT_EQ(run("CLIENT WRITE-ACKS default"), kOk);
  EXPECT_FALSE(client_.write_acks.has_value());
  EXPECT_EQ(run("CLIENT WRITE-ACKS 2"),
            error("ERR the guarantee must be 1, MAJORITY, ALL or DEFAULT"));
}

TEST_F(ClusterTest, ResetForgetsWhatTheConnectionSaid) {
  join_as_replica();
  run("READONLY");
  run("CLIENT WRITE-ACKS all");
  run("ASKING");
  run("RESET");
  EXPECT_FALSE(client_.shared.readonly);
  EXPECT_FALSE(client_.write_acks.has_value());
  EXPECT_EQ(client_.asking, 0);
}

TEST_F(ClusterTest, HelloTellsModeAndRole) {
  client_.authenticated = true;
  join_three();
  EXPECT_THAT(run("HELLO"),
              HasSubstr(bulk("mode") + bulk("cluster") + bulk("role") + bulk("master")));
  join_as_replica();
  EXPECT_THAT(run("HELLO"), HasSubstr(bulk("role") + bulk("replica")));
}

// --- databases -----------------------------------------------------------------------------------

TEST_F(ClusterTest, ThereIsOneDatabase) {
  join_three();
  EXPECT_EQ(run("SELECT 0"), kOk);
  EXPECT_EQ(run("SELECT 1"), error("ERR SELECT is not allowed in cluster mode"));
  EXPECT_EQ(run("SELECT 100"), error("ERR SELECT is not allowed in cluster mode"));
  EXPECT_EQ(run("SWAPDB 0 0"), error("ERR SWAPDB is not allowed in cluster mode"));
  EXPECT_EQ(run("SWAPDB 0 x"), error("ERR SWAPDB is not allowed in cluster mode"));
  EXPECT_EQ(run("MOVE b 1"), error("ERR MOVE is not allowed in cluster mode"));
  run("SET b 1");
  EXPECT_EQ(run("COPY b {b}x DB 1"),
            error("ERR Copying to another database is not allowed in cluster mode"));
  EXPECT_EQ(run("COPY b {b}x DB 0"), integer(1));
}

}  // namespace
}  // namespace syntropy
