#include "merkle/reconcile_message.h"

#include <gtest/gtest.h>

namespace syntropy {
namespace {

template <typename What>
What round_trip(What what) {
  const Result<ReconcileRequest> decoded = decode_request(encode_request({99, std::move(what)}));
  EXPECT_TRUE(decoded.ok()) << decoded.status().message();
  EXPECT_EQ(decoded->session, 99u);
  return std::get<What>(decoded->what);
}

template <typename Reply>
Reply reply_round_trip(Reply reply) {
  const Result<ReconcileReply> decoded = decode_reply(encode_reply(std::move(reply)));
  EXPECT_TRUE(decoded.ok()) << decoded.status().message();
  return std::get<Reply>(*decoded);
}

const std::vector<ReconcileRow> kRows = {{"key", "value"}, {std::string(3, '\0'), ""}};

TEST(ReconcileMessage, RequestsComeBack) {
  const auto open = round_trip(OpenRequest{{{3, 5}, {16383, 16383}}, 7, UINT64_MAX});
  EXPECT_EQ(open.slots, (SlotRanges{{3, 5}, {16383, 16383}}));
  EXPECT_EQ(open.rows, 7u);
  EXPECT_EQ(open.check, UINT64_MAX);
  round_trip(CensusRequest{});
  const auto sums = round_trip(SumsRequest{14, 1, 3, {0, 1, 2, 9, 16383}, true});
  EXPECT_EQ(sums.level, 14u);
  EXPECT_EQ(sums.first, 1u);
  EXPECT_EQ(sums.words, 3u);
  EXPECT_TRUE(sums.counted);
  EXPECT_EQ(sums.nodes, (NodeList{0, 1, 2, 9, 16383}));
  EXPECT_EQ(round_trip(ListRequest{18, true, {5, 7}}).nodes, (NodeList{5, 7}));
  const auto fetch = round_trip(FetchRequest{true, {0, 1, kPositions - 1}});
  EXPECT_TRUE(fetch.values);
  EXPECT_EQ(fetch.positions, (std::vector<uint64_t>{0, 1, kPositions - 1}));
  EXPECT_EQ(round_trip(WalkRequest{12}).from, 12u);
  EXPECT_EQ(round_trip(PushRequest{kRows}).rows, kRows);
}

TEST(ReconcileMessage, RepliesComeBack) {
  OpenReply open;
  open.rows = 3;
  open.check = 4;
  open.sketch.sums = {1, 2, 3, UINT64_MAX};
  open.census = Census::from_bytes(std::string(47, 'c') + "d", kOpeningCensusBits);
  const OpenReply opened = reply_round_trip(open);
  EXPECT_EQ(opened.sketch, open.sketch);
  EXPECT_EQ(opened.census.bytes(), open.census.bytes());
  OpenReply equal;
  equal.equal = true;
  EXPECT_TRUE(reply_round_trip(equal).equal);
  const std::string cells(32768, 'x');
  const CensusReply census{Census::from_bytes(cells, kFullCensusBits)};
  EXPECT_EQ(reply_round_trip(census).census.bytes(), cells);
  const auto sums = reply_round_trip(SumsReply{{4, 5}, {1, UINT64_MAX}, {0, 15, 7}});
  EXPECT_EQ(sums.missing, (NodeList{4, 5}));
  EXPECT_EQ(sums.words, (std::vector<uint64_t>{1, UINT64_MAX}));
  EXPECT_EQ(sums.counts, (std::vector<uint8_t>{0, 15, 7}));
  const ListReply list{true, {{{1, 2}, {UINT64_MAX, 3}}, {}, {{5, 5}, {5, 6}}}};
  EXPECT_EQ(reply_round_trip(list).nodes, list.nodes);
  const ListReply without{false, {{{1, 0}, {UINT64_MAX, 0}}, {}, {{5, 0}}}};
  EXPECT_EQ(reply_round_trip(without).nodes, without.nodes);
  EXPECT_EQ(reply_round_trip(FetchReply{2, true, kRows, {}}).rows, kRows);
  const std::vector<MarkedKey> marks = {{"k", {1, 2}}};
  EXPECT_EQ(reply_round_trip(FetchReply{1, false, {}, marks}).marks, marks);
  EXPECT_EQ(reply_round_trip(WalkReply{kPositions, kRows}).next, kPositions);
  reply_round_trip(PushReply{});
  EXPECT_EQ(reply_round_trip(ErrorReply{"no"}).message, "no");
}

TEST(ReconcileMessage, GrammarIsTheOneInTheHeader) {
  const std::string bytes = encode_request({300, SumsRequest{7, 0, 1, {2, 3, 9}, true}});
  EXPECT_EQ(bytes, std::string("\x03\xAC\x02\x07\x00\x01\x01\x02\x02\x02\x05\x01", 12));
  EXPECT_EQ(encode_reply(SumsReply{{}, {}, {1, 2, 3}}), std::string("\x03\x00\x03\x21\x03", 5));
}

TEST(ReconcileMessage, IllFormedBytesAreRefused) {
  const std::string sums = encode_request({1, SumsRequest{7, 0, 1, {2, 3}, false}});
  for (size_t size = 0; size < sums.size(); ++size) {
    EXPECT_FALSE(decode_request(std::string_view(sums).substr(0, size)).ok()) << size;
  }
  EXPECT_FALSE(decode_request(sums + "x").ok());
  // Words beyond the summary, counted neither or not, nodes beyond the level, an empty run, too many
  // nodes, positions out of order.
  for (const std::string_view bad :
       {std::string_view("\x03\x01\x07\x03\x03\x00\x00", 7),
        std::string_view("\x03\x01\x07\x00\x01\x02\x00", 7),
        std::string_view("\x03\x01\x01\x00\x01\x00\x01\x02\x01", 9),
        std::string_view("\x03\x01\x01\x00\x01\x00\x01\x00\x00", 9),
        std::string_view("\x03\x01\x24\x00\x01\x00\x01\x00\x81\x80\x04", 11),
        std::string_view("\x05\x01\x00\x02\x05\x00", 6), std::string_view("\x09\x01", 2)}) {
    EXPECT_FALSE(decode_request(bad).ok());
  }
  // More counts than bytes, and one beyond the last.
  for (const std::string_view bad :
       {std::string_view("\x03\x00\x03\x21", 4), std::string_view("\x03\x00\x01\x21", 4)}) {
    EXPECT_FALSE(decode_reply(bad).ok());
  }
}

}  // namespace
}  // namespace syntropy
