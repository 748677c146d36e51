#include "storage/replication_log.h"

#include <algorithm>
#include <cassert>
#include <iterator>
#include <utility>

#include "storage/local_keys.h"
#include "storage/local_records.h"

namespace syntropy {
namespace {

Result<std::optional<std::string>> read_record(Engine& engine, const EngineSnapshot* snapshot,
                                               const std::string& key) {
  auto at = engine.iterate(key, key + '\0', snapshot);
  at->seek(key);
  if (at->valid()) return std::optional(std::string(at->value()));
  if (!at->status().ok()) return at->status();
  return std::optional<std::string>();
}

}  // namespace

Result<LogPosition> ReplicationLog::position_in(Engine& engine, const EngineSnapshot* snapshot) {
  LogPosition position;
  Result<std::optional<std::string>> bytes =
      read_record(engine, snapshot, log_history_record_key());
  if (!bytes.ok()) return bytes.status();
  if (*bytes) {
    Result<History> history = decode_history(**bytes);
    if (!history.ok()) return history.status();
    position.history = std::move(*history);
  }
  bytes = read_record(engine, snapshot, log_offset_record_key());
  if (!bytes.ok()) return bytes.status();
  if (*bytes) {
    const Status decoded = decode_position(**bytes, &position);
    if (!decoded.ok()) return decoded;
  }
  return position;
}

Result<bool> ReplicationLog::exists(Engine& engine) {
  Result<std::optional<std::string>> history =
      read_record(engine, nullptr, log_history_record_key());
  if (!history.ok()) return history.status();
  Result<std::optional<std::string>> offset = read_record(engine, nullptr, log_offset_record_key());
  if (!offset.ok()) return offset.status();
  return history->has_value() || offset->has_value();
}

Result<std::unique_ptr<ReplicationLog>> ReplicationLog::open(Engine& engine,
                                                             const ReplicationLogOptions& options) {
  Result<LogPosition> position = position_in(engine, nullptr);
  if (!position.ok()) return position.status();
  Result<bool> existed = exists(engine);
  if (!existed.ok()) return existed.status();
  if (!*existed) {
    auto rows = engine.iterate({}, kRowKeysEnd, nullptr);
    rows->seek({});
    if (!rows->status().ok()) return rows->status();
    // Rows from before there was a log: no log has them.
    if (rows->valid()) position->owed = LogPoint{};
  }
  return std::unique_ptr<ReplicationLog>(new ReplicationLog(options, std::move(*position)));
}

ReplicationLog::ReplicationLog(const ReplicationLogOptions& options, LogPosition position)
    : offset_(position.offset), options_(options), position_(std::move(position)) {}

LogPosition ReplicationLog::position() const {
  const std::lock_guard lock(mutex_);
  return position_;
}

uint64_t ReplicationLog::begin_locked() const {
  return backlog_.empty() ? position_.offset : backlog_.front().begin;
}

uint64_t ReplicationLog::backlog_begin() const {
  const std::lock_guard lock(mutex_);
  return begin_locked();
}

bool ReplicationLog::covers(uint64_t offset) const {
  const std::lock_guard lock(mutex_);
  return offset >= begin_locked() && offset <= position_.offset;
}

Result<std::string> ReplicationLog::read(uint64_t offset, size_t max_bytes) const {
  const std::lock_guard lock(mutex_);
  if (offset < begin_locked() || offset > position_.offset) {
    return Status::not_found("the backlog doesn't reach that far");
  }
  auto at = std::upper_bound(backlog_.begin(), backlog_.end(), offset,
                             [](uint64_t value, const Segment& s) { return value < s.end(); });
  std::string bytes;
  for (; at != backlog_.end() && bytes.size() < max_bytes; ++at) {
    const size_t skip = offset > at->begin ? offset - at->begin : 0;
    bytes.append(at->bytes, skip, max_bytes - bytes.size());
  }
  return bytes;
}

void ReplicationLog::set_backlog_bytes(uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  options_.backlog_bytes = bytes;
  trim();
}

uint64_t ReplicationLog::backlog_bytes() const {
  const std::lock_guard lock(mutex_);
  return options_.backlog_bytes;
}

uint64_t ReplicationLog::held_bytes() const {
  const std::lock_guard lock(mutex_);
  return held_bytes_;
}

Status ReplicationLog::check_writer(uint64_t generation) const {
  if (writer() && generation < fence_.load(std::memory_order_acquire)) {
    return Status::unavailable("slots have gone to another node meanwhile");
  }
  if (writer() && generation == UINT64_MAX && only_judged_.load(std::memory_order_acquire)) {
    return Status::unavailable("slots are about to go to another node");
  }
  if (writer() && !paused_.load(std::memory_order_acquire)) return {};
  if (writer()) return Status::unavailable("writes are paused: another node is about to take over");
  return Status::unavailable("this node follows another one and takes no writes of its own");
}

void ReplicationLog::stage_records(std::string records, EngineBatch& batch) {
  // The position is changed by commits alone, so it holds still without the mutex.
  LogPosition end;
  end.offset = position_.offset + records.size();
  if (position_.owed) {
    end = position_;
    end.offset += records.size();
    end.settle();
    staged_.position = end;
  }
  batch.put(log_offset_record_key(), encode_position(end));
  staged_.records = std::move(records);
}

Status ReplicationLog::stage(const LogChange* change, uint64_t generation, EngineBatch& batch) {
  staged_ = {};
  if (change == nullptr) {
    const Status role = check_writer(generation);
    if (!role.ok()) return role;
    Result<std::string> record = builder_.take();
    if (!record.ok()) return record.status();
    stage_records(std::move(*record), batch);
    return {};
  }
  if (change->kind == LogChange::Kind::kMove) {
    std::string history;
    encode_history(change->position.history, &history);
    batch.put(log_history_record_key(), history);
    batch.put(log_offset_record_key(), encode_position(change->position));
    staged_.position = change->position;
    staged_.moves = true;
    staged_.writer = change->writer;
    return {};
  }
  if (writer()) return Status::unavailable("this node follows nobody");
  if (change->kind == LogChange::Kind::kAppend) {
    if (change->offset != position_.offset) {
      return Status::invalid_argument("the records begin at " + std::to_string(change->offset) +
                                      ", the log ends at " + std::to_string(position_.offset));
    }
    stage_records(change->records, batch);
    return {};
  }
  if (change->kind == LogChange::Kind::kNone) return {};
  staged_.position = position_;
  staged_.position->owed = change->owed;
  staged_.position->settle();
  batch.put(log_offset_record_key(), encode_position(*staged_.position));
  return {};
}

void ReplicationLog::publish() {
  Staged staged = std::exchange(staged_, {});
  const std::lock_guard lock(mutex_);
  if (staged.moves) {
    cut(*staged.position);
    writer_.store(staged.writer, std::memory_order_release);
    paused_.store(false, std::memory_order_release);
    only_judged_.store(false, std::memory_order_release);
  }
  const uint64_t begin = position_.offset;
  position_.offset += staged.records.size();
  if (staged.position) position_ = std::move(*staged.position);
  if (!staged.records.empty()) {
    held_bytes_ += staged.records.size();
    backlog_.push_back({begin, std::move(staged.records)});
  }
  offset_.store(position_.offset, std::memory_order_release);
  trim();
}

// Keeps of the bytes held those that are a part of the new position's log as well.
void ReplicationLog::cut(const LogPosition& to) {
  const uint64_t common = position_.common_offset(to).value_or(0);
  const uint64_t keep = common >= to.offset ? to.offset : 0;  // they must lead up to it
  while (!backlog_.empty() && backlog_.back().begin >= keep) {
    held_bytes_ -= backlog_.back().bytes.size();
    backlog_.pop_back();
  }
  if (backlog_.empty() || backlog_.back().end() <= keep) return;
  Segment& last = backlog_.back();
  held_bytes_ -= last.end() - keep;
  last.bytes.resize(keep - last.begin);
}

// Drops what neither the backlog nor, within its bound, the slowest reader needs.
void ReplicationLog::trim() {
  const uint64_t end = position_.offset;
  const uint64_t for_reader =
      readers_.empty() ? 0
                       : std::min(options_.reader_bytes, end - std::min(end, *readers_.begin()));
  const uint64_t wanted = std::max(options_.backlog_bytes, for_reader);
  while (backlog_.size() > 1 && held_bytes_ - backlog_.front().bytes.size() >= wanted) {
    held_bytes_ -= backlog_.front().bytes.size();
    backlog_.pop_front();
  }
}

LogReader::LogReader(ReplicationLog& log, uint64_t offset) : log_(log), offset_(offset) {
  const std::lock_guard lock(log_.mutex_);
  log_.readers_.insert(offset_);
}

LogReader::~LogReader() {
  const std::lock_guard lock(log_.mutex_);
  log_.readers_.erase(log_.readers_.find(offset_));
  log_.trim();
}

Result<std::string> LogReader::read(size_t max_bytes) {
  Result<std::string> bytes = log_.read(offset_, max_bytes);
  if (!bytes.ok() || bytes->empty()) return bytes;
  const std::lock_guard lock(log_.mutex_);
  log_.readers_.erase(log_.readers_.find(offset_));
  offset_ += bytes->size();
  log_.readers_.insert(offset_);
  log_.trim();
  return bytes;
}

}  // namespace syntropy
