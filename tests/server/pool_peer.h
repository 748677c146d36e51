// PoolPeer: a client of an IoPool, connected without a listener.
//
// Thread safety: one thread.
#pragma once

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <array>
#include <memory>
#include <utility>

#include "server/io_pool.h"
#include "tests/server/resp_peer.h"

namespace syntropy::testing {

struct PoolPeer {
  std::unique_ptr<RespPeer> peer;
  std::shared_ptr<Client> client;
  IoThread* first_home;
};

/// A client of the pool's next thread, which has answered it.
inline PoolPeer connect(IoPool& pool) {
  std::array<int, 2> ends{};
  EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()), 0);
  IoThread& home = pool.next();
  auto client = std::make_shared<Client>();
  client->authenticated = true;
  home.adopt(Descriptor(ends[0]), client);
  PoolPeer made{std::make_unique<RespPeer>(ends[1]), client, &home};
  EXPECT_EQ(made.peer->call("PING"), "+PONG\r\n");
  return made;
}

}  // namespace syntropy::testing
