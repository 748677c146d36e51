// `syntropy snapshot`: makes a snapshot of a running node and waits for it.
#include <chrono>
#include <cstdio>
#include <memory>
#include <thread>

#include "tools/cli/commands.h"
#include "tools/cli/node_connection.h"
#include "tools/cli/node_status.h"
#include "tools/cli/progress.h"

namespace syntropy {
namespace {

constexpr auto kPollInterval = std::chrono::milliseconds(50);

Result<NodeStatus> ask(NodeConnection& node) {
  Result<std::string> info = node.call_text({"INFO", "everything"});
  if (!info.ok()) return info.status();
  return read_node_status(parse_info(*info), {});
}

/// The path of the snapshot on the node's machine.
Result<std::string> make_snapshot(const NodeAddress& address) {
  Result<NodeConnection> node = NodeConnection::open(address);
  if (!node.ok()) return node.status();
  const Result<std::vector<std::string>> dir = node->call({"CONFIG", "GET", "dir"});
  if (!dir.ok()) return dir.status();
  if (dir->size() != 2) return Status::invalid_argument("the node does not tell its 'dir'");
  Result<NodeStatus> before = ask(*node);
  if (!before.ok()) return before.status();
  const auto begun = node->call({"BGSAVE"});
  if (!begun.ok()) return begun.status();

  Progress progress;
  const auto started = std::chrono::steady_clock::now();
  while (true) {
    Result<NodeStatus> now = ask(*node);
    if (!now.ok()) return now.status();
    if (!now->snapshot_in_progress) {
      if (now->snapshots_made > before->snapshots_made) {
        return (*dir)[1] + "/snapshots/" + now->snapshot_last;
      }
      return Status::io_error("the snapshot failed; the node's log says why");
    }
    const auto elapsed = std::chrono::duration_cast<std::chrono::seconds>(
        std::chrono::steady_clock::now() - started);
    progress.show("making a snapshot", 0, 0, duration_text(static_cast<uint64_t>(elapsed.count())));
    std::this_thread::sleep_for(kPollInterval);
  }
}

}  // namespace

void add_snapshot_command(CLI::App& app, int* exit_code) {
  const auto address = std::make_shared<NodeAddress>();
  CLI::App* const command =
      app.add_subcommand("snapshot", "Make a snapshot of a running node and print its path");
  add_address_options(*command, address.get());
  command->footer(
      "A snapshot is a directory, on the node's machine, that is a complete store: check it with\n"
      "'syntropy verify', or start a node on a copy of it. It shares its files with the store as\n"
      "long as both have them, so it costs little. The node keeps as many\n"
      "as its option snapshots-to-keep says.\n"
      "\n"
      "Exit code: 0 made, 2 not made or unreachable.\n"
      "\n"
      "Example:\n"
      "  cp -r \"$(syntropy snapshot)\" /backup/today");
  command->callback([address, exit_code] {
    const Result<std::string> path = make_snapshot(*address);
    if (!path.ok()) {
      *exit_code = report_failure(path.status());
      return;
    }
    std::puts((*path).c_str());
    *exit_code = kExitOk;
  });
}

}  // namespace syntropy
