#include "server/monitor.h"

#include <fmt/format.h>

#include <vector>

#include "server/client.h"
#include "server/redaction.h"
#include "server/resp/quoting.h"

namespace syntropy {

std::string monitor_line(uint64_t wall_us, uint32_t db, std::string_view source,
                         std::span<const std::string_view> args) {
  std::string line =
      fmt::format("+{}.{:06} [{} {}]", wall_us / 1'000'000, wall_us % 1'000'000, db, source);
  for (const std::string_view arg : args) {
    line.push_back(' ');
    append_quoted(&line, arg);
  }
  line.append("\r\n");
  return line;
}

void feed_monitors(const ClientRegistry& clients, uint64_t wall_us, const Client& source,
                   std::string_view command, std::span<const std::string_view> args) {
  const auto monitors = clients.monitors();
  if (monitors.empty()) return;
  std::vector<std::string_view> storage;
  // A unix socket's address ends with ":0" in CLIENT LIST, and stands behind "unix:" here.
  std::string address = source.address;
  if (source.shared.unix_socket.load(std::memory_order_relaxed)) {
    address = "unix:" + source.address.substr(0, source.address.rfind(':'));
  }
  const std::string line =
      monitor_line(wall_us, source.db, address, redact_arguments(command, args, &storage));
  for (const auto& monitor : monitors) {
    if (monitor->push) monitor->push(line);
  }
}

}  // namespace syntropy
