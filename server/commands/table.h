// The command table: every command by its name, and what COMMAND reports of it.
//
// The table holds its own copies of the specs of command.h's lists, side by side in one array, so
// that a spec's number is its place in it. A `const CommandSpec&` in this header always means one
// that came from find_command(), find_subcommand() or all_commands().
//
// Thread safety: immutable once the server runs; rename_command() comes before that.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "server/command.h"

namespace syntropy {

/// The command of that name in any case; null when there is none. Allocates nothing.
const CommandSpec* find_command(std::string_view name);
/// The subcommand of a container, in any case; null when there is none.
const CommandSpec* find_subcommand(const CommandSpec& container, std::string_view name);
/// The container of a subcommand; null when it is none.
const CommandSpec* container_of(const CommandSpec& spec);
/// All top-level commands, by name. A renamed command stands under its new name.
std::span<const CommandSpec* const> all_commands();

/// A dense number of the command or subcommand, for per-command statistics; below command_count().
size_t command_index(const CommandSpec& spec);
/// Commands and subcommands, also those that were removed by rename_command().
size_t command_count();
/// "get", or "client|list" for a subcommand: the names before any renaming, as in Redis.
std::string_view full_name(const CommandSpec& spec);

/// Whether the command takes that many arguments, its name counted (the container's as well).
inline bool arity_allows(const CommandSpec& spec, size_t argc) {
  const auto count = static_cast<int64_t>(argc);
  return spec.arity >= 0 ? count == spec.arity : count >= -spec.arity;
}

/// Gives a command another name, or (empty) removes it: the option rename-command. Before the
/// server starts. False when there is no such command or the new name is taken.
bool rename_command(std::string_view from, std::string_view to);

/// The positions of the key arguments in a request of that command, ascending; none when the
/// arguments are bad. `args` is the whole request, with the container's name for a subcommand.
std::vector<size_t> key_positions(const CommandSpec& spec, std::span<const std::string_view> args);

/// The same without a vector, where the positions are regular.
template <class Visit>
void for_each_key(const CommandSpec& spec, std::span<const std::string_view> args,
                  const Visit& visit) {
  if (spec.find_keys != nullptr) {
    for (const size_t at : key_positions(spec, args)) visit(args[at]);
    return;
  }
  const auto argc = static_cast<int64_t>(args.size());
  if (spec.keys.first == 0 || !arity_allows(spec, args.size())) return;
  const int64_t last = spec.keys.last < 0 ? argc + spec.keys.last : spec.keys.last;
  for (int64_t at = spec.keys.first; at <= last && at < argc; at += spec.keys.step) {
    visit(args[static_cast<size_t>(at)]);
  }
}

}  // namespace syntropy
