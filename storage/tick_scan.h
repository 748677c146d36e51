// TickScan: the rows of one database in (slot, hash) order, as a tick sees them: the engine's, with
// the tick's uncommitted rows over them.
//
// Thread safety: one thread; the tick must not be written to while its scan lives.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "storage/base/status.h"
#include "storage/engine.h"
#include "storage/overlay.h"
#include "storage/row.h"

namespace syntropy {

class TickScan {
 public:
  /// Starts at the first row of the database whose encoded key is not below `lower`.
  TickScan(Engine& engine, Overlay& overlay, uint16_t physical_db, std::string lower);

  bool valid() const { return !at_end_; }
  void next();
  const RowKeyView& key() const { return key_; }
  std::string_view value() const { return value_; }
  /// Not ok when the scan ended early because the store could not be read.
  Status status() const { return status_; }

 private:
  void skip_other_databases();
  void settle();
  void skip_removed();

  const uint16_t db_;
  std::unique_ptr<EngineIterator> stored_;
  std::vector<const Overlay::Entry*> written_;  // by row key
  size_t next_written_ = 0;
  bool at_written_ = false;  // the current row is written_[next_written_]
  bool at_end_ = false;
  RowKeyView key_;
  std::string_view value_;
  Status status_;
};

}  // namespace syntropy
