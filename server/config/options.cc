#include "server/config/options.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <numeric>

#include "server/config/option_builders.h"
#include "server/config/values.h"

namespace syntropy {
namespace {

/// Edits that make `b` of `a`: insertions, deletions, replacements and swaps of neighbours, none
/// of them inside another (optimal string alignment).
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before(b.size() + 1);  // the row two above
  std::vector<std::size_t> above(b.size() + 1);
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    before.swap(above);
    above.swap(row);
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = above[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({replaced, row[j - 1] + 1, above[j] + 1});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) row[j] = std::min(row[j], before[j - 2] + 1);
    }
  }
  return row.back();
}

}  // namespace

std::span<const OptionGroup> option_groups() {
  static constexpr OptionGroup kGroups[] = {
      OptionGroup::kNetwork, OptionGroup::kSecurity,   OptionGroup::kClients,
      OptionGroup::kGeneral, OptionGroup::kLogging,    OptionGroup::kDurability,
      OptionGroup::kStorage, OptionGroup::kMonitoring, OptionGroup::kReplication,
      OptionGroup::kCluster, OptionGroup::kFixed};
  return kGroups;
}

std::string_view group_title(OptionGroup group) {
  switch (group) {
    case OptionGroup::kNetwork:
      return "Network";
    case OptionGroup::kSecurity:
      return "Security";
    case OptionGroup::kClients:
      return "Clients";
    case OptionGroup::kGeneral:
      return "General";
    case OptionGroup::kLogging:
      return "Logging";
    case OptionGroup::kDurability:
      return "Data and durability";
    case OptionGroup::kStorage:
      return "Storage engine";
    case OptionGroup::kMonitoring:
      return "Monitoring";
    case OptionGroup::kReplication:
      return "Replication";
    case OptionGroup::kCluster:
      return "Cluster";
    case OptionGroup::kFixed:
      return "Options of Redis with only one value here";
  }
  return {};
}

std::span<const Option> all_options() {
  static const std::vector<Option> table = build_option_table();
  return table;
}

const Option* find_option(std::string_view name) {
  for (const Option& option : all_options()) {
    if (equal_ignoring_case(name, option.name)) return &option;
    if (!option.alias.empty() && equal_ignoring_case(name, option.alias)) return &option;
  }
  return nullptr;
}

std::string_view nearest_option(std::string_view name) {
  constexpr std::size_t kLongest = 64;  // nobody mistypes that much
  if (name.size() > kLongest) return {};
  const std::string wanted = to_lower(name);
  std::string_view nearest;
  std::size_t best = std::max<std::size_t>(1, wanted.size() / 3) + 1;
  for (const Option& option : all_options()) {
    for (const std::string* known : {&option.name, &option.alias}) {
      const std::size_t distance = known->empty() ? best : edit_distance(wanted, *known);
      if (distance < best) {
        best = distance;
        nearest = *known;
      }
    }
  }
  return nearest;
}

std::string_view redis_option_note(std::string_view name) {
  struct Family {
    std::string_view prefix;
    std::string_view note;
  };
  constexpr std::string_view kLayout = "it tunes how Redis lays out data in memory";
  constexpr std::string_view kFiles = "it is about Redis' own data files";
  constexpr std::string_view kEviction = "nothing is evicted or freed in the background";
  constexpr std::string_view kReplication =
      "replication is part of cluster mode and needs no such setting";
  constexpr std::string_view kAcl = "access control lists are not part of this version";
  static constexpr Family kFamilies[] = {
      {"hash-max-", kLayout},
      {"list-", kLayout},
      {"set-max-", kLayout},
      {"zset-max-", kLayout},
      {"stream-node-", kLayout},
      {"hll-", kLayout},
      {"active", kLayout},
      {"jemalloc-", kLayout},
      {"rdb", kFiles},
      {"dbfilename", kFiles},
      {"aof-", kFiles},
      {"auto-aof-", kFiles},
      {"append", kFiles},
      {"no-appendfsync-", kFiles},
      {"stop-writes-", kFiles},
      {"maxmemory-", kEviction},
      {"lfu-", kEviction},
      {"lazyfree-", kEviction},
      {"repl", kReplication},
      {"slave", kReplication},
      {"master", kReplication},
      {"cluster-config-file", "what a node knows of its cluster is part of its data"},
      {"cluster-migration-barrier", "replicas don't move from one primary to another"},
      {"cluster-preferred-endpoint-type", "clients are always told addresses"},
      {"cluster-link-sendbuf-limit", "a link that isn't read drops its oldest messages"},
      {"tls-", "TLS is not part of this version"},
      {"acl", kAcl},
      {"user", kAcl},
      {"loadmodule", "modules are not supported"},
      {"syslog-", "log to standard output and let the service manager collect it"},
      {"set-proc-title", "the title of the process is left alone"},
      {"always-show-logo", "there is no logo"},
      {"dynamic-hz", "hz is constant"},
  };
  const std::string wanted = to_lower(name);
  for (const Family& family : kFamilies) {
    if (wanted.starts_with(family.prefix)) return family.note;
  }
  return {};
}

Status set_from_string(const Option& option, Config& config, const std::string& value) {
  if (!option.many_arguments) return option.set(config, {value});
  Option::Arguments words;
  std::size_t begin = 0;
  while ((begin = value.find_first_not_of(' ', begin)) != std::string::npos) {
    const std::size_t end = std::min(value.find(' ', begin), value.size());
    words.push_back(value.substr(begin, end - begin));
    begin = end;
  }
  if (words.empty()) words.emplace_back();
  return option.set(config, words);
}

Status set_from_words(const Option& option, Config& config, const Option::Arguments& words) {
  // A list may stand in one pair of quotes, as in --bind "127.0.0.1 ::1".
  if (words.size() == 1) return set_from_string(option, config, words.front());
  if (words.empty() || !option.many_arguments) {
    return Status::invalid_argument("wrong number of arguments");
  }
  return option.set(config, words);
}

std::vector<std::string> loggable_settings(const Config& config) {
  const Config defaults;
  std::vector<std::string> settings;
  for (const Option& option : all_options()) {
    if (!option.set || option.get(config) == option.get(defaults)) continue;
    settings.push_back(
        fmt::format("{} {}", option.name, option.sensitive ? "(hidden)" : option.get(config)));
  }
  return settings;
}

}  // namespace syntropy
