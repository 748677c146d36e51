// What others have to know of a connection that listens (server/pubsub.h).
//
// Thread safety: on the thread that the client belongs to.
#pragma once

#include "server/client.h"
#include "server/command.h"
#include "server/commands/info.h"

namespace syntropy {

/// In RESP2: what comes next may be a message, so nothing may be asked whose reply would be mistaken
/// for one.
bool only_listens(const Client& client);
/// Whether such a connection may send this.
bool allowed_while_listening(const CommandSpec& spec);

/// Of INFO's section "stats".
void info_pubsub(const Call& call, InfoSection& out);

}  // namespace syntropy
