#include "storage/merge.h"

#include <algorithm>
#include <utility>

#include "storage/counter.h"

namespace syntropy {
namespace {

// A row at the version of the one it is compared with: a counter if it can be read as one.
struct Contender {
  explicit Contender(const RowView& from) : row(from), counter(parse_counter(from)) {}

  const RowView& row;
  Result<Counter> counter;

  Version expiry_version() const {
    return counter->expiry_version == Version{} ? row.version : counter->expiry_version;
  }
};

std::string encoded(const RowView& row) {
  std::string bytes;
  encode_row(row, &bytes);
  return bytes;
}

// < 0, 0 or > 0 as the class of `a` is below, equal to or above that of `b`.
int compare_classes(const Contender& a, const Contender& b) {
  if (a.counter.ok() != b.counter.ok()) return a.counter.ok() ? 1 : -1;
  if (!a.counter.ok()) return encoded(a.row).compare(encoded(b.row));
  if (a.counter->base == b.counter->base) return 0;
  return a.counter->base < b.counter->base ? -1 : 1;
}

bool supersedes(const CounterEntry& a, const CounterEntry& b) {
  return std::pair(a.stamp, a.total) > std::pair(b.stamp, b.total);
}

std::vector<CounterEntry> join_entries(const std::vector<CounterEntry>& a,
                                       const std::vector<CounterEntry>& b) {
  std::vector<CounterEntry> joined;
  joined.reserve(a.size() + b.size());
  auto left = a.begin();
  auto right = b.begin();
  while (left != a.end() || right != b.end()) {
    if (right == b.end() || (left != a.end() && left->writer < right->writer)) {
      joined.push_back(*left++);
    } else if (left == a.end() || right->writer < left->writer) {
      joined.push_back(*right++);
    } else {
      joined.push_back(supersedes(*left, *right) ? *left : *right);
      ++left;
      ++right;
    }
  }
  return joined;
}

void join_counters(const Contender& a, const Contender& b, std::string* out) {
  const auto age_of = [](const Contender& side) {
    return std::pair(side.expiry_version(), side.row.expires_at_ms);
  };
  const Contender& newer_expiry = age_of(a) >= age_of(b) ? a : b;

  RowView joined = a.row;
  joined.expires_at_ms = newer_expiry.row.expires_at_ms;
  if (a.row.kind == RowKind::kString && b.row.kind == RowKind::kString) {
    encode_row(joined, out);  // the same integer, so the same payload
    return;
  }
  Counter counter;
  counter.base = a.counter->base;
  counter.expiry_version = newer_expiry.counter->expiry_version;
  counter.entries = join_entries(a.counter->entries, b.counter->entries);
  std::string payload;
  encode_counter(counter, &payload);
  joined.kind = RowKind::kCounter;
  joined.payload = payload;
  encode_row(joined, out);
}

}  // namespace

void merge(const RowView& a, const RowView& b, std::string* out) {
  if (a.version != b.version) {
    encode_row(a.version > b.version ? a : b, out);
    return;
  }
  const Contender left(a);
  const Contender right(b);
  const int order = compare_classes(left, right);
  if (order == 0 && left.counter.ok()) {
    join_counters(left, right, out);
  } else {
    encode_row(order >= 0 ? a : b, out);
  }
}

}  // namespace syntropy
