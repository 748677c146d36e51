// What `syntropy compare` and `syntropy repair` share: their options, and the two ways to go: row
// by row between Syntropy nodes and directories (tools/cli/row_comparison.h), key by key with any
// server that speaks the Redis protocol (tools/cli/comparison.h).
//
// Thread safety: one thread.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <optional>
#include <string>

#include "tools/cli/comparison.h"
#include "tools/cli/comparison_report.h"
#include "tools/cli/endpoint.h"
#include "tools/cli/key_repair.h"
#include "tools/cli/resp_key_server.h"

namespace syntropy {

struct CompareOptions {
  struct Side {
    std::string text;  // as it was written; parse_endpoint() knows what it says
    std::string user;  // these two go before those of a URL
    std::string password;
  };

  Side a;
  Side b;
  std::string slots;  // "0-100,200"; empty: all
  ScanOptions scan;
  uint32_t database = 0;  // where a URL names none
  ComparisonOptions comparison;
  uint64_t limit_keys_per_second = 0;   // 0: no limit, as below
  uint64_t limit_bytes_per_second = 0;  // of both sides together
  size_t max_keys = 10;                 // of each kind that are named
  bool json = false;
  TlsOptions tls;  // `enabled` is left to the URLs
  double timeout_s = 5;
  std::optional<RepairOptions> repair;  // empty: compare only
  bool direction_chosen = false;        // of the repair; else it is that which the way suggests
};

/// Declares all of them, but for those of a repair.
void add_compare_options(CLI::App& command, CompareOptions* options);

/// "0-100,200" as slots; nothing when it is not that.
std::optional<SlotRanges> parse_slots(std::string_view text);

/// How long to wait, `elapsed_us` after the start, so that `done` things don't go beyond a limit
/// per second; 0 without a limit.
uint64_t throttle_us(uint64_t done, uint64_t limit_per_second, uint64_t elapsed_us);

/// How two sides are compared. kInvalidArgument: not at all, with these options.
enum class CompareWay : uint8_t { kRows, kKeys };
Result<CompareWay> way_of(const Endpoint& a, const Endpoint& b, const CompareOptions& options);

/// Compares, repairs, prints; the exit code.
int run_compare(const CompareOptions& options);
/// The same row by row; `a` and `b` are nodes or directories.
int run_compare_rows(const Endpoint& a, const Endpoint& b, const CompareOptions& options);
/// Prints it; the exit code.
int print_report(const ComparisonReport& report, bool json);

}  // namespace syntropy
