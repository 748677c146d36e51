// RespPeer: a client on a Unix socket that sends lines and hands back the bytes of one reply.
// Blocking; for tests of a node that serves clients.
//
// Thread safety: one thread.
#pragma once

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <string>
#include <string_view>

namespace syntropy::testing {

class RespPeer {
 public:
  explicit RespPeer(const std::string& path) : fd_(::socket(AF_UNIX, SOCK_STREAM, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    EXPECT_LT(path.size(), sizeof(address.sun_path));
    std::memcpy(address.sun_path, path.data(), path.size());
    EXPECT_EQ(::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0)
        << std::strerror(errno);
  }
  /// Takes over a connected socket.
  explicit RespPeer(int fd) : fd_(fd) {}
  ~RespPeer() { ::close(fd_); }
  RespPeer(const RespPeer&) = delete;
  RespPeer& operator=(const RespPeer&) = delete;

  /// The reply to one line: a status, an error, a number or a bulk. Empty: the connection is gone.
  std::string call(std::string_view line) {
    if (!send(line)) return {};
    std::string reply = read_line();
    if (!reply.starts_with('$') || reply.starts_with("$-1")) return reply;
    return reply + read_line();
  }

  /// False: the connection is gone.
  bool send(std::string_view line) {
    const std::string bytes = std::string(line) + "\r\n";
    return ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL) >= 0;
  }
  /// The next line with its end. Empty: the connection is gone.
  std::string read_line() {
    std::string text;
    char byte = 0;
    while (!text.ends_with("\r\n")) {
      if (::recv(fd_, &byte, 1, 0) <= 0) return {};
      text.push_back(byte);
    }
    return text;
  }

  /// What has come so far, without waiting.
  enum class Arrived { kNothing, kBytes, kEnd };
  Arrived arrived() {
    char byte = 0;
    const ssize_t got = ::recv(fd_, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    if (got == 0) return Arrived::kEnd;
    return got < 0 ? Arrived::kNothing : Arrived::kBytes;
  }

 private:
  const int fd_;
};

}  // namespace syntropy::testing
