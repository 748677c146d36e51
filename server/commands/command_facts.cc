#include "server/commands/command_facts.h"

#include <algorithm>
#include <cassert>

namespace syntropy {
namespace {

// Ordered by name.
constexpr CommandFacts kFacts[] = {
    {.name = "bitfield", .key_notes = "The key is written only by SET and INCRBY"},
    {.name = "client|info", .tips = "nondeterministic_output"},
    {.name = "client|list", .tips = "nondeterministic_output"},
    {.name = "cluster|bumpepoch", .tips = "nondeterministic_output"},
    {.name = "cluster|count-failure-reports", .tips = "nondeterministic_output"},
    {.name = "cluster|getkeysinslot", .tips = "nondeterministic_output"},
    {.name = "cluster|info", .tips = "nondeterministic_output"},
    {.name = "cluster|links", .tips = "nondeterministic_output"},
    {.name = "cluster|nodes", .tips = "nondeterministic_output"},
    {.name = "cluster|replicas", .tips = "nondeterministic_output"},
    {.name = "cluster|shards", .tips = "nondeterministic_output"},
    {.name = "cluster|slaves",
     .tips = "nondeterministic_output",
     .deprecated_since = "5.0.0",
     .replaced_by = "`CLUSTER REPLICAS`"},
    {.name = "cluster|slots",
     .tips = "nondeterministic_output",
     .deprecated_since = "7.0.0",
     .replaced_by = "`CLUSTER SHARDS`"},
    {.name = "command", .tips = "nondeterministic_output_order"},
    {.name = "command|docs", .tips = "nondeterministic_output_order"},
    {.name = "command|info", .tips = "nondeterministic_output_order"},
    {.name = "command|list", .tips = "nondeterministic_output_order"},
    {.name = "config|set", .tips = "request_policy:all_nodes response_policy:all_succeeded"},
    {.name = "dbsize", .tips = "request_policy:all_shards response_policy:agg_sum"},
    {.name = "del", .tips = "request_policy:multi_shard response_policy:agg_sum"},
    {.name = "dump", .tips = "nondeterministic_output"},
    {.name = "exists", .tips = "request_policy:multi_shard response_policy:agg_sum"},
    {.name = "flushall", .tips = "request_policy:all_shards response_policy:all_succeeded"},
    {.name = "flushdb", .tips = "request_policy:all_shards response_policy:all_succeeded"},
    {.name = "function|list", .tips = "nondeterministic_output_order"},
    {.name = "function|restore", .tips = "request_policy:all_shards response_policy:all_succeeded"},
    {.name = "getex", .key_notes = "The key is written only when its expiry changes"},
    {.name = "getset", .deprecated_since = "6.2.0", .replaced_by = "`SET` with `GET`"},
    {.name = "info",
     .tips = "nondeterministic_output request_policy:all_shards response_policy:special"},
    {.name = "keys", .tips = "request_policy:all_shards nondeterministic_output_order"},
    {.name = "lastsave", .tips = "nondeterministic_output"},
    {.name = "latency|doctor",
     .tips = "nondeterministic_output request_policy:all_nodes response_policy:special"},
    {.name = "latency|graph",
     .tips = "nondeterministic_output request_policy:all_nodes response_policy:special"},
    {.name = "latency|histogram",
     .tips = "nondeterministic_output request_policy:all_nodes response_policy:special"},
    {.name = "latency|history",
     .tips = "nondeterministic_output request_policy:all_nodes response_policy:special"},
    {.name = "latency|latest",
     .tips = "nondeterministic_output request_policy:all_nodes response_policy:special"},
    {.name = "latency|reset", .tips = "request_policy:all_nodes response_policy:all_succeeded"},
    {.name = "memory|doctor",
     .tips = "nondeterministic_output request_policy:all_shards response_policy:special"},
    {.name = "memory|malloc-stats",
     .tips = "nondeterministic_output request_policy:all_shards response_policy:special"},
    {.name = "memory|purge", .tips = "request_policy:all_shards response_policy:all_succeeded"},
    {.name = "memory|stats",
     .tips = "nondeterministic_output request_policy:all_shards response_policy:special"},
    {.name = "mget", .tips = "request_policy:multi_shard"},
    {.name = "migrate", .tips = "nondeterministic_output"},
    {.name = "mset", .tips = "request_policy:multi_shard response_policy:all_succeeded"},
    {.name = "msetnx", .tips = "request_policy:multi_shard response_policy:agg_min"},
    {.name = "object|encoding", .tips = "nondeterministic_output"},
    {.name = "object|freq", .tips = "nondeterministic_output"},
    {.name = "object|idletime", .tips = "nondeterministic_output"},
    {.name = "object|refcount", .tips = "nondeterministic_output"},
    {.name = "ping", .tips = "request_policy:all_shards response_policy:all_succeeded"},
    {.name = "pttl", .tips = "nondeterministic_output"},
    {.name = "randomkey", .tips = "request_policy:all_shards nondeterministic_output"},
    {.name = "scan", .tips = "nondeterministic_output request_policy:special"},
    {.name = "set", .key_notes = "The key is read only when GET is given"},
    {.name = "slaveof", .deprecated_since = "5.0.0", .replaced_by = "`REPLICAOF`"},
    {.name = "slowlog|get", .tips = "request_policy:all_nodes nondeterministic_output"},
    {.name = "slowlog|len",
     .tips = "request_policy:all_nodes response_policy:agg_sum nondeterministic_output"},
    {.name = "slowlog|reset", .tips = "request_policy:all_nodes response_policy:all_succeeded"},
    {.name = "substr", .deprecated_since = "2.0.0", .replaced_by = "`GETRANGE`"},
    {.name = "time", .tips = "nondeterministic_output"},
    {.name = "touch", .tips = "request_policy:multi_shard response_policy:agg_sum"},
    {.name = "ttl", .tips = "nondeterministic_output"},
    {.name = "unlink", .tips = "request_policy:multi_shard response_policy:agg_sum"},
    {.name = "wait", .tips = "request_policy:all_shards response_policy:agg_min"},
};
static_assert(std::is_sorted(std::begin(kFacts), std::end(kFacts),
                             [](const auto& a, const auto& b) { return a.name < b.name; }));

constexpr CommandFacts kNoFacts;

}  // namespace

const CommandFacts& command_facts(std::string_view full_name) {
  const auto* const found = std::lower_bound(
      std::begin(kFacts), std::end(kFacts), full_name,
      [](const CommandFacts& facts, std::string_view n) { return facts.name < n; });
  return found != std::end(kFacts) && found->name == full_name ? *found : kNoFacts;
}

std::vector<KeySpecPart> key_spec_parts(const KeySpec& keys) {
  std::vector<KeySpecPart> parts;
  if (keys.first == 0) return parts;
  std::string_view flags = keys.flags;
  int index = keys.first;
  for (size_t bar = flags.find('|'); bar != flags.npos; bar = flags.find('|')) {
    parts.push_back({index, 0, 1, flags.substr(0, bar)});
    flags.remove_prefix(bar + 1);
    index += keys.step;
  }
  const int last = keys.last < 0 ? keys.last : keys.last - index;
  parts.push_back({index, last, keys.step, flags});
  return parts;
}

size_t count_words(std::string_view words) {
  size_t count = 0;
  for_each_word(words, [&](std::string_view) { ++count; });
  return count;
}

}  // namespace syntropy
