#include "storage/row_cache.h"

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

// A chained hash table and a queue from the newest block to the oldest. The shard owns one
// reference to each block that it holds.
struct alignas(64) RowCache::Shard {
  mutable std::mutex mutex;
  std::vector<RowBlock*> buckets;
  RowBlock* newest = nullptr;
  RowBlock* oldest = nullptr;
  size_t capacity = 0;
  size_t bytes = 0;
  size_t rows = 0;
  uint64_t generation = 0;
  uint64_t hits = 0;
  uint64_t misses = 0;
  uint64_t evictions = 0;

  RowBlock** find(uint64_t hash, std::string_view key) {
    RowBlock** link = &buckets[bucket(hash)];
    while (*link != nullptr && ((*link)->hash_ != hash || (*link)->key() != key)) {
      link = &(*link)->chain_;
    }
    return link;
  }

  // The low bits choose the shard.
  size_t bucket(uint64_t hash) const { return (hash >> 8) & (buckets.size() - 1); }

  void push_newest(RowBlock* block) {
    block->older_ = newest;
    block->newer_ = nullptr;
    if (newest != nullptr) newest->newer_ = block;
    newest = block;
    if (oldest == nullptr) oldest = block;
  }

  void unqueue(RowBlock* block) {
    (block->newer_ != nullptr ? block->newer_->older_ : newest) = block->older_;
    (block->older_ != nullptr ? block->older_->newer_ : oldest) = block->newer_;
  }

  bool fits(const RowBlock& block) const { return block.footprint() <= capacity / 8; }

  void insert(RowBlock** link, RowBlock* block) {
    block->refs_.fetch_add(1, std::memory_order_relaxed);
    block->used_ = false;
    block->hidden_ = false;
    block->chain_ = *link;
    *link = block;
    push_newest(block);
    bytes += block->footprint();
    ++rows;
    if (rows > buckets.size()) grow();
  }

  /// The reference that the shard had, for the caller to drop outside of the lock or not.
  RowRef remove(RowBlock** link) {
    RowBlock* block = *link;
    *link = block->chain_;
    unqueue(block);
    bytes -= block->footprint();
    --rows;
    RowRef ref(block);
    block->refs_.fetch_sub(1, std::memory_order_relaxed);
    return ref;
  }

  void grow() {
    std::vector<RowBlock*> old(buckets.size() * 2, nullptr);
    old.swap(buckets);
    for (RowBlock* block : old) {
      while (block != nullptr) {
        RowBlock* next = block->chain_;
        RowBlock*& head = buckets[bucket(block->hash_)];
        block->chain_ = head;
        head = block;
        block = next;
      }
    }
  }

  // Second chance: a block that was used since it last came up goes round once more. Hidden blocks
  // go round as well, so that a commit finds what it hid. Bounded by two rounds.
  void evict() {
    size_t patience = 2 * rows;
    while (bytes > capacity && oldest != nullptr && patience-- > 0) {
      RowBlock* block = oldest;
      if (block->used_ || block->hidden_) {
        block->used_ = false;
        unqueue(block);
        push_newest(block);
        continue;
      }
      remove(find(block->hash_, block->key()));
      ++evictions;
    }
  }
};

RowCache::RowCache(size_t capacity_bytes) : shards_(std::make_unique<Shard[]>(kShards)) {
  for (size_t i = 0; i < kShards; ++i) shards_[i].buckets.assign(64, nullptr);
  set_capacity(capacity_bytes);
}

RowCache::~RowCache() {
  for (size_t i = 0; i < kShards; ++i) {
    Shard& shard = shards_[i];
    while (shard.oldest != nullptr) {
      shard.remove(shard.find(shard.oldest->hash_, shard.oldest->key()));
    }
  }
}

RowCache::Shard& RowCache::shard_of(uint64_t hash) const { return shards_[hash % kShards]; }

RowCache::Lookup RowCache::lookup(uint64_t hash, std::string_view key) {
  Shard& shard = shard_of(hash);
  std::lock_guard lock(shard.mutex);
  RowBlock* block = *shard.find(hash, key);
  if (block == nullptr || block->hidden_) {
    ++shard.misses;
    return {RowRef(), shard.generation};
  }
  ++shard.hits;
  block->used_ = true;
  return {RowRef(block), shard.generation};
}

void RowCache::fill(const RowRef& row, uint64_t generation) {
  Shard& shard = shard_of(row->hash());
  std::lock_guard lock(shard.mutex);
  if (shard.generation != generation || !shard.fits(*row.get())) return;
  RowBlock** link = shard.find(row->hash(), row->key());
  if (*link != nullptr) return;  // another reader was faster, with the same row
  shard.insert(link, row.get());
  shard.evict();
}

void RowCache::begin_commit(uint64_t hash, std::string_view key) {
  Shard& shard = shard_of(hash);
  std::lock_guard lock(shard.mutex);
  ++shard.generation;
  if (RowBlock* block = *shard.find(hash, key)) block->hidden_ = true;
}

void RowCache::end_commit(const RowRef& row, bool allocate) {
  Shard& shard = shard_of(row->hash());
  RowRef replaced;  // freed after the lock
  std::lock_guard lock(shard.mutex);
  ++shard.generation;
  RowBlock** link = shard.find(row->hash(), row->key());
  const bool held = *link != nullptr;
  if (held) replaced = shard.remove(link);
  if ((held || allocate) && shard.fits(*row.get())) {
    shard.insert(shard.find(row->hash(), row->key()), row.get());
    shard.evict();
  }
}

void RowCache::abort_commit(uint64_t hash, std::string_view key) {
  Shard& shard = shard_of(hash);
  std::lock_guard lock(shard.mutex);
  ++shard.generation;
  if (RowBlock* block = *shard.find(hash, key)) block->hidden_ = false;
}

void RowCache::set_capacity(size_t capacity_bytes) {
  for (size_t i = 0; i < kShards; ++i) {
    std::lock_guard lock(shards_[i].mutex);
    shards_[i].capacity = capacity_bytes / kShards;
    shards_[i].evict();
  }
}

RowCacheStats RowCache::stats() const {
  RowCacheStats sum;
  for (size_t i = 0; i < kShards; ++i) {
    const Shard& shard = shards_[i];
    std::lock_guard lock(shard.mutex);
    sum.bytes += shard.bytes + shard.buckets.size() * sizeof(RowBlock*);
    sum.rows += shard.rows;
    sum.hits += shard.hits;
    sum.misses += shard.misses;
    sum.evictions += shard.evictions;
  }
  return sum;
}

}  // namespace syntropy
