// StateStore: where a node keeps what its membership must remember (membership/membership_state.h):
// in meta records of the store itself, so that identity and data are never apart.
//
//   meta record      value
//   cluster/state    state (membership/membership_state.h)
//   cluster/joining  keep:u8      there while the store has yet to be made ready to follow a
//                                 primary: a LogApplier::Keep
//
// Thread safety: one thread.
#pragma once

#include <optional>

#include "membership/membership_state.h"
#include "storage/base/random.h"
#include "storage/base/status.h"
#include "storage/engine.h"
#include "storage/log_applier.h"

namespace syntropy {

class StateStore {
 public:
  using Keep = LogApplier::Keep;

  struct Stored {
    MembershipState membership;
    Keep joining = Keep::kLog;  // kLog: nothing has to be made ready
  };

  /// `engine` must outlive this.
  explicit StateStore(Engine& engine) : engine_(engine) {}

  /// Nullopt: this store has never been a node of a cluster.
  Result<std::optional<Stored>> load() const;
  /// Some of the store's rows were lost, or have become older than they were. From here on it is
  /// another store, which nobody takes for complete: a primary is replaced by one of its replicas;
  /// a replica hands over what only it has, and is made equal with its primary. Nothing of its log
  /// counts any more. Nullopt: it isn't, or no longer says that it is, a node of a cluster. The
  /// caller makes it durable.
  Result<std::optional<NodeId>> lose_rows(Random& random);
  /// Ok: it is durable.
  Status save(const MembershipState& membership, Keep joining);

 private:
  Engine& engine_;
};

}  // namespace syntropy
