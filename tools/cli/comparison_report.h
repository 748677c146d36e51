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

/// Of a comparison row by row (tools/cli/row_comparison.h).
struct RowProof {
  bool proven = false;        // what is told is complete
  bool in_use = false;        // a side was: what isn't proven is no bad news yet
  uint64_t on_their_way = 0;  // keys that differed and then no longer did
  unsigned sessions = 0;
  uint64_t round_trips = 0;
  uint64_t identify_bytes = 0;  // of what the two sides said to each other, to find rows
  uint64_t row_bytes = 0;       // to name, or move, them
};

struct ComparisonReport {
  std::string a;  // as Endpoint::text()
  std::string b;
  ComparisonCounts counts;
  std::map<Difference::Kind, std::vector<Difference>> first;  // of each kind, the first of them
  Traffic traffic_a;
  Traffic traffic_b;
  uint64_t elapsed_us = 0;
  uint64_t max_remembered = 0;         // of ComparisonOptions
  std::optional<RepairCounts> repair;  // empty: only compared
  bool dry_run = false;
  std::optional<RowProof> proof;  // empty: compared key by key

  /// Whether there is nothing else than what was told, but for rows on their way.
  bool sure() const;
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
