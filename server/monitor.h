// MONITOR: shows commands, as they are executed, to the clients that asked for it.
//
// The dispatcher asks ClientRegistry::has_monitors() first, and doesn't feed commands flagged
// kAdmin or kSkipMonitor.
//
// Thread safety: any thread.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace syntropy {

class ClientRegistry;
struct Client;

/// The line, as a simple string reply with its end, in the form of redis-server 7.0:
///   +1700000000.123456 [0 127.0.0.1:1234] "get" "a"
/// `source` is ip:port, or "unix:" and the socket's path.
std::string monitor_line(uint64_t wall_us, uint32_t db, std::string_view source,
                         std::span<const std::string_view> args);

/// Pushes the line of a command to every monitoring client. `command` is its full_name(), by
/// which secrets are found; `args` as they were sent.
void feed_monitors(const ClientRegistry& clients, uint64_t wall_us, const Client& source,
                   std::string_view command, std::span<const std::string_view> args);

}  // namespace syntropy
