// Streams: how a sequence of log records gets to the other side whole and in order, over a
// transport that may lose, double and reorder, with a bounded amount under way.
//
// The sender keeps what isn't acknowledged and sends all of it again when nothing was acknowledged
// for a while (go-back-N). The end of the stream counts as one more byte, so that it is
// acknowledged like any other. The receiver puts records together again; what it acknowledges is
// what it has room for: bytes of whole records that nobody has taken yet are not acknowledged, so a
// slow receiver slows down the sender and neither needs more memory than the window and one record.
//
// Thread safety: one thread. No I/O, no clock.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "membership/entry.h"
#include "server/replication/message.h"
#include "storage/base/status.h"

namespace syntropy {

struct StreamOptions {
  size_t window_bytes = size_t{4} << 20;  // unacknowledged at most
  size_t piece_bytes = size_t{64} << 10;  // of one message at most; <= window_bytes
  TimeMs retry_ms = 2000;                 // without progress: everything is sent again
};

class StreamSender {
 public:
  StreamSender(uint64_t begin, const StreamOptions& options) : options_(options), next_(begin) {}

  /// How many bytes push() should be given now. 0: the window is full, or the stream has ended.
  size_t room() const;
  /// Not empty. More than room() only if that is one record.
  void push(std::string bytes);
  void finish();

  /// The receiver has everything below `received`; the end itself counts as one byte.
  void acknowledged(uint64_t received, TimeMs now);
  bool all_acknowledged() const { return finished_ && unacknowledged_.empty(); }
  bool finished() const { return finished_; }
  /// Where in the stream the next byte will be.
  uint64_t next_offset() const { return next_; }

  /// Appends what is to be sent now.
  void collect(TimeMs now, std::vector<StreamPiece>* pieces);
  /// When collect() has something to send again. Never: UINT64_MAX.
  TimeMs next_deadline() const;

 private:
  const StreamOptions options_;
  uint64_t next_;  // offset of what push() takes
  bool finished_ = false;
  std::deque<StreamPiece> unacknowledged_;
  size_t in_flight_ = 0;
  size_t sent_ = 0;  // of unacknowledged_
  TimeMs progress_ = 0;
};

class RecordReceiver {
 public:
  explicit RecordReceiver(uint64_t begin) : expected_(begin), taken_(begin) {}

  /// Takes in what is new of the piece. kCorruption: these are no records.
  Status accept(const StreamPiece& piece);

  bool has_records() const { return whole_ > 0; }
  /// Whole records, about `max_bytes` of them, but always one; has_records() must be true. None
  /// that begins at `end` or behind.
  std::string take(size_t max_bytes, uint64_t end = UINT64_MAX);
  /// Where in the stream that which was taken ends.
  uint64_t taken() const { return taken_; }
  /// The end has come, and all is taken.
  bool done() const { return finished_ && buffer_.empty(); }
  /// What to acknowledge.
  uint64_t received() const;

 private:
  uint64_t expected_;   // offset of the next new byte
  uint64_t taken_;      // offset of buffer_'s first
  std::string buffer_;  // whole records, and then perhaps a part of one
  size_t whole_ = 0;    // bytes of whole records in it
  bool finished_ = false;
};

}  // namespace syntropy
