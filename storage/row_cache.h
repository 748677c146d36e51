// RowCache: the rows used lately, ready to be read without RocksDB.
//
// A read that hits costs a hash and a short lock of one shard; one from RocksDB's block cache costs
// several times that. Every write needs the row it replaces (to keep counts, the expiry index and
// versions right), so the cache carries the write path as well.
//
// Coherence. The cache never shows a row other than the engine's current one:
//   1. A commit hides the rows that it is about to write (begin_commit), writes the engine, then
//      shows the new ones (end_commit). In between, readers go to the engine, where the whole batch
//      becomes visible at one moment.
//   2. A reader that missed may fill in what the engine gave only if no commit has touched the
//      key's stripe, 1/64 of a shard, since the miss (its generation is unchanged) and none is
//      under way there.
//
// Admission. A row that was read is held. A row that is written where none was is held while there
// is room beyond kReadersBytes, so that what was written lately need not be read from a table file
// when it is written or read again; and beyond that only while readers miss rows that are there:
// each such miss pays for kAdmissionsPerMiss of them. So a load of new keys, which nobody reads,
// evicts nothing but where a set is full, and leaves the memory of a small cache alone.
//
// Shape: 64 shards of sets of eight ways. A way is one word: the block's address, 16 bits of the
// hash to tell most others by, and two flags; so that a lookup touches one line of the set and then
// the block. A shard doubles its sets as they fill.
//
// Bounded: the bytes of rows held stay below the capacity; a hand goes round over the ways and
// evicts those not used since it last came by (CLOCK). Rows above 1/8 of a shard aren't held.
//
// Thread safety: any thread. Commits of one key are serialized by the keyspace's lock.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace syntropy {

class RowRef;

/// An encoded row with its encoded key, immutable, counted by reference, in one allocation.
class RowBlock {
 public:
  static RowRef make(uint64_t hash, std::string_view key, std::string_view value);

  uint64_t hash() const { return hash_; }
  std::string_view key() const { return {bytes(), key_bytes_}; }
  std::string_view value() const { return {bytes() + key_bytes_, value_bytes_}; }
  size_t footprint() const { return sizeof(RowBlock) + key_bytes_ + value_bytes_; }

 private:
  friend class RowRef;

  RowBlock(uint64_t hash, size_t key_bytes, size_t value_bytes)
      : hash_(hash),
        key_bytes_(static_cast<uint32_t>(key_bytes)),
        value_bytes_(static_cast<uint32_t>(value_bytes)) {}
  const char* bytes() const { return reinterpret_cast<const char*>(this + 1); }
  char* bytes() { return reinterpret_cast<char*>(this + 1); }

  const uint64_t hash_;
  const uint32_t key_bytes_;
  const uint32_t value_bytes_;
  std::atomic<uint32_t> refs_{0};
};

/// Owns one reference to a RowBlock, or none.
class RowRef {
 public:
  RowRef() = default;
  explicit RowRef(RowBlock* block) : block_(block) { retain(); }
  RowRef(const RowRef& other) : block_(other.block_) { retain(); }
  RowRef(RowRef&& other) noexcept : block_(std::exchange(other.block_, nullptr)) {}
  RowRef& operator=(RowRef other) noexcept {
    std::swap(block_, other.block_);
    return *this;
  }
  ~RowRef() { release(); }

  explicit operator bool() const { return block_ != nullptr; }
  const RowBlock* operator->() const { return block_; }

  /// Gives the reference away, to be taken back by adopt().
  RowBlock* detach() { return std::exchange(block_, nullptr); }
  static RowRef adopt(RowBlock* block) {
    RowRef row;
    row.block_ = block;
    return row;
  }

 private:
  void retain() {
    if (block_ != nullptr) block_->refs_.fetch_add(1, std::memory_order_relaxed);
  }
  void release();

  RowBlock* block_ = nullptr;
};

struct RowCacheStats {
  uint64_t bytes = 0;
  uint64_t rows = 0;
  uint64_t hits = 0;
  uint64_t misses = 0;
  uint64_t evictions = 0;
};

class RowCache {
 public:
  static constexpr size_t kReadersBytes = size_t{64} << 20;

  /// `capacity_bytes` 0: holds nothing, every lookup misses.
  explicit RowCache(size_t capacity_bytes);
  ~RowCache();
  RowCache(const RowCache&) = delete;
  RowCache& operator=(const RowCache&) = delete;

  struct Lookup {
    RowRef row;               // empty on a miss
    uint32_t generation = 0;  // hand it to fill() after a miss
  };
  Lookup lookup(uint64_t hash, std::string_view key);

  /// Asks the processor for the memory in which the rows lie, so that lookups soon after don't wait
  /// for one line after the other.
  void prefetch(std::span<const uint64_t> hashes);

  /// Takes in what the engine gave for a miss; drops it when a commit came between.
  void fill(const RowRef& row, uint32_t generation);

  /// Hides the row of the key from readers until end_commit(), end_removal() or abort_commit(), one
  /// of which must follow.
  void begin_commit(uint64_t hash, std::string_view key);
  /// Shows `row` in place of the hidden one. `fresh`: there was no row, see "Admission".
  void end_commit(const RowRef& row, bool fresh);
  /// The commit removed the row: drops the hidden one.
  void end_removal(uint64_t hash, std::string_view key);
  /// The commit failed: shows the old row again.
  void abort_commit(uint64_t hash, std::string_view key);

  void set_capacity(size_t capacity_bytes);
  size_t capacity() const;
  RowCacheStats stats() const;

 private:
  struct Shard;
  static constexpr size_t kShards = 64;
  static constexpr uint32_t kAdmissionsPerMiss = 8;

  Shard& shard_of(uint64_t hash) const;

  std::unique_ptr<Shard[]> shards_;
};

}  // namespace syntropy
