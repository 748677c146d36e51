// ROLE, WAIT, REPLICAOF and INFO replication. Formats and texts are those of redis-server 7.0.15.
#include "server/cluster/cluster.h"
#include "server/command.h"
#include "server/context.h"
#include "server/follower.h"
#include "storage/keyspace.h"
#include "storage/replication_log.h"
#include "tests/commands/command_fixture.h"
#include "tests/support/fake_cluster.h"

namespace syntropy {
namespace {

using testing::FakeCluster;
using ::testing::HasSubstr;
using testing::node_id;
using ::testing::Not;
using ::testing::StartsWith;

using Replica = ReplicationStatus::Replica;
using Link = ReplicationStatus::Link;

const std::string kLineageHex = "0707070707070707070707070707070707070707";

class ReplicationCommandTest : public CommandFixture {
 protected:
  void join_as_primary() {
    cluster_ = std::make_unique<FakeCluster>(
        std::vector<testing::FakeMember>{{.id = node_id('1'), .slots = SlotRanges::all()}});
    server().cluster = cluster_.get();
  }
  void join_as_replica() {
    cluster_ = std::make_unique<FakeCluster>(std::vector<testing::FakeMember>{
        {.id = node_id('3'), .primary = node_id('1')},
        {.id = node_id('1'), .slots = SlotRanges::all(), .epoch = 1}});
    server().cluster = cluster_.get();
    cluster_->status.primary = {"10.0.0.1", 7001, Link::State::kConnected, 2500, 0, 0};
  }
  FakeCluster& cluster() { return *cluster_; }
  /// Begins a log, whose lineage has the id 0707..., and writes to it. Its offset.
  uint64_t write_log() {
    const LineageId lineage = *LineageId::from_bytes(std::string(20, '\x07'));
    EXPECT_TRUE(server().keyspace.start_replication({}, lineage).ok());
    run("SET key value");
    return server().keyspace.replication_log()->offset();
  }

 private:
  std::unique_ptr<FakeCluster> cluster_;
};

Replica online(uint16_t port, uint64_t offset) {
  return {node_id('3'), "10.0.0.3", port, Replica::State::kOnline, offset, 1500};
}

// --- ROLE ----------------------------------------------------------------------------------------

TEST_F(ReplicationCommandTest, ANodeAloneIsAMasterWithoutReplicas) {
  EXPECT_EQ(run("ROLE"), array({bulk("master"), integer(0), array({})}));
}

TEST_F(ReplicationCommandTest, RoleOfAPrimaryNamesItsReplicas) {
  join_as_primary();
  const uint64_t offset = write_log();
  ASSERT_GT(offset, 0u);
  Replica syncing = online(7004, 0);
  syncing.state = Replica::State::kSyncing;
  cluster().status.replicas = {online(7003, 12), syncing};
  EXPECT_EQ(run("ROLE"), array({bulk("master"), integer(static_cast<int64_t>(offset)),
                                array({array({bulk("10.0.0.3"), bulk("7003"), bulk("12")})})}));
}

TEST_F(ReplicationCommandTest, RoleOfAReplicaNamesItsPrimary) {
  join_as_replica();
  const uint64_t offset = write_log();
  EXPECT_EQ(run("ROLE"), array({bulk("slave"), bulk("10.0.0.1"), integer(7001), bulk("connected"),
                                integer(static_cast<int64_t>(offset))}));
  const std::pair<Link::State, std::string> states[] = {{Link::State::kConnect, "connect"},
                                                        {Link::State::kConnecting, "connecting"},
                                                        {Link::State::kSyncing, "sync"}};
  for (const auto& [state, name] : states) {
    cluster().status.primary.state = state;
    EXPECT_THAT(run("ROLE"), HasSubstr(bulk(name) + integer(-1)));
  }
}

// --- WAIT ----------------------------------------------------------------------------------------

TEST_F(ReplicationCommandTest, WaitChecksItsArguments) {
  EXPECT_EQ(run("WAIT x 0"), error(kNotInteger));
  EXPECT_EQ(run("WAIT 0 x"), error("ERR timeout is not an integer or out of range"));
  EXPECT_EQ(run("WAIT 0 -1"), error("ERR timeout is negative"));
  EXPECT_FALSE(client_.replica_wait.has_value());
}

TEST_F(ReplicationCommandTest, WaitForNobodyAnswersWithThoseWhoHaveAll) {
  EXPECT_EQ(run("WAIT 0 0"), integer(0));
  EXPECT_EQ(run("WAIT -1 100"), integer(0));
  join_as_primary();
  const uint64_t offset = write_log();
  Replica syncing = online(7005, offset);
  syncing.state = Replica::State::kSyncing;
  cluster().status.replicas = {online(7003, offset), online(7004, offset - 1), syncing};
  EXPECT_EQ(run("WAIT 0 0"), integer(1));
}

TEST_F(ReplicationCommandTest, WaitLeavesTheAnswerToTheConnection) {
  join_as_primary();
  EXPECT_EQ(run("WAIT 2 100"), "");
  ASSERT_TRUE(client_.replica_wait.has_value());
  EXPECT_EQ(client_.replica_wait->replicas, 2u);
  EXPECT_EQ(client_.replica_wait->timeout_ms, 100u);
}

TEST_F(ReplicationCommandTest, WaitDoesNotWaitInATransaction) {
  join_as_primary();
  client_.in_transaction = true;
  EXPECT_EQ(run("WAIT 2 100"), integer(0));
  EXPECT_FALSE(client_.replica_wait.has_value());
}

TEST_F(ReplicationCommandTest, AReplicaHasNobodyToWaitFor) {
  join_as_replica();
  EXPECT_THAT(run("WAIT 0 0"), StartsWith("-ERR WAIT cannot be used with replica instances."));
}

// --- REPLICAOF -----------------------------------------------------------------------------------

class FakeFollower final : public Follower {
 public:
  Status follow(const std::string& host, uint16_t port) override {
    if (refusal.ok()) {
      now.host = host;
      now.port = port;
      set_mode(Mode::kFollowing);
    }
    return refusal;
  }
  Status stop() override {
    set_mode(Mode::kNone);
    return Status();
  }
  View view() const override { return now; }

  Status refusal;
  View now;
};

TEST_F(ReplicationCommandTest, ReplicaofFollowsARedisServer) {
  FakeFollower follower;
  server().follower = &follower;
  EXPECT_EQ(run("REPLICAOF NO ONE"), kOk);
  EXPECT_EQ(run("REPLICAOF 127.0.0.1 x"), error(kNotInteger));
  EXPECT_EQ(run("REPLICAOF 127.0.0.1 65536"), error("ERR Invalid master port"));
  EXPECT_EQ(run("REPLICAOF 10.0.0.9 6379"), kOk);
  follower.now.link = Follower::Link::kFollowing;
  follower.now.offset = 77;
  follower.now.left_out["hash"] = 3;
  follower.now.error = "it closed the connection";
  EXPECT_EQ(run("ROLE"), array({bulk("slave"), bulk("10.0.0.9"), integer(6379), bulk("connected"),
                                integer(77)}));
  EXPECT_THAT(run("INFO replication"),
              ::testing::AllOf(HasSubstr("role:slave\r\n"), HasSubstr("master_host:10.0.0.9\r\n"),
                               HasSubstr("master_link_status:up\r\n"),
                               HasSubstr("slave_repl_offset:77\r\n"),
                               HasSubstr("redis_left_out_hash:3\r\n"),
                               HasSubstr("redis_error:it closed the connection\r\n")));
  EXPECT_THAT(run("WAIT 0 0"), StartsWith("-ERR WAIT cannot be used with replica instances."));
  follower.refusal = Status::already_exists("Already connected to specified master");
  EXPECT_EQ(run("REPLICAOF 10.0.0.9 6379"), "+OK Already connected to specified master\r\n");
  follower.refusal = Status::invalid_argument("this node holds 1 keys of its own");
  EXPECT_EQ(run("REPLICAOF 10.0.0.9 6379"), error("ERR this node holds 1 keys of its own"));
  EXPECT_EQ(run("SLAVEOF no one"), kOk);
  EXPECT_THAT(run("INFO replication"), HasSubstr("role:master\r\n"));
  server().follower = nullptr;
}

TEST_F(ReplicationCommandTest, ReplicaofIsNotForNodesOfACluster) {
  join_as_primary();
  EXPECT_EQ(run("REPLICAOF NO ONE"), error("ERR REPLICAOF not allowed in cluster mode."));
  EXPECT_EQ(run("SLAVEOF 127.0.0.1 7379"), error("ERR REPLICAOF not allowed in cluster mode."));
}

TEST_F(ReplicationCommandTest, DatabasesOfAStoreWithALogAreNotExchanged) {
  EXPECT_EQ(run("SWAPDB 0 1"), kOk);
  write_log();
  EXPECT_EQ(run("SWAPDB 0 1"),
            error("ERR SWAPDB is not possible once a node has been part of a cluster"));
}

// --- INFO ----------------------------------------------------------------------------------------

TEST_F(ReplicationCommandTest, InfoOfANodeAlone) {
  EXPECT_EQ(run("INFO replication"),
            bulk("# Replication\r\nrole:master\r\nconnected_slaves:0\r\n"
                 "master_failover_state:no-failover\r\nmaster_replid:" +
                 server().run_id + "\r\nmaster_replid2:" + std::string(40, '0') +
                 "\r\nmaster_repl_offset:0\r\nsecond_repl_offset:-1\r\nrepl_backlog_active:0\r\n"
                 "repl_backlog_size:0\r\nrepl_backlog_first_byte_offset:0\r\n"
                 "repl_backlog_histlen:0\r\n"));
  EXPECT_THAT(run("INFO cluster"), HasSubstr("cluster_enabled:0\r\n"));
  EXPECT_THAT(run("INFO server"), HasSubstr("redis_mode:standalone\r\n"));
}

TEST_F(ReplicationCommandTest, InfoOfAPrimary) {
  join_as_primary();
  const std::string offset = std::to_string(write_log());
  cluster().status.replicas = {online(7003, 12)};
  cluster().status.failing_over = true;
  EXPECT_EQ(run("INFO replication"),
            bulk("# Replication\r\nrole:master\r\nconnected_slaves:1\r\n"
                 "slave0:ip=10.0.0.3,port=7003,state=online,offset=12,lag=1\r\n"
                 "master_failover_state:failover-in-progress\r\nmaster_replid:" +
                 kLineageHex + "\r\nmaster_replid2:" + std::string(40, '0') +
                 "\r\nmaster_repl_offset:" + offset +
                 "\r\nsecond_repl_offset:-1\r\nrepl_backlog_active:1\r\n"
                 "repl_backlog_size:1048576\r\nrepl_backlog_first_byte_offset:1\r\n"
                 "repl_backlog_histlen:" +
                 offset + "\r\n"));
  EXPECT_THAT(run("INFO cluster"), HasSubstr("cluster_enabled:1\r\n"));
  EXPECT_THAT(run("INFO server"), HasSubstr("redis_mode:cluster\r\n"));
}

TEST_F(ReplicationCommandTest, InfoCountsReplicasThatAreGoodEnough) {
  join_as_primary();
  cluster().good = 3;
  EXPECT_THAT(run("INFO replication"), Not(HasSubstr("min_slaves_good_slaves")));
  set_config("min-replicas-to-write", "2");
  EXPECT_THAT(run("INFO replication"), HasSubstr("min_slaves_good_slaves:3\r\n"));
}

TEST_F(ReplicationCommandTest, InfoOfAReplica) {
  join_as_replica();
  const std::string offset = std::to_string(write_log());
  EXPECT_THAT(run("INFO replication"),
              HasSubstr("role:slave\r\nmaster_host:10.0.0.1\r\nmaster_port:7001\r\n"
                        "master_link_status:up\r\nmaster_last_io_seconds_ago:2\r\n"
                        "master_sync_in_progress:0\r\nslave_read_repl_offset:" +
                        offset + "\r\nslave_repl_offset:" + offset +
                        "\r\nslave_priority:100\r\nslave_read_only:1\r\nreplica_announced:1\r\n"
                        "connected_slaves:0\r\n"));
  cluster().status.primary.state = Link::State::kSyncing;
  cluster().status.primary.synced_rows = 44;
  cluster().status.primary.down_ms = 9000;
  const std::string syncing = run("INFO replication");
  EXPECT_THAT(syncing, HasSubstr("master_link_status:down\r\nmaster_last_io_seconds_ago:-1\r\n"
                                 "master_sync_in_progress:1\r\n"));
  EXPECT_THAT(syncing, HasSubstr("master_sync_rows:44\r\nmaster_link_down_since_seconds:9\r\n"));
}

TEST_F(ReplicationCommandTest, InfoStatsCountsSyncs) {
  join_as_primary();
  cluster().status.full_syncs = 1;
  cluster().status.partial_syncs = 2;
  cluster().status.partial_refusals = 3;
  cluster().status.input_bytes = 4;
  cluster().status.output_bytes = 5;
  const std::string info = run("INFO stats");
  EXPECT_THAT(info, HasSubstr("sync_full:1\r\nsync_partial_ok:2\r\nsync_partial_err:3\r\n"));
  EXPECT_THAT(info, HasSubstr("total_net_repl_input_bytes:4\r\ntotal_net_repl_output_bytes:5\r\n"));
}

}  // namespace
}  // namespace syntropy
