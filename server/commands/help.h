// HELP, the subcommand that each container of subcommands has.
//
// Thread safety: free function.
#pragma once

#include "server/command.h"

namespace syntropy {

/// Handler of HELP: lists the container's subcommands with syntax and summary from the table, in
/// the form that Redis has for it (an array of simple strings).
void help_command(Call& call);

}  // namespace syntropy
