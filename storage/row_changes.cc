#include "storage/row_changes.h"

namespace syntropy {

bool RowCoverage::covers(const RowKeyView& key, const RowView& row,
                         std::string_view row_key) const {
  if (key.db < flush_stamps.size() && row.version.stamp <= flush_stamps[key.db]) return false;
  if (dead_rows) return true;
  if (row.kind == RowKind::kTombstone) return false;
  return row.expires_at_ms == 0 || !watermark.covers(row.expires_at_ms, row_key);
}

bool RowCoverage::counts(const RowView& row, std::string_view row_key) const {
  if (row.kind == RowKind::kTombstone || has_subkey(row_key)) return false;
  return row.expires_at_ms == 0 || !watermark.covers(row.expires_at_ms, row_key);
}

}  // namespace syntropy
