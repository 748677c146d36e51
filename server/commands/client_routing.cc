// CLIENT ROUTING: whether this connection is told where its requests belong, or has them forwarded.
#include "server/cluster/cluster.h"
#include "server/commands/arguments.h"
#include "server/commands/client_commands.h"
#include "server/commands/cluster_commands.h"
#include "server/context.h"

namespace syntropy {

void client_routing_command(Call& call) {
  if (call.argc() > 3) return reply_wrong_arity(call);
  if (cluster_of(call) == nullptr) return;
  if (call.argc() == 2) return call.reply.bulk(call.client.proxied ? "proxy" : "redirect");
  const bool proxied = equals_ignoring_case(call.args[2], "proxy");
  if (!proxied && !equals_ignoring_case(call.args[2], "redirect")) {
    return call.reply.error("ERR the routing must be REDIRECT or PROXY");
  }
  call.client.proxied = proxied;
  call.reply.ok();
}

}  // namespace syntropy
