// Transactions: what the dispatcher has to know of MULTI and its companions.
//
// Thread safety: as the client.
#pragma once

#include "server/client.h"
#include "server/command.h"

namespace syntropy {

/// EXEC, which the dispatcher executes itself.
bool is_exec(const CommandSpec& spec);
// CLIENT WATCH-STATE and WATCH-AT: for whoever watches keys in the place of its own clients.
void client_watch_state_command(Call& call);
void client_watch_at_command(Call& call);

/// The commands that run at once between MULTI and EXEC instead of being queued.
bool runs_inside_multi(const CommandSpec& spec);
/// Forgets the queue and the watched keys: what DISCARD, EXEC, RESET and a closed connection do.
void discard_transaction(Client& client);
/// Whether EXEC must answer null, because a watched key is not what it was.
bool watched_keys_changed(const Client& client, Tick& tick);

}  // namespace syntropy
