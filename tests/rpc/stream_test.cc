// Streams between nodes, on sockets and in memory.

#include "tests/rpc/transport_fixture.h"

namespace syntropy::testing {
namespace {

template <class Net>
class StreamTest : public TransportTest<Net> {
 protected:
  // Writes numbered frames until the stream says no; the first number not written.
  int fill(const NodePtr& node, StreamId stream, int from, size_t bytes) {
    int next = from;
    this->on_loop(node, [&](Transport& transport) {
      while (transport.write(stream, kType, numbered(next, bytes))) ++next;
    });
    return next;
  }
  static std::string numbered(int number, size_t bytes) {
    std::string frame = std::to_string(number) + ":";
    frame.resize(std::max(bytes, frame.size()), 'x');
    return frame;
  }
};
TYPED_TEST_SUITE(StreamTest, Nets, NetNames);

TYPED_TEST(StreamTest, FramesArriveCompleteInOrderAndInBothDirections) {
  BusOptions options;
  options.key = key_of("a secret");
  const NodePtr one = this->start(1, options);
  const NodePtr two = this->start(2, options);
  const StreamId there = this->open_stream(one, two->peer, 9);
  ASSERT_TRUE(this->wait_count(two, Event::kStreamOpen, 1));
  ASSERT_TRUE(this->wait_count(one, Event::kStreamOpen, 1));
  const Event opened = two->recorder->last(Event::kStreamOpen);
  EXPECT_EQ(opened.type, 9);
  EXPECT_EQ(opened.peer, node_id(1));
  EXPECT_EQ(one->recorder->last(Event::kStreamOpen).stream, there);

  this->on_loop(one, [&](Transport& transport) {
    for (int i = 0; i < 500; ++i) {
      EXPECT_TRUE(transport.write(there, kType, this->numbered(i, static_cast<size_t>(i))));
    }
  });
  this->on_loop(
      two, [&](Transport& transport) { EXPECT_TRUE(transport.write(opened.stream, 99, "back")); });
  ASSERT_TRUE(this->wait_count(two, Event::kStreamFrame, 500));
  const auto frames = two->recorder->events(Event::kStreamFrame);
  for (int i = 0; i < 500; ++i) {
    const auto at = static_cast<size_t>(i);
    ASSERT_EQ(frames[at].text, this->numbered(i, at));
    ASSERT_EQ(frames[at].stream, opened.stream);
  }
  ASSERT_TRUE(this->wait_count(one, Event::kStreamFrame, 1));
  EXPECT_EQ(one->recorder->last(Event::kStreamFrame).type, 99);
}

TYPED_TEST(StreamTest, ReaderThatPausesStallsTheWriterAndNothingIsLost) {
  BusOptions options;
  options.limits.stream_queue_bytes = 100'000;
  const NodePtr one = this->start(1, options);
  const NodePtr two = this->start(2, options);
  const StreamId stream = this->open_stream(one, two->peer);
  ASSERT_TRUE(this->wait_count(two, Event::kStreamOpen, 1));
  ASSERT_TRUE(this->wait_count(one, Event::kStreamOpen, 1));
  const StreamId read = two->recorder->last(Event::kStreamOpen).stream;
  this->on_loop(two, [&](Transport& transport) { transport.set_reading(read, false); });

  // Until nothing moves any more: the queue is full, and so is what the system buffers.
  int written = 0;
  for (int stalled = 0; stalled < 20; ++stalled) {
    const int before = written;
    written = this->fill(one, stream, written, 50'000);
    this->on_loop(two, [](Transport&) {});
    if (written > before) stalled = 0;
  }
  EXPECT_LE(one->transport->links().front().send_buffer_used, 200'000u);
  const size_t arrived = two->count(Event::kStreamFrame);
  EXPECT_LT(arrived, static_cast<size_t>(written));

  this->on_loop(two, [&](Transport& transport) { transport.set_reading(read, true); });
  ASSERT_TRUE(this->wait_count(one, Event::kStreamWritable, 1));
  ASSERT_TRUE(this->wait_count(two, Event::kStreamFrame, static_cast<size_t>(written)));
  const auto frames = two->recorder->events(Event::kStreamFrame);
  for (int i = 0; i < written; ++i) {
    ASSERT_EQ(frames[static_cast<size_t>(i)].text, this->numbered(i, 50'000));
  }
}

TYPED_TEST(StreamTest, MessagesPassAStreamThatStalls) {
  const NodePtr one = this->start(1);
  const NodePtr two = this->start(2);
  const StreamId stream = this->open_stream(one, two->peer);
  ASSERT_TRUE(this->wait_count(two, Event::kStreamOpen, 1));
  ASSERT_TRUE(this->wait_count(one, Event::kStreamOpen, 1));
  const StreamId read = two->recorder->last(Event::kStreamOpen).stream;
  this->on_loop(two, [&](Transport& transport) { transport.set_reading(read, false); });
  this->fill(one, stream, 0, 100'000);
  this->send(one, two->peer, "alive?");
  ASSERT_TRUE(this->wait_count(two, Event::kMessage, 1));
}

TYPED_TEST(StreamTest, WriterIsToldWhenThereIsRoom) {
  BusOptions options;
  options.limits.stream_queue_bytes = 10'000;
  Node* writer = nullptr;
  int written = 0;
  const auto write_on = [&](StreamId stream) {
    while (written < 1000 && writer->transport->write(stream, kType, std::string(3000, 'x'))) {
      ++written;
    }
  };
  const NodePtr one =
      this->start(1, options, [&](Recorder& recorder) { recorder.on_each_writable = write_on; });
  writer = one.get();
  const NodePtr two = this->start(2, options);
  const StreamId stream = this->open_stream(one, two->peer);
  ASSERT_TRUE(this->wait_count(one, Event::kStreamOpen, 1));
  this->on_loop(one, [&](Transport&) { write_on(stream); });
  ASSERT_TRUE(this->wait_count(two, Event::kStreamFrame, 1000));
  EXPECT_GT(one->count(Event::kStreamWritable), 10u);
}

TYPED_TEST(StreamTest, LargeFramesPassUpToTheLimit) {
  BusOptions options;
  options.key = key_of("a secret");
  options.limits.stream_frame_bytes = 5'000'000;
  const NodePtr one = this->start(1, options);
  const NodePtr two = this->start(2, options);
  const StreamId stream = this->open_stream(one, two->peer);
  ASSERT_TRUE(this->wait_count(one, Event::kStreamOpen, 1));
  std::string large(5'000'000, 'x');
  for (size_t i = 0; i < large.size(); i += 97) large[i] = static_cast<char>(i);
  this->on_loop(one, [&](Transport& transport) {
    EXPECT_TRUE(transport.write(stream, kType, large));
    EXPECT_FALSE(transport.write(stream, kType, "no room"));
  });
  ASSERT_TRUE(this->wait_count(two, Event::kStreamFrame, 1));
  EXPECT_TRUE(two->recorder->last(Event::kStreamFrame).text == large);
}

TYPED_TEST(StreamTest, EndIsToldToTheOtherSideAlone) {
  const NodePtr one = this->start(1);
  const NodePtr two = this->start(2);
  const StreamId stream = this->open_stream(one, two->peer);
  ASSERT_TRUE(this->wait_count(two, Event::kStreamOpen, 1));
  ASSERT_TRUE(this->wait_count(one, Event::kStreamOpen, 1));
  this->on_loop(one, [&](Transport& transport) {
    transport.close_stream(stream);
    EXPECT_FALSE(transport.write(stream, kType, "too late"));
    transport.close_stream(stream);
    transport.set_reading(stream, true);
  });
  ASSERT_TRUE(this->wait_count(two, Event::kStreamClosed, 1));
  const Event closed = two->recorder->last(Event::kStreamClosed);
  EXPECT_EQ(closed.stream, two->recorder->last(Event::kStreamOpen).stream);
  EXPECT_EQ(closed.code, StatusCode::kUnavailable);
  EXPECT_EQ(one->count(Event::kStreamClosed), 0u);
}

TYPED_TEST(StreamTest, StreamToNobodyIsClosed) {
  const NodePtr one = this->start(1);
  const StreamId stream = this->open_stream(one, Peer{node_id(2), this->net.nobody()});
  ASSERT_TRUE(this->wait_count(one, Event::kStreamClosed, 1));
  EXPECT_EQ(one->recorder->last(Event::kStreamClosed).stream, stream);
  EXPECT_EQ(one->recorder->last(Event::kStreamClosed).code, StatusCode::kUnavailable);
  EXPECT_EQ(one->recorder->last(Event::kUnreachable).type, static_cast<int>(Unreachable::kRefused));
}

TYPED_TEST(StreamTest, DialsOfAStreamArePacedByTheBackOff) {
  BusOptions options;
  options.limits.back_off_first_ms = 30;
  const NodePtr one = this->start(1, options);
  const Peer nobody{node_id(2), this->net.nobody()};
  TimeMs start = 0;
  this->on_loop(one, [&](Transport& transport) { start = transport.now(); });
  // Whoever opens it again as soon as it is closed doesn't spin.
  for (size_t i = 1; i <= 4; ++i) {
    this->open_stream(one, nobody);
    ASSERT_TRUE(this->wait_count(one, Event::kStreamClosed, i));
  }
  TimeMs end = 0;
  this->on_loop(one, [&](Transport& transport) { end = transport.now(); });
  EXPECT_GE(end - start, (30u + 60u + 120u) / 2);
}

TYPED_TEST(StreamTest, StreamBeforeItIsOpenTakesNothing) {
  const NodePtr one = this->start(1);
  const NodePtr two = this->start(2);
  this->on_loop(one, [&](Transport& transport) {
    const StreamId stream = transport.open_stream(two->peer, 5);
    EXPECT_FALSE(transport.write(stream, kType, "too early"));
    transport.set_reading(stream, false);
    transport.close_stream(stream);
  });
  this->connect(one, two);
  EXPECT_EQ(two->count(Event::kStreamOpen), 0u);
}

TYPED_TEST(StreamTest, StreamsOfPeersAreBounded) {
  BusOptions options;
  options.limits.streams = 2;
  const NodePtr one = this->start(1, options);
  const NodePtr two = this->start(2);
  for (size_t i = 1; i <= 3; ++i) {
    this->open_stream(two, one->peer);
    ASSERT_TRUE(this->wait_count(two, Event::kStreamOpen, i));
  }
  ASSERT_TRUE(this->wait_count(two, Event::kStreamClosed, 1));
  EXPECT_EQ(one->count(Event::kStreamOpen), 2u);
  EXPECT_EQ(one->count(Event::kStreamClosed), 0u);
}

TYPED_TEST(StreamTest, IdleStreamStays) {
  BusOptions options;
  options.limits.idle_ms = 20;
  const NodePtr one = this->start(1, options);
  const NodePtr two = this->start(2, options);
  const StreamId stream = this->open_stream(one, two->peer);
  ASSERT_TRUE(this->wait_count(one, Event::kStreamOpen, 1));
  // A message connection beside it is closed twice, which takes longer than the stream was idle.
  for (size_t i = 1; i <= 2; ++i) {
    this->connect(one, two);
    ASSERT_TRUE(this->wait_count(one, Event::kDisconnected, i));
  }
  this->on_loop(one, [&](Transport& transport) {
    EXPECT_TRUE(transport.write(stream, kType, "still here"));
  });
  ASSERT_TRUE(this->wait_count(two, Event::kStreamFrame, 1));
}

}  // namespace
}  // namespace syntropy::testing
