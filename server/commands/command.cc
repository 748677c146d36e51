// COMMAND: what commands there are, and where the keys of a request stand.

#include <optional>
#include <string>
#include <vector>

#include "server/commands/arguments.h"
#include "server/commands/command_facts.h"
#include "server/commands/command_report.h"
#include "server/commands/help.h"
#include "server/commands/table.h"
#include "server/config/glob.h"

namespace syntropy {
namespace {

/// The command that a full name such as "client|list" stands for; null when there is none.
const CommandSpec* find_full_name(std::string_view name) {
  const size_t bar = name.find('|');
  const CommandSpec* const command = find_command(name.substr(0, bar));
  if (command == nullptr || bar == name.npos) return command;
  return find_subcommand(*command, name.substr(bar + 1));
}

// --- INFO, DOCS, COUNT
// -----------------------------------------------------------------------------

void reply_all_commands(Call& call) {
  call.reply.array(all_commands().size());
  for (const CommandSpec* spec : all_commands()) reply_command_info(call.reply, *spec);
}

/// COMMAND alone, and COMMAND with a subcommand that there isn't.
void container_command(Call& call) {
  if (call.argc() == 1) return reply_all_commands(call);
  constexpr size_t kMaxShown = 128;
  const std::string_view name = call.args[1].substr(0, kMaxShown);
  call.reply.error("ERR unknown subcommand '" + std::string(name.substr(0, name.find('\0'))) +
                   "'. Try COMMAND HELP.");
}

void info_command(Call& call) {
  if (call.argc() == 2) return reply_all_commands(call);
  call.reply.array(call.argc() - 2);
  for (const std::string_view name : call.args.subspan(2)) {
    const CommandSpec* const spec = find_full_name(name);
    if (spec != nullptr) {
      reply_command_info(call.reply, *spec);
    } else {
      call.reply.null();
    }
  }
}

/// Names that are unknown are left out.
void docs_command(Call& call) {
  std::vector<const CommandSpec*> found;
  if (call.argc() == 2) {
    found.assign(all_commands().begin(), all_commands().end());
  } else {
    for (const std::string_view name : call.args.subspan(2)) {
      if (const CommandSpec* spec = find_full_name(name)) found.push_back(spec);
    }
  }
  call.reply.map(found.size());
  for (const CommandSpec* spec : found) reply_command_docs(call.reply, *spec);
}

void count_command(Call& call) { call.reply.integer(static_cast<int64_t>(all_commands().size())); }

// --- LIST
// ------------------------------------------------------------------------------------------

struct ListFilter {
  enum class Kind { kNone, kModule, kCategory, kPattern } kind = Kind::kNone;
  std::string_view argument;

  bool accepts(const CommandSpec& spec) const {
    switch (kind) {
      case Kind::kNone:
        return true;
      case Kind::kModule:  // there are no modules
        return false;
      case Kind::kPattern:
        return glob_match(argument, full_name(spec), true);
      case Kind::kCategory:
        break;
    }
    bool listed = false;
    for_each_word(spec.categories, [&](std::string_view category) {
      listed = listed || equals_ignoring_case(argument, category.substr(1));
    });
    return listed;
  }
};

std::optional<ListFilter> parse_list_filter(std::span<const std::string_view> args) {
  if (args.size() == 2) return ListFilter();
  if (args.size() != 5 || !equals_ignoring_case(args[2], "filterby")) return std::nullopt;
  ListFilter filter;
  filter.argument = args[4];
  if (equals_ignoring_case(args[3], "module")) {
    filter.kind = ListFilter::Kind::kModule;
  } else if (equals_ignoring_case(args[3], "aclcat")) {
    filter.kind = ListFilter::Kind::kCategory;
  } else if (equals_ignoring_case(args[3], "pattern")) {
    filter.kind = ListFilter::Kind::kPattern;
  } else {
    return std::nullopt;
  }
  return filter;
}

void list_command(Call& call) {
  const std::optional<ListFilter> filter = parse_list_filter(call.args);
  if (!filter) return reply_syntax_error(call);
  std::vector<std::string_view> names;
  const auto list = [&](const CommandSpec& spec) {
    if (filter->accepts(spec)) names.push_back(full_name(spec));
  };
  for (const CommandSpec* spec : all_commands()) {
    list(*spec);
    for (const CommandSpec& subcommand : spec->subcommands) list(subcommand);
  }
  call.reply.array(names.size());
  for (const std::string_view name : names) call.reply.bulk(name);
}

// --- GETKEYS
// ---------------------------------------------------------------------------------------

bool has_argument(std::span<const std::string_view> args, size_t from, std::string_view name) {
  for (size_t i = from; i < args.size(); ++i) {
    if (equals_ignoring_case(args[i], name)) return true;
  }
  return false;
}

/// True when a BITFIELD request has only GETs.
bool bitfield_only_reads(std::span<const std::string_view> args) {
  size_t at = 2;
  while (at < args.size()) {
    const size_t left = args.size() - at - 1;
    if (equals_ignoring_case(args[at], "get") && left >= 2) {
      at += 3;
    } else if (equals_ignoring_case(args[at], "overflow") && left >= 1) {
      at += 2;
    } else {
      return false;
    }
  }
  return true;
}

/// What a request does to a key, where that depends on its arguments ("variable_flags").
std::string_view flags_in_request(const CommandSpec& spec, std::span<const std::string_view> args,
                                  std::string_view flags) {
  if (spec.name == "set") return has_argument(args, 3, "get") ? "RW access update" : "OW update";
  if (spec.name == "bitfield") return bitfield_only_reads(args) ? "RO access" : "RW access update";
  return flags;
}

struct RequestedKey {
  std::string_view name;
  std::string_view flags;
};

std::vector<RequestedKey> requested_keys(const CommandSpec& spec,
                                         std::span<const std::string_view> args) {
  std::vector<RequestedKey> keys;
  const std::vector<KeySpecPart> parts = key_spec_parts(spec.keys);
  for (const size_t at : key_positions(spec, args)) {
    // The last part that begins at this key or before it.
    std::string_view flags = spec.keys.flags;
    for (const KeySpecPart& part : parts) {
      if (static_cast<size_t>(part.index) <= at) flags = part.flags;
    }
    keys.push_back({args[at], flags_in_request(spec, args, flags)});
  }
  return keys;
}

/// The command of the request in the arguments; null after replying with an error.
const CommandSpec* requested_command(Call& call, std::span<const std::string_view> args) {
  const CommandSpec* spec = find_command(args[0]);
  if (spec != nullptr && !spec->subcommands.empty() && args.size() > 1) {
    spec = find_subcommand(*spec, args[1]);
  }
  if (spec == nullptr) {
    call.reply.error("ERR Invalid command specified");
  } else if (spec->keys.first == 0 && spec->find_keys == nullptr) {
    call.reply.error("ERR The command has no key arguments");
  } else if (!arity_allows(*spec, args.size())) {
    call.reply.error("ERR Invalid number of arguments specified for command");
  } else {
    return spec;
  }
  return nullptr;
}

void get_keys(Call& call, bool with_flags) {
  const auto args = call.args.subspan(2);
  const CommandSpec* const spec = requested_command(call, args);
  if (spec == nullptr) return;
  const std::vector<RequestedKey> keys = requested_keys(*spec, args);
  if (keys.empty()) return call.reply.error("ERR Invalid arguments specified for command");
  call.reply.array(keys.size());
  for (const RequestedKey& key : keys) {
    if (with_flags) call.reply.array(2);
    call.reply.bulk(key.name);
    if (with_flags) reply_key_flags(call.reply, key.flags);
  }
}

void getkeys_command(Call& call) { get_keys(call, false); }
void getkeysandflags_command(Call& call) { get_keys(call, true); }

// --- the table
// -------------------------------------------------------------------------------------

constexpr uint32_t kFlags = kLoading | kStale | kNoRows;

const CommandSpec kSubcommands[] = {
    {.name = "count",
     .arity = 2,
     .flags = kFlags,
     .keys = {},
     .handler = count_command,
     .group = "server",
     .since = "2.8.13",
     .summary = "Counts the commands, without subcommands.",
     .complexity = "O(1)",
     .syntax = "",
     .categories = "@slow @connection"},
    {.name = "docs",
     .arity = -2,
     .flags = kFlags,
     .keys = {},
     .handler = docs_command,
     .group = "server",
     .since = "7.0.0",
     .summary = "Documents some or all commands.",
     .complexity = "O(N) where N is the number of commands",
     .syntax = "[command-name [command-name ...]]",
     .categories = "@slow @connection"},
    {.name = "getkeys",
     .arity = -4,
     .flags = kFlags,
     .keys = {},
     .handler = getkeys_command,
     .group = "server",
     .since = "2.8.13",
     .summary = "Picks the keys out of a request.",
     .complexity = "O(N) where N is the number of arguments",
     .syntax = "command [arg [arg ...]]",
     .categories = "@slow @connection"},
    {.name = "getkeysandflags",
     .arity = -4,
     .flags = kFlags,
     .keys = {},
     .handler = getkeysandflags_command,
     .group = "server",
     .since = "7.0.0",
     .summary = "Picks the keys out of a request and tells how it uses each.",
     .complexity = "O(N) where N is the number of arguments",
     .syntax = "command [arg [arg ...]]",
     .categories = "@slow @connection"},
    {.name = "help",
     .arity = 2,
     .flags = kFlags,
     .keys = {},
     .handler = help_command,
     .group = "server",
     .since = "5.0.0",
     .summary = "Lists the subcommands.",
     .complexity = "O(1)",
     .syntax = "",
     .categories = "@slow @connection"},
    {.name = "info",
     .arity = -2,
     .flags = kFlags,
     .keys = {},
     .handler = info_command,
     .group = "server",
     .since = "2.8.13",
     .summary = "Describes some or all commands for clients: arity, flags, keys.",
     .complexity = "O(N) where N is the number of commands",
     .syntax = "[command-name [command-name ...]]",
     .categories = "@slow @connection"},
    {.name = "list",
     .arity = -2,
     .flags = kFlags,
     .keys = {},
     .handler = list_command,
     .group = "server",
     .since = "7.0.0",
     .summary = "Names all commands, or those that pass a filter.",
     .complexity = "O(N) where N is the number of commands",
     .syntax = "[FILTERBY <MODULE module-name|ACLCAT category|PATTERN pattern>]",
     .categories = "@slow @connection"},
};

const CommandSpec kSpecs[] = {
    {.name = "command",
     .arity = -1,
     .flags = kFlags,
     .keys = {},
     .handler = container_command,
     .group = "server",
     .since = "2.8.13",
     .summary = "Describes all commands for clients.",
     .complexity = "O(N) where N is the number of commands",
     .syntax = "",
     .categories = "@slow @connection",
     .subcommands = kSubcommands},
};

}  // namespace

std::span<const CommandSpec> command_commands() { return kSpecs; }

}  // namespace syntropy
