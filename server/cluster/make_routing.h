// What a node's membership means for clients, as a Routing (server/cluster/routing.h).
//
// Thread safety: a pure function.
#pragma once

#include <memory>

#include "membership/membership.h"
#include "server/cluster/routing.h"

namespace syntropy {

/// `full_coverage`: cluster-require-full-coverage. `held`, `generation`: Routing's.
std::shared_ptr<const Routing> make_routing(const Membership& membership, bool full_coverage,
                                            const SlotRanges& held, uint64_t generation);

}  // namespace syntropy
