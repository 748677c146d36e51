// ComparisonReport: what came of a comparison or a repair, for people and for programs; docs/cli.md
// has an example and lists the fields.
//
// Thread safety: values and pure functions.
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tools/cli/comparison.h"
#include "tools/cli/key_repair.h"

namespace syntropy {

struct ComparisonReport {
  std::string a;  // as Endpoint::text()
  std::string b;
  ComparisonCounts counts;
  std::map<Difference::Kind, std::vector<Difference>> first;  // of each kind, the first of them
  Traffic traffic_a;
  Traffic traffic_b;
  uint64_t elapsed_ms = 0;
  uint64_t max_remembered = 0;         // of ComparisonOptions
  std::optional<RepairCounts> repair;  // empty: only compared
  bool dry_run = false;

  /// Whether nothing differs; of a repair, whether nothing differs any more.
  bool good() const;
};

/// `key` as Redis' tools write it: in quotes, with \" \\ \n \r \t and \x00 for what is no ASCII.
std::string quoted_key(std::string_view key);
/// "copy to B" and so on.
std::string_view mending_text(Mending mending);

std::string report_text(const ComparisonReport& report);
nlohmann::json report_json(const ComparisonReport& report);

}  // namespace syntropy
