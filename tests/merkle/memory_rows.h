// A ReconcileStore in memory: rows in a map, with the tree beside them.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "merkle/reconcile_store.h"
#include "storage/base/random.h"

namespace syntropy::testing {

/// Row keys are `position:u64be name`, values are text; the greater value wins.
class MemoryRows final : public ReconcileStore {
 public:
  void put(uint64_t position, const std::string& name, const std::string& value);
  void erase(uint64_t position, const std::string& name);

  const std::map<std::string, std::string>& rows() const { return rows_; }
  uint64_t visits() const { return visits_; }      // rows shown
  uint64_t look_ups() const { return look_ups_; }  // calls of visit()

  const Tree& tree() const override { return tree_; }
  Status visit(uint64_t first, uint64_t end, const Visitor& visitor) const override;
  Result<RowMark> mark(std::string_view key, std::string_view value) const override;
  Status merge(std::span<const ReconcileRow> rows) override;

  static std::string key_of(uint64_t position, std::string_view name);

 private:
  void change(const std::string& key, const std::string* value);
  void grow(uint16_t slot);

  std::map<std::string, std::string> rows_;
  Tree tree_;
  mutable uint64_t visits_ = 0;
  mutable uint64_t look_ups_ = 0;
};

}  // namespace syntropy::testing
