// DUMP and RESTORE. Payloads were dumped by redis-server 7.0.15.
#include "server/command.h"
#include "tests/commands/command_fixture.h"

namespace syntropy {
namespace {

std::string from_hex(std::string_view hex) {
  std::string bytes;
  for (size_t i = 0; i < hex.size(); i += 2) {
    bytes += static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16));
  }
  return bytes;
}

const std::string kHello = from_hex("000568656c6c6f0a006372df766534200a");
const std::string kOne = from_hex("00c0010a002678e7b6d10111fc");
const std::string kList = from_hex("1201020a0a0000000100817802ff0a00d17b3fb85c03060e");
const std::string kSet = from_hex("02020178c0010a0016faac4f543ce1e9");
const std::string kHash = from_hex("100d0d0000000200816602817602ff0a0020f13d442354089d");
const std::string kSortedSet = from_hex("110c0c0000000200816d020101ff0a0026e3fd9ddd7d6ecb");

class DumpTest : public CommandFixture {
 protected:
  std::string restore(const std::string& payload, const std::vector<std::string>& options = {},
                      const std::string& ttl = "0") {
    std::vector<std::string> args = {"RESTORE", "a", ttl, payload};
    args.insert(args.end(), options.begin(), options.end());
    return run_args(args);
  }
};

TEST_F(DumpTest, DumpsWhatRedisDumps) {
  run("MSET a hello n 1");
  run("INCR c");
  EXPECT_EQ(run("DUMP a"), bulk(kHello));
  EXPECT_EQ(run("DUMP n"), bulk(kOne));
  EXPECT_EQ(run("DUMP c"), bulk(kOne));
  EXPECT_EQ(run("DUMP nosuch"), kNull);
}

TEST_F(DumpTest, RestoresWhatRedisDumped) {
  EXPECT_EQ(restore(kHello), kOk);
  EXPECT_EQ(run("GET a"), bulk("hello"));
  EXPECT_EQ(ttl_ms("a"), -1);
  EXPECT_EQ(restore(kOne, {"REPLACE"}), kOk);
  EXPECT_EQ(run("GET a"), bulk("1"));
}

TEST_F(DumpTest, LongValuesSurviveTheRoundTrip) {
  const std::string value = std::string(100'000, 'a') + "\0\r\n\xff" + std::string(300, 'b');
  run_args({"SET", "b", value});
  const std::string dumped = run("DUMP b");
  const size_t start = dumped.find('\n') + 1;
  EXPECT_LT(dumped.size(), 4000u);  // compressed
  EXPECT_EQ(restore(dumped.substr(start, dumped.size() - start - 2)), kOk);
  EXPECT_EQ(run("GET a"), bulk(value));
}

TEST_F(DumpTest, TtlIsRelativeOrAbsolute) {
  restore(kHello, {}, "1500");
  EXPECT_EQ(ttl_ms("a"), 1500);
  restore(kHello, {"ABSTTL", "REPLACE"}, std::to_string(now_ms() + 2500));
  EXPECT_EQ(ttl_ms("a"), 2500);
  restore(kHello, {"replace", "absttl"}, "0");
  EXPECT_EQ(ttl_ms("a"), -1);
}

TEST_F(DumpTest, AnAbsoluteTtlThatHasPassedLeavesNoKey) {
  run("SET a old");
  EXPECT_EQ(restore(kHello, {"REPLACE", "ABSTTL"}, "1"), kOk);
  EXPECT_EQ(run("EXISTS a"), integer(0));
}

TEST_F(DumpTest, TheGreatestTtlLastsTheLongest) {
  EXPECT_EQ(restore(kHello, {}, "9223372036854775807"), kOk);
  EXPECT_EQ(run("PEXPIRETIME a"), integer(9223372036854775807));
}

TEST_F(DumpTest, ChecksOptionsThenTheKeyThenTheTtlThenThePayload) {
  const auto bad_payload = error("ERR DUMP payload version or checksum are wrong");
  EXPECT_EQ(restore("x", {"foo"}, "x"), error(kSyntaxError));
  EXPECT_EQ(restore("x", {}, "x"), error(kNotInteger));
  EXPECT_EQ(restore("x", {}, "-1"), error("ERR Invalid TTL value, must be >= 0"));
  EXPECT_EQ(restore("x"), bad_payload);
  EXPECT_EQ(restore(""), bad_payload);
  run("SET a 1");
  EXPECT_EQ(restore("x", {}, "x"), error("BUSYKEY Target key name already exists."));
  EXPECT_EQ(restore("x", {"REPLACE"}, "x"), error(kNotInteger));
  EXPECT_EQ(restore("x", {"REPLACE"}), bad_payload);
  EXPECT_EQ(run("GET a"), bulk("1"));
}

TEST_F(DumpTest, IdletimeAndFreqAreCheckedAndExcludeEachOther) {
  EXPECT_EQ(restore(kHello, {"IDLETIME"}), error(kSyntaxError));
  EXPECT_EQ(restore(kHello, {"IDLETIME", "x"}), error(kNotInteger));
  EXPECT_EQ(restore(kHello, {"IDLETIME", "-1"}), error("ERR Invalid IDLETIME value, must be >= 0"));
  EXPECT_EQ(restore(kHello, {"FREQ", "-1"}),
            error("ERR Invalid FREQ value, must be >= 0 and <= 255"));
  EXPECT_EQ(restore(kHello, {"FREQ", "256"}),
            error("ERR Invalid FREQ value, must be >= 0 and <= 255"));
  EXPECT_EQ(restore(kHello, {"FREQ", "1", "IDLETIME", "1"}), error(kSyntaxError));
  EXPECT_EQ(restore(kHello, {"IDLETIME", "1", "FREQ", "1"}), error(kSyntaxError));
  EXPECT_EQ(restore(kHello, {"IDLETIME", "1000", "IDLETIME", "1"}), kOk);
  EXPECT_EQ(restore(kHello, {"FREQ", "255", "REPLACE"}), kOk);
}

TEST_F(DumpTest, AFlippedBitIsNoticed) {
  for (size_t byte = 0; byte < kHello.size(); ++byte) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string payload = kHello;
      payload[byte] = static_cast<char>(payload[byte] ^ (1 << bit));
      EXPECT_EQ(restore(payload), error("ERR DUMP payload version or checksum are wrong"));
    }
  }
  EXPECT_EQ(run("EXISTS a"), integer(0));
}

TEST_F(DumpTest, CollectionsAreRefusedByName) {
  const std::pair<const std::string&, const char*> collections[] = {
      {kList, "list"}, {kSet, "set"}, {kHash, "hash"}, {kSortedSet, "sorted set"}};
  for (const auto& [payload, name] : collections) {
    const std::string reply = restore(payload);
    EXPECT_TRUE(reply.starts_with("-ERR ")) << reply;
    EXPECT_NE(reply.find(name), reply.npos) << reply;
  }
  put_hash("h");
  const std::string reply = run("DUMP h");
  EXPECT_TRUE(reply.starts_with("-ERR ")) << reply;
  EXPECT_NE(reply.find("hash"), reply.npos) << reply;
}

TEST_F(DumpTest, ValuesAboveTheBulkLimitAreRefused) {
  run_args({"SET", "b", std::string(3 << 20, 'x')});
  const std::string dumped = run("DUMP b");
  const size_t start = dumped.find('\n') + 1;
  const std::string payload = dumped.substr(start, dumped.size() - start - 2);
  set_config("proto-max-bulk-len", "2mb");
  EXPECT_EQ(restore(payload), error("ERR Bad data format"));
}

}  // namespace
}  // namespace syntropy
