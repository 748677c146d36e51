// Between the structs of membership and the classes that protoc makes of rpc/syntropy.proto. Inside
// of rpc/ only, as it shows protobuf.
//
// Thread safety: free functions.
#pragma once

#include <syntropy.pb.h>

#include "membership/message.h"

namespace syntropy {

wire::GossipSyn to_wire(const GossipSyn& message);
wire::GossipAck to_wire(const GossipAck& message);
wire::GossipPush to_wire(const GossipPush& message);
wire::GossipAgree to_wire(const GossipAgree& message);
wire::Heartbeat to_wire(const Ping& message);
wire::Heartbeat to_wire(const Ack& message);
wire::RelayedHeartbeat to_wire(const IndirectProbe& message);
wire::RelayedHeartbeat to_wire(const RelayedPing& message);
wire::RelayedHeartbeat to_wire(const RelayedAck& message);
wire::RelayedHeartbeat to_wire(const IndirectAck& message);
wire::BallotNews to_wire(const BallotNews& message);
wire::VoteRequest to_wire(const VoteRequest& message);
wire::Vote to_wire(const Vote& message);
wire::VoteRefusal to_wire(const VoteRefusal& message);
wire::VoteWithdrawn to_wire(const VoteWithdrawn& message);
wire::Standing to_wire(const Standing& message);
wire::MfAttempt to_wire(const MfStart& message);
wire::MfPaused to_wire(const MfPaused& message);
wire::MfAttempt to_wire(const MfCancel& message);
wire::Meet to_wire(const Meet& message);

// False: the message breaks a rule of its form, and `to` is in pieces. What is large in `from` is
// moved out of it.

bool from_wire(wire::GossipSyn& from, GossipSyn* to);
bool from_wire(wire::GossipAck& from, GossipAck* to);
bool from_wire(wire::GossipPush& from, GossipPush* to);
bool from_wire(wire::GossipAgree& from, GossipAgree* to);
bool from_wire(wire::Heartbeat& from, Ping* to);
bool from_wire(wire::Heartbeat& from, Ack* to);
bool from_wire(wire::RelayedHeartbeat& from, IndirectProbe* to);
bool from_wire(wire::RelayedHeartbeat& from, RelayedPing* to);
bool from_wire(wire::RelayedHeartbeat& from, RelayedAck* to);
bool from_wire(wire::RelayedHeartbeat& from, IndirectAck* to);
bool from_wire(wire::BallotNews& from, BallotNews* to);
bool from_wire(wire::VoteRequest& from, VoteRequest* to);
bool from_wire(wire::Vote& from, Vote* to);
bool from_wire(wire::VoteRefusal& from, VoteRefusal* to);
bool from_wire(wire::VoteWithdrawn& from, VoteWithdrawn* to);
bool from_wire(wire::Standing& from, Standing* to);
bool from_wire(wire::MfAttempt& from, MfStart* to);
bool from_wire(wire::MfPaused& from, MfPaused* to);
bool from_wire(wire::MfAttempt& from, MfCancel* to);
bool from_wire(wire::Meet& from, Meet* to);

}  // namespace syntropy
