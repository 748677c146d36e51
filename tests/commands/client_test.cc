// AUTH, HELLO and the other commands on the connection, and CLIENT. Expected replies are those of
// redis-server 7.0.15.

#include "tests/commands/command_fixture.h"

namespace syntropy {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr std::string_view kSyntax = "ERR syntax error";
constexpr std::string_view kWrongPass =
    "WRONGPASS invalid username-password pair or user is disabled.";
constexpr std::string_view kBadName =
    "ERR Client names cannot contain spaces, newlines or special characters.";

class ClientTest : public CommandFixture {
 protected:
  ClientTest() {
    client_.authenticated = true;
    client_.address = "127.0.0.1:40000";
    client_.local_address = "127.0.0.1:7379";
    client_.fd = 9;
    client_.connected_ms = server().clock.monotonic_us() / 1000;
    client_.shared.last_active_ms = client_.connected_ms;
    // The fixture owns the client.
    server().clients.add(std::shared_ptr<Client>(&client_, [](Client*) {}));
  }
  ~ClientTest() override { server().clients.remove(client_.id); }

  /// Another connection, which notes that it was asked to close.
  std::shared_ptr<Client> connect(const std::string& address) {
    auto other = std::make_shared<Client>();
    other->address = address;
    other->local_address = client_.local_address;
    other->request_close = [client = other.get()] { client->shared.closing = true; };
    server().clients.add(other);
    return other;
  }
};

// --- AUTH and HELLO ------------------------------------------------------------------------------

TEST_F(ClientTest, AuthWithoutAPasswordSet) {
  EXPECT_EQ(run("AUTH pw"),
            error("ERR AUTH <password> called without any password configured for the default "
                  "user. Are you sure your configuration is correct?"));
  EXPECT_EQ(run("AUTH default whatever"), kOk);
  EXPECT_EQ(run("AUTH default \"\""), kOk);
  EXPECT_EQ(run("AUTH somebody whatever"), error(kWrongPass));
  EXPECT_EQ(run("AUTH a b c"), error(kSyntax));
}

TEST_F(ClientTest, AuthChecksThePassword) {
  set_config("requirepass", "secret");
  client_.authenticated = false;
  for (const std::string wrong : {"Secret", "secre", "secrets", "secretsecret", "\"\""}) {
    EXPECT_EQ(run("AUTH " + wrong), error(kWrongPass)) << wrong;
    EXPECT_FALSE(client_.authenticated);
  }
  EXPECT_EQ(run("AUTH other secret"), error(kWrongPass));
  EXPECT_EQ(run("AUTH secret"), kOk);
  EXPECT_TRUE(client_.authenticated);
  client_.authenticated = false;
  EXPECT_EQ(run("AUTH default secret"), kOk);
  EXPECT_TRUE(client_.authenticated);
}

TEST_F(ClientTest, HelloSwitchesTheProtocol) {
  EXPECT_THAT(run("HELLO"), StartsWith("*14\r\n$6\r\nserver\r\n$5\r\nredis\r\n"));
  const std::string reply = run("HELLO 3");
  EXPECT_THAT(reply, StartsWith("%7\r\n"));
  EXPECT_THAT(reply, HasSubstr("$7\r\nversion\r\n$6\r\n7.0.15\r\n$5\r\nproto\r\n:3\r\n"));
  EXPECT_THAT(reply, HasSubstr("$7\r\nmodules\r\n*0\r\n"));
  EXPECT_EQ(client_.protocol, 3);
  EXPECT_EQ(client_.shared.protocol, 3);
  EXPECT_THAT(run("HELLO 2"), StartsWith("*14\r\n"));
  EXPECT_EQ(client_.protocol, 2);
}

TEST_F(ClientTest, HelloRefusesWhatItDoesNotKnow) {
  EXPECT_EQ(run("HELLO 4"), error("NOPROTO unsupported protocol version"));
  EXPECT_EQ(run("HELLO 02"), error("ERR Protocol version is not an integer or out of range"));
  EXPECT_EQ(run("HELLO 3 SETNAME"), error("ERR Syntax error in HELLO option 'SETNAME'"));
  EXPECT_EQ(run("HELLO 3 AUTH default"), error("ERR Syntax error in HELLO option 'AUTH'"));
  EXPECT_EQ(run("HELLO 3 SETNAME \"a b\""), error(kBadName));
  EXPECT_EQ(client_.protocol, 2);
}

TEST_F(ClientTest, HelloAuthenticatesAndNames) {
  set_config("requirepass", "secret");
  client_.authenticated = false;
  EXPECT_THAT(run("HELLO 3"), StartsWith("-NOAUTH HELLO must be called with the client already"));
  EXPECT_EQ(run("HELLO 3 AUTH default wrong"), error(kWrongPass));
  EXPECT_EQ(client_.protocol, 2);
  EXPECT_THAT(run("HELLO 3 SETNAME me AUTH default secret"), StartsWith("%7\r\n"));
  EXPECT_TRUE(client_.authenticated);
  EXPECT_EQ(run("CLIENT GETNAME"), bulk("me"));
}

// --- the connection ------------------------------------------------------------------------------

TEST_F(ClientTest, PingAndEchoAnswer) {
  EXPECT_EQ(run("PING"), "+PONG\r\n");
  EXPECT_EQ(run("PING hi"), bulk("hi"));
  EXPECT_EQ(run("PING a b"), error("ERR wrong number of arguments for 'ping' command"));
  EXPECT_EQ(run("ECHO hi"), bulk("hi"));
}

TEST_F(ClientTest, QuitClosesAfterTheReply) {
  EXPECT_EQ(run("QUIT"), kOk);
  EXPECT_TRUE(client_.close_after_reply);
}

TEST_F(ClientTest, SelectChoosesTheDatabase) {
  EXPECT_EQ(run("SELECT 15"), kOk);
  EXPECT_EQ(client_.db, 15);
  EXPECT_EQ(client_.shared.db, 15u);
  EXPECT_EQ(run("SELECT 16"), error("ERR DB index is out of range"));
  EXPECT_EQ(run("SELECT -1"), error("ERR DB index is out of range"));
  EXPECT_EQ(run("SELECT x"), error("ERR value is not an integer or out of range"));
  EXPECT_EQ(run("SELECT 99999999999"),
            error("ERR value is out of range, value must between -2147483648 and 2147483647"));
  EXPECT_EQ(client_.db, 15);
}

TEST_F(ClientTest, ResetForgetsTheStateOfTheConnection) {
  run("SELECT 3");
  run("HELLO 3");
  run("CLIENT SETNAME me");
  run("MONITOR");
  run("CLIENT NO-EVICT on");
  client_.in_multi = true;
  client_.queue.push_back({});
  client_.watched.push_back({});
  client_.reply_mode = Client::ReplyMode::kOff;
  EXPECT_EQ(run("RESET"), "+RESET\r\n");
  EXPECT_EQ(client_.db, 0);
  EXPECT_EQ(client_.protocol, 2);
  EXPECT_FALSE(client_.in_multi);
  EXPECT_TRUE(client_.queue.empty());
  EXPECT_TRUE(client_.watched.empty());
  EXPECT_EQ(client_.reply_mode, Client::ReplyMode::kOn);
  EXPECT_FALSE(server().clients.has_monitors());
  EXPECT_EQ(run("CLIENT GETNAME"), kNull);
  EXPECT_TRUE(client_.shared.no_evict);
  EXPECT_TRUE(client_.authenticated);
  set_config("requirepass", "secret");
  run("RESET");
  EXPECT_FALSE(client_.authenticated);
}

// --- CLIENT --------------------------------------------------------------------------------------

TEST_F(ClientTest, NamesAreWordsOfPrintableCharacters) {
  EXPECT_EQ(run("CLIENT GETNAME"), kNull);
  EXPECT_EQ(run("CLIENT SETNAME me"), kOk);
  EXPECT_EQ(run("CLIENT GETNAME"), bulk("me"));
  EXPECT_EQ(run_args({"CLIENT", "SETNAME", "a b"}), error(kBadName));
  EXPECT_EQ(run_args({"CLIENT", "SETNAME", "a\n"}), error(kBadName));
  EXPECT_EQ(run("CLIENT GETNAME"), bulk("me"));
  EXPECT_EQ(run("CLIENT SETNAME \"\""), kOk);
  EXPECT_EQ(run("CLIENT GETNAME"), kNull);
}

TEST_F(ClientTest, SetInfoNotesTheLibrary) {
  EXPECT_EQ(run("CLIENT SETINFO lib-name redis-py"), kOk);
  EXPECT_EQ(run("CLIENT SETINFO LIB-VER 5.0"), kOk);
  EXPECT_THAT(run("CLIENT INFO"), HasSubstr(" lib-name=redis-py lib-ver=5.0 "));
  EXPECT_EQ(run("CLIENT SETINFO lib-os linux"), error("ERR Unrecognized option 'lib-os'"));
  EXPECT_EQ(run("CLIENT SETINFO lib-name \"a b\""),
            error("ERR lib-name cannot contain spaces, newlines or special characters."));
}

TEST_F(ClientTest, InfoDescribesTheConnection) {
  advance_ms(65'000);
  client_.shared.last_active_ms = server().clock.monotonic_us() / 1000 - 5000;
  client_.shared.query_bytes = 10;
  client_.shared.output_bytes = 20;
  client_.shared.total_in = 100;
  run("CLIENT SETNAME me");
  run("SELECT 4");
  const std::string info = run("CLIENT INFO");
  EXPECT_THAT(info, HasSubstr("id=1 addr=127.0.0.1:40000 laddr=127.0.0.1:7379 fd=9 name=me age=65 "
                              "idle=5 flags=N db=4 "));
  EXPECT_THAT(info, HasSubstr(" multi=-1 watch=0 qbuf=10 "));
  EXPECT_THAT(info, HasSubstr(" omem=20 "));
  EXPECT_THAT(info, HasSubstr(" events=rw cmd=client|info user=default redir=-1 resp=2 "));
  EXPECT_THAT(info, HasSubstr(" tot-net-in=100 "));
  run("HELLO 3");
  EXPECT_THAT(run("CLIENT INFO"), StartsWith("="));
}

TEST_F(ClientTest, FlagsAreRedisLetters) {
  client_.shared.unix_socket = true;
  client_.shared.queued = 2;
  client_.shared.blocked = true;
  client_.shared.closing = true;
  run("CLIENT NO-EVICT ON");
  run("CLIENT NO-TOUCH on");
  run("MONITOR");
  EXPECT_THAT(run("CLIENT INFO"), HasSubstr(" flags=OxbAUeT "));
}

TEST_F(ClientTest, ListChoosesByTypeAndId) {
  connect("10.0.0.1:1");
  connect("10.0.0.2:2");
  EXPECT_THAT(run("CLIENT LIST"), HasSubstr("\nid=2 addr=10.0.0.1:1 "));
  EXPECT_THAT(run("CLIENT LIST TYPE normal"), HasSubstr("\nid=3 addr=10.0.0.2:2 "));
  EXPECT_EQ(run("CLIENT LIST TYPE pubsub"), bulk(""));
  EXPECT_EQ(run("CLIENT LIST TYPE slave"), bulk(""));
  const std::string some = run("CLIENT LIST ID 3 99 2");
  EXPECT_THAT(some, Not(HasSubstr("id=1 ")));
  EXPECT_LT(some.find("id=3 "), some.find("id=2 "));
  EXPECT_EQ(run("CLIENT LIST ID x"), error("ERR Invalid client ID"));
  EXPECT_EQ(run("CLIENT LIST ID"), error(kSyntax));
  EXPECT_EQ(run("CLIENT LIST TYPE x"), error("ERR Unknown client type 'x'"));
  EXPECT_EQ(run("CLIENT LIST x"), error(kSyntax));
}

TEST_F(ClientTest, KillByAddressMayMeanOneself) {
  const auto other = connect("10.0.0.1:1");
  EXPECT_EQ(run("CLIENT KILL 10.0.0.9:9"), error("ERR No such client"));
  EXPECT_EQ(run("CLIENT KILL 10.0.0.1:1"), kOk);
  EXPECT_TRUE(other->shared.closing);
  EXPECT_FALSE(client_.close_after_reply);
  EXPECT_EQ(run("CLIENT KILL 127.0.0.1:40000"), kOk);
  EXPECT_TRUE(client_.close_after_reply);
}

TEST_F(ClientTest, KillByFiltersThatMustAllMatch) {
  const auto first = connect("10.0.0.1:1");
  const auto second = connect("10.0.0.2:2");
  EXPECT_EQ(run("CLIENT KILL ID 2 ADDR 10.0.0.2:2"), integer(0));
  EXPECT_EQ(run("CLIENT KILL TYPE replica"), integer(0));
  EXPECT_EQ(run("CLIENT KILL ID 2 LADDR 127.0.0.1:7379 USER default"), integer(1));
  EXPECT_TRUE(first->shared.closing);
  EXPECT_FALSE(second->shared.closing);
  EXPECT_EQ(run("CLIENT KILL TYPE normal"), integer(2));
  EXPECT_FALSE(client_.close_after_reply);
  EXPECT_EQ(run("CLIENT KILL TYPE normal SKIPME no"), integer(3));
  EXPECT_TRUE(client_.close_after_reply);
}

TEST_F(ClientTest, KillRefusesBadFilters) {
  EXPECT_EQ(run("CLIENT KILL ID 0"), error("ERR client-id should be greater than 0"));
  EXPECT_EQ(run("CLIENT KILL ID x"), error("ERR client-id should be greater than 0"));
  EXPECT_EQ(run("CLIENT KILL USER nobody"), error("ERR No such user 'nobody'"));
  EXPECT_EQ(run("CLIENT KILL TYPE x"), error("ERR Unknown client type 'x'"));
  EXPECT_EQ(run("CLIENT KILL SKIPME maybe"), error(kSyntax));
  EXPECT_EQ(run("CLIENT KILL ID 1 ADDR"), error(kSyntax));
  EXPECT_FALSE(client_.close_after_reply);
}

TEST_F(ClientTest, ReplyModesHaveNoReplyOfTheirOwn) {
  EXPECT_EQ(run("CLIENT REPLY SKIP"), "");
  EXPECT_EQ(client_.reply_mode, Client::ReplyMode::kSkipNext);
  EXPECT_EQ(run("CLIENT REPLY OFF"), "");
  EXPECT_EQ(client_.reply_mode, Client::ReplyMode::kOff);
  EXPECT_EQ(run("CLIENT REPLY SKIP"), "");
  EXPECT_EQ(client_.reply_mode, Client::ReplyMode::kOff);
  EXPECT_EQ(run("CLIENT REPLY ON"), kOk);
  EXPECT_EQ(client_.reply_mode, Client::ReplyMode::kOn);
  EXPECT_EQ(run("CLIENT REPLY x"), error(kSyntax));
}

TEST_F(ClientTest, PauseHoldsUntilUnpause) {
  const PauseState& pause = server().pause;
  EXPECT_EQ(run("CLIENT PAUSE 500 WRITE"), kOk);
  EXPECT_TRUE(pause.holds(now_ms() + 499, true));
  EXPECT_FALSE(pause.holds(now_ms() + 499, false));
  EXPECT_EQ(run("CLIENT PAUSE 100"), kOk);
  EXPECT_TRUE(pause.holds(now_ms(), false));
  EXPECT_EQ(run("CLIENT UNPAUSE"), kOk);
  EXPECT_FALSE(pause.holds(now_ms(), true));
  EXPECT_EQ(run("CLIENT PAUSE x"), error("ERR timeout is not an integer or out of range"));
  EXPECT_EQ(run("CLIENT PAUSE -1"), error("ERR timeout is negative"));
  EXPECT_EQ(run("CLIENT PAUSE 9223372036854775807"), error("ERR timeout is out of range"));
  EXPECT_EQ(run("CLIENT PAUSE 1 x"), error("ERR CLIENT PAUSE mode must be WRITE or ALL"));
  EXPECT_EQ(run("client PAUSE 1 all z"),
            error("ERR unknown subcommand or wrong number of arguments "
                  "for 'PAUSE'. Try CLIENT HELP."));
  EXPECT_FALSE(pause.holds(now_ms(), true));
}

TEST_F(ClientTest, FlagsAreOnOrOff) {
  EXPECT_EQ(run("CLIENT NO-EVICT ON"), kOk);
  EXPECT_TRUE(client_.shared.no_evict);
  EXPECT_EQ(run("CLIENT NO-EVICT off"), kOk);
  EXPECT_FALSE(client_.shared.no_evict);
  EXPECT_EQ(run("CLIENT NO-EVICT x"), error(kSyntax));
  EXPECT_EQ(run("CLIENT NO-TOUCH x"), error(kSyntax));
}

}  // namespace
}  // namespace syntropy
