#include "server/config/sd_notify.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cstring>

namespace syntropy {
namespace {

std::string_view socket_name() {
  const char* name = std::getenv("NOTIFY_SOCKET");  // NOLINT(concurrency-mt-unsafe)
  return name == nullptr ? std::string_view() : std::string_view(name);
}

}  // namespace

bool service_manager_waits() { return !socket_name().empty(); }

Status notify_service_manager(std::string_view state) {
  const std::string_view name = socket_name();
  if (name.empty()) return Status::unavailable("NOTIFY_SOCKET is not set");
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (name.size() >= sizeof(address.sun_path)) {
    return Status::io_error(fmt::format("NOTIFY_SOCKET is too long: {}", name));
  }
  std::memcpy(address.sun_path, name.data(), name.size());
  // A leading '@' stands for the NUL byte of Linux' abstract socket names.
  if (name.front() == '@') address.sun_path[0] = '\0';
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
  const int fd = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return Status::io_error(fmt::format("socket: {}", std::strerror(errno)));
  const ssize_t sent = ::sendto(fd, state.data(), state.size(), MSG_NOSIGNAL,
                                reinterpret_cast<const sockaddr*>(&address), length);
  const int error = errno;
  ::close(fd);
  if (sent < 0) {
    return Status::io_error(fmt::format("cannot notify {}: {}", name, std::strerror(error)));
  }
  return {};
}

}  // namespace syntropy
