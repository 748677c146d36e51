#include "server/commands/help.h"

#include <cassert>
#include <string>

#include "server/commands/table.h"

namespace syntropy {
namespace {

std::string upper(std::string_view text) {
  std::string result(text);
  for (char& c : result) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - ('a' - 'A'));
  }
  return result;
}

}  // namespace

void help_command(Call& call) {
  const CommandSpec* const container = container_of(call.spec);
  assert(container != nullptr);
  call.reply.array(1 + 2 * container->subcommands.size());
  call.reply.simple_string(upper(container->name) +
                           " <subcommand> [<argument> ...]. Subcommands are:");
  for (const CommandSpec& subcommand : container->subcommands) {
    std::string usage = upper(subcommand.name);
    if (!subcommand.syntax.empty()) usage.append(" ").append(subcommand.syntax);
    call.reply.simple_string(usage);
    call.reply.simple_string("    " + std::string(subcommand.summary));
  }
}

}  // namespace syntropy
