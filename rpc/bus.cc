#include "rpc/bus.h"

#include <algorithm>
#include <cassert>
#include <utility>

namespace syntropy {
namespace {

constexpr size_t kBatchBytes = 64 * 1024;  // of messages, given to the wire at a time

uint64_t drawn(Wire& wire) {
  uint64_t value = 0;
  wire.random(reinterpret_cast<char*>(&value), sizeof(value));
  return value;
}

}  // namespace

// Links that are closed while one is being worked on live until the work is over; then the alarm is
// set to what is due next.
class Bus::Scope {
 public:
  explicit Scope(Bus& bus) : bus_(bus) { ++bus_.depth_; }
  ~Scope() {
    if (--bus_.depth_ > 0) return;
    bus_.closed_.clear();
    bus_.rearm();
  }
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;

 private:
  Bus& bus_;
};

Bus::Bus(const BusOptions& options, Wire& wire)
    : wire_(wire),
      limits_(options.limits),
      back_off_(options.limits.back_off_first_ms, options.limits.back_off_most_ms, random_) {
  config_.self = options.self;
  config_.key = options.key;
  config_.instance = options.instance;
}

Bus::~Bus() = default;

void Bus::serve(TransportHandler& handler) {
  handler_ = &handler;
  if (config_.instance == 0) config_.instance = drawn(wire_);
  random_ = SeededRandom(drawn(wire_));
}

// --- What the node asks for ----------------------------------------------------------------------

void Bus::set_alarm(TimeMs at) {
  const Scope scope(*this);
  user_alarm_ = at;
}

void Bus::send(const Peer& to, uint8_t type, std::string payload) {
  assert(type >= kFirstMessageType);
  const Scope scope(*this);
  if (payload.size() > limits_.message_bytes) return BusCounters::add(counters_.dropped_large);
  Link* link = choose(to);
  if (link == nullptr) {
    if (to.address.host.empty() || wire_.now() < back_off_.next_dial(to.address)) {
      return BusCounters::add(counters_.dropped_unreachable);
    }
    link = &add(true, kMessages, to);
    make_room(*link);
    begin_dial(*link);
  }
  touch(*link);
  BusCounters::add(counters_.dropped_full,
                   link->messages.push(type, std::move(payload), limits_.message_queue_bytes));
  pump(*link);
}

// The connection that was heard from last is the one most likely alive.
Link* Bus::choose(const Peer& to) {
  Link* best = nullptr;
  const auto consider = [&](Link* link) {
    if (!link->ready() && link->target.address != to.address) return;
    const bool better = best == nullptr || link->ready() > best->ready() ||
                        (link->ready() == best->ready() && link->heard >= best->heard);
    if (better) best = link;
  };
  if (to.id) {
    const auto known = by_peer_.find(to.id);
    if (known == by_peer_.end()) return nullptr;
    for (Link* link : known->second) consider(link);
    return best;
  }
  for (const auto& [id, link] : links_) {
    if (link->outbound && !link->is_stream() && link->target.address == to.address) {
      consider(link.get());
    }
  }
  return best;
}

void Bus::disconnect(const NodeId& id) {
  const Scope scope(*this);
  std::vector<Link*> theirs;
  for (const auto& [number, link] : links_) {
    if (link->remote.id == id || (link->outbound && link->target.id == id)) {
      theirs.push_back(link.get());
    }
  }
  for (Link* link : theirs) drop(*link);
}

void Bus::close_all() {
  const Scope scope(*this);
  while (!links_.empty()) drop(*links_.begin()->second);
}

void Bus::set_self(const NodeId& id) {
  close_all();
  back_off_.clear();
  config_.self = id;
}

StreamId Bus::open_stream(const Peer& to, uint8_t purpose) {
  assert(purpose != kMessages);
  const Scope scope(*this);
  Link& link = add(true, purpose, to);
  link.state = Link::State::kPaused;
  link.deadline = std::max(wire_.now(), back_off_.next_dial(to.address));
  lower_deadline(link.deadline);
  return link.id;
}

bool Bus::write(StreamId stream, uint8_t type, std::string_view payload) {
  assert(type >= kFirstMessageType && payload.size() <= limits_.stream_frame_bytes);
  const Scope scope(*this);
  Link* const link = find_stream(stream);
  if (link == nullptr || !link->ready()) return false;
  if (link->unsent() >= limits_.stream_queue_bytes) {
    link->starved = true;
    return false;
  }
  append_frame(type, payload, &link->check, &link->outgoing);
  BusCounters::add(counters_.stream_sent);
  pump(*link);
  return true;
}

void Bus::set_reading(StreamId stream, bool reading) {
  const Scope scope(*this);
  Link* const link = find_stream(stream);
  if (link != nullptr && link->ready()) wire_.set_reading(link->id, reading);
}

void Bus::close_stream(StreamId stream) {
  const Scope scope(*this);
  if (Link* const link = find_stream(stream)) drop(*link);
}

// --- What happens on the wire --------------------------------------------------------------------

ConnectionId Bus::accepted(const PeerAddress& remote, const std::string& local_host) {
  const Scope scope(*this);
  if (strangers_ >= limits_.strangers) close_oldest_stranger();
  BusCounters::add(counters_.accepted);
  Link& link = add(false, kMessages, Peer{NodeId(), remote});
  link.state = Link::State::kHandshake;
  link.remote = Remote{NodeId(), remote, local_host, false};
  link.handshake = Handshake::responder(config_, nonce());
  link.deadline = wire_.now() + limits_.handshake_ms;
  lower_deadline(link.deadline);
  return link.id;
}

void Bus::connected(ConnectionId id, const PeerAddress& remote, const std::string& local_host) {
  const Scope scope(*this);
  Link* const link = find(id);
  if (link == nullptr) return;
  link->state = Link::State::kHandshake;
  link->remote = Remote{NodeId(), remote, local_host, true};
  link->handshake = Handshake::initiator(config_, link->target.id, link->purpose, nonce());
  link->outgoing = link->handshake->take_output();
  pump(*link);
}

void Bus::dial_failed(ConnectionId id, Unreachable kind, const Status& why) {
  const Scope scope(*this);
  if (Link* const link = find(id)) close(*link, why, kind);
}

void Bus::received(ConnectionId id, std::string_view bytes) {
  const Scope scope(*this);
  Link* const link = find(id);
  if (link == nullptr) return;
  BusCounters::add(counters_.bytes_received, bytes.size());
  while (!link->closed()) {
    const Result<std::optional<FrameView>> frame = link->parser.next(&bytes);
    if (!frame.ok()) {
      BusCounters::add(counters_.broken);
      return close(*link, frame.status(), Unreachable::kNotAdmitted);
    }
    if (!frame->has_value()) return;
    if (link->ready()) {
      user_frame(*link, **frame);
    } else {
      handshake_frame(*link, **frame);
    }
  }
}

void Bus::handshake_frame(Link& link, const FrameView& frame) {
  const Status stepped = link.handshake->step(frame);
  link.outgoing.append(link.handshake->take_output());
  pump(link);
  if (!stepped.ok()) {
    const bool elsewhere = link.handshake->refusal() == Refusal::kOtherNode;
    return close(link, stepped, elsewhere ? Unreachable::kOtherNode : Unreachable::kNotAdmitted);
  }
  if (link.handshake->done()) become_ready(link);
}

void Bus::become_ready(Link& link) {
  HandshakeResult result = link.handshake->take_result();
  link.handshake.reset();
  if (link.is_stranger()) --strangers_;
  link.state = Link::State::kReady;
  link.purpose = result.purpose;
  link.remote.id = result.peer;
  link.peer_instance = result.peer_instance;
  touch(link);
  link.heard = link.used;
  link.check = std::move(result.send);
  link.parser.set_check(std::move(result.receive));
  link.parser.set_max_payload(link.is_stream() ? limits_.stream_frame_bytes
                                               : limits_.message_bytes);
  if (link.outbound) back_off_.succeeded(link.target.address);
  show(link);
  if (link.is_stream()) {
    wire_.set_patient(link.id);
    if (!link.outbound && ++inbound_streams_ > limits_.streams) {
      BusCounters::add(counters_.refused);
      return drop(link);
    }
    return handler_->on_stream_open(link.id, link.remote, link.purpose);
  }
  if (!link.outbound) ++message_links_;
  if (!link.target.id) by_peer_[link.remote.id].push_back(&link);
  make_room(link);
  lower_deadline(deadline_of(link));
  handler_->on_connected(link.remote);
  if (!link.closed()) pump(link);
}

void Bus::user_frame(Link& link, const FrameView& frame) {
  Status taken = frame.type >= kFirstMessageType
                     ? Status()
                     : Status::corruption("a frame of the handshake after its end");
  if (taken.ok() && link.is_stream()) {
    BusCounters::add(counters_.stream_received);
    taken = handler_->on_stream_frame(link.id, frame.type, frame.payload);
  } else if (taken.ok()) {
    BusCounters::add(counters_.received[frame.type]);
    touch(link);
    link.heard = link.used;
    taken = handler_->on_message(link.remote, frame.type, frame.payload);
  }
  if (taken.ok() || link.closed()) return;
  BusCounters::add(counters_.broken);
  close(link, taken);
}

void Bus::written(ConnectionId id) {
  const Scope scope(*this);
  Link* const link = find(id);
  if (link == nullptr) return;
  link->in_flight = 0;
  pump(*link);
  if (link->starved && link->unsent() < limits_.stream_queue_bytes / 2) {
    link->starved = false;
    handler_->on_stream_writable(link->id);
  }
}

void Bus::lost(ConnectionId id, const Status& why) {
  const Scope scope(*this);
  if (Link* const link = find(id)) close(*link, why);
}

// One batch at a time: what comes meanwhile shares the next one.
void Bus::pump(Link& link) {
  if (link.in_flight == 0 && !link.closed()) {
    std::string batch = std::exchange(link.outgoing, {});
    if (link.ready() && !link.is_stream()) {
      link.messages.fill(kBatchBytes, &link.check, &batch,
                         [this](uint8_t type) { BusCounters::add(counters_.sent[type]); });
    }
    if (!batch.empty()) {
      link.in_flight = batch.size();
      BusCounters::add(counters_.bytes_sent, batch.size());
      wire_.write(link.id, std::move(batch));
    }
  }
  const size_t unsent = link.unsent();
  link.shown->used.store(unsent, std::memory_order_relaxed);
  link.shown->allocated.store(link.outgoing.capacity() + link.in_flight + link.messages.bytes(),
                              std::memory_order_relaxed);
  link.shown->writing.store(unsent > 0, std::memory_order_relaxed);
}

void Bus::tick() {
  const Scope scope(*this);
  armed_ = kNoAlarm;
  const TimeMs now = wire_.now();
  if (next_deadline_ <= now) {
    std::vector<Link*> due;
    for (const auto& [id, link] : links_) {
      if (deadline_of(*link) <= now) due.push_back(link.get());
    }
    for (Link* link : due) expire(*link);
    next_deadline_ = kNoAlarm;
    for (const auto& [id, link] : links_) lower_deadline(deadline_of(*link));
  }
  if (user_alarm_ <= now) {
    user_alarm_ = kNoAlarm;
    handler_->on_alarm(now);
  }
}

// --- What any thread may ask ---------------------------------------------------------------------

std::vector<LinkInfo> Bus::links() const {
  const std::lock_guard lock(mutex_);
  std::vector<LinkInfo> infos;
  infos.reserve(shown_.size());
  for (const auto& [id, shown] : shown_) {
    LinkInfo info = shown->info;
    info.writing = shown->writing.load(std::memory_order_relaxed);
    info.send_buffer_used = shown->used.load(std::memory_order_relaxed);
    info.send_buffer_allocated = shown->allocated.load(std::memory_order_relaxed);
    infos.push_back(std::move(info));
  }
  return infos;
}

TransportStats Bus::stats() const { return counters_.snapshot(); }

}  // namespace syntropy
