// The dispatcher for clients that know no cluster: what of their requests goes to other nodes.
#include "server/cluster/cluster.h"
#include "server/commands/pubsub.h"
#include "server/commands/table.h"
#include "server/commands/transactions.h"
#include "server/dispatcher.h"
#include "server/proxy/proxy_pool.h"

namespace syntropy {
namespace {

/// Null: it isn't for anybody, and will be refused here.
const CommandSpec* find_spec(std::span<const std::string_view> args) {
  const CommandSpec* spec = find_command(args[0]);
  if (spec != nullptr && !spec->subcommands.empty() && args.size() > 1) {
    spec = find_subcommand(*spec, args[1]);
  }
  const bool good = spec != nullptr && spec->handler != nullptr && arity_allows(*spec, args.size());
  return good ? spec : nullptr;
}

}  // namespace

std::optional<Session::Wait> Dispatcher::forward(Session& session,
                                                 std::span<const std::string_view> args,
                                                 bool even_here, Turn& turn) {
  Client& client = session.client();
  const CommandSpec* const spec = find_spec(args);
  ProxyPlan plan;
  plan.local = true;
  const bool may = spec != nullptr && client.authenticated && !only_listens(client) &&
                   (!client.in_multi || is_exec(*spec));
  if (may) {
    if (turn.routing == nullptr) turn.routing = server_.cluster->gate().routing();
    if (!is_exec(*spec)) {
      plan = plan_proxy(*turn.routing, *spec, args, even_here || !session.forwards_elsewhere_);
    } else if (client.in_multi && !client.exec_aborted) {
      plan = plan_transaction(*turn.routing, client);
    }
  }
  if (plan.local) {
    // Requests for different slots don't wait for each other, only their replies do. Any other
    // comes behind those that are on their way.
    const bool now = session.forwards_.empty() || (plan.one_slot && (spec->flags & kWorker) == 0);
    return now ? std::nullopt : std::make_optional(Session::Wait::kForward);
  }
  if (plan.unserved) {
    if (session.unserved_since_ms_ == 0) session.unserved_since_ms_ = turn.now_ms;
    const uint64_t until = session.unserved_since_ms_ + server_.proxy->patience_ms();
    // It is looked at again, as after a pause.
    if (turn.now_ms < until && session.forwards_.empty()) return Session::Wait::kPause;
    if (!session.forwards_.empty()) return Session::Wait::kForward;
  }
  session.unserved_since_ms_ = 0;
  server_.stats.record_command(turn.stats, command_index(*spec), {}, Outcome::kOk);
  client.shared.last_command.store(spec, std::memory_order_relaxed);
  if (is_exec(*spec)) discard_transaction(client);
  const bool silent = client.reply_mode != Client::ReplyMode::kOn;
  if (client.reply_mode == Client::ReplyMode::kSkipThis) {
    client.reply_mode = Client::ReplyMode::kOn;
  }
  if (!plan.error.empty()) {
    server_.stats.record_error(turn.stats, plan.error.substr(1, plan.error.size() - 3));
    if (!silent) session.output_ += plan.error;
    return Session::Wait::kNone;
  }
  if (client.write_acks) {
    for (ProxyPart& part : plan.parts) part = with_write_acks(part, *client.write_acks);
  }
  session.forwards_elsewhere_ = session.forwards_elsewhere_ && plan.one_slot;
  std::vector<std::string> watched = std::move(plan.watched);
  session.forwards_.push_back(
      {session.output_.size(), std::move(plan), silent, std::move(watched)});
  return Session::Wait::kNone;
}

}  // namespace syntropy
