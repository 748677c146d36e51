// INFO: which sections are asked for, in which order they come.

#include "server/commands/info.h"

#include <array>

#include "server/commands/arguments.h"
#include "server/commands/diagnosis.h"

namespace syntropy {
namespace {

struct Section {
  std::string_view name;   // as INFO's argument
  std::string_view title;  // as its heading
  void (*write)(const Call&, InfoSection&);
  bool by_default = true;  // without arguments, and for "default"
  bool in_all = true;      // for "all"; "everything" has every section
};

// In the order in which they are written, whatever the order of the arguments.
constexpr std::array<Section, 15> kSections = {{
    {"server", "Server", info_server},
    {"clients", "Clients", info_clients},
    {"memory", "Memory", info_memory},
    {"persistence", "Persistence", info_persistence},
    {"storage", "Storage", info_storage},
    {"merkle", "Merkle", info_trees},
    {"stats", "Stats", info_stats},
    {"replication", "Replication", info_replication},
    {"cpu", "CPU", info_cpu},
    {"modules", "Modules", info_modules, true, false},
    {"commandstats", "Commandstats", info_commandstats, false},
    {"errorstats", "Errorstats", info_errorstats},
    {"latencystats", "Latencystats", info_latencystats, false},
    {"cluster", "Cluster", info_cluster},
    {"keyspace", "Keyspace", info_keyspace},
}};

bool is_wanted(const Section& section, std::span<const std::string_view> names) {
  if (names.empty()) return section.by_default;
  for (const std::string_view name : names) {
    if (equals_ignoring_case(name, section.name) || equals_ignoring_case(name, "everything") ||
        (section.by_default && equals_ignoring_case(name, "default")) ||
        (section.in_all && equals_ignoring_case(name, "all"))) {
      return true;
    }
  }
  return false;
}

void info_command(Call& call) {
  std::string text;
  for (const Section& section : kSections) {
    if (!is_wanted(section, call.args.subspan(1))) continue;
    if (!text.empty()) text += "\r\n";
    text.append("# ").append(section.title).append("\r\n");
    InfoSection out(&text);
    section.write(call, out);
  }
  call.reply.verbatim("txt", text);
}

}  // namespace

void InfoSection::bytes(std::string_view name, uint64_t value) {
  field(name, value);
  out_ += fmt::format("{}_human:{}\r\n", name, human_bytes(value));
}

std::string human_bytes(uint64_t bytes) {
  constexpr std::string_view kUnits = "BKMGTPE";
  if (bytes < 1024) return fmt::format("{}B", bytes);
  auto value = static_cast<double>(bytes);
  size_t unit = 0;
  for (uint64_t rest = bytes; rest >= 1024; rest /= 1024, ++unit) value /= 1024;
  return fmt::format("{:.2f}{}", value, kUnits[unit]);
}

CommandSpec info_spec() {
  return {.name = "info",
          .arity = -1,
          .flags = kLoading | kStale | kNoRows,
          .keys = {},
          .handler = info_command,
          .group = "server",
          .since = "1.0.0",
          .summary = "Answers with figures on the server, by sections.",
          .complexity = "O(1)",
          .syntax = "[section ...]",
          .categories = "@slow @dangerous"};
}

}  // namespace syntropy
