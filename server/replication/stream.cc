#include "server/replication/stream.h"

#include <algorithm>
#include <cassert>

#include "storage/log_record.h"

namespace syntropy {

size_t StreamSender::room() const {
  // A whole piece or none: else each small acknowledgement would make a small piece.
  if (finished_ || in_flight_ + options_.piece_bytes > options_.window_bytes) return 0;
  return options_.piece_bytes;
}

void StreamSender::push(std::string bytes) {
  assert(!bytes.empty() && !finished_);
  for (size_t at = 0; at < bytes.size(); at += options_.piece_bytes) {
    StreamPiece piece{next_, bytes.substr(at, options_.piece_bytes), false};
    next_ += piece.bytes.size();
    in_flight_ += piece.bytes.size();
    unacknowledged_.push_back(std::move(piece));
  }
}

void StreamSender::finish() {
  assert(!finished_);
  finished_ = true;
  unacknowledged_.push_back({next_, {}, true});
}

void StreamSender::acknowledged(uint64_t received, TimeMs now) {
  while (!unacknowledged_.empty()) {
    const StreamPiece& oldest = unacknowledged_.front();
    if (oldest.offset + oldest.bytes.size() + (oldest.last ? 1 : 0) > received) return;
    in_flight_ -= oldest.bytes.size();
    unacknowledged_.pop_front();
    if (sent_ > 0) --sent_;
    progress_ = now;
  }
}

void StreamSender::collect(TimeMs now, std::vector<StreamPiece>* pieces) {
  if (sent_ == 0) {
    progress_ = now;
  } else if (now >= next_deadline()) {
    sent_ = 0;
    progress_ = now;
  }
  for (; sent_ < unacknowledged_.size(); ++sent_) pieces->push_back(unacknowledged_[sent_]);
}

TimeMs StreamSender::next_deadline() const {
  return sent_ == 0 ? UINT64_MAX : progress_ + options_.retry_ms;
}

Status RecordReceiver::accept(const StreamPiece& piece) {
  const uint64_t end = piece.offset + piece.bytes.size();
  if (piece.offset > expected_ || finished_) return {};  // a gap: it will be sent again
  if (end > expected_) {
    buffer_.append(piece.bytes, expected_ - piece.offset);
    expected_ = end;
    Result<size_t> more = whole_log_records(std::string_view(buffer_).substr(whole_));
    if (!more.ok()) return more.status();
    whole_ += *more;
  }
  if (piece.last && end == expected_) {
    if (whole_ != buffer_.size()) return Status::corruption("a stream of records is cut off");
    finished_ = true;
  }
  return {};
}

std::string RecordReceiver::take(size_t max_bytes, uint64_t end) {
  assert(has_records());
  size_t size = 0;
  while (size < whole_) {
    const Result<size_t> next = log_record_size(std::string_view(buffer_).substr(size));
    assert(next.ok() && *next > 0);  // accept() has seen to it
    if (size > 0 && (size + *next > max_bytes || taken_ + size >= end)) break;
    size += *next;
  }
  std::string records = buffer_.substr(0, size);
  buffer_.erase(0, size);
  whole_ -= size;
  taken_ += size;
  return records;
}

uint64_t RecordReceiver::received() const {
  if (has_records()) return taken_;
  return expected_ + (finished_ ? 1 : 0);
}

}  // namespace syntropy
