// SENTINEL, and what is published of a primary that changes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/cluster/primary_watch.h"
#include "server/context.h"
#include "tests/commands/command_fixture.h"
#include "tests/support/fake_cluster.h"

namespace syntropy {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using testing::FakeCluster;
using testing::FakeMember;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::node_id;
using ::testing::StartsWith;

const FakeMember kPrimary = {
    .id = node_id('1'), .slots = SlotRanges::all(), .epoch = 3, .port = 7001};
const FakeMember kReplica = {
    .id = node_id('2'), .primary = node_id('1'), .offset = 50, .port = 7002};
const std::string kUnknown = error("ERR No such master with that name");

std::string pair(std::string_view name, std::string_view value) { return bulk(name) + bulk(value); }

class SentinelTest : public CommandFixture {
 protected:
  void join(const std::vector<FakeMember>& members) {
    cluster_ = std::make_unique<FakeCluster>(members);
    server().cluster = cluster_.get();
  }

  std::unique_ptr<FakeCluster> cluster_;
};

TEST_F(SentinelTest, ANodeOnItsOwnIsItsOwnPrimary) {
  client_.local_address = "10.0.0.1:7379";
  server().run_id = std::string(40, '5');
  set_config("sentinel-master-name", "mymaster");
  EXPECT_EQ(run("SENTINEL get-master-addr-by-name mymaster"),
            array({bulk("10.0.0.1"), bulk("7379")}));
  EXPECT_EQ(run("SENTINEL get-master-addr-by-name other"), "*-1\r\n");
  EXPECT_EQ(run("SENTINEL replicas mymaster"), array({}));
  EXPECT_EQ(run("SENTINEL sentinels mymaster"), array({}));
}

TEST_F(SentinelTest, WithoutANameTheShardIdIsOne) {
  join({kPrimary, kReplica});
  EXPECT_EQ(run("SENTINEL get-master-addr-by-name mymaster"), "*-1\r\n");
  EXPECT_EQ(run("SENTINEL get-master-addr-by-name " + node_id('1').hex()),
            array({bulk("127.0.0.1"), bulk("7001")}));
}

TEST_F(SentinelTest, TheShardWithTheLowestSlotIsKnownByTheNameThatIsSet) {
  join({kPrimary, kReplica});
  set_config("sentinel-master-name", "cache");
  EXPECT_EQ(run("SENTINEL get-master-addr-by-name mymaster"), "*-1\r\n");
  EXPECT_EQ(run("SENTINEL GET-MASTER-ADDR-BY-NAME cache"),
            array({bulk("127.0.0.1"), bulk("7001")}));
  EXPECT_THAT(run("SENTINEL masters"),
              AllOf(StartsWith("*1\r\n*22\r\n"), HasSubstr(pair("name", "cache")),
                    HasSubstr(pair("ip", "127.0.0.1")), HasSubstr(pair("port", "7001")),
                    HasSubstr(pair("flags", "master")), HasSubstr(pair("config-epoch", "3")),
                    HasSubstr(pair("num-slaves", "1")), HasSubstr(pair("quorum", "1")),
                    HasSubstr(pair("num-other-sentinels", "1"))));
  EXPECT_THAT(run("SENTINEL master cache"), HasSubstr(pair("name", "cache")));
  for (const std::string_view name : {"replicas", "slaves"}) {
    EXPECT_THAT(run("SENTINEL " + std::string(name) + " cache"),
                AllOf(StartsWith("*1\r\n"), HasSubstr(pair("name", "127.0.0.1:7002")),
                      HasSubstr(pair("flags", "slave")), HasSubstr(pair("master-port", "7001")),
                      HasSubstr(pair("master-link-status", "ok")),
                      HasSubstr(pair("slave-repl-offset", "50"))));
  }
  EXPECT_THAT(run("SENTINEL sentinels cache"),
              AllOf(StartsWith("*1\r\n"), HasSubstr(pair("name", node_id('2').hex())),
                    HasSubstr(pair("port", "7002"))));
  EXPECT_EQ(run("SENTINEL myid"), bulk(node_id('1').hex()));
  EXPECT_THAT(run("SENTINEL ckquorum cache"), StartsWith("+OK 1 usable primaries"));
}

TEST_F(SentinelTest, ANameThatIsNobodysIsAnError) {
  join({kPrimary, kReplica});
  for (const std::string_view name : {"master", "replicas", "sentinels", "ckquorum"}) {
    EXPECT_EQ(run("SENTINEL " + std::string(name) + " nobody"), kUnknown);
  }
  EXPECT_EQ(run("SENTINEL failover mymaster"), error("ERR unknown subcommand"));
}

TEST_F(SentinelTest, OtherShardsAreKnownByTheirIds) {
  FakeMember first = kPrimary;
  first.slots = {{0, 8000}};
  FakeMember second = {.id = node_id('3'), .slots = {{8001, 16383}}, .epoch = 4, .port = 7003};
  join({first, kReplica, second});
  set_config("sentinel-master-name", "mymaster");
  EXPECT_EQ(run("SENTINEL get-master-addr-by-name mymaster"),
            array({bulk("127.0.0.1"), bulk("7001")}));
  EXPECT_EQ(run("SENTINEL get-master-addr-by-name " + node_id('3').hex()),
            array({bulk("127.0.0.1"), bulk("7003")}));
  EXPECT_EQ(run("SENTINEL get-master-addr-by-name " + node_id('1').hex()), "*-1\r\n");
  EXPECT_THAT(run("SENTINEL masters"), StartsWith("*2\r\n"));
}

TEST_F(SentinelTest, AnotherPrimaryIsPublished) {
  join({kPrimary, kReplica});
  PrimaryWatch watch;
  EXPECT_THAT(watch.changes(cluster_->membership(), "mymaster"), IsEmpty());
  EXPECT_THAT(watch.changes(cluster_->membership(), "mymaster"), IsEmpty());
  FakeMember promoted = kReplica;
  promoted.primary = {};
  promoted.shard = node_id('1');
  promoted.slots = SlotRanges::all();
  promoted.epoch = 4;
  FakeMember former = kPrimary;
  former.slots = {};
  former.primary = node_id('2');
  join({promoted, former});
  EXPECT_THAT(watch.changes(cluster_->membership(), "mymaster"),
              ElementsAre("mymaster 127.0.0.1 7001 127.0.0.1 7002"));
  EXPECT_THAT(watch.changes(cluster_->membership(), "mymaster"), IsEmpty());
}

}  // namespace
}  // namespace syntropy
