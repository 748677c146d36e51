#include "storage/counter.h"

#include <algorithm>
#include <cassert>
#include <charconv>
#include <limits>

#include "storage/base/coding.h"

namespace syntropy {
namespace {

// __int128 holds any sum of 64-bit totals; the extension keyword keeps -Wpedantic quiet.
__extension__ using Wide = __int128;

constexpr size_t kEntryBytes = 3 * sizeof(uint64_t);
constexpr Wide kMax = std::numeric_limits<int64_t>::max();
constexpr Wide kMin = std::numeric_limits<int64_t>::min();

bool fits(Wide sum) { return sum >= kMin && sum <= kMax; }

Wide sum_of(const Counter& counter) {
  Wide sum = counter.base;
  for (const CounterEntry& entry : counter.entries) sum += entry.total;
  return sum;
}

Status out_of_range() { return Status::unavailable("the counter does not fit into 64 bits"); }

Status ill_formed() { return Status::corruption("counter payload: ill-formed"); }

// Reads base and expiry version into `head` and hands each entry to `visit`, without allocating.
template <class Visit>
Status walk_payload(const RowView& row, Counter* head, Visit visit) {
  ByteReader reader(row.payload);
  uint64_t base = 0;
  reader.read_fixed64_le(&base);
  reader.read_fixed64_le(&head->expiry_version.stamp);
  reader.read_fixed64_le(&head->expiry_version.writer);
  head->base = static_cast<int64_t>(base);
  uint32_t count = 0;
  if (!reader.read_varint32(&count)) return ill_formed();
  if (reader.rest().size() != count * kEntryBytes) return ill_formed();
  CounterEntry entry;
  for (uint32_t i = 0; i < count; ++i) {
    const WriterId previous = entry.writer;
    uint64_t total = 0;
    reader.read_fixed64_le(&entry.writer);
    reader.read_fixed64_le(&entry.stamp);
    reader.read_fixed64_le(&total);
    entry.total = static_cast<int64_t>(total);
    if (i > 0 && previous >= entry.writer) return ill_formed();
    visit(entry);
  }
  // One form only per meaning, so that rows that say the same are equal byte for byte.
  if (head->expiry_version != Version{} && head->expiry_version <= row.version) {
    return Status::corruption("counter payload: expiry older than the base");
  }
  return {};
}

Result<Counter> parse_payload(const RowView& row) {
  Counter counter;
  counter.entries.reserve(row.payload.size() / kEntryBytes);
  const Status walked = walk_payload(
      row, &counter, [&](const CounterEntry& entry) { counter.entries.push_back(entry); });
  if (!walked.ok()) return walked;
  return counter;
}

// Of a counter or integer string row; errors as parse_counter().
Result<Wide> sum_of_row(const RowView& row) {
  if (row.kind == RowKind::kCounter) {
    Counter head;
    Wide sum = 0;
    const Status walked =
        walk_payload(row, &head, [&](const CounterEntry& entry) { sum += entry.total; });
    if (!walked.ok()) return walked;
    return sum + head.base;
  }
  const Result<Counter> counter = parse_counter(row);
  if (!counter.ok()) return counter.status();
  return sum_of(*counter);
}

}  // namespace

std::optional<int64_t> parse_integer(std::string_view text) {
  if (text.empty()) return std::nullopt;
  const std::string_view digits = text.front() == '-' ? text.substr(1) : text;
  if (digits.empty() || digits.front() < '0' || digits.front() > '9') return std::nullopt;
  if (digits.front() == '0' && text.size() > 1) return std::nullopt;  // "00", "01" and "-0"
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

Result<Counter> parse_counter(const RowView& row) {
  if (row.kind == RowKind::kCounter) return parse_payload(row);
  if (row.kind == RowKind::kString) {
    const std::optional<int64_t> base = parse_integer(row.payload);
    if (base) return Counter{*base, {}, {}};
  }
  return Status::invalid_argument("the row is not an integer");
}

void encode_counter(const Counter& counter, std::string* out) {
  put_fixed64_le(out, static_cast<uint64_t>(counter.base));
  put_fixed64_le(out, counter.expiry_version.stamp);
  put_fixed64_le(out, counter.expiry_version.writer);
  put_varint32(out, static_cast<uint32_t>(counter.entries.size()));
  for (const CounterEntry& entry : counter.entries) {
    put_fixed64_le(out, entry.writer);
    put_fixed64_le(out, entry.stamp);
    put_fixed64_le(out, static_cast<uint64_t>(entry.total));
  }
}

Result<int64_t> counter_value(const RowView& row) {
  const Result<Wide> sum = sum_of_row(row);
  if (!sum.ok()) return sum.status();
  if (!fits(*sum)) return out_of_range();
  return static_cast<int64_t>(*sum);
}

Result<int64_t> counter_value_saturated(const RowView& row) {
  const Result<Wide> sum = sum_of_row(row);
  if (!sum.ok()) return sum.status();
  return static_cast<int64_t>(std::clamp(*sum, kMin, kMax));
}

Result<int64_t> counter_add(const RowView& row, WriterId writer, HlcStamp stamp, int64_t delta,
                            std::string* payload) {
  Result<Counter> parsed = parse_counter(row);
  if (!parsed.ok()) return parsed.status();
  Counter& counter = *parsed;
  const Wide sum = sum_of(counter) + delta;
  if (!fits(sum)) return out_of_range();

  const auto at =
      std::lower_bound(counter.entries.begin(), counter.entries.end(), writer,
                       [](const CounterEntry& entry, WriterId id) { return entry.writer < id; });
  if (at != counter.entries.end() && at->writer == writer) {
    if (!fits(Wide{at->total} + delta)) {
      return Status::incomplete("the writer's running total does not fit into 64 bits");
    }
    at->total += delta;
    at->stamp = std::max(stamp, at->stamp == UINT64_MAX ? UINT64_MAX : at->stamp + 1);
  } else {
    counter.entries.insert(at, CounterEntry{writer, stamp, delta});
  }
  payload->clear();
  encode_counter(counter, payload);
  return static_cast<int64_t>(sum);
}

Status counter_set_expiry(const RowView& row, Version version, std::string* payload) {
  assert(version > row.version);
  Result<Counter> counter = parse_counter(row);
  if (!counter.ok()) return counter.status();
  counter->expiry_version = version;
  payload->clear();
  encode_counter(*counter, payload);
  return {};
}

Version expiry_version_of(const RowView& row) {
  if (row.kind != RowKind::kCounter) return row.version;
  const Result<Counter> counter = parse_counter(row);
  if (!counter.ok() || counter->expiry_version == Version{}) return row.version;
  return counter->expiry_version;
}

Result<HlcStamp> newest_stamp_of(const RowView& row) {
  HlcStamp newest = row.version.stamp;
  if (row.kind != RowKind::kCounter) return newest;
  const Result<Counter> counter = parse_counter(row);
  if (!counter.ok()) return counter.status();
  newest = std::max(newest, counter->expiry_version.stamp);
  for (const CounterEntry& entry : counter->entries) newest = std::max(newest, entry.stamp);
  return newest;
}

}  // namespace syntropy
