#include "server/replication/stream.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "storage/base/random.h"
#include "storage/log_record.h"

namespace syntropy {
namespace {

std::string record(size_t value_bytes) {
  LogRecordBuilder builder;
  builder.add_row("key", std::string(value_bytes, 'v'));
  return *builder.take();
}

StreamOptions small() { return {.window_bytes = 256, .piece_bytes = 50, .retry_ms = 100}; }

std::vector<StreamPiece> collect(StreamSender& sender, TimeMs now) {
  std::vector<StreamPiece> pieces;
  sender.collect(now, &pieces);
  return pieces;
}

TEST(StreamSender, KeepsWhatIsUnderWayWithinTheWindow) {
  StreamSender sender(1000, small());
  size_t pushed = 0;
  while (sender.room() > 0) {
    pushed += sender.room();
    sender.push(std::string(sender.room(), 'x'));
  }
  EXPECT_EQ(pushed, 250u);
  std::vector<StreamPiece> pieces = collect(sender, 1);
  EXPECT_EQ(pieces.front().offset, 1000u);
  EXPECT_TRUE(collect(sender, 2).empty());
  sender.acknowledged(1049, 3);  // not the whole piece
  EXPECT_EQ(sender.room(), 0u);
  sender.acknowledged(1050, 3);
  EXPECT_EQ(sender.room(), 50u);
}

TEST(StreamSender, SendsEverythingAgainWhenNothingIsAcknowledged) {
  StreamSender sender(0, small());
  sender.push(std::string(120, 'x'));
  EXPECT_EQ(collect(sender, 0).size(), 3u);
  EXPECT_EQ(sender.next_deadline(), 100u);
  EXPECT_TRUE(collect(sender, 99).empty());
  sender.acknowledged(50, 99);  // progress: the others get their time
  EXPECT_TRUE(collect(sender, 100).empty());
  EXPECT_EQ(collect(sender, 199).size(), 2u);
}

TEST(StreamSender, EndIsAcknowledgedLikeAByte) {
  StreamSender sender(0, small());
  sender.push("x");
  sender.finish();
  EXPECT_EQ(sender.room(), 0u);
  collect(sender, 0);
  sender.acknowledged(1, 1);
  EXPECT_FALSE(sender.all_acknowledged());
  sender.acknowledged(2, 1);
  EXPECT_TRUE(sender.all_acknowledged());
}

TEST(RecordReceiver, TakesWholeRecordsAndNeverNone) {
  RecordReceiver receiver(7);
  const std::string records = record(10) + record(20) + record(30);
  ASSERT_TRUE(receiver.accept({7, records.substr(0, records.size() - 1), false}).ok());
  EXPECT_EQ(receiver.take(1), record(10));
  EXPECT_EQ(receiver.taken(), 7 + record(10).size());
  EXPECT_EQ(receiver.take(1000), record(20));
  EXPECT_FALSE(receiver.has_records());
}

TEST(RecordReceiver, AcknowledgesWhatWasTakenAndPartsOfRecords) {
  RecordReceiver receiver(0);
  const std::string first = record(100);
  ASSERT_TRUE(receiver.accept({0, first.substr(0, 40), false}).ok());
  EXPECT_EQ(receiver.received(), 40u) << "or a record above the window would never come";
  ASSERT_TRUE(receiver.accept({40, first.substr(40), true}).ok());
  EXPECT_EQ(receiver.received(), 0u) << "nobody has taken it";
  EXPECT_FALSE(receiver.done());
  receiver.take(1);
  EXPECT_TRUE(receiver.done());
  EXPECT_EQ(receiver.received(), first.size() + 1);
}

TEST(RecordReceiver, RefusesWhatIsNoRecordOrCutOff) {
  RecordReceiver garbage(0);
  EXPECT_FALSE(garbage.accept({0, "garbage!", false}).ok());
  RecordReceiver cut(0);
  EXPECT_FALSE(cut.accept({0, record(10).substr(0, 9), true}).ok());
}

TEST(Stream, ArrivesWholeThroughLossDuplicationAndDisorder) {
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    SeededRandom random(seed);
    std::string stream;
    for (int i = 0; i < 30; ++i) stream += record(random.below(200));
    StreamSender sender(500, small());
    RecordReceiver receiver(500);
    std::string taken;
    std::vector<StreamPiece> wire;
    size_t pushed = 0;
    TimeMs now = 0;
    for (; !sender.all_acknowledged() && now < 1'000'000; now += 10) {
      while (sender.room() > 0 && pushed < stream.size()) {
        const std::string part = stream.substr(pushed, 1 + random.below(sender.room()));
        pushed += part.size();
        sender.push(part);
      }
      if (pushed == stream.size() && !sender.finished()) sender.finish();
      for (StreamPiece& piece : collect(sender, now)) {
        if (random.one_in(4)) continue;
        if (random.one_in(4)) wire.push_back(piece);
        wire.push_back(std::move(piece));
      }
      size_t under_way = 0;
      for (const StreamPiece& piece : wire) under_way = std::max(under_way, piece.bytes.size());
      ASSERT_LE(under_way, small().piece_bytes);
      for (uint64_t i = random.below(8); i > 0 && !wire.empty(); --i) {
        const size_t at = random.below(std::min<size_t>(wire.size(), 3));
        ASSERT_TRUE(receiver.accept(wire[at]).ok());
        wire.erase(wire.begin() + static_cast<std::ptrdiff_t>(at));
      }
      if (receiver.has_records() && random.one_in(2)) taken += receiver.take(random.below(300));
      if (random.one_in(3)) sender.acknowledged(receiver.received(), now);
    }
    ASSERT_TRUE(receiver.done());
    ASSERT_EQ(taken, stream);
  }
}

}  // namespace
}  // namespace syntropy
