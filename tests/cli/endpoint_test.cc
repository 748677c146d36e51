#include "tools/cli/endpoint.h"

#include <gtest/gtest.h>

namespace syntropy {
namespace {

using Kind = Endpoint::Kind;

Endpoint parsed(std::string_view text) {
  Result<Endpoint> endpoint = parse_endpoint(text);
  EXPECT_TRUE(endpoint.ok()) << text << ": " << endpoint.status().message();
  return endpoint.ok() ? *endpoint : Endpoint{};
}

TEST(EndpointTest, HostAndPortIsANode) {
  const Endpoint node = parsed("db1:7379");
  EXPECT_EQ(node.kind, Kind::kNode);
  EXPECT_EQ(node.address.host, "db1");
  EXPECT_EQ(node.address.port, 7379);
  EXPECT_EQ(node.text(), "db1:7379");
  const Endpoint v6 = parsed("[::1]:7379");
  EXPECT_EQ(v6.address.host, "::1");
  EXPECT_EQ(v6.text(), "[::1]:7379");
}

TEST(EndpointTest, PathIsADirectory) {
  for (const char* path : {"/var/lib/syntropy", "./data", "data/", ".", "..", "a:1/b"}) {
    EXPECT_EQ(parsed(path).kind, Kind::kDirectory) << path;
    EXPECT_EQ(parsed(path).text(), path);
  }
}

TEST(EndpointTest, UrlIsAnyServer) {
  const Endpoint plain = parsed("redis://old");
  EXPECT_EQ(plain.kind, Kind::kRedis);
  EXPECT_EQ(plain.address.port, 6379);
  EXPECT_FALSE(plain.address.tls.enabled);
  EXPECT_FALSE(plain.database);
  EXPECT_EQ(plain.text(), "redis://old:6379");

  const Endpoint full = parsed("rediss://ann:se%3Acret%40@[fe80::1]:6380/3");
  EXPECT_TRUE(full.address.tls.enabled);
  EXPECT_EQ(full.address.user, "ann");
  EXPECT_EQ(full.address.password, "se:cret@");
  EXPECT_EQ(full.address.host, "fe80::1");
  EXPECT_EQ(full.address.port, 6380);
  EXPECT_EQ(full.database, 3u);

  EXPECT_EQ(parsed("redis://:p@ss/word@h/").address.password, "p@ss/word");
  EXPECT_FALSE(parsed("redis://h/").database);
}

TEST(EndpointTest, TextAndErrorsKeepThePasswordToThemselves) {
  EXPECT_EQ(parsed("redis://ann:secret@old:1/0").text(), "redis://old:1/0");
  for (const char* text : {"redis://ann:secret@old:x", "redis://secret@old", "redis://a:secret%4@h",
                           "redis://a:secret@", "redis://a:secret@h/x"}) {
    const Result<Endpoint> endpoint = parse_endpoint(text);
    ASSERT_FALSE(endpoint.ok()) << text;
    EXPECT_EQ(endpoint.status().message().find("secret"), std::string::npos) << text;
  }
}

TEST(EndpointTest, AnythingElseIsRefusedWithTheForms) {
  for (const char* text :
       {"", "host", ":7379", "host:", "host:0", "host:65536", "host:7x", "::1:7379", "[::1]7379",
        "http://h", "redis://", "redis://:1", "redis://h:"}) {
    const Result<Endpoint> endpoint = parse_endpoint(text);
    ASSERT_FALSE(endpoint.ok()) << text;
    EXPECT_NE(endpoint.status().message().find("HOST:PORT"), std::string::npos);
  }
}

}  // namespace
}  // namespace syntropy
