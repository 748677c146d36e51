#include "server/config/sd_notify.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <string>

#include "tests/config/temp_dir.h"

namespace syntropy {
namespace {

/// Stands in for the service manager: a bound datagram socket, named by NOTIFY_SOCKET.
class ServiceManager {
 public:
  /// A name that begins with '@' is an abstract one.
  explicit ServiceManager(const std::string& name) : fd_(::socket(AF_UNIX, SOCK_DGRAM, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, name.data(), name.size());
    if (name.front() == '@') address.sun_path[0] = '\0';
    const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
    EXPECT_EQ(::bind(fd_, reinterpret_cast<const sockaddr*>(&address), length), 0);
    ::setenv("NOTIFY_SOCKET", name.c_str(), 1);
  }
  ~ServiceManager() {
    ::unsetenv("NOTIFY_SOCKET");
    ::close(fd_);
  }
  ServiceManager(const ServiceManager&) = delete;
  ServiceManager& operator=(const ServiceManager&) = delete;

  /// The message that is there; empty when there is none.
  std::string receive() const {
    char buffer[256];
    const ssize_t count = ::recv(fd_, buffer, sizeof(buffer), MSG_DONTWAIT);
    return count < 0 ? std::string() : std::string(buffer, static_cast<std::size_t>(count));
  }

 private:
  int fd_;
};

TEST(SdNotify, WithoutAServiceManagerNothingIsSent) {
  ::unsetenv("NOTIFY_SOCKET");
  EXPECT_FALSE(service_manager_waits());
  EXPECT_TRUE(notify_service_manager("READY=1").is(StatusCode::kUnavailable));
}

TEST(SdNotify, StateArrivesAsOneDatagram) {
  const TempDir dir;
  const ServiceManager manager(dir.path("notify"));
  EXPECT_TRUE(service_manager_waits());
  const Status status = notify_service_manager("READY=1\nSTATUS=serving");
  ASSERT_TRUE(status.ok()) << status.message();
  EXPECT_EQ(manager.receive(), "READY=1\nSTATUS=serving");
  EXPECT_EQ(manager.receive(), "");
}

TEST(SdNotify, AbstractSocketNamesBeginWithAt) {
  const ServiceManager manager("@syntropy-notify-test-" + std::to_string(::getpid()));
  ASSERT_TRUE(notify_service_manager("STOPPING=1").ok());
  EXPECT_EQ(manager.receive(), "STOPPING=1");
}

TEST(SdNotify, RefusingSocketIsAnError) {
  const TempDir dir;
  ::setenv("NOTIFY_SOCKET", dir.path("none").c_str(), 1);
  EXPECT_TRUE(notify_service_manager("READY=1").is(StatusCode::kIoError));
  ::setenv("NOTIFY_SOCKET", std::string(300, 'x').c_str(), 1);
  EXPECT_TRUE(notify_service_manager("READY=1").is(StatusCode::kIoError));
  ::unsetenv("NOTIFY_SOCKET");
}

}  // namespace
}  // namespace syntropy
