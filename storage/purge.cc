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
  if (mode() == Mode::kNever) return false;
  if (!is_row_key(key) || key.size() < kDbOffset + sizeof(uint16_t)) return false;
  const Result<RowView> row = decode_row(value);
  if (!row.ok()) return false;
  if (row->kind == RowKind::kTombstone) return true;
  if (row->expired(drained_watermark_ms_.load(std::memory_order_relaxed))) return true;
  const auto db = load_be<uint16_t>(key.data() + kDbOffset);
  return row->version.stamp <= flush_stamps_[db].load(std::memory_order_relaxed);
}

void PurgePolicy::set_drained_watermark(uint64_t expires_at_ms) {
  raise(drained_watermark_ms_, expires_at_ms);
}

void PurgePolicy::set_flush_stamp(uint16_t db, HlcStamp stamp) { raise(flush_stamps_[db], stamp); }

std::string PurgePolicy::describe() const {
  switch (mode()) {
    case Mode::kImmediate:
      return "immediate: this node has no peers, so deleted, expired and flushed rows are removed "
             "by the next compaction that meets them";
    case Mode::kNever:
      return "never: deleted, expired and flushed rows stay on disk";
  }
  return {};
}

}  // namespace syntropy
