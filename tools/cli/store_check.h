// StoreCheck: whether the records of a store agree with each other. Checks each record by itself,
// and the invariants of a keyspace (storage/keyspace.h) among them:
//
//   1. the stored counts equal the rows that count: first rows that are no tombstones, not flushed
//      and not drained;
//   2. the expiry index holds one record for each counted row that has an expiry, and beside these
//      only records of rows that were flushed;
//   3. no version of this node's own is above the stored bound of its clock.
//
// One pass in the order of the keys, in constant memory: rows and index are compared by a sum of
// hashes that does not depend on the order; only when the sums differ, a second pass finds out
// where.
//
// Thread safety: one thread; the store must not change meanwhile.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "storage/base/status.h"
#include "storage/engine.h"
#include "storage/local_records.h"
#include "storage/row.h"

namespace syntropy {

struct StoreReport {
  struct Database {
    DatabaseCounts found;
    DatabaseCounts stored;
  };
  std::map<uint16_t, Database> databases;  // by physical number; those with rows or counts
  std::map<uint16_t, uint16_t> logical;    // of physical ones that SWAPDB has moved

  uint64_t rows = 0;      // first rows and elements, dead ones too
  uint64_t elements = 0;  // of collections
  uint64_t tombstones = 0;
  uint64_t drained = 0;  // expired and counted out
  uint64_t flushed = 0;  // dead by FLUSHDB
  uint64_t expiry_records = 0;
  uint64_t meta_records = 0;
  uint64_t bytes = 0;  // of all keys and values
  std::optional<WriterId> writer;

  std::vector<std::string> problems;  // the first ones, see StoreCheck
  uint64_t problem_count = 0;
  bool complete = true;  // false: reading stopped at a damaged place, so sums were not compared
};

class StoreCheck {
 public:
  struct Options {
    size_t max_problems = 20;  // named in the report; all are counted
    /// Called now and then with the number of records read so far. May be empty.
    std::function<void(uint64_t records)> progress;
  };

  /// `engine` must outlive the check.
  StoreCheck(Engine& engine, Options options);

  StoreReport run();

 private:
  // What the rows say that count and expire, or what the index says of them.
  struct IndexSum {
    uint64_t records = 0;
    uint64_t hashes = 0;  // modulo 2^64
    bool operator==(const IndexSum&) const = default;
  };

  void load_meta();
  void take_meta(std::string_view name, std::string_view value);
  void check_record(std::string_view key, std::string_view value);
  void check_row(std::string_view key, std::string_view value);
  void check_version(const RowKeyView& at, const RowView& row);
  void check_expiry(std::string_view key, std::string_view value);
  void count_row(const RowKeyView& at, const RowView& row, std::string_view key);
  bool counts(const RowView& row, uint16_t db, std::string_view row_key) const;
  void compare_counts();
  void explain_index();
  void explain_record(std::string_view key, std::string_view value);
  void explain_row(std::string_view key, std::string_view value);
  HlcStamp flush_stamp(uint16_t db) const;
  void walk(const std::string& from, const std::string& to,
            const std::function<void(std::string_view, std::string_view)>& visit);
  void problem(std::string text);

  Engine& engine_;
  const Options options_;
  std::unique_ptr<EngineSnapshot> snapshot_;
  StoreReport report_;
  uint64_t records_ = 0;

  HlcStamp clock_bound_ = 0;
  ExpiryWatermark watermark_;
  std::map<uint16_t, HlcStamp> flush_stamps_;
  IndexSum by_rows_;
  IndexSum by_index_;
};

}  // namespace syntropy
