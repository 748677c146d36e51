// CLIENT WRITE-ACKS: the guarantee that this connection's writes have when they are answered.
// What holds the replies back is server/reply_sender.h.
#include "server/cluster/cluster.h"
#include "server/commands/arguments.h"
#include "server/commands/client_commands.h"
#include "server/commands/cluster_commands.h"
#include "server/config/config_store.h"
#include "server/context.h"

namespace syntropy {
namespace {

std::string_view name_of(WriteAcks acks) {
  switch (acks) {
    case WriteAcks::kOne:
      return "1";
    case WriteAcks::kMajority:
      return "majority";
    case WriteAcks::kAll:
      break;
  }
  return "all";
}

}  // namespace

void client_write_acks_command(Call& call) {
  if (call.argc() > 3) return reply_wrong_arity(call);
  if (cluster_of(call) == nullptr) return;
  std::optional<WriteAcks>& acks = call.client.write_acks;
  if (call.argc() == 2) {
    return call.reply.bulk(
        name_of(acks.value_or(call.server.config.current()->cluster.write_acks)));
  }
  const std::string_view wanted = call.args[2];
  if (wanted == "1" || equals_ignoring_case(wanted, "one")) {
    acks = WriteAcks::kOne;
  } else if (equals_ignoring_case(wanted, "majority")) {
    acks = WriteAcks::kMajority;
  } else if (equals_ignoring_case(wanted, "all")) {
    acks = WriteAcks::kAll;
  } else if (equals_ignoring_case(wanted, "default")) {
    acks.reset();
  } else {
    return call.reply.error("ERR the guarantee must be 1, MAJORITY, ALL or DEFAULT");
  }
  call.reply.ok();
}

}  // namespace syntropy
