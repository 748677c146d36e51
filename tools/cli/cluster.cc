// `syntropy cluster`: makes a cluster of nodes, and changes who is in it and who owns what.
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <iostream>
#include <map>
#include <memory>
#include <optional>
#include <thread>

#include "tools/cli/cluster_plan.h"
#include "tools/cli/commands.h"
#include "tools/cli/endpoint.h"
#include "tools/cli/node_connection.h"
#include "tools/cli/progress.h"

namespace syntropy {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kPoll{100};
constexpr std::chrono::seconds kPatience{60};  // for the nodes to agree

struct ClusterOptions {
  NodeAddress entry;  // any node of the cluster
  bool yes = false;
  std::vector<std::string> nodes;
  size_t replicas = 0;
  std::string target;
  std::vector<std::string> weights;
  double threshold = 2;
  SlotLoad by = SlotLoad::kCount;
  bool force = false;
  bool takeover = false;
};

// --- talking to the nodes ------------------------------------------------------------------------

class ClusterClient {
 public:
  explicit ClusterClient(const NodeAddress& entry) : entry_(entry) {}

  /// Asks the entry node.
  Result<std::vector<ClusterMember>> members() {
    const Result<std::string> text = ask(entry_, {"CLUSTER", "NODES"});
    if (!text.ok()) return text.status();
    Result<std::vector<ClusterMember>> members = parse_cluster_nodes(*text);
    if (!members.ok()) return members;
    for (ClusterMember& member : *members) {
      if (member.host.empty()) member.host = entry_.host;
    }
    return members;
  }
  /// The same node by its place in the cluster, with the password of the entry.
  NodeAddress at(const ClusterMember& member) const { return at(member.host, member.port); }
  NodeAddress at(const std::string& host, uint16_t port) const {
    NodeAddress address = entry_;
    address.socket.clear();
    address.host = host;
    address.port = port;
    return address;
  }
  Result<NodeAddress> at(const std::string& text) const {
    const Result<Endpoint> endpoint = parse_endpoint(text);
    if (!endpoint.ok() || endpoint->kind != Endpoint::Kind::kNode) {
      return Status::invalid_argument("'" + text + "' is not a host:port");
    }
    return at(endpoint->address.host, endpoint->address.port);
  }

  static Result<std::string> ask(const NodeAddress& address,
                                 const std::vector<std::string>& words) {
    Result<NodeConnection> node = NodeConnection::open(address);
    if (!node.ok()) return node.status();
    const Result<std::string> text = node->call_text(words);
    if (text.ok()) return text;
    return Status::unavailable(address.text() + ": " + std::string(text.status().message()));
  }
  static Status tell(const NodeAddress& address, const std::vector<std::string>& words) {
    return ask(address, words).status();
  }

 private:
  const NodeAddress entry_;
};

Status wait_until(const std::string& what, const std::function<Result<bool>()>& done) {
  Progress progress;
  const SteadyClock::time_point give_up = SteadyClock::now() + kPatience;
  while (true) {
    const Result<bool> now = done();
    if (now.ok() && *now) return {};
    if (SteadyClock::now() > give_up) {
      return now.ok() ? Status::unavailable(what + ": not so after a minute") : now.status();
    }
    progress.show("waiting until " + what, 0, 0);
    std::this_thread::sleep_for(kPoll);
  }
}

// --- telling -------------------------------------------------------------------------------------

std::string slots_text(const SlotRanges& slots) {
  std::string text = slots.text();
  std::replace(text.begin(), text.end(), ' ', ',');
  return text;
}

void print_members(const std::vector<ClusterMember>& members) {
  const auto state = [](const ClusterMember& member) {
    return member.handshake ? ", not met yet" : member.failed ? ", DOWN" : "";
  };
  uint32_t covered = 0;
  for (const ClusterMember& member : members) {
    if (!member.primary.empty()) continue;
    covered += member.slots.count();
    std::printf("%s  %s  %u slots%s\n", member.id.substr(0, 8).c_str(), member.address().c_str(),
                member.slots.count(), state(member));
    if (!member.slots.empty()) std::printf("    slots %s\n", slots_text(member.slots).c_str());
    for (const ClusterMember& replica : members) {
      if (replica.primary != member.id) continue;
      std::printf("    replica %s  %s%s\n", replica.id.substr(0, 8).c_str(),
                  replica.address().c_str(), state(replica));
    }
  }
  std::printf("%u of %u slots have an owner\n", covered, unsigned{kSlotCount});
}

/// Whether to go on. Asks whoever sits at the terminal.
Result<bool> confirmed(const ClusterOptions& options) {
  if (options.yes) return true;
  if (isatty(STDIN_FILENO) == 0) {
    return Status::invalid_argument("this needs a yes: say --yes where nobody can be asked");
  }
  std::printf("Do it? [y/N] ");
  std::fflush(stdout);
  std::string answer;
  std::getline(std::cin, answer);
  return answer == "y" || answer == "Y" || answer == "yes";
}

int end(const Status& done) {
  if (!done.ok()) return report_failure(done);
  std::puts("done");
  return kExitOk;
}

/// Kept for the answer no, which is nobody's failure.
int stopped() {
  std::puts("nothing was changed");
  return kExitOk;
}

// --- moving slots --------------------------------------------------------------------------------

std::map<std::string, std::string> by_name(const std::vector<std::string>& words) {
  std::map<std::string, std::string> fields;
  for (size_t i = 0; i + 1 < words.size() && fields.count(words[i]) == 0; i += 2) {
    fields[words[i]] = words[i + 1];
  }
  return fields;
}

Status run_move(ClusterClient& cluster, const std::vector<ClusterMember>& members,
                const PlannedMove& move) {
  const Result<const ClusterMember*> from = find_member(members, move.from);
  if (!from.ok()) return from.status();
  Result<NodeConnection> source = NodeConnection::open(cluster.at(**from));
  if (!source.ok()) return source.status();
  std::vector<std::string> words = {"CLUSTER", "MIGRATESLOTS", "SLOTSRANGE"};
  for (const SlotRange& range : move.slots.ranges()) {
    words.push_back(std::to_string(range.first));
    words.push_back(std::to_string(range.last));
  }
  words.insert(words.end(), {"NODE", move.to});
  const Status begun = source->call(words).status();
  if (!begun.ok()) return begun;
  Progress progress;
  while (true) {
    const auto told = source->call({"CLUSTER", "GETSLOTMIGRATIONS"});
    if (!told.ok()) return told.status();
    std::map<std::string, std::string> fields = by_name(*told);
    const std::string& state = fields["state"];
    if (state == "success") return {};
    if (state == "failed" || state == "canceled") {
      return Status::unavailable("slots " + slots_text(move.slots) + " stay: " + fields["message"]);
    }
    progress.show("slots " + slots_text(move.slots), 0, 0,
                  state + ", " + fields["rows_moved"] + " rows" +
                      (fields["message"].empty() ? "" : " (" + fields["message"] + ")"));
    std::this_thread::sleep_for(kPoll);
  }
}

void print_moves(const std::vector<ClusterMember>& members, const std::vector<PlannedMove>& moves) {
  for (const PlannedMove& move : moves) {
    const auto from = find_member(members, move.from);
    const auto to = find_member(members, move.to);
    std::printf("move %u slots (%s) from %s to %s\n", move.slots.count(),
                slots_text(move.slots).c_str(), (*from)->address().c_str(),
                (*to)->address().c_str());
  }
}

Status run_moves(ClusterClient& cluster, const std::vector<ClusterMember>& members,
                 const std::vector<PlannedMove>& moves) {
  for (size_t i = 0; i < moves.size(); ++i) {
    const SteadyClock::time_point began = SteadyClock::now();
    const Status moved = run_move(cluster, members, moves[i]);
    if (!moved.ok()) {
      return Status::unavailable(std::string(moved.message()) +
                                 ". What was moved stays moved: run this again to go on");
    }
    const std::chrono::duration<double> took = SteadyClock::now() - began;
    std::printf("%zu of %zu: %u slots moved in %.1f s\n", i + 1, moves.size(),
                moves[i].slots.count(), took.count());
    std::fflush(stdout);
  }
  return {};
}

// --- the subcommands -----------------------------------------------------------------------------

int show_cluster(const ClusterOptions& options) {
  ClusterClient cluster(options.entry);
  const auto members = cluster.members();
  if (!members.ok()) return report_failure(members.status());
  print_members(*members);
  const auto info = ClusterClient::ask(options.entry, {"CLUSTER", "INFO"});
  if (!info.ok()) return report_failure(info.status());
  const bool ok = info->find("cluster_state:ok") != std::string::npos;
  const bool down = std::any_of(members->begin(), members->end(),
                                [](const ClusterMember& member) { return member.failed; });
  std::printf("the cluster is %s\n", !ok    ? "NOT SERVING"
                                     : down ? "serving, with nodes down"
                                            : "ok");
  return ok && !down ? kExitOk : kExitUnhealthy;
}

Status check_new(const NodeAddress& address) {
  const auto text = ClusterClient::ask(address, {"CLUSTER", "NODES"});
  if (!text.ok()) return text.status();
  const auto members = parse_cluster_nodes(*text);
  if (!members.ok()) return members.status();
  const auto keys = ClusterClient::ask(address, {"DBSIZE"});
  if (!keys.ok()) return keys.status();
  if (members->size() != 1 || !members->front().slots.empty()) {
    return Status::invalid_argument(address.text() + " is part of a cluster already");
  }
  if (*keys != "0") return Status::invalid_argument(address.text() + " holds keys");
  return {};
}

Status meet(const NodeAddress& who, const NodeAddress& whom) {
  const auto text = ClusterClient::ask(whom, {"CLUSTER", "NODES"});
  if (!text.ok()) return text.status();
  const auto members = parse_cluster_nodes(*text);
  if (!members.ok()) return members.status();
  const auto self = std::find_if(members->begin(), members->end(),
                                 [](const ClusterMember& member) { return member.myself; });
  if (self == members->end()) return Status::corruption(whom.text() + " doesn't name itself");
  return ClusterClient::tell(who, {"CLUSTER", "MEET", whom.host, std::to_string(whom.port),
                                   std::to_string(self->bus_port)});
}

// All of them see `count` nodes, none of which is a stranger, and all slots owned.
Result<bool> agreed(const std::vector<NodeAddress>& nodes, size_t count, bool serving) {
  for (const NodeAddress& node : nodes) {
    const auto text = ClusterClient::ask(node, {"CLUSTER", "NODES"});
    if (!text.ok()) return text.status();
    const auto members = parse_cluster_nodes(*text);
    if (!members.ok()) return members.status();
    const bool strangers = std::any_of(members->begin(), members->end(),
                                       [](const auto& member) { return member.handshake; });
    if (members->size() != count || strangers) return false;
    const auto info = ClusterClient::ask(node, {"CLUSTER", "INFO"});
    if (!info.ok()) return info.status();
    if (serving && info->find("cluster_state:ok") == std::string::npos) return false;
  }
  return true;
}

Result<std::string> id_of(const NodeAddress& node) {
  return ClusterClient::ask(node, {"CLUSTER", "MYID"});
}

Status make_cluster(const ClusterClient& cluster, const PlannedCluster& plan) {
  std::vector<NodeAddress> all;
  std::vector<std::pair<NodeAddress, NodeAddress>> replicas;  // with their primaries
  uint64_t epoch = 0;
  for (const PlannedCluster::Primary& planned : plan.primaries) {
    const NodeAddress primary = *cluster.at(planned.address);
    const SlotRange range = planned.slots.ranges().front();
    Status done = ClusterClient::tell(
        primary,
        {"CLUSTER", "ADDSLOTSRANGE", std::to_string(range.first), std::to_string(range.last)});
    if (done.ok()) {
      done = ClusterClient::tell(primary, {"CLUSTER", "SET-CONFIG-EPOCH", std::to_string(++epoch)});
    }
    if (!done.ok()) return done;
    all.push_back(primary);
    for (const std::string& text : planned.replicas) {
      replicas.emplace_back(*cluster.at(text), primary);
    }
  }
  for (const auto& [replica, primary] : replicas) all.push_back(replica);
  for (size_t i = 1; i < all.size(); ++i) {
    const Status met = meet(all.front(), all[i]);
    if (!met.ok()) return met;
  }
  Status known = wait_until("the nodes know each other",
                            [&] { return agreed(all, all.size(), /*serving=*/false); });
  if (!known.ok()) return known;
  for (const auto& [replica, primary] : replicas) {
    const auto id = id_of(primary);
    if (!id.ok()) return id.status();
    const Status follows = ClusterClient::tell(replica, {"CLUSTER", "REPLICATE", *id});
    if (!follows.ok()) return follows;
  }
  return wait_until("the cluster serves", [&] { return agreed(all, all.size(), true); });
}

int create_cluster(const ClusterOptions& options) {
  const ClusterClient cluster(options.entry);
  for (const std::string& node : options.nodes) {
    const auto address = cluster.at(node);
    const Status fresh = address.ok() ? check_new(*address) : address.status();
    if (!fresh.ok()) return report_failure(fresh);
  }
  const auto plan = plan_cluster(options.nodes, options.replicas);
  if (!plan.ok()) return report_failure(plan.status());
  for (const PlannedCluster::Primary& primary : plan->primaries) {
    std::printf("%s  slots %s\n", primary.address.c_str(), slots_text(primary.slots).c_str());
    for (const std::string& replica : primary.replicas) {
      std::printf("    replica %s\n", replica.c_str());
    }
  }
  const auto yes = confirmed(options);
  if (!yes.ok()) return report_failure(yes.status());
  return *yes ? end(make_cluster(cluster, *plan)) : stopped();
}

Status add_node(ClusterClient& cluster, const std::vector<ClusterMember>& members,
                const NodeAddress& added, const ClusterMember* primary) {
  const auto entry = std::find_if(members.begin(), members.end(),
                                  [](const ClusterMember& member) { return member.myself; });
  const Status met = meet(cluster.at(*entry), added);
  if (!met.ok()) return met;
  std::vector<NodeAddress> all = {added};
  for (const ClusterMember& member : members) {
    if (!member.failed) all.push_back(cluster.at(member));
  }
  const Status known = wait_until(
      "all nodes know it", [&] { return agreed(all, members.size() + 1, /*serving=*/false); });
  if (!known.ok()) return known;
  if (primary != nullptr) {
    const Status follows = ClusterClient::tell(added, {"CLUSTER", "REPLICATE", primary->id});
    if (!follows.ok()) return follows;
  }
  return wait_until("it serves", [&] { return agreed({added}, members.size() + 1, true); });
}

int add_to_cluster(const ClusterOptions& options) {
  ClusterClient cluster(options.entry);
  const auto members = cluster.members();
  if (!members.ok()) return report_failure(members.status());
  const auto added = cluster.at(options.nodes.front());
  const Status fresh = added.ok() ? check_new(*added) : added.status();
  if (!fresh.ok()) return report_failure(fresh);
  const ClusterMember* primary = nullptr;
  if (!options.target.empty()) {
    const auto found = find_member(*members, options.target);
    if (!found.ok()) return report_failure(found.status());
    primary = *found;
    if (!primary->is_primary()) {
      return report_failure(Status::invalid_argument(options.target + " is no primary"));
    }
  }
  std::printf("add %s as %s\n", added->text().c_str(),
              primary == nullptr ? "a primary without slots ('syntropy cluster rebalance' gives it "
                                   "its share)"
                                 : ("a replica of " + primary->address()).c_str());
  const auto yes = confirmed(options);
  if (!yes.ok()) return report_failure(yes.status());
  return *yes ? end(add_node(cluster, *members, *added, primary)) : stopped();
}

// Another node than the one that is asked to go.
const ClusterMember* witness(const std::vector<ClusterMember>& members,
                             const ClusterMember& leaving) {
  const auto other = std::find_if(members.begin(), members.end(), [&](const ClusterMember& member) {
    return member.id != leaving.id && !member.failed && member.is_primary();
  });
  return other == members.end() ? nullptr : &*other;
}

Status remove_node(ClusterClient& cluster, const std::vector<ClusterMember>& members,
                   const ClusterMember& leaving, const std::vector<PlannedMove>& moves) {
  const Status moved = run_moves(cluster, members, moves);
  if (!moved.ok()) return moved;
  const ClusterMember* const other = witness(members, leaving);
  if (other == nullptr) return Status::invalid_argument("no other primary would be left");
  const Status forgotten = wait_until("it can be forgotten", [&]() -> Result<bool> {
    const Status told = ClusterClient::tell(cluster.at(*other), {"CLUSTER", "FORGET", leaving.id});
    if (!told.ok()) return told;
    return true;
  });
  if (!forgotten.ok() || leaving.failed) return forgotten;
  return ClusterClient::tell(cluster.at(leaving), {"CLUSTER", "RESET", "SOFT"});
}

int remove_from_cluster(const ClusterOptions& options) {
  ClusterClient cluster(options.entry);
  const auto members = cluster.members();
  if (!members.ok()) return report_failure(members.status());
  const auto found = find_member(*members, options.nodes.front());
  if (!found.ok()) return report_failure(found.status());
  const ClusterMember& leaving = **found;
  std::vector<PlannedMove> moves;
  if (!leaving.slots.empty()) {
    // Its share goes to the others; what these have among them stays as it is.
    std::vector<ClusterMember> receivers = *members;
    std::map<std::string, double> weights = {{leaving.id, 0}};
    const auto planned = plan_rebalance(receivers, weights, 0);
    if (!planned.ok()) return report_failure(planned.status());
    for (const PlannedMove& move : *planned) {
      if (move.from == leaving.id) moves.push_back(move);
    }
    // The rest, if the others weren't even.
    SlotRanges rest = leaving.slots;
    for (const PlannedMove& move : moves) rest.remove(move.slots);
    const ClusterMember* const other = witness(*members, leaving);
    if (!rest.empty() && other != nullptr) moves.push_back({leaving.id, other->id, rest});
  }
  print_moves(*members, moves);
  std::printf("remove %s\n", leaving.address().c_str());
  const auto yes = confirmed(options);
  if (!yes.ok()) return report_failure(yes.status());
  return *yes ? end(remove_node(cluster, *members, leaving, moves)) : stopped();
}

Result<std::map<std::string, double>> read_weights(const std::vector<ClusterMember>& members,
                                                   const std::vector<std::string>& texts) {
  std::map<std::string, double> weights;
  for (const std::string& text : texts) {
    const size_t equals = text.rfind('=');
    char* rest = nullptr;
    const double weight =
        equals == std::string::npos ? -1 : std::strtod(text.c_str() + equals + 1, &rest);
    if (weight < 0 || rest == text.c_str() + equals + 1 || *rest != '\0') {
      return Status::invalid_argument("'" + text + "' is not NODE=WEIGHT, a number from 0 on");
    }
    const auto member = find_member(members, text.substr(0, equals));
    if (!member.ok()) return member.status();
    weights[(*member)->id] = weight;
  }
  return weights;
}

Result<std::vector<double>> slot_loads(ClusterClient& cluster,
                                       const std::vector<ClusterMember>& members, SlotLoad load) {
  std::vector<double> loads(kSlotCount);
  for (const ClusterMember& member : members) {
    if (!member.is_primary() || member.slots.empty()) continue;
    Result<NodeConnection> node = NodeConnection::open(cluster.at(member));
    if (!node.ok()) return node.status();
    const auto told = node->call({"CLUSTER", "SLOT-STATS", "SLOTSRANGE", "0", "16383"});
    if (!told.ok()) return told.status();
    const Status added = add_slot_loads(*told, load, &loads);
    if (added.is(StatusCode::kUnavailable)) {
      return Status::unavailable(
          member.address() +
          " doesn't count what its slots cost: CONFIG SET cluster-slot-stats-enabled yes at every "
          "primary, and come back when there was traffic");
    }
    if (!added.ok()) return added;
  }
  return loads;
}

Result<std::vector<PlannedMove>> plan_moves(ClusterClient& cluster,
                                            const std::vector<ClusterMember>& members,
                                            const ClusterOptions& options) {
  const auto weights = read_weights(members, options.weights);
  if (!weights.ok()) return weights.status();
  if (options.by == SlotLoad::kCount) return plan_rebalance(members, *weights, options.threshold);
  const auto loads = slot_loads(cluster, members, options.by);
  if (!loads.ok()) return loads.status();
  return plan_rebalance_of(*loads, members, *weights, options.threshold);
}

int rebalance(const ClusterOptions& options) {
  ClusterClient cluster(options.entry);
  const auto members = cluster.members();
  if (!members.ok()) return report_failure(members.status());
  const auto moves = plan_moves(cluster, *members, options);
  if (!moves.ok()) return report_failure(moves.status());
  if (moves->empty()) {
    std::puts("every primary has its share already");
    return kExitOk;
  }
  print_moves(*members, *moves);
  const auto yes = confirmed(options);
  if (!yes.ok()) return report_failure(yes.status());
  return *yes ? end(run_moves(cluster, *members, *moves)) : stopped();
}

int fail_over(const ClusterOptions& options) {
  ClusterClient cluster(options.entry);
  const auto members = cluster.members();
  if (!members.ok()) return report_failure(members.status());
  const auto replica = find_member(*members, options.nodes.front());
  if (!replica.ok()) return report_failure(replica.status());
  if ((*replica)->primary.empty()) {
    return report_failure(Status::invalid_argument((*replica)->address() +
                                                   " is a primary: name "
                                                   "the replica that is to take its place"));
  }
  const auto primary = find_member(*members, (*replica)->primary);
  std::printf("put %s in the place of its primary%s\n", (*replica)->address().c_str(),
              primary.ok() ? (", " + (*primary)->address()).c_str() : "");
  const auto yes = confirmed(options);
  if (!yes.ok()) return report_failure(yes.status());
  if (!*yes) return stopped();
  std::vector<std::string> words = {"CLUSTER", "FAILOVER"};
  if (options.takeover) {
    words.emplace_back("TAKEOVER");
  } else if (options.force) {
    words.emplace_back("FORCE");
  }
  const NodeAddress address = cluster.at(**replica);
  const Status begun = ClusterClient::tell(address, words);
  if (!begun.ok()) return report_failure(begun);
  return end(wait_until("it is the primary", [&]() -> Result<bool> {
    const auto text = ClusterClient::ask(address, {"CLUSTER", "NODES"});
    if (!text.ok()) return text.status();
    const auto now = parse_cluster_nodes(*text);
    if (!now.ok()) return now.status();
    return std::any_of(now->begin(), now->end(), [](const ClusterMember& member) {
      return member.myself && member.is_primary() && !member.slots.empty();
    });
  }));
}

void add_load_option(CLI::App& command, SlotLoad* by) {
  const std::map<std::string, SlotLoad> loads = {{"slots", SlotLoad::kCount},
                                                 {"keys", SlotLoad::kKeys},
                                                 {"bytes", SlotLoad::kBytes},
                                                 {"traffic", SlotLoad::kTraffic}};
  command
      .add_option("--by", *by,
                  "What is shared: the number of slots, their keys, their bytes on disk, or the "
                  "bytes that clients sent and got (cluster-slot-stats-enabled). By slots where "
                  "nothing is said")
      ->transform(CLI::CheckedTransformer(loads).description("slots|keys|bytes|traffic"));
}

}  // namespace

void add_cluster_command(CLI::App& app, int* exit_code) {
  CLI::App* const cluster =
      app.add_subcommand("cluster", "Make a cluster, and change who is in it and who owns what");
  cluster->set_help_flag("--help", "Explain and exit");
  cluster->require_subcommand(1);
  cluster->footer(
      "Each prints what it is going to do and asks, unless --yes is given. -h and -p name any "
      "node\n"
      "of the cluster; a node is named by its id, a beginning of it, or its host:port.\n"
      "Examples:\n"
      "  syntropy cluster create a:7379 b:7379 c:7379 d:7379 e:7379 f:7379 --replicas 1\n"
      "  syntropy cluster status\n"
      "  syntropy cluster add g:7379 && syntropy cluster rebalance\n"
      "  syntropy cluster remove g:7379");
  const auto declare = [&](const char* name, const char* summary, auto run, bool changes = true) {
    const auto options = std::make_shared<ClusterOptions>();
    CLI::App* const command = cluster->add_subcommand(name, summary);
    add_address_options(*command, &options->entry);
    if (changes) command->add_flag("-y,--yes", options->yes, "Don't ask");
    command->callback([options, run, exit_code] { *exit_code = run(*options); });
    return std::pair(command, options);
  };
  {
    auto [command, options] =
        declare("status", "Show the nodes, who replicates whom, and who owns what", show_cluster,
                /*changes=*/false);
    command->footer("Exit code: 0 ok, 1 not serving or nodes down, 2 unreachable.");
  }
  {
    auto [command, options] = declare("create", "Make one cluster of empty nodes", create_cluster);
    command->add_option("nodes", options->nodes, "host:port of each, primaries first")->required();
    command->add_option("--replicas", options->replicas, "Replicas for each primary")
        ->capture_default_str();
  }
  {
    auto [command, options] = declare("add", "Take an empty node into the cluster", add_to_cluster);
    command->add_option("node", options->nodes, "host:port of the node")->required()->expected(1);
    command->add_option("--replica-of", options->target,
                        "The primary that it replicates; without, it is a primary without slots");
  }
  {
    auto [command, options] =
        declare("remove", "Move a node's slots to the others and take it out", remove_from_cluster);
    command->add_option("node", options->nodes, "The node")->required()->expected(1);
  }
  {
    auto [command, options] =
        declare("rebalance", "Give every primary its share of the slots", rebalance);
    add_load_option(*command, &options->by);
    command->add_option("--weight", options->weights,
                        "NODE=WEIGHT: its share, where others have 1; 0 takes all its slots");
    command
        ->add_option("--threshold", options->threshold,
                     "Do nothing while no primary is further from its share than so many percent")
        ->capture_default_str()
        ->check(CLI::Range(0.0, 100.0));
  }
  {
    auto [command, options] =
        declare("failover", "Put a replica in the place of its primary", fail_over);
    command->add_option("replica", options->nodes, "The replica")->required()->expected(1);
    command->add_flag("--force", options->force, "Without the primary's consent: it is down");
    command->add_flag("--takeover", options->takeover,
                      "Without the other primaries' consent either: most of them are down");
  }
}

}  // namespace syntropy
