// IoBalance: how many I/O threads serve the clients.
//
// One thread that is not full serves small requests better than two: it gathers more commands in a
// tick, so that they share a write and a sync, and nobody waits for the writers' lock. So
// connections stay together on as few threads as can carry them, and spread when those are busy and
// the machine has a core to spare for another.
//
// Thread safety: values and pure functions.
#pragma once

#include <cstddef>

namespace syntropy {

/// The last interval, in cores: 1.0 is one core busy all the time.
struct IoLoad {
  double io_threads = 0;  // processor time of all I/O threads
  double idle = 0;        // of the whole machine
};

/// How many of `most` threads should be in use after an interval in which `active` were.
size_t balanced_io_threads(size_t active, size_t most, const IoLoad& load);

}  // namespace syntropy
