// IoBalance: how many I/O threads serve the clients.
//
// One thread that is not full serves small requests better than two: it gathers more commands in a
// tick, so that they share a write and a sync, and nobody waits for the writers' lock. So
// connections stay together on as few threads as can carry them. They spread when those have been
// busy for a while and the machine has a core to spare for another; and they come together again
// when fewer threads would do, or when others want the cores, as clients on the same machine do: a
// thread without a core of its own only takes turns.
//
// Thread safety: one thread.
#pragma once

#include <cstddef>

namespace syntropy {

/// An interval, in cores: 1.0 is one core busy all the time.
struct IoLoad {
  double cores = 0;       // that the machine has
  double idle = 0;        // of them
  double io_threads = 0;  // processor time of all I/O threads
};

class IoBalance {
 public:
  explicit IoBalance(size_t most) : most_(most) {}

  /// How many threads should be in use after an interval in which active() were.
  size_t step(const IoLoad& load);
  size_t active() const { return active_; }

 private:
  const size_t most_;
  size_t active_ = 1;
  size_t full_intervals_ = 0;  // in which another thread would have helped, without a break
};

}  // namespace syntropy
