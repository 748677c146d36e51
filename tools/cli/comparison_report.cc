#include "tools/cli/comparison_report.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "tools/cli/progress.h"

namespace syntropy {
namespace {

using Kind = Difference::Kind;

constexpr Kind kKinds[] = {Kind::kMissingHere, Kind::kMissingThere, Kind::kDifferent,
                           Kind::kUnsupported, Kind::kChanging};

std::string_view explanation(Kind kind) {
  switch (kind) {
    case Kind::kMissingHere:
      return "at B only";
    case Kind::kMissingThere:
      return "at A only";
    case Kind::kDifferent:
      return "on both sides, not equal";
    case Kind::kUnsupported:
      return "of a type that the other side does not have";
    case Kind::kChanging:
      return "not the same on two looks; run again to see whether they settle";
  }
  return "";
}

std::string label_of(Kind kind) {
  std::string label(kind_name(kind));
  for (char& letter : label) letter = letter == '_' ? ' ' : letter;
  return label;
}

void add_line(std::string_view label, std::string_view text, std::string* out) {
  *out += fmt::format("  {:<14} {}\n", label, text);
}

std::string elapsed_text(uint64_t us) {
  const auto elapsed_us = static_cast<double>(us);
  if (us < 1'000'000) return fmt::format("{:.1f} ms", elapsed_us / 1000);
  return fmt::format("{:.1f} s", elapsed_us / 1'000'000);
}

void add_differences(const ComparisonReport& report, std::string* out) {
  for (const Kind kind : kKinds) {
    const uint64_t count = report.counts.of(kind);
    if (count == 0) continue;
    add_line(label_of(kind), with_separators(count) + ", " + std::string(explanation(kind)), out);
    const auto first = report.first.find(kind);
    if (first == report.first.end()) continue;
    for (const Difference& difference : first->second) {
      add_line(
          "",
          "  " + quoted_key(difference.key) + (difference.why.empty() ? "" : "  " + difference.why),
          out);
    }
    if (first->second.size() < count) {
      add_line("", fmt::format("  and {} more", with_separators(count - first->second.size())),
               out);
    }
  }
  if (!report.counts.exact && report.proof) {
    add_line("", "more than can be remembered: counted are rows, and keys are told of some", out);
  } else if (!report.counts.exact) {
    add_line("",
             fmt::format("more than {} keys differ: those that a server yielded twice may be "
                         "counted twice",
                         with_separators(report.max_remembered)),
             out);
  }
}

void add_repair(const RepairCounts& repair, bool dry_run, bool by_rows, std::string* out) {
  const std::string_view would = dry_run ? "would be " : "";
  const auto add = [&](uint64_t count, std::string_view done) {
    if (count != 0)
      add_line("repair", fmt::format("{} {}{}", with_separators(count), would, done), out);
  };
  add(repair.copied_to_a, "copied to A");
  add(repair.copied_to_b, "copied to B");
  add(repair.erased_at_a, "deleted at A");
  add(repair.erased_at_b, "deleted at B");
  add(repair.by_version, "made the newer of their two versions");
  if (repair.left != 0 && by_rows) {
    add_line("repair", with_separators(repair.left) + " still differ", out);
  } else if (repair.left != 0) {
    add_line("repair",
             with_separators(repair.left) + (dry_run ? " would be left" : " left") +
                 " as they are: see --direction and --delete",
             out);
  }
  if (repair.failed != 0) {
    add_line("repair", with_separators(repair.failed) + " FAILED", out);
    for (const std::string& failure : repair.failures) add_line("", "  " + failure, out);
  }
}

std::string proof_text(const ComparisonReport& report) {
  const RowProof& proof = *report.proof;
  const bool differs =
      report.repair && !report.dry_run ? report.repair->left != 0 : report.counts.total() != 0;
  if (proof.on_their_way != 0) {
    return with_separators(proof.on_their_way) +
           " keys were on their way: they differed and then no longer did";
  }
  if (!proof.proven) return "NONE: rows changed while they were compared";
  return differs ? "all that differs was found" : "the sums of all rows agree";
}

void add_proof(const ComparisonReport& report, std::string* out) {
  const RowProof& proof = *report.proof;
  add_line("session",
           fmt::format("{} round trip{}; {} to find what differs, {} of rows",
                       with_separators(proof.round_trips), proof.round_trips == 1 ? "" : "s",
                       bytes_text(proof.identify_bytes), bytes_text(proof.row_bytes)) +
               (proof.sessions > 1 ? fmt::format("; {} sessions", proof.sessions) : ""),
           out);
  add_line("proof", proof_text(report), out);
}

std::string verdict(const ComparisonReport& report) {
  const uint64_t total = report.counts.total();
  if (total == 0 && report.good()) return "equal\n";
  if (total == 0) return "NOT PROVEN: no key was found to differ\n";
  const std::string found = with_separators(total) + (total == 1 ? " key" : " keys");
  if (!report.repair) return "DIFFERENT: " + found + "\n";
  if (report.dry_run) return "DIFFERENT: " + found + ", nothing was changed\n";
  if (report.good()) return "mended: " + found + "\n";
  return fmt::format("STILL DIFFERENT: {} of {}\n",
                     with_separators(report.repair->left + report.repair->failed), found);
}

nlohmann::json proof_json(const RowProof& proof) {
  return {{"proven", proof.proven},
          {"keys_on_their_way", proof.on_their_way},
          {"sessions", proof.sessions},
          {"round_trips", proof.round_trips},
          {"identify_bytes", proof.identify_bytes},
          {"row_bytes", proof.row_bytes}};
}

}  // namespace

bool ComparisonReport::sure() const { return !proof || proof->proven || proof->in_use; }

bool ComparisonReport::good() const {
  if (!sure()) return false;
  if (counts.total() == 0) return true;
  return repair && !dry_run && repair->left == 0 && repair->failed == 0;
}

std::string quoted_key(std::string_view key) {
  std::string text = "\"";
  for (const char byte : key) {
    switch (byte) {
      case '"':
      case '\\':
        text += '\\';
        text += byte;
        break;
      case '\n':
        text += "\\n";
        break;
      case '\r':
        text += "\\r";
        break;
      case '\t':
        text += "\\t";
        break;
      default:
        if (byte >= ' ' && byte <= '~') {
          text += byte;
        } else {
          text += fmt::format("\\x{:02x}", static_cast<uint8_t>(byte));
        }
    }
  }
  return text + '"';
}

std::string_view mending_text(Mending mending) {
  switch (mending) {
    case Mending::kLeave:
      return "leave";
    case Mending::kCopyToA:
      return "copy to A";
    case Mending::kCopyToB:
      return "copy to B";
    case Mending::kEraseAtA:
      return "delete at A";
    case Mending::kEraseAtB:
      return "delete at B";
  }
  return "leave";
}

std::string report_text(const ComparisonReport& report) {
  std::string out = "A " + report.a + "\nB " + report.b + "\n";
  add_line("compared",
           fmt::format("{} {} in {}", with_separators(report.counts.compared),
                       report.proof ? "rows" : "keys", elapsed_text(report.elapsed_us)),
           &out);
  add_line(
      "traffic",
      fmt::format("A {} in {} round trips, B {} in {}", bytes_text(report.traffic_a.bytes),
                  with_separators(report.traffic_a.round_trips), bytes_text(report.traffic_b.bytes),
                  with_separators(report.traffic_b.round_trips)),
      &out);
  if (report.proof) add_proof(report, &out);
  add_differences(report, &out);
  if (report.repair) {
    add_repair(*report.repair, report.dry_run, report.proof.has_value(), &out);
  }
  return out + verdict(report);
}

nlohmann::json report_json(const ComparisonReport& report) {
  nlohmann::json json = {{"a", report.a},
                         {"b", report.b},
                         {"equal", report.counts.total() == 0 && report.sure()},
                         {"keys_compared", report.counts.compared},
                         {"keys_different", report.counts.total()},
                         {"exact", report.counts.exact},
                         {"bytes_a", report.traffic_a.bytes},
                         {"bytes_b", report.traffic_b.bytes},
                         {"round_trips_a", report.traffic_a.round_trips},
                         {"round_trips_b", report.traffic_b.round_trips},
                         {"elapsed_ms", static_cast<double>(report.elapsed_us) / 1000}};
  for (const Kind kind : kKinds) {
    nlohmann::json keys = nlohmann::json::array();
    if (const auto first = report.first.find(kind); first != report.first.end()) {
      for (const Difference& difference : first->second) {
        keys.push_back({{"key", quoted_key(difference.key)}, {"why", difference.why}});
      }
    }
    json[std::string(kind_name(kind))] = {{"count", report.counts.of(kind)}, {"first", keys}};
  }
  if (report.proof) json["proof"] = proof_json(*report.proof);
  if (report.repair) {
    const RepairCounts& repair = *report.repair;
    json["repair"] = {{"dry_run", report.dry_run},
                      {"copied_to_a", repair.copied_to_a},
                      {"copied_to_b", repair.copied_to_b},
                      {"deleted_at_a", repair.erased_at_a},
                      {"deleted_at_b", repair.erased_at_b},
                      {"by_version", repair.by_version},
                      {"left", repair.left},
                      {"failed", repair.failed},
                      {"failures", repair.failures}};
  }
  return json;
}

}  // namespace syntropy
