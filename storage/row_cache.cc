#include "storage/row_cache.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <new>

namespace syntropy {

RowRef RowBlock::make(uint64_t hash, std::string_view key, std::string_view value) {
  void* memory = ::operator new(sizeof(RowBlock) + key.size() + value.size());
  auto* block = new (memory) RowBlock(hash, key.size(), value.size());
  std::memcpy(block->bytes(), key.data(), key.size());
  if (!value.empty()) std::memcpy(block->bytes() + key.size(), value.data(), value.size());
  return RowRef(block);
}

void RowRef::release() {
  if (block_ == nullptr) return;
  if (block_->refs_.fetch_sub(1, std::memory_order_acq_rel) == 1) {
    block_->~RowBlock();
    ::operator delete(block_);
  }
}

namespace {

// One row held, with a reference to its block; or none.
class Way {
 public:
  Way() = default;
  Way(uint64_t hash, RowRef row)
      : word_((hash & kTag) | reinterpret_cast<uintptr_t>(row.detach())) {}

  bool empty() const { return word_ == 0; }
  bool may_hold(uint64_t hash) const { return word_ != 0 && ((word_ ^ hash) & kTag) == 0; }
  RowBlock* block() const { return reinterpret_cast<RowBlock*>(word_ & kAddress); }
  RowRef take() {
    RowRef row = RowRef::adopt(block());
    word_ = 0;
    return row;
  }

  bool used() const { return (word_ & kUsed) != 0; }  // since the hand last came by
  void set_used(bool used) { set(kUsed, used); }
  bool hidden() const { return (word_ & kHidden) != 0; }  // a commit is about to replace it
  void set_hidden(bool hidden) { set(kHidden, hidden); }

 private:
  // Addresses have 48 bits, and blocks are aligned to 8 bytes.
  static constexpr uint64_t kTag = uint64_t{0xffff} << 48;
  static constexpr uint64_t kUsed = 1;
  static constexpr uint64_t kHidden = 2;
  static constexpr uint64_t kAddress = ~(kTag | kUsed | kHidden);
  static_assert(alignof(RowBlock) >= 4);

  void set(uint64_t flag, bool on) { word_ = on ? word_ | flag : word_ & ~flag; }

  uint64_t word_ = 0;
};

constexpr size_t kLine = 64;  // of the processor's caches
constexpr size_t kWays = 8;
constexpr size_t kFirstSets = 8;
constexpr size_t kRowsPerSet = 4;  // on average, before a shard grows
constexpr uint32_t kMostAdmissions = 1 << 16;

struct alignas(64) Set {
  std::array<Way, kWays> ways;
};

// Commits of the keys that fall on one stripe of a shard.
struct Stripe {
  uint32_t generation = 0;
  uint32_t committing = 0;  // rows between begin_commit and its end
};
constexpr size_t kStripes = 64;

}  // namespace

struct alignas(64) RowCache::Shard {
  mutable std::mutex mutex;
  std::vector<Set> sets = std::vector<Set>(kFirstSets);
  size_t hand = 0;  // a way of the shard
  size_t capacity = 0;
  size_t bytes = 0;
  size_t rows = 0;
  std::array<Stripe, kStripes> stripes;
  uint32_t admissions = 0;  // fresh rows that misses have paid for
  uint64_t hits = 0;
  uint64_t misses = 0;
  uint64_t evictions = 0;

  ~Shard() {
    for (Set& set : sets) {
      for (Way& way : set.ways) (void)way.take();
    }
  }

  // The low bits choose the shard, the high ones are the tag.
  Set& set_of(uint64_t hash) { return sets[(hash >> 8) & (sets.size() - 1)]; }

  Stripe& stripe_of(uint64_t hash) { return stripes[(hash >> 6) % kStripes]; }

  Way* find(uint64_t hash, std::string_view key) {
    for (Way& way : set_of(hash).ways) {
      if (way.may_hold(hash) && way.block()->hash() == hash && way.block()->key() == key) {
        return &way;
      }
    }
    return nullptr;
  }

  bool has_room_for_fresh(const RowRef& row) const {
    return bytes + row->footprint() + kReadersBytes / kShards <= capacity;
  }

  bool fits(const RowRef& row) const { return row->footprint() <= capacity / 8; }

  void insert(const RowRef& row) {
    if (!fits(row)) return;
    if (rows >= sets.size() * kRowsPerSet) grow();
    Way* way = room_in(set_of(row->hash()));
    if (way == nullptr) return;
    *way = Way(row->hash(), row);
    bytes += row->footprint();
    ++rows;
    evict();
  }

  RowRef remove(Way& way) {
    RowRef row = way.take();
    bytes -= row->footprint();
    --rows;
    return row;
  }

  // An empty way, made by evicting if need be. Null when commits are about to replace all of them.
  Way* room_in(Set& set) {
    Way* victim = nullptr;
    for (Way& way : set.ways) {
      if (way.empty()) return &way;
      if (way.hidden()) continue;
      if (victim == nullptr || (victim->used() && !way.used())) victim = &way;
    }
    if (victim != nullptr) {
      remove(*victim);
      ++evictions;
    }
    return victim;
  }

  // Hidden rows stay, so that a commit finds what it hid. Bounded by two rounds.
  void evict() {
    const size_t ways = sets.size() * kWays;
    for (size_t patience = 2 * ways; bytes > capacity && patience > 0; --patience) {
      hand = (hand + 1) % ways;
      Way& way = sets[hand / kWays].ways[hand % kWays];
      if (way.empty() || way.hidden()) continue;
      if (way.used()) {
        way.set_used(false);
        continue;
      }
      remove(way);
      ++evictions;
    }
  }

  void grow() {
    std::vector<Set> old(sets.size() * 2);
    old.swap(sets);
    for (Set& set : old) {
      for (Way& way : set.ways) {
        if (way.empty()) continue;
        // The ways of one set go to two: there is room.
        for (Way& place : set_of(way.block()->hash()).ways) {
          if (!place.empty()) continue;
          place = way;
          break;
        }
      }
    }
  }
};

RowCache::RowCache(size_t capacity_bytes) : shards_(std::make_unique<Shard[]>(kShards)) {
  set_capacity(capacity_bytes);
}

RowCache::~RowCache() = default;

RowCache::Shard& RowCache::shard_of(uint64_t hash) const { return shards_[hash % kShards]; }

RowCache::Lookup RowCache::lookup(uint64_t hash, std::string_view key) {
  Shard& shard = shard_of(hash);
  std::lock_guard lock(shard.mutex);
  Way* way = shard.find(hash, key);
  if (way == nullptr || way->hidden()) {
    ++shard.misses;
    return {RowRef(), shard.stripe_of(hash).generation};
  }
  ++shard.hits;
  way->set_used(true);
  return {RowRef(way->block()), shard.stripe_of(hash).generation};
}

void RowCache::prefetch(std::span<const uint64_t> hashes) {
  for (const uint64_t hash : hashes) {
    Shard& shard = shard_of(hash);
    std::lock_guard lock(shard.mutex);
    __builtin_prefetch(&shard.set_of(hash));
  }
  for (const uint64_t hash : hashes) {
    Shard& shard = shard_of(hash);
    std::lock_guard lock(shard.mutex);
    for (const Way& way : shard.set_of(hash).ways) {
      if (!way.may_hold(hash)) continue;
      const char* const block = reinterpret_cast<const char*>(way.block());
      __builtin_prefetch(block);
      __builtin_prefetch(block + kLine);
    }
  }
}

void RowCache::fill(const RowRef& row, uint32_t generation) {
  Shard& shard = shard_of(row->hash());
  std::lock_guard lock(shard.mutex);
  shard.admissions = std::min(shard.admissions + kAdmissionsPerMiss, kMostAdmissions);
  const Stripe& stripe = shard.stripe_of(row->hash());
  if (stripe.generation != generation || stripe.committing != 0) return;
  // Another reader may have been faster, with the same row.
  if (shard.find(row->hash(), row->key()) == nullptr) shard.insert(row);
}

void RowCache::begin_commit(uint64_t hash, std::string_view key) {
  Shard& shard = shard_of(hash);
  std::lock_guard lock(shard.mutex);
  ++shard.stripe_of(hash).generation;
  ++shard.stripe_of(hash).committing;
  if (Way* way = shard.find(hash, key)) way->set_hidden(true);
}

void RowCache::end_commit(const RowRef& row, bool fresh) {
  Shard& shard = shard_of(row->hash());
  RowRef replaced;  // freed after the lock
  std::lock_guard lock(shard.mutex);
  ++shard.stripe_of(row->hash()).generation;
  --shard.stripe_of(row->hash()).committing;
  if (Way* way = shard.find(row->hash(), row->key())) {
    replaced = shard.remove(*way);
  } else if (fresh && !shard.has_room_for_fresh(row)) {
    if (shard.admissions == 0) return;
    --shard.admissions;
  }
  shard.insert(row);
}

void RowCache::end_removal(uint64_t hash, std::string_view key) {
  Shard& shard = shard_of(hash);
  RowRef removed;  // freed after the lock
  std::lock_guard lock(shard.mutex);
  ++shard.stripe_of(hash).generation;
  --shard.stripe_of(hash).committing;
  if (Way* way = shard.find(hash, key)) removed = shard.remove(*way);
}

void RowCache::abort_commit(uint64_t hash, std::string_view key) {
  Shard& shard = shard_of(hash);
  std::lock_guard lock(shard.mutex);
  --shard.stripe_of(hash).committing;
  if (Way* way = shard.find(hash, key)) way->set_hidden(false);
}

void RowCache::set_capacity(size_t capacity_bytes) {
  for (size_t i = 0; i < kShards; ++i) {
    std::lock_guard lock(shards_[i].mutex);
    shards_[i].capacity = capacity_bytes / kShards;
    shards_[i].evict();
  }
}

size_t RowCache::capacity() const {
  std::lock_guard lock(shards_[0].mutex);
  return shards_[0].capacity * kShards;
}

RowCacheStats RowCache::stats() const {
  RowCacheStats sum;
  for (size_t i = 0; i < kShards; ++i) {
    const Shard& shard = shards_[i];
    std::lock_guard lock(shard.mutex);
    sum.bytes += shard.bytes + shard.sets.size() * sizeof(Set);
    sum.rows += shard.rows;
    sum.hits += shard.hits;
    sum.misses += shard.misses;
    sum.evictions += shard.evictions;
  }
  return sum;
}

}  // namespace syntropy
