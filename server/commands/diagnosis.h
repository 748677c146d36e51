// What diagnosis.cc joins into the table of diagnosis_commands(): each file of commands for
// watching the server offers the entry of its command.
//
// Thread safety: free functions on immutable data.
#pragma once

#include "server/command.h"

namespace syntropy {

CommandSpec info_spec();
CommandSpec latency_spec();
CommandSpec memory_spec();
CommandSpec slowlog_spec();

/// DEBUG DIGEST-VALUE (digest.cc).
void debug_digest_value(Call& call);

/// "ERR unknown subcommand or wrong number of arguments for '...'. Try ... HELP.": what a known
/// subcommand answers when it is given too many arguments.
void reply_bad_subcommand(Call& call);

}  // namespace syntropy
