#include "server/resp/reply.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace syntropy {
namespace {

// What `write` appends in RESP2 and in RESP3.
template <class Write>
void expect_reply(Write write, std::string_view resp2, std::string_view resp3) {
  for (const int protocol : {2, 3}) {
    std::string out = "before";
    ReplyWriter reply(&out, protocol);
    write(reply);
    EXPECT_EQ(out, "before" + std::string(protocol == 2 ? resp2 : resp3)) << "RESP" << protocol;
  }
}

template <class Write>
void expect_both(Write write, std::string_view bytes) {
  expect_reply(write, bytes, bytes);
}

// The vectors are the answers of redis-server 7.0.15, among them those of DEBUG PROTOCOL.

TEST(Reply, SimpleStrings) {
  expect_both([](ReplyWriter& r) { r.ok(); }, "+OK\r\n");
  expect_both([](ReplyWriter& r) { r.simple_string("PONG"); }, "+PONG\r\n");
  expect_both([](ReplyWriter& r) { r.simple_string(""); }, "+\r\n");
}

TEST(Reply, Errors) {
  expect_both([](ReplyWriter& r) { r.error("ERR no such key"); }, "-ERR no such key\r\n");
  expect_both([](ReplyWriter& r) { r.error(""); }, "-\r\n");
}

TEST(Reply, AnErrorStaysOneLineWhateverItsText) {
  expect_both([](ReplyWriter& r) { r.error("ERR a\r\nb\r\n"); }, "-ERR a  b\r\n");
  expect_both([](ReplyWriter& r) { r.error("\r\n\r\n"); }, "-\r\n");
  expect_both([](ReplyWriter& r) { r.error("ERR got '\r'"); }, "-ERR got ' '\r\n");
}

TEST(Reply, Integers) {
  const std::pair<int64_t, const char*> cases[] = {
      {0, "0"},
      {7, "7"},
      {9, "9"},
      {10, "10"},
      {99, "99"},
      {100, "100"},
      {101, "101"},
      {999, "999"},
      {1000, "1000"},
      {-1, "-1"},
      {12345, "12345"},
      {-1000, "-1000"},
      {std::numeric_limits<int64_t>::max(), "9223372036854775807"},
      {std::numeric_limits<int64_t>::min(), "-9223372036854775808"}};
  for (const auto& [value, text] : cases) {
    expect_both([v = value](ReplyWriter& r) { r.integer(v); }, ":" + std::string(text) + "\r\n");
  }
}

TEST(Reply, Bulks) {
  expect_both([](ReplyWriter& r) { r.bulk(""); }, "$0\r\n\r\n");
  expect_both([](ReplyWriter& r) { r.bulk("a\r\nb"); }, "$4\r\na\r\nb\r\n");
  for (const size_t size : {1, 9, 10, 255, 256, 257, 999, 1000, 100000}) {
    const std::string data(size, 'x');
    expect_both([&](ReplyWriter& r) { r.bulk(data); },
                "$" + std::to_string(size) + "\r\n" + data + "\r\n");
  }
}

TEST(Reply, BulkInPieces) {
  expect_both(
      [](ReplyWriter& r) {
        r.bulk_header(5);
        r.raw("abc");
        r.raw("de");
        r.end_bulk();
      },
      "$5\r\nabcde\r\n");
}

TEST(Reply, Nulls) {
  expect_reply([](ReplyWriter& r) { r.null(); }, "$-1\r\n", "_\r\n");
  expect_reply([](ReplyWriter& r) { r.null_array(); }, "*-1\r\n", "_\r\n");
}

TEST(Reply, Aggregates) {
  expect_both([](ReplyWriter& r) { r.array(0); }, "*0\r\n");
  expect_both([](ReplyWriter& r) { r.array(3); }, "*3\r\n");
  expect_reply([](ReplyWriter& r) { r.map(3); }, "*6\r\n", "%3\r\n");
  expect_reply([](ReplyWriter& r) { r.set(3); }, "*3\r\n", "~3\r\n");
  expect_reply([](ReplyWriter& r) { r.push(2); }, "*2\r\n", ">2\r\n");
}

TEST(Reply, Booleans) {
  expect_reply([](ReplyWriter& r) { r.boolean(true); }, ":1\r\n", "#t\r\n");
  expect_reply([](ReplyWriter& r) { r.boolean(false); }, ":0\r\n", "#f\r\n");
}

TEST(Reply, Doubles) {
  const double infinity = std::numeric_limits<double>::infinity();
  const std::pair<double, const char*> cases[] = {{0.1, "0.10000000000000001"},
                                                  {3, "3"},
                                                  {3.141, "3.141"},
                                                  {1e300, "1.0000000000000001e+300"},
                                                  {1e-7, "9.9999999999999995e-08"},
                                                  {123456789012345678.0, "1.2345678901234568e+17"},
                                                  {100000, "100000"},
                                                  {3e17, "3e+17"},
                                                  {0.0001, "0.0001"},
                                                  {1e-5, "1.0000000000000001e-05"},
                                                  {0, "0"},
                                                  {-2.5, "-2.5"},
                                                  {infinity, "inf"},
                                                  {-infinity, "-inf"},
                                                  {std::nan(""), "nan"},
                                                  {-std::nan(""), "nan"}};
  for (const auto& [value, text] : cases) {
    const std::string shown = text;
    expect_reply([v = value](ReplyWriter& r) { r.double_value(v); },
                 "$" + std::to_string(shown.size()) + "\r\n" + shown + "\r\n",
                 "," + shown + "\r\n");
  }
}

TEST(Reply, BigNumbers) {
  expect_reply([](ReplyWriter& r) { r.big_number("1234567999999999999999999999999999999"); },
               "$37\r\n1234567999999999999999999999999999999\r\n",
               "(1234567999999999999999999999999999999\r\n");
}

TEST(Reply, VerbatimStrings) {
  expect_reply([](ReplyWriter& r) { r.verbatim("txt", "This is a verbatim\nstring"); },
               "$25\r\nThis is a verbatim\nstring\r\n",
               "=29\r\ntxt:This is a verbatim\nstring\r\n");
}

TEST(Reply, ProtocolMayChangeBetweenReplies) {
  std::string out;
  ReplyWriter reply(&out, 2);
  EXPECT_EQ(reply.protocol(), 2);
  reply.null();
  reply.set_protocol(3);
  EXPECT_EQ(reply.protocol(), 3);
  reply.null();
  EXPECT_EQ(out, "$-1\r\n_\r\n");
}

TEST(Reply, TruncateDropsAllBehindTheMark) {
  std::string out;
  ReplyWriter reply(&out, 2);
  reply.ok();
  const size_t mark = reply.size();
  reply.bulk("dropped");
  reply.truncate(mark);
  reply.integer(1);
  EXPECT_EQ(out, "+OK\r\n:1\r\n");
}

TEST(Reply, HeadersMayBeInsertedAfterTheElements) {
  expect_both(
      [](ReplyWriter& r) {
        const size_t mark = r.size();
        r.bulk("a");
        r.bulk("b");
        r.insert_array_header(mark, 2);
      },
      "*2\r\n$1\r\na\r\n$1\r\nb\r\n");
  expect_reply(
      [](ReplyWriter& r) {
        const size_t mark = r.size();
        r.bulk("k");
        r.integer(1);
        r.insert_map_header(mark, 1);
      },
      "*2\r\n$1\r\nk\r\n:1\r\n", "%1\r\n$1\r\nk\r\n:1\r\n");
}

}  // namespace
}  // namespace syntropy
