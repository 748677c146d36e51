// How a view of the cluster is described. The formats are those of redis-server 7.0.15.
#include "server/commands/cluster_view.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace syntropy {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

NodeId node(char digit) { return *NodeId::parse(std::string(40, digit)); }
std::string hex(char digit) { return std::string(40, digit); }

ClusterView::Member member(char digit, char primary = '0') {
  ClusterView::Member member;
  member.id = node(digit);
  if (primary != '0') member.primary = node(primary);
  member.address.host = "10.0.0." + std::string(1, digit);
  member.address.port = 7379;
  member.address.bus_port = 17379;
  member.complete = true;
  return member;
}

/// 1 and 2 are primaries, 3 a replica of 1; this is 1.
ClusterView three_nodes() {
  ClusterView view;
  view.self = node('1');
  view.members = {member('1'), member('2'), member('3', '1')};
  view.members[0].slots = {{0, 100}, {102, 102}};
  view.members[0].epoch = 4;
  view.members[1].slots = {{200, 16383}};
  view.members[1].epoch = 5;
  view.members[2].epoch = 4;
  view.members[2].offset = 77;
  view.runs = {{{0, 100}, node('1')}, {{102, 102}, node('1')}, {{200, 16383}, node('2')}};
  view.epochs.current_epoch = 6;
  view.epochs.config_epoch = 4;
  view.primaries_with_slots = 2;
  return view;
}

NodesContext at(uint64_t wall_ms) { return {wall_ms, {}}; }

std::string line(const ClusterView& view, size_t index, const NodesContext& context = at(1234)) {
  return node_line(view, view.members[index], context);
}

// --- NODES ---------------------------------------------------------------------------------------

TEST(ClusterViewNodes, ALineHasTheFieldsOfRedis) {
  const ClusterView view = three_nodes();
  EXPECT_EQ(line(view, 0),
            hex('1') + " 10.0.0.1:7379@17379 myself,master - 0 1234 4 connected 0-100 102");
  EXPECT_EQ(line(view, 1), hex('2') + " 10.0.0.2:7379@17379 master - 0 1234 5 connected 200-16383");
  EXPECT_EQ(line(view, 2),
            hex('3') + " 10.0.0.3:7379@17379 slave " + hex('1') + " 0 1234 4 connected");
}

TEST(ClusterViewNodes, AHostnameFollowsTheBusPort) {
  ClusterView view = three_nodes();
  view.members[1].address.hostname = "two.example";
  EXPECT_THAT(line(view, 1), HasSubstr("@17379,two.example master"));
}

TEST(ClusterViewNodes, FlagsSayWhatIsWrong) {
  ClusterView view = three_nodes();
  view.members[1].liveness = Liveness::kSuspect;
  EXPECT_THAT(line(view, 1), HasSubstr(" master,fail? - 0 0 5 disconnected"));
  view.members[1].liveness = Liveness::kFailed;
  EXPECT_THAT(line(view, 1), HasSubstr(" master,fail - 0 0 5 disconnected"));
  view.members[2].no_failover = true;
  view.members[2].address = {};
  EXPECT_THAT(line(view, 2), HasSubstr(" :0@0 slave,noaddr,nofailover "));
  view.members[2].contact = true;
  EXPECT_THAT(line(view, 2), HasSubstr(" handshake,noaddr,nofailover "));
}

TEST(ClusterViewNodes, ASuspectWithAConnectionIsConnected) {
  ClusterView view = three_nodes();
  view.members[1].liveness = Liveness::kSuspect;
  LinkInfo dialing;
  dialing.peer = node('2');
  EXPECT_THAT(line(view, 1, nodes_context(5, {dialing})), HasSubstr(" disconnected"));
  LinkInfo link = dialing;
  link.ready = true;
  EXPECT_THAT(line(view, 1, nodes_context(5, {link})), HasSubstr(" 0 0 5 connected"));
}

TEST(ClusterViewNodes, OnlyTheOwnLineSaysWhatIsOnItsWay) {
  ClusterView view = three_nodes();
  view.epochs.migrating = {{3, node('2')}};
  view.epochs.importing = {{300, node('2')}};
  EXPECT_THAT(line(view, 0),
              HasSubstr(" 0-100 102 [3->-" + hex('2') + "] [300-<-" + hex('2') + "]"));
  EXPECT_THAT(line(view, 1), Not(HasSubstr("[")));
}

TEST(ClusterViewNodes, TheTextIsOneLinePerNode) {
  const ClusterView view = three_nodes();
  EXPECT_EQ(nodes_text(view, at(1)), line(view, 0, at(1)) + "\n" + line(view, 1, at(1)) + "\n" +
                                         line(view, 2, at(1)) + "\n");
}

// --- INFO ----------------------------------------------------------------------------------------

TEST(ClusterViewInfo, CountsSlotsByTheirOwnersState) {
  ClusterView view = three_nodes();
  view.members[1].liveness = Liveness::kFailed;
  view.members[0].liveness = Liveness::kSuspect;
  view.health = ClusterHealth::kUncovered;
  view.hash = 0xabc;
  TransportStats traffic;
  traffic.frames[16] = {3, 4};
  traffic.frames[20] = {10, 20};
  traffic.bytes = {1000, 2000};
  traffic.dropped_full = 9;
  EXPECT_EQ(info_text(view, traffic),
            "cluster_state:fail\r\ncluster_slots_assigned:16286\r\ncluster_slots_ok:0\r\n"
            "cluster_slots_pfail:102\r\ncluster_slots_fail:16184\r\ncluster_known_nodes:3\r\n"
            "cluster_size:2\r\ncluster_current_epoch:6\r\ncluster_my_epoch:4\r\n"
            "cluster_stats_messages_meet_sent:10\r\ncluster_stats_messages_gossip-syn_sent:3\r\n"
            "cluster_stats_messages_sent:13\r\ncluster_stats_messages_meet_received:20\r\n"
            "cluster_stats_messages_gossip-syn_received:4\r\n"
            "cluster_stats_messages_received:24\r\n"
            "total_cluster_links_buffer_limit_exceeded:9\r\ncluster_stats_bytes_sent:1000\r\n"
            "cluster_stats_bytes_received:2000\r\ncluster_view_hash:0000000000000abc\r\n"
            "cluster_fail_reason:slots-not-covered\r\n");
}

TEST(ClusterViewInfo, AHealthyClusterIsOk) {
  const std::string text = info_text(three_nodes(), {});
  EXPECT_THAT(text, HasSubstr("cluster_state:ok\r\n"));
  EXPECT_THAT(text, HasSubstr("cluster_slots_ok:16286\r\n"));
  EXPECT_THAT(text, Not(HasSubstr("cluster_fail_reason")));
}

TEST(ClusterViewInfo, SaysWhyANodeIsCutOff) {
  ClusterView view = three_nodes();
  view.health = ClusterHealth::kCutOff;
  EXPECT_THAT(info_text(view, {}), HasSubstr("cluster_state:fail\r\n"));
  EXPECT_THAT(info_text(view, {}), HasSubstr("cluster_fail_reason:cut-off\r\n"));
}

// --- SLOTS ---------------------------------------------------------------------------------------

std::string bulk(std::string_view text) {
  return "$" + std::to_string(text.size()) + "\r\n" + std::string(text) + "\r\n";
}

std::string slots_node(char digit, const std::string& metadata) {
  return "*4\r\n" + bulk("10.0.0." + std::string(1, digit)) + ":7379\r\n" + bulk(hex(digit)) +
         metadata;
}

std::string slots_reply(const ClusterView& view, int protocol) {
  std::string out;
  ReplyWriter reply(&out, protocol);
  reply_slots(view, reply);
  return out;
}

TEST(ClusterViewSlots, AreRangesWithPrimaryAndReplicas) {
  for (const int protocol : {2, 3}) {
    const std::string none = protocol == 2 ? "*0\r\n" : "%0\r\n";
    EXPECT_EQ(slots_reply(three_nodes(), protocol),
              "*3\r\n*4\r\n:0\r\n:100\r\n" + slots_node('1', none) + slots_node('3', none) +
                  "*4\r\n:102\r\n:102\r\n" + slots_node('1', none) + slots_node('3', none) +
                  "*3\r\n:200\r\n:16383\r\n" + slots_node('2', none));
  }
}

TEST(ClusterViewSlots, AHostnameIsMetadata) {
  ClusterView view = three_nodes();
  view.members[1].address.hostname = "two";
  EXPECT_THAT(slots_reply(view, 2),
              HasSubstr(slots_node('2', "*2\r\n" + bulk("hostname") + bulk("two"))));
  EXPECT_THAT(slots_reply(view, 3),
              HasSubstr(slots_node('2', "%1\r\n" + bulk("hostname") + bulk("two"))));
}

TEST(ClusterViewSlots, LeaveOutReplicasThatCannotBeRead) {
  ClusterView view = three_nodes();
  view.members[2].liveness = Liveness::kFailed;
  EXPECT_THAT(slots_reply(view, 2), Not(HasSubstr(hex('3'))));
  view.members[2].liveness = Liveness::kSuspect;
  EXPECT_THAT(slots_reply(view, 2), HasSubstr(hex('3')));
  view.members[2].complete = false;
  EXPECT_THAT(slots_reply(view, 2), Not(HasSubstr(hex('3'))));
}

// --- SHARDS --------------------------------------------------------------------------------------

std::string shard_node(char digit, std::string_view role, int offset, std::string_view health) {
  const std::string host = bulk("10.0.0." + std::string(1, digit));
  return bulk("id") + bulk(hex(digit)) + bulk("port") + ":7379\r\n" + bulk("ip") + host +
         bulk("endpoint") + host + bulk("role") + bulk(role) + bulk("replication-offset") + ":" +
         std::to_string(offset) + "\r\n" + bulk("health") + bulk(health);
}

std::string shards_reply(const ClusterView& view, int protocol) {
  std::string out;
  ReplyWriter reply(&out, protocol);
  reply_shards(view, reply);
  return out;
}

TEST(ClusterViewShards, AreSlotsAndNodes) {
  const std::string shard = bulk("slots") + "*4\r\n:0\r\n:100\r\n:102\r\n:102\r\n" + bulk("nodes");
  EXPECT_EQ(shards_reply(three_nodes(), 2),
            "*2\r\n*4\r\n" + shard + "*2\r\n*14\r\n" + shard_node('1', "master", 0, "online") +
                "*14\r\n" + shard_node('3', "replica", 77, "online") + "*4\r\n" + bulk("slots") +
                "*2\r\n:200\r\n:16383\r\n" + bulk("nodes") + "*1\r\n*14\r\n" +
                shard_node('2', "master", 0, "online"));
  EXPECT_TRUE(shards_reply(three_nodes(), 3)
                  .starts_with("*2\r\n%2\r\n" + shard + "*2\r\n%7\r\n" +
                               shard_node('1', "master", 0, "online")));
}

TEST(ClusterViewShards, HealthSaysWhatANodeIsGoodFor) {
  ClusterView view = three_nodes();
  view.members[2].complete = false;
  EXPECT_THAT(shards_reply(view, 2), HasSubstr(shard_node('3', "replica", 77, "loading")));
  view.members[2].liveness = Liveness::kFailed;
  view.members[1].liveness = Liveness::kSuspect;
  EXPECT_THAT(shards_reply(view, 2), HasSubstr(shard_node('3', "replica", 77, "fail")));
  EXPECT_THAT(shards_reply(view, 2), HasSubstr(shard_node('2', "master", 0, "online")));
}

TEST(ClusterViewShards, APrimaryWithoutSlotsIsAShard) {
  ClusterView view = three_nodes();
  view.members[1].slots.clear();
  EXPECT_THAT(shards_reply(view, 2), HasSubstr(bulk("slots") + "*0\r\n" + bulk("nodes") + "*1"));
}

// --- LINKS ---------------------------------------------------------------------------------------

TEST(ClusterViewLinks, AreTheReadyOnes) {
  LinkInfo outbound;
  outbound.outbound = true;
  outbound.peer = node('2');
  outbound.ready = true;
  outbound.created_ms = 99;
  LinkInfo inbound = outbound;
  inbound.outbound = false;
  inbound.writing = true;
  inbound.send_buffer_allocated = 64;
  inbound.send_buffer_used = 5;
  const std::string tail =
      bulk("node") + bulk(hex('2')) + bulk("create-time") + ":99\r\n" + bulk("events");
  const std::string sizes = bulk("send-buffer-allocated");
  std::string out;
  ReplyWriter resp3(&out, 3);
  reply_links({outbound, LinkInfo(), inbound}, resp3);
  EXPECT_EQ(out, "*2\r\n%6\r\n" + bulk("direction") + bulk("to") + tail + bulk("r") + sizes +
                     ":0\r\n" + bulk("send-buffer-used") + ":0\r\n%6\r\n" + bulk("direction") +
                     bulk("from") + tail + bulk("rw") + sizes + ":64\r\n" +
                     bulk("send-buffer-used") + ":5\r\n");
  out.clear();
  ReplyWriter resp2(&out, 2);
  reply_links({outbound}, resp2);
  EXPECT_TRUE(out.starts_with("*1\r\n*12\r\n" + bulk("direction"))) << out;
}

}  // namespace
}  // namespace syntropy
