// What a ReplicationDriver tells of its sessions: to the loop, and to other threads as of the last
// pump.
#include <algorithm>

#include "server/cluster/replication_driver.h"

namespace syntropy {

uint64_t ReplicationDriver::good_replicas(TimeMs now, uint64_t max_lag_ms) const {
  const std::lock_guard lock(shown_mutex_);
  return static_cast<uint64_t>(
      std::count_if(shown_.replicas.begin(), shown_.replicas.end(), [&](const auto& replica) {
        return replica.following && now < replica.heard + max_lag_ms + 1;
      }));
}

OwnReplication ReplicationDriver::own(TimeMs now) const {
  const LogPosition position = log().position();
  OwnReplication own;
  own.lineage = position.lineage();
  own.offset = position.offset;
  own.complete = !position.history.empty();
  if (upstream_.session) {
    const TimeMs heard = upstream_.session->last_heard();
    own.data_age_ms = heard == 0 ? UINT64_MAX : now - std::min(now, heard);
  }
  return own;
}

void ReplicationDriver::show() {
  const std::lock_guard lock(shown_mutex_);
  shown_.replicas.clear();
  for (const auto& [stream, replica] : replicas_) {
    const PrimarySession& session = *replica.session;
    shown_.replicas.push_back({replica.node, session.state(), session.acknowledged(),
                               session.following(), session.last_heard(), session.proof().at});
  }
  shown_.link = ReplicaSession::State::kIdle;
  shown_.link_pulled = 0;
  if (upstream_.session) {
    shown_.link = upstream_.session->state();
    shown_.link_heard = upstream_.session->last_heard();
    shown_.link_pulled = upstream_.session->pulled_rows();
  }
  shown_.link_followed = upstream_.followed_at;
  shown_.full_syncs = full_syncs_;
  shown_.partial_syncs = partial_syncs_;
  shown_.mended_rows = mended_rows_;
  shown_.purged_rows = purger_.purged_rows();
  shown_.input_bytes = input_bytes_;
  shown_.output_bytes = output_bytes_;
}

ReplicationStatus ReplicationDriver::status(TimeMs now) const {
  using Link = ReplicationStatus::Link;
  using Replica = ReplicationStatus::Replica;
  const std::lock_guard lock(shown_mutex_);
  ReplicationStatus status;
  for (const Shown::Replica& shown : shown_.replicas) {
    if (shown.state == PrimarySession::State::kClosed) continue;
    Replica replica;
    replica.id = shown.node;
    replica.state = shown.following                                  ? Replica::State::kOnline
                    : shown.state == PrimarySession::State::kWaiting ? Replica::State::kWaiting
                                                                     : Replica::State::kSyncing;
    replica.offset = shown.offset;
    replica.lag_ms = now - std::min(now, shown.heard);
    if (shown.equal != 0) replica.equal_ms = now - std::min(now, shown.equal);
    status.replicas.push_back(replica);
  }
  switch (shown_.link) {
    case ReplicaSession::State::kIdle:
      status.primary.state = Link::State::kConnect;
      break;
    case ReplicaSession::State::kConnecting:
    case ReplicaSession::State::kAsking:
      status.primary.state = Link::State::kConnecting;
      break;
    case ReplicaSession::State::kHandingOver:
    case ReplicaSession::State::kCopying:
      status.primary.state = Link::State::kSyncing;
      break;
    case ReplicaSession::State::kFollowing:
      status.primary.state = Link::State::kConnected;
      break;
  }
  status.primary.synced_rows = shown_.link_pulled;
  status.primary.idle_ms = now - std::min(now, shown_.link_heard);
  status.primary.down_ms = now - std::min(now, shown_.link_followed);
  status.full_syncs = shown_.full_syncs;
  status.partial_syncs = shown_.partial_syncs;
  status.mended_rows = shown_.mended_rows;
  status.purged_rows = shown_.purged_rows;
  status.input_bytes = shown_.input_bytes;
  status.output_bytes = shown_.output_bytes;
  return status;
}

}  // namespace syntropy
