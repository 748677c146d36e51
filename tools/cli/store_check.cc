#include "tools/cli/store_check.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <utility>

#include "server/resp/quoting.h"
#include "storage/base/coding.h"
#include "storage/counter.h"
#include "storage/local_keys.h"

namespace syntropy {
namespace {

constexpr uint64_t kProgressRecords = 10'000;
constexpr size_t kShownKeyBytes = 64;

/// A user key as a person can read it.
std::string shown(std::string_view key) {
  std::string text = quote_arg(key.substr(0, kShownKeyBytes));
  if (key.size() > kShownKeyBytes) text += "...";
  return text;
}

std::string shown(const RowKeyView& at) { return fmt::format("db{} key {}", at.db, shown(at.key)); }

/// Bytes that may be anything, in hexadecimal.
std::string shown_bytes(std::string_view bytes) {
  std::string text;
  for (const char byte : bytes.substr(0, kShownKeyBytes)) {
    text += fmt::format("{:02x}", static_cast<uint8_t>(byte));
  }
  return text;
}

uint64_t index_hash(uint64_t expires_at_ms, HlcStamp stamp, std::string_view row_key) {
  std::string bytes;
  encode_expiry_key(expires_at_ms, row_key, &bytes);
  put_fixed64_le(&bytes, stamp);
  return XXH3_64bits(bytes.data(), bytes.size());
}

}  // namespace

StoreCheck::StoreCheck(Engine& engine, Options options)
    : engine_(engine), options_(std::move(options)), snapshot_(engine.snapshot()) {}

StoreReport StoreCheck::run() {
  load_meta();
  walk({}, {}, [this](std::string_view key, std::string_view value) { check_record(key, value); });
  if (report_.complete) {
    compare_counts();
    if (by_rows_ != by_index_) explain_index();
  }
  return std::move(report_);
}

void StoreCheck::problem(std::string text) {
  if (++report_.problem_count <= options_.max_problems) {
    report_.problems.push_back(std::move(text));
  }
}

void StoreCheck::walk(const std::string& from, const std::string& to,
                      const std::function<void(std::string_view, std::string_view)>& visit) {
  const auto records = engine_.iterate(from, to, snapshot_.get());
  for (records->seek(from); records->valid(); records->next()) {
    visit(records->key(), records->value());
  }
  const Status ended = records->status();
  if (ended.ok()) return;
  report_.complete = false;
  problem("the records behind this cannot be read: " + std::string(ended.message()));
}

// --- what the store says of itself -----------------------------------------------------------

void StoreCheck::load_meta() {
  walk(meta_key({}), std::string(1, kExpiryPrefix),
       [this](std::string_view key, std::string_view value) { take_meta(key, value); });
}

void StoreCheck::take_meta(std::string_view key, std::string_view value) {
  ++report_.meta_records;
  const std::string_view name = key.substr(1);
  Status read;
  const auto take = [&](auto decoded, auto&& keep) {
    read = decoded.status();
    if (read.ok()) keep(*decoded);
  };
  if (key == writer_record_key()) {
    take(decode_u64(value), [this](uint64_t id) { report_.writer = id; });
  } else if (key == clock_record_key()) {
    take(decode_u64(value), [this](uint64_t bound) { clock_bound_ = bound; });
  } else if (key == watermark_record_key()) {
    take(decode_watermark(value), [this](const ExpiryWatermark& mark) { watermark_ = mark; });
  } else if (key == databases_record_key()) {
    take(decode_database_map(value), [this](const std::vector<uint16_t>& physical) {
      for (size_t db = 0; db < physical.size(); ++db) {
        if (physical[db] != db) report_.logical[physical[db]] = static_cast<uint16_t>(db);
      }
    });
  } else if (key.starts_with(count_records_begin())) {
    const Result<uint16_t> db = database_of_record(key);
    read = db.status();
    if (db.ok()) {
      take(decode_counts(value),
           [&](const DatabaseCounts& counts) { report_.databases[*db].stored = counts; });
    }
  } else if (key.starts_with(flush_records_begin())) {
    const Result<uint16_t> db = database_of_record(key);
    read = db.status();
    if (db.ok()) take(decode_u64(value), [&](uint64_t stamp) { flush_stamps_[*db] = stamp; });
  }
  if (!read.ok()) {
    problem(fmt::format("the local record {} is ill-formed: {}", shown(name), read.message()));
  }
}

HlcStamp StoreCheck::flush_stamp(uint16_t db) const {
  const auto found = flush_stamps_.find(db);
  return found == flush_stamps_.end() ? 0 : found->second;
}

// --- one record ------------------------------------------------------------------------------

void StoreCheck::check_record(std::string_view key, std::string_view value) {
  if (++records_ % kProgressRecords == 0 && options_.progress) options_.progress(records_);
  report_.bytes += key.size() + value.size();
  if (is_row_key(key)) {
    check_row(key, value);
  } else if (!key.empty() && key.front() == kExpiryPrefix) {
    check_expiry(key, value);
  } else if (key.empty() || key.front() != kMetaPrefix) {
    problem("a record is neither a row nor local: key " + shown_bytes(key));
  }
}

void StoreCheck::check_row(std::string_view key, std::string_view value) {
  ++report_.rows;
  const Result<RowKeyView> at = decode_row_key(key);
  if (!at.ok()) {
    return problem(fmt::format("a row's key is damaged: {} (key {})", at.status().message(),
                               shown_bytes(key)));
  }
  const Result<RowView> row = decode_row(value);
  if (!row.ok()) {
    return problem(fmt::format("the row of {} is damaged: {}", shown(*at), row.status().message()));
  }
  check_version(*at, *row);
  const bool is_first = at->subkey.empty();
  if (is_first == (row->kind == RowKind::kElement) && row->kind != RowKind::kTombstone) {
    problem(fmt::format("{}: {}", shown(*at),
                        is_first ? "an element stands where a key's first row belongs"
                                 : "a first row stands among a collection's elements"));
  }
  if (row->kind == RowKind::kCounter) {
    const Result<Counter> counter = parse_counter(*row);
    if (!counter.ok()) {
      problem(
          fmt::format("the counter of {} is damaged: {}", shown(*at), counter.status().message()));
    }
  }
  if (row->kind == RowKind::kTombstone) {
    ++report_.tombstones;
  } else if (row->version.stamp <= flush_stamp(at->db)) {
    ++report_.flushed;
  } else if (!is_first) {
    ++report_.elements;
  } else {
    count_row(*at, *row, key);
  }
}

void StoreCheck::check_version(const RowKeyView& at, const RowView& row) {
  if (report_.writer && row.version.writer == *report_.writer && row.version.stamp > clock_bound_) {
    problem(fmt::format("{}: its version {:016x} is above the bound of this node's clock, {:016x}",
                        shown(at), row.version.stamp, clock_bound_));
  }
}

bool StoreCheck::counts(const RowView& row, uint16_t db, std::string_view row_key) const {
  if (row.kind == RowKind::kTombstone || row.version.stamp <= flush_stamp(db)) return false;
  return row.expires_at_ms == 0 || !watermark_.covers(row.expires_at_ms, row_key);
}

void StoreCheck::count_row(const RowKeyView& at, const RowView& row, std::string_view key) {
  if (!counts(row, at.db, key)) {
    ++report_.drained;
    return;
  }
  DatabaseCounts& found = report_.databases[at.db].found;
  ++found.keys;
  if (row.expires_at_ms == 0) return;
  ++found.expiring;
  ++by_rows_.records;
  by_rows_.hashes += index_hash(row.expires_at_ms, row.version.stamp, key);
}

void StoreCheck::check_expiry(std::string_view key, std::string_view value) {
  ++report_.expiry_records;
  const std::optional<ExpiryKeyView> record = decode_expiry_key(key);
  const Result<uint64_t> stamp = decode_u64(value);
  if (!record || !stamp.ok()) {
    return problem("a record of the expiry index is damaged: key " + shown_bytes(key));
  }
  const Result<RowKeyView> at = decode_row_key(record->row_key);
  if (!at.ok()) {
    return problem(fmt::format("a record of the expiry index names no row: {} (key {})",
                               at.status().message(), shown_bytes(key)));
  }
  if (*stamp <= flush_stamp(at->db)) return;  // its row was flushed: draining passes over it
  ++by_index_.records;
  by_index_.hashes += index_hash(record->expires_at_ms, *stamp, record->row_key);
}

// --- all records together --------------------------------------------------------------------

void StoreCheck::compare_counts() {
  for (const auto& [db, database] : report_.databases) {
    const auto compare = [&, number = db](const char* what, uint64_t stored, uint64_t found) {
      if (stored == found) return;
      problem(fmt::format("db{}: {} {} are stored as counted, {} are there", number, stored, what,
                          found));
    };
    compare("keys", database.stored.keys, database.found.keys);
    compare("keys with an expiry", database.stored.expiring, database.found.expiring);
  }
}

void StoreCheck::explain_index() {
  const uint64_t before = report_.problem_count;
  walk(std::string(1, kExpiryPrefix), expiry_keys_end(),
       [this](std::string_view key, std::string_view value) { explain_record(key, value); });
  walk({}, kRowKeysEnd,
       [this](std::string_view key, std::string_view value) { explain_row(key, value); });
  if (report_.problem_count == before) {
    problem("the expiry index and the rows differ, and a second look did not find where");
  }
}

// A record of the index must be that of a counted row.
void StoreCheck::explain_record(std::string_view key, std::string_view value) {
  const std::optional<ExpiryKeyView> record = decode_expiry_key(key);
  const Result<uint64_t> stamp = decode_u64(value);
  if (!record || !stamp.ok()) return;  // named by the first pass
  const Result<RowKeyView> at = decode_row_key(record->row_key);
  if (!at.ok() || *stamp <= flush_stamp(at->db)) return;
  std::string bytes;
  const Status read = engine_.get(record->row_key, ReadTier::kDisk, &bytes);
  if (!read.ok()) {
    return problem(
        fmt::format("the expiry index has a record of {}, which {}", shown(*at),
                    read.is(StatusCode::kNotFound) ? "is not there" : std::string(read.message())));
  }
  const Result<RowView> row = decode_row(bytes);
  if (!row.ok()) return;
  if (!counts(*row, at->db, record->row_key)) {
    problem(fmt::format("the expiry index has a record of {}, which does not count", shown(*at)));
  } else if (row->expires_at_ms != record->expires_at_ms || row->version.stamp != *stamp) {
    problem(fmt::format("the expiry index has a record of {} that is not of its present row",
                        shown(*at)));
  }
}

// A counted row with an expiry must have its record.
void StoreCheck::explain_row(std::string_view key, std::string_view value) {
  const Result<RowKeyView> at = decode_row_key(key);
  const Result<RowView> row = decode_row(value);
  if (!at.ok() || !row.ok() || !at->subkey.empty()) return;
  if (row->expires_at_ms == 0 || !counts(*row, at->db, key)) return;
  std::string record;
  encode_expiry_key(row->expires_at_ms, key, &record);
  std::string stamp;
  if (engine_.get(record, ReadTier::kDisk, &stamp).ok()) return;
  problem(fmt::format("{} has an expiry, and the expiry index has no record of it", shown(*at)));
}

}  // namespace syntropy
