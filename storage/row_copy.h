// RowCopy: all rows of some slots as they were at one moment, as a stream of log records, for nodes
// that can't continue by the log. They merge it with what they have.
//
// The stream begins with the flush stamps; rows that they have killed are left out. Dead rows of
// other kinds are part of it, or what they delete elsewhere would live on.
//
// Reads a snapshot of the engine, so that the store goes on meanwhile, and holds it while it lives.
// Thread safety: one thread at a time.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "storage/base/slot.h"
#include "storage/base/status.h"
#include "storage/engine.h"
#include "storage/lineage.h"
#include "storage/log_record.h"

namespace syntropy {

class RowCopy {
 public:
  /// First and last slot of ranges that ascend and don't overlap.
  using Slots = std::vector<std::pair<uint16_t, uint16_t>>;
  static Slots all_slots() { return {{uint16_t{0}, uint16_t{kSlotCount - 1}}}; }

  /// Of the store as of now. `engine` must outlive the copy.
  static Result<std::unique_ptr<RowCopy>> open(Engine& engine, Slots slots);

  /// Where the store stood in its log at that moment.
  const LogPosition& position() const { return position_; }
  /// Appends one record of about `max_bytes`, more only when a single row has more. False at the
  /// end, when nothing is left to append.
  Result<bool> next(size_t max_bytes, std::string* records);

 private:
  RowCopy(Engine& engine, Slots slots);
  Status read_flush_stamps();
  bool seek_rows();

  Engine& engine_;
  const Slots slots_;
  std::unique_ptr<EngineSnapshot> snapshot_;
  LogPosition position_;
  std::map<uint16_t, HlcStamp> flush_stamps_;
  bool began_ = false;
  size_t next_range_ = 0;
  std::unique_ptr<EngineIterator> rows_;  // of the range before next_range_; null: none begun
  LogRecordBuilder builder_;
};

}  // namespace syntropy
