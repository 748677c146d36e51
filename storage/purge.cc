#include "storage/purge.h"

#include <cstdlib>
#include <new>

#include "storage/base/coding.h"
#include "storage/local_keys.h"
#include "storage/row.h"

namespace syntropy {
namespace {

constexpr size_t kDatabases = size_t{1} << 16;
constexpr size_t kDbOffset = 2;  // in a row key

void raise(std::atomic<uint64_t>& to, uint64_t value) {
  uint64_t seen = to.load(std::memory_order_relaxed);
  while (seen < value && !to.compare_exchange_weak(seen, value, std::memory_order_relaxed)) {
  }
}

std::atomic<HlcStamp>* make_stamps() {
  // All zero bytes are an atomic integer of zero on every platform that we build for.
  static_assert(sizeof(std::atomic<HlcStamp>) == sizeof(HlcStamp));
  void* memory = std::calloc(kDatabases, sizeof(std::atomic<HlcStamp>));
  if (memory == nullptr) throw std::bad_alloc();
  return static_cast<std::atomic<HlcStamp>*>(memory);
}

}  // namespace

void PurgePolicy::Free::operator()(std::atomic<HlcStamp>* stamps) const { std::free(stamps); }

PurgePolicy::PurgePolicy(Mode mode) : mode_(mode), flush_stamps_(make_stamps()) {}

bool PurgePolicy::may_drop(std::string_view key, std::string_view value) const {
  if (!is_row_key(key) || key.size() < kDbOffset + sizeof(uint16_t)) return false;
  const Result<RowView> row = decode_row(value);
  if (!row.ok()) return false;
  const auto db = load_be<uint16_t>(key.data() + kDbOffset);
  if (row->version.stamp <= flush_stamps_[db].load(std::memory_order_relaxed)) return true;
  if (mode() == Mode::kNever) return false;
  return row->kind == RowKind::kTombstone ||
         row->expired(drained_watermark_ms_.load(std::memory_order_relaxed));
}

void PurgePolicy::set_drained_watermark(uint64_t expires_at_ms) {
  raise(drained_watermark_ms_, expires_at_ms);
}

void PurgePolicy::set_flush_stamp(uint16_t db, HlcStamp stamp) { raise(flush_stamps_[db], stamp); }

void PurgePolicy::forget_flush_stamps() {
  for (size_t db = 0; db < kDatabases; ++db) {
    // Those that are zero are not written to, so that they still take no memory.
    std::atomic<HlcStamp>& stamp = flush_stamps_[db];
    if (stamp.load(std::memory_order_relaxed) != 0) stamp.store(0, std::memory_order_relaxed);
  }
}

std::string PurgePolicy::describe() const {
  switch (mode()) {
    case Mode::kImmediate:
      return "immediate: this node has no peers, so deleted, expired and flushed rows are removed "
             "by the next compaction that meets them";
    case Mode::kNever:
      return "never: this node has peers, so deleted and expired rows stay until all of them are "
             "known to hold them; flushed rows are removed by the next compaction that meets them";
  }
  return {};
}

}  // namespace syntropy
