// The life of the links of a Bus: how they begin, when they are too old or too many, how they end.

#include <algorithm>
#include <cassert>
#include <utility>

#include "rpc/bus.h"

namespace syntropy {

Link* Bus::find(ConnectionId id) {
  const auto found = links_.find(id);
  return found == links_.end() ? nullptr : found->second.get();
}

Link* Bus::find_stream(StreamId id) {
  Link* const link = find(id);
  return link != nullptr && link->is_stream() ? link : nullptr;
}

Link& Bus::add(bool outbound, uint8_t purpose, const Peer& target) {
  auto owned = std::make_unique<Link>(++last_id_, outbound, purpose);
  Link& link = *owned;
  links_.emplace(link.id, std::move(owned));
  link.target = target;
  link.remote.address = target.address;
  link.remote.outbound = outbound;
  link.shown = std::make_shared<ShownLink>();
  link.shown->info.created_ms = wire_.wall_ms();
  show(link);
  if (!outbound) {
    ++strangers_;
  } else if (!link.is_stream()) {
    ++message_links_;
    if (target.id) by_peer_[target.id].push_back(&link);
  }
  return link;
}

void Bus::begin_dial(Link& link) {
  link.state = Link::State::kDialing;
  link.deadline = wire_.now() + limits_.handshake_ms;
  lower_deadline(link.deadline);
  BusCounters::add(counters_.dials);
  wire_.dial(link.id, link.target.address);
}

// The reverse of add() and of become_ready().
void Bus::unregister(Link& link) {
  if (link.is_stranger()) --strangers_;
  if (link.is_stream()) {
    if (!link.outbound) --inbound_streams_;
  } else if (link.outbound || link.ready()) {
    --message_links_;
  }
  const auto peer = by_peer_.find(link.target.id ? link.target.id : link.remote.id);
  if (peer != by_peer_.end()) {
    std::erase(peer->second, &link);
    if (peer->second.empty()) by_peer_.erase(peer);
  }
  link.state = Link::State::kClosed;
  {
    const std::lock_guard lock(mutex_);
    shown_.erase(link.id);
  }
  const auto found = links_.find(link.id);
  closed_.push_back(std::move(found->second));
  links_.erase(found);
}

void Bus::drop(Link& link) {
  if (link.closed()) return;
  if (link.state != Link::State::kPaused) wire_.close(link.id);
  BusCounters::add(counters_.dropped_unreachable, link.messages.size());
  unregister(link);
}

void Bus::close(Link& link, const Status& why, Unreachable kind) {
  if (link.closed()) return;
  const Link::State was = link.state;
  drop(link);
  tell_closed(link, was, why, kind);
}

void Bus::tell_closed(const Link& link, Link::State was, const Status& why, Unreachable kind) {
  const bool ready = was == Link::State::kReady;
  if (!ready && (!link.outbound || kind == Unreachable::kNotAdmitted)) {
    BusCounters::add(counters_.refused);
  }
  if (!ready && !link.outbound) return handler_->on_stranger(link.remote.address, why);
  if (!ready) {
    back_off_.failed(link.target.address, wire_.now());
    handler_->on_unreachable(link.target, kind, why);
  }
  if (link.is_stream()) {
    handler_->on_stream_closed(link.id, why.ok() ? Status::unavailable("closed") : why);
  } else if (ready) {
    handler_->on_disconnected(link.remote, why);
  }
}

// Called for a link that is ready or about to be dialed.
void Bus::make_room(Link& link) {
  if (link.ready()) {
    // The node has restarted: what is left of its last life answers nobody.
    const std::vector<Link*> theirs = by_peer_[link.remote.id];
    for (Link* other : theirs) {
      if (other->ready() && other->peer_instance != link.peer_instance) {
        close(*other, Status::unavailable("the node has restarted"));
      }
    }
    const auto count = by_peer_.find(link.remote.id);
    if (count != by_peer_.end() && count->second.size() > limits_.links_per_peer) {
      close_idlest(&link.remote.id, link);
    }
  }
  if (message_links_ > limits_.links) close_idlest(nullptr, link);
}

void Bus::close_idlest(const NodeId* peer, const Link& keep) {
  Link* idlest = nullptr;
  for (const auto& [id, link] : links_) {
    if (link.get() == &keep || !link->ready() || link->is_stream()) continue;
    if (peer != nullptr && link->remote.id != *peer) continue;
    if (idlest == nullptr || link->uses < idlest->uses) idlest = link.get();
  }
  if (idlest != nullptr) close(*idlest, Status());
}

void Bus::touch(Link& link) {
  link.used = wire_.now();
  link.uses = ++uses_;
}

void Bus::close_oldest_stranger() {
  const auto oldest = std::find_if(links_.begin(), links_.end(),
                                   [](const auto& entry) { return entry.second->is_stranger(); });
  assert(oldest != links_.end());
  Link& link = *oldest->second;
  if (link.handshake) link.handshake->refuse(Refusal::kBusy);
  if (link.handshake) link.outgoing.append(link.handshake->take_output());
  pump(link);
  close(link, Status::unavailable("too many connections that haven't authenticated"));
}

TimeMs Bus::deadline_of(const Link& link) const {
  if (!link.ready()) return link.deadline;
  if (link.is_stream()) return kNoAlarm;
  return link.used + limits_.idle_ms * (link.outbound ? 1 : 2);
}

void Bus::expire(Link& link) {
  switch (link.state) {
    case Link::State::kPaused:
      return begin_dial(link);
    case Link::State::kDialing:
      return close(link, Status::unavailable("no answer within " +
                                             std::to_string(limits_.handshake_ms) + " ms"));
    case Link::State::kHandshake:
      return close(link, Status::unavailable("no handshake within " +
                                             std::to_string(limits_.handshake_ms) + " ms"));
    case Link::State::kReady:
      return close(link, Status());
    case Link::State::kClosed:
      return;
  }
}

void Bus::lower_deadline(TimeMs deadline) { next_deadline_ = std::min(next_deadline_, deadline); }

void Bus::rearm() {
  const TimeMs due = std::min(next_deadline_, user_alarm_);
  if (due == armed_) return;
  armed_ = due;
  wire_.set_alarm(due);
}

void Bus::show(Link& link) {
  const std::lock_guard lock(mutex_);
  LinkInfo& info = link.shown->info;
  info.outbound = link.outbound;
  info.peer = link.ready() ? link.remote.id : NodeId();
  info.address = link.remote.address;
  info.purpose = link.purpose;
  info.ready = link.ready();
  shown_[link.id] = link.shown;
}

HandshakeNonce Bus::nonce() {
  HandshakeNonce bytes;
  wire_.random(bytes.data(), bytes.size());
  return bytes;
}

std::string to_text(const PeerAddress& address) {
  const bool v6 = address.host.find(':') != std::string::npos;
  return (v6 ? "[" + address.host + "]:" : address.host + ":") + std::to_string(address.port);
}

}  // namespace syntropy
