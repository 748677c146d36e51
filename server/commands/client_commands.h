// What the files that implement CLIENT share.
//
// Thread safety: handlers run on the thread of call.client; describe_client() may run on any.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "server/command.h"

namespace syntropy {

/// Names the connection; an empty name removes the name. False after replying that the name holds
/// bytes other than '!'..'~'.
bool set_client_name(Call& call, std::string_view name);

/// The kinds by which LIST and KILL choose connections. Nodes talk to each other elsewhere, so none
/// is a master or a replica.
enum class ClientType : uint8_t { kNormal, kMaster, kReplica, kPubSub };

/// Nothing after replying that the type is unknown.
std::optional<ClientType> client_type_argument(Call& call, std::string_view name);

/// The connection as CLIENT LIST and CLIENT INFO show it: "id=1 addr=... resp=2 ...", no newline.
/// `monotonic_ms` is now.
std::string describe_client(Client& client, uint64_t monotonic_ms);

// Handlers.
void client_info_command(Call& call);
void client_kill_command(Call& call);
void client_list_command(Call& call);
void client_routing_command(Call& call);
void client_write_acks_command(Call& call);

}  // namespace syntropy
