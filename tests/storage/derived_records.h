// What a store derives from its rows, held against them: the counts of its databases and the expiry
// index.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <string>

#include "storage/keyspace.h"
#include "storage/local_keys.h"
#include "storage/local_records.h"
#include "storage/tick.h"
#include "tests/support/engine_helpers.h"

namespace syntropy::testing {

inline std::map<uint16_t, HlcStamp> flush_stamps(Engine& engine) {
  std::map<uint16_t, HlcStamp> stamps;
  for (auto& [key, value] :
       scan(engine, flush_records_begin(), flush_records_begin() + "\xff\xff\xff")) {
    stamps[*database_of_record(key)] = *decode_u64(value);
  }
  return stamps;
}

/// Drains what is due at `now_ms`, commits that, and compares.
inline void check_derived(Keyspace& keyspace, uint64_t now_ms) {
  Engine& engine = keyspace.engine();
  std::map<uint16_t, HlcStamp> flushed = flush_stamps(engine);
  std::map<uint16_t, DatabaseCounts> counts;
  std::map<std::string, uint64_t> index;
  for (auto& [row_key, value] : scan(engine, {}, kRowKeysEnd)) {
    const RowKeyView key = *decode_row_key(row_key);
    const RowView row = *decode_row(value);
    if (!key.subkey.empty() || row.kind == RowKind::kTombstone || row.expired(now_ms)) continue;
    if (row.version.stamp <= flushed[key.db]) continue;
    ++counts[key.db].keys;
    if (row.expires_at_ms == 0) continue;
    ++counts[key.db].expiring;
    std::string record;
    encode_expiry_key(row.expires_at_ms, row_key, &record);
    index[record] = row.version.stamp;
  }
  Tick tick(keyspace);
  tick.begin_command(now_ms, ReadTier::kDisk);
  tick.begin_write();
  while (tick.drain_expired(3) > 0) {
  }
  for (uint16_t db = 0; db < keyspace.databases(); ++db) {
    EXPECT_EQ(tick.key_count(db), counts[db].keys) << "database " << db;
    EXPECT_EQ(tick.expiring_count(db), counts[db].expiring) << "database " << db;
  }
  EXPECT_TRUE(tick.error().ok());
  EXPECT_TRUE(tick.commit().ok());
  for (uint16_t db = 0; db < keyspace.databases(); ++db) {
    EXPECT_EQ(keyspace.key_count(db), counts[db].keys) << "database " << db;
  }
  for (auto& [key, value] : scan(engine, std::string(1, kExpiryPrefix), expiry_keys_end())) {
    // Those of flushed rows stay until they are due.
    const uint16_t db = decode_row_key(decode_expiry_key(key)->row_key)->db;
    if (*decode_u64(value) <= flushed[db]) continue;
    EXPECT_EQ(index.erase(key), 1u) << "a record too many";
  }
  EXPECT_TRUE(index.empty()) << "a record is missing";
}

}  // namespace syntropy::testing
