// BackOff: when an address that didn't answer may be dialed again. The pause doubles with each
// failure up to a bound; each is drawn between half and the whole of its length, so that a node
// that comes back isn't dialed by all others at the same moment.
//
// Invariant: holds at most kMaxAddresses; the one whose pause ends first goes.
//
// Thread safety: belongs to one thread.
#pragma once

#include <algorithm>
#include <map>

#include "membership/entry.h"
#include "rpc/transport.h"
#include "storage/base/random.h"

namespace syntropy {

class BackOff {
 public:
  static constexpr size_t kMaxAddresses = 16384;

  BackOff(uint64_t first_ms, uint64_t most_ms, Random& random)
      : first_ms_(first_ms), most_ms_(most_ms), random_(random) {}

  /// When a dial may begin: at once (0) or the end of the pause.
  TimeMs next_dial(const PeerAddress& address) const {
    const auto found = pauses_.find(address);
    return found == pauses_.end() ? 0 : found->second.until;
  }

  void failed(const PeerAddress& address, TimeMs now) {
    if (pauses_.size() >= kMaxAddresses && !pauses_.contains(address)) drop_one();
    Pause& pause = pauses_[address];
    pause.length_ms = std::min(most_ms_, pause.length_ms == 0 ? first_ms_ : 2 * pause.length_ms);
    const uint64_t half = pause.length_ms / 2;
    pause.until = now + half + random_.below(pause.length_ms - half + 1);
  }

  void succeeded(const PeerAddress& address) { pauses_.erase(address); }
  void clear() { pauses_.clear(); }
  size_t size() const { return pauses_.size(); }

 private:
  struct Pause {
    uint64_t length_ms = 0;
    TimeMs until = 0;
  };

  void drop_one() {
    pauses_.erase(std::min_element(
        pauses_.begin(), pauses_.end(),
        [](const auto& a, const auto& b) { return a.second.until < b.second.until; }));
  }

  uint64_t first_ms_;
  uint64_t most_ms_;
  Random& random_;
  std::map<PeerAddress, Pause> pauses_;
};

}  // namespace syntropy
