// HealthLog: writes down when a node begins to refuse clients, why, and when it serves them again.
//
// Thread safety: none.
#pragma once

#include "membership/membership.h"
#include "server/cluster/routing.h"

namespace syntropy {

class HealthLog {
 public:
  /// What holds now. `routing`: as clients are told; null before there is one.
  void note(const Membership& membership, ClusterHealth health, const Routing* routing);

 private:
  ClusterHealth health_ = ClusterHealth::kCutOff;
};

}  // namespace syntropy
