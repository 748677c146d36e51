// `syntropy status`: is a running node well?
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "tools/cli/commands.h"
#include "tools/cli/node_connection.h"
#include "tools/cli/node_status.h"

namespace syntropy {
namespace {

struct StatusOptions {
  NodeAddress address;
  bool json = false;
};

Result<NodeStatus> ask(const NodeAddress& address) {
  Result<NodeConnection> node = NodeConnection::open(address);
  if (!node.ok()) return node.status();
  Result<std::string> info = node->call_text({"INFO", "everything"});
  if (!info.ok()) return info.status();
  // CONFIG may have been renamed away; then the policy stays unknown.
  const auto policy = node->call({"CONFIG", "GET", "appendfsync"});
  const bool known = policy.ok() && policy->size() == 2;
  return read_node_status(parse_info(*info), known ? (*policy)[1] : std::string());
}

/// Error texts may hold bytes that are no UTF-8.
void print(const nlohmann::json& json) {
  std::puts(json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace).c_str());
}

int show_status(const StatusOptions& options) {
  const std::string address = options.address.text();
  Result<NodeStatus> status = ask(options.address);
  if (!status.ok() && options.json) {
    print(nlohmann::json{{"address", address},
                         {"healthy", false},
                         {"problems", nlohmann::json::array({status.status().message()})}});
    return kExitFailed;
  }
  if (!status.ok()) return report_failure(status.status());
  if (options.json) {
    print(status_json(*status, address));
  } else {
    std::fputs(status_text(*status, address).c_str(), stdout);
  }
  return status->problems().empty() ? kExitOk : kExitUnhealthy;
}

}  // namespace

void add_status_command(CLI::App& app, int* exit_code) {
  const auto options = std::make_shared<StatusOptions>();
  CLI::App* const command = app.add_subcommand("status", "Show on one screen how a node is doing");
  add_address_options(*command, &options->address);
  command->add_flag("--json", options->json, "Print JSON, for programs");
  command->footer(
      "Exit code: 0 healthy, 1 unhealthy (each reason stands behind PROBLEM), 2 unreachable.\n"
      "\n"
      "Examples:\n"
      "  syntropy status -h db1 -p 7379\n"
      "  syntropy status --json | jq .durability\n"
      "  syntropy status >/dev/null || page-someone");
  command->callback([options, exit_code] { *exit_code = show_status(*options); });
}

}  // namespace syntropy
