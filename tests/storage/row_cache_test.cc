#include "storage/row_cache.h"

#include <gtest/gtest.h>
#include <xxhash.h>

#include <array>
#include <atomic>
#include <map>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "storage/base/random.h"

namespace syntropy {
namespace {

uint64_t hash_of(const std::string& key) { return XXH3_64bits(key.data(), key.size()); }

RowRef row(const std::string& key, const std::string& value) {
  return RowBlock::make(hash_of(key), key, value);
}

std::optional<std::string> cached(RowCache& cache, const std::string& key) {
  const RowCache::Lookup found = cache.lookup(hash_of(key), key);
  if (!found.row) return std::nullopt;
  return std::string(found.row->value());
}

void read_through(RowCache& cache, const std::string& key, const std::string& value) {
  cache.fill(row(key, value), cache.lookup(hash_of(key), key).generation);
}

void write(RowCache& cache, const std::string& key, const std::string& value, bool fresh) {
  cache.begin_commit(hash_of(key), key);
  cache.end_commit(row(key, value), fresh);
}

TEST(RowCache, HoldsWhatWasRead) {
  RowCache cache(1 << 20);
  EXPECT_EQ(cached(cache, "a"), std::nullopt);
  read_through(cache, "a", "1");
  EXPECT_EQ(cached(cache, "a"), "1");
  EXPECT_EQ(cached(cache, "b"), std::nullopt);
}

TEST(RowCache, HidesARowWhileItIsWritten) {
  RowCache cache(1 << 20);
  read_through(cache, "a", "1");
  cache.begin_commit(hash_of("a"), "a");
  EXPECT_EQ(cached(cache, "a"), std::nullopt);
  cache.end_commit(row("a", "2"), false);
  EXPECT_EQ(cached(cache, "a"), "2");

  cache.begin_commit(hash_of("a"), "a");
  cache.abort_commit(hash_of("a"), "a");
  EXPECT_EQ(cached(cache, "a"), "2");
}

TEST(RowCache, TakesNoRowThatACommitMayHaveReplaced) {
  RowCache cache(1 << 20);
  const uint32_t before = cache.lookup(hash_of("a"), "a").generation;
  cache.begin_commit(hash_of("a"), "a");
  cache.fill(row("a", "old"), before);
  EXPECT_EQ(cached(cache, "a"), std::nullopt);
  const uint32_t within = cache.lookup(hash_of("a"), "a").generation;
  cache.fill(row("a", "old"), within);
  EXPECT_EQ(cached(cache, "a"), std::nullopt);
  cache.end_commit(row("a", "new"), false);
  cache.fill(row("a", "old"), within);
  EXPECT_EQ(cached(cache, "a"), "new");
}

TEST(RowCache, ALoadOfNewKeysTakesWhatIsNotKeptForReaders) {
  constexpr size_t kBeyond = 256 << 10;
  RowCache cache(RowCache::kReadersBytes + kBeyond);
  for (int i = 0; i < 20000; ++i) write(cache, "k" + std::to_string(i), "v", /*fresh=*/true);
  const size_t footprint = row("k10000", "v")->footprint();
  EXPECT_GT(cache.stats().rows, kBeyond / footprint * 9 / 10);
  EXPECT_LE(cache.stats().rows, kBeyond / footprint * 11 / 10);
  EXPECT_LT(cache.stats().evictions, cache.stats().rows / 10) << "where a set was full";
}

TEST(RowCache, ALoadOfNewKeysLeavesASmallOneEmpty) {
  RowCache cache(RowCache::kReadersBytes);
  for (int i = 0; i < 1000; ++i) write(cache, "k" + std::to_string(i), "v", /*fresh=*/true);
  EXPECT_EQ(cache.stats().rows, 0u);
}

TEST(RowCache, TakesNewKeysWhileReadersMiss) {
  RowCache cache(1 << 20);
  for (int i = 0; i < 1000; ++i) read_through(cache, "r" + std::to_string(i), "v");
  EXPECT_GT(cache.stats().rows, 980u);  // a set may be full
  for (int i = 0; i < 1000; ++i) write(cache, "k" + std::to_string(i), "v", /*fresh=*/true);
  EXPECT_GT(cache.stats().rows, 1960u);
}

TEST(RowCache, AWrittenRowThatWasThereIsHeld) {
  RowCache cache(1 << 20);
  write(cache, "a", "1", /*fresh=*/false);
  EXPECT_EQ(cached(cache, "a"), "1");
}

TEST(RowCache, RefusesRowsThatWouldFillAShard) {
  RowCache cache(64 << 10);  // 1 KiB a shard
  read_through(cache, "a", std::string(500, 'v'));
  EXPECT_EQ(cached(cache, "a"), std::nullopt);
  read_through(cache, "b", "1");
  write(cache, "b", std::string(500, 'v'), /*fresh=*/false);
  EXPECT_EQ(cached(cache, "b"), std::nullopt);
}

TEST(RowCache, EvictsWhatIsNotUsed) {
  constexpr size_t kCapacity = 256 << 10;
  RowCache cache(kCapacity);
  const std::string hot = "hot";
  read_through(cache, hot, "1");
  for (int i = 0; i < 20000; ++i) {
    read_through(cache, "cold" + std::to_string(i), std::string(20, 'v'));
    ASSERT_EQ(cached(cache, hot), "1") << i;
  }
  const RowCacheStats stats = cache.stats();
  EXPECT_GT(stats.evictions, 10000u);
  EXPECT_GT(stats.rows, 1000u);

  cache.set_capacity(0);
  EXPECT_EQ(cache.stats().rows, 0u);
  read_through(cache, hot, "1");
  EXPECT_EQ(cached(cache, hot), std::nullopt);
}

// Whatever comes in whatever order, what is shown is what a map of the engine's rows holds.
TEST(RowCache, ShowsOnlyCurrentRows) {
  SeededRandom random(7);
  RowCache cache(128 << 10);
  std::map<std::string, std::string> engine;
  uint64_t hits = 0;
  for (int step = 0; step < 200000; ++step) {
    const std::string key = "key" + std::to_string(random.below(3000));
    const auto stored = engine.find(key);
    switch (random.below(8)) {
      case 0:
      case 1: {
        const bool fresh = stored == engine.end();
        cache.begin_commit(hash_of(key), key);
        if (random.below(10) == 0) {
          cache.abort_commit(hash_of(key), key);
        } else {
          engine[key] = std::to_string(step) + std::string(random.below(100), 'v');
          cache.end_commit(row(key, engine[key]), fresh);
        }
        break;
      }
      case 2:
        if (random.below(1000) == 0) cache.set_capacity(random.below(512 << 10));
        break;
      default: {
        const RowCache::Lookup found = cache.lookup(hash_of(key), key);
        if (found.row) {
          ++hits;
          ASSERT_NE(stored, engine.end());
          ASSERT_EQ(found.row->value(), stored->second);
        } else if (stored != engine.end()) {
          cache.fill(row(key, stored->second), found.generation);
        }
      }
    }
  }
  EXPECT_GT(hits, 1000u);
}

// Readers on other threads while one commits: a reader never sees an older value than one that it
// saw before, as the engine's values only grow.
TEST(RowCache, NeverGoesBackInTime) {
  constexpr int kKeys = 64;
  RowCache cache(1 << 20);
  std::vector<std::atomic<int>> engine(kKeys);
  std::atomic<bool> done{false};
  std::atomic<int> backwards{0};
  const auto read = [&](uint64_t seed) {
    SeededRandom random(seed);
    std::vector<int> seen(kKeys, 0);
    while (!done) {
      const auto number = static_cast<size_t>(random.below(kKeys));
      const std::string key = std::to_string(number);
      cache.prefetch(std::array{hash_of(key)});
      const RowCache::Lookup found = cache.lookup(hash_of(key), key);
      const int value =
          found.row ? std::stoi(std::string(found.row->value())) : engine[number].load();
      if (!found.row) cache.fill(row(key, std::to_string(value)), found.generation);
      if (value < seen[number]) ++backwards;
      seen[number] = value;
    }
  };
  std::thread one(read, 1);
  std::thread two(read, 2);
  SeededRandom random(3);
  for (int i = 1; i < 100000; ++i) {
    const auto number = static_cast<size_t>(random.below(kKeys));
    const std::string key = std::to_string(number);
    cache.begin_commit(hash_of(key), key);
    engine[number] = i;
    cache.end_commit(row(key, std::to_string(i)), false);
  }
  done = true;
  one.join();
  two.join();
  EXPECT_EQ(backwards, 0);
}

}  // namespace
}  // namespace syntropy
