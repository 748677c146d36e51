// The replies in which COMMAND describes commands.
//
// Thread safety: free functions.
#pragma once

#include <string>
#include <string_view>

#include "server/command.h"

namespace syntropy {

/// COMMAND INFO's ten elements, with those of the subcommands in the last.
void reply_command_info(ReplyWriter& reply, const CommandSpec& spec);

/// COMMAND DOCS' pair of the full name and the map of the documentation.
void reply_command_docs(ReplyWriter& reply, const CommandSpec& spec);

/// A key's flags, blank-separated, as COMMAND GETKEYSANDFLAGS shows them, as a set.
void reply_key_flags(ReplyWriter& reply, std::string_view flags);

}  // namespace syntropy
