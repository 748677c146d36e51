#include "storage/memory_engine.h"

#include <algorithm>
#include <cassert>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <utility>

#include "storage/base/coding.h"

namespace syntropy {
namespace {

constexpr char kCheckpointFile[] = "memory-engine";

bool within(std::string_view key, std::string_view lower, std::string_view upper) {
  return key >= lower && (upper.empty() || key < upper);
}

}  // namespace

class MemoryEngine::Batch final : public EngineBatch {
 public:
  void put(std::string_view key, std::string_view value) override {
    bytes_ += key.size() + value.size();
    changes_.push_back({std::string(key), std::string(value)});
  }
  void erase(std::string_view key) override {
    bytes_ += key.size();
    changes_.push_back({std::string(key), std::nullopt});
  }
  void clear() override {
    changes_.clear();
    bytes_ = 0;
  }
  bool empty() const override { return changes_.empty(); }
  size_t bytes() const override { return bytes_; }

  const std::vector<Change>& changes() const { return changes_; }

 private:
  std::vector<Change> changes_;
  size_t bytes_ = 0;
};

class MemoryEngine::Snapshot final : public EngineSnapshot {
 public:
  explicit Snapshot(MemoryEngine& engine) : engine_(engine), at_(engine.pin()) {}
  ~Snapshot() override {
    const std::lock_guard lock(engine_.mutex_);
    engine_.unpin(at_);
  }
  Sequence at() const { return at_; }

 private:
  MemoryEngine& engine_;
  const Sequence at_;
};

class MemoryEngine::Iterator final : public EngineIterator {
 public:
  Iterator(MemoryEngine& engine, std::string lower, std::string upper, Sequence at)
      : engine_(engine), lower_(std::move(lower)), upper_(std::move(upper)), at_(at) {}
  ~Iterator() override {
    const std::lock_guard lock(engine_.mutex_);
    engine_.unpin(at_);
  }

  void seek(std::string_view key) override {
    const std::lock_guard lock(engine_.mutex_);
    settle(engine_.live_.lower_bound(std::max<std::string_view>(key, lower_)));
  }
  void next() override {
    assert(valid_);
    const std::lock_guard lock(engine_.mutex_);
    settle(engine_.live_.upper_bound(key_));
  }
  bool valid() const override { return valid_; }
  std::string_view key() const override { return assert(valid_), key_; }
  std::string_view value() const override { return assert(valid_), value_; }
  Status status() const override { return {}; }

 private:
  // Stops at the first key from `at` on that was there at the iterator's moment.
  void settle(std::map<std::string, Versions, std::less<>>::const_iterator at) {
    valid_ = false;
    for (; at != engine_.live_.end() && within(at->first, lower_, upper_); ++at) {
      const std::string* value = engine_.find(at->first, at_);
      if (value == nullptr) continue;
      key_ = at->first;
      value_ = *value;
      valid_ = true;
      return;
    }
  }

  MemoryEngine& engine_;
  const std::string lower_;
  const std::string upper_;
  const Sequence at_;
  std::string key_;
  std::string value_;
  bool valid_ = false;
};

MemoryEngine::MemoryEngine(const PurgeFilter* purge) : purge_(purge) {}

Status MemoryEngine::get(std::string_view key, ReadTier tier, std::string* value) {
  const std::lock_guard lock(mutex_);
  if (!next_read_.ok()) return std::exchange(next_read_, Status());
  if (tier == ReadTier::kMemory && cold_) return Status::incomplete("the row is not in memory");
  const std::string* found = find(key, sequence_);
  if (found == nullptr) return Status::not_found("no such key");
  *value = *found;
  return {};
}

std::unique_ptr<EngineBatch> MemoryEngine::new_batch() { return std::make_unique<Batch>(); }

Status MemoryEngine::write(EngineBatch& batch) {
  const std::lock_guard lock(mutex_);
  if (!degraded_.ok()) return degraded_;
  if (!next_write_.ok()) return degraded_ = std::exchange(next_write_, Status());
  ++sequence_;
  for (const Change& change : static_cast<Batch&>(batch).changes()) {
    apply(change);
    unsynced_.push_back(change);
  }
  ++writes_;
  if (!next_store_.ok()) degraded_ = std::exchange(next_store_, Status());
  return {};
}

Status MemoryEngine::sync() {
  const std::lock_guard lock(mutex_);
  if (!degraded_.ok()) return degraded_;
  if (!next_sync_.ok()) return degraded_ = std::exchange(next_sync_, Status());
  make_durable();
  ++syncs_;
  return {};
}

Status MemoryEngine::health() const {
  const std::lock_guard lock(mutex_);
  return degraded_;
}

Status MemoryEngine::recover() {
  const std::lock_guard lock(mutex_);
  if (degraded_.ok()) return {};
  if (!next_recover_.ok()) return std::exchange(next_recover_, Status());
  make_durable();
  degraded_ = Status();
  return {};
}

std::unique_ptr<EngineSnapshot> MemoryEngine::snapshot() {
  return std::make_unique<Snapshot>(*this);
}

std::unique_ptr<EngineIterator> MemoryEngine::iterate(std::string lower, std::string upper,
                                                      const EngineSnapshot* snapshot) {
  Sequence at = 0;
  if (snapshot == nullptr) {
    at = pin();
  } else {
    const std::lock_guard lock(mutex_);
    at = *pinned_.insert(static_cast<const Snapshot*>(snapshot)->at());
  }
  return std::make_unique<Iterator>(*this, std::move(lower), std::move(upper), at);
}

Status MemoryEngine::checkpoint(const std::string& dir) {
  std::error_code error;
  if (std::filesystem::exists(dir, error)) return Status::already_exists(dir + " exists");
  if (!std::filesystem::create_directory(dir, error)) {
    return Status::io_error("cannot make directory " + dir + ": " + error.message());
  }
  std::string bytes;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [key, versions] : live_) {
      const std::string* value = find(key, sequence_);
      if (value == nullptr) continue;
      put_varint64(&bytes, key.size());
      bytes += key;
      put_varint64(&bytes, value->size());
      bytes += *value;
    }
  }
  const std::string path = dir + "/" + kCheckpointFile;
  std::ofstream file(path, std::ios::binary);
  file << bytes;
  file.close();
  if (!file) return Status::io_error("cannot write " + path);
  return {};
}

Result<std::unique_ptr<MemoryEngine>> MemoryEngine::open_checkpoint(const std::string& dir,
                                                                    const PurgeFilter* purge) {
  const std::string path = dir + "/" + kCheckpointFile;
  std::ifstream file(path, std::ios::binary);
  if (!file) return Status::not_found("cannot read " + path);
  const std::string bytes{std::istreambuf_iterator<char>(file), {}};
  auto engine = std::make_unique<MemoryEngine>(purge);
  Batch batch;
  ByteReader reader(bytes);
  while (!reader.at_end()) {
    uint64_t key_bytes = 0;
    uint64_t value_bytes = 0;
    std::string_view key;
    std::string_view value;
    reader.read_varint64(&key_bytes);
    reader.read_bytes(key_bytes, &key);
    reader.read_varint64(&value_bytes);
    if (!reader.read_bytes(value_bytes, &value)) return Status::corruption(path + " is damaged");
    batch.put(key, value);
  }
  Status status = engine->write(batch);
  if (status.ok()) status = engine->sync();
  if (!status.ok()) return status;
  return engine;
}

Status MemoryEngine::flush() {
  const std::lock_guard lock(mutex_);
  if (!degraded_.ok()) return degraded_;
  make_durable();
  return {};
}

Status MemoryEngine::compact(std::string_view lower, std::string_view upper) {
  const std::lock_guard lock(mutex_);
  if (!degraded_.ok()) return degraded_;
  make_durable();
  if (purge_ == nullptr) return {};
  for (auto at = durable_.lower_bound(lower);
       at != durable_.end() && within(at->first, lower, upper);) {
    if (!purge_->may_drop(at->first, at->second)) {
      ++at;
      continue;
    }
    // As RocksDB does it: the newest version becomes a deletion in place, for readers of older
    // snapshots too; older versions stay for those who can see them.
    Versions& versions = live_.find(at->first)->second;
    versions.back().value.reset();
    drop_unseen(versions);
    if (versions.empty()) live_.erase(at->first);
    at = durable_.erase(at);
  }
  return {};
}

EngineStats MemoryEngine::stats() const {
  const std::lock_guard lock(mutex_);
  EngineStats stats;
  for (const auto& [key, versions] : live_) {
    for (const Entry& entry : versions) {
      stats.memtable_bytes += key.size() + (entry.value ? entry.value->size() : 0);
    }
  }
  for (const auto& [key, value] : durable_) stats.live_bytes += key.size() + value.size();
  return stats;
}

std::vector<uint64_t> MemoryEngine::sizes(const std::vector<std::string>& bounds) const {
  const std::lock_guard lock(mutex_);
  std::vector<uint64_t> sizes;
  for (size_t i = 0; i + 1 < bounds.size(); ++i) {
    uint64_t bytes = 0;
    const auto end = live_.lower_bound(bounds[i + 1]);
    for (auto at = live_.lower_bound(bounds[i]); at != end; ++at) {
      const std::optional<std::string>& value = at->second.back().value;
      if (value) bytes += at->first.size() + value->size();
    }
    sizes.push_back(bytes);
  }
  return sizes;
}

void MemoryEngine::lose_unsynced() {
  const std::lock_guard lock(mutex_);
  assert(pinned_.empty());
  live_.clear();
  unsynced_.clear();
  ++sequence_;
  for (const auto& [key, value] : durable_) live_[key].push_back({sequence_, value});
  degraded_ = Status();
}

void MemoryEngine::fail_next_write(Status status) {
  assert(!status.ok());
  const std::lock_guard lock(mutex_);
  next_write_ = std::move(status);
}

void MemoryEngine::fail_next_store(Status status) {
  assert(!status.ok());
  const std::lock_guard lock(mutex_);
  next_store_ = std::move(status);
}

void MemoryEngine::fail_next_sync(Status status) {
  assert(!status.ok());
  const std::lock_guard lock(mutex_);
  next_sync_ = std::move(status);
}

void MemoryEngine::fail_next_read(Status status) {
  assert(!status.ok());
  const std::lock_guard lock(mutex_);
  next_read_ = std::move(status);
}

void MemoryEngine::fail_next_recover(Status status) {
  assert(!status.ok());
  const std::lock_guard lock(mutex_);
  next_recover_ = std::move(status);
}

void MemoryEngine::set_cold(bool cold) {
  const std::lock_guard lock(mutex_);
  cold_ = cold;
}

Status MemoryEngine::get_durable(std::string_view key, std::string* value) const {
  const std::lock_guard lock(mutex_);
  const auto found = durable_.find(key);
  if (found == durable_.end()) return Status::not_found("no such key");
  *value = found->second;
  return Status();
}

uint64_t MemoryEngine::syncs() const {
  const std::lock_guard lock(mutex_);
  return syncs_;
}

uint64_t MemoryEngine::writes() const {
  const std::lock_guard lock(mutex_);
  return writes_;
}

void MemoryEngine::apply(const Change& change) {
  const auto at = live_.try_emplace(change.key).first;
  Versions& versions = at->second;
  if (!versions.empty() && versions.back().sequence == sequence_) versions.pop_back();
  versions.push_back({sequence_, change.value});
  drop_unseen(versions);
  if (versions.empty()) live_.erase(at);
}

// A reader at s sees the newest entry not above s. An entry is needed if it is the newest, or if
// some reader is at or after it and before its successor.
void MemoryEngine::drop_unseen(Versions& versions) const {
  for (size_t i = 0; i + 1 < versions.size();) {
    const auto reader = pinned_.lower_bound(versions[i].sequence);
    const bool seen = reader != pinned_.end() && *reader < versions[i + 1].sequence;
    if (seen) {
      ++i;
    } else {
      versions.erase(versions.begin() + static_cast<std::ptrdiff_t>(i));
    }
  }
  if (versions.size() == 1 && !versions.front().value) versions.clear();
}

const std::string* MemoryEngine::find(std::string_view key, Sequence at) const {
  const auto found = live_.find(key);
  if (found == live_.end()) return nullptr;
  const Versions& versions = found->second;
  for (auto entry = versions.rbegin(); entry != versions.rend(); ++entry) {
    if (entry->sequence <= at) return entry->value ? &*entry->value : nullptr;
  }
  return nullptr;
}

void MemoryEngine::make_durable() {
  for (Change& change : unsynced_) {
    if (change.value) {
      durable_[std::move(change.key)] = std::move(*change.value);
    } else {
      durable_.erase(change.key);
    }
  }
  unsynced_.clear();
}

MemoryEngine::Sequence MemoryEngine::pin() {
  const std::lock_guard lock(mutex_);
  return *pinned_.insert(sequence_);
}

void MemoryEngine::unpin(Sequence sequence) { pinned_.erase(pinned_.find(sequence)); }

}  // namespace syntropy
