#include "rpc/memory_network.h"

#include <algorithm>

namespace syntropy {
namespace {

constexpr size_t kWindowBytes = 64 * 1024;  // sent and not read, in one direction

}  // namespace

// --- Sockets -------------------------------------------------------------------------------------

void MemorySocket::write(std::string_view bytes) {
  if (closed_) return;
  unsent_.append(bytes);
  writing_ = true;
  push();
}

// Sends what the window takes.
void MemorySocket::push() {
  const MemorySocketPtr other = other_.lock();
  if (other == nullptr) return;
  while (sent_ < unsent_.size() && outstanding_ < kWindowBytes) {
    const size_t most = std::min(unsent_.size() - sent_, kWindowBytes - outstanding_);
    const size_t taken = network_.random().one_in(2) ? most : 1 + network_.random().below(most);
    std::string piece = unsent_.substr(sent_, taken);
    sent_ += taken;
    outstanding_ += taken;
    network_.carry(shared_from_this(), [other, bytes = std::move(piece)]() mutable {
      other->arrive(std::move(bytes));
    });
  }
  if (sent_ < unsent_.size() || !writing_) return;
  unsent_.clear();
  sent_ = 0;
  writing_ = false;
  network_.at(network_.now(), [self = shared_from_this()] {
    if (!self->closed_ && self->on_written) self->on_written();
  });
}

void MemorySocket::arrive(std::string bytes) {
  if (closed_) return;
  inbox_ += bytes;
  deliver();
}

void MemorySocket::deliver() {
  if (!reading_ || closed_) return;
  const std::string bytes = std::exchange(inbox_, {});
  const MemorySocketPtr self = shared_from_this();  // callbacks may let go of us
  if (!bytes.empty()) {
    if (const MemorySocketPtr other = other_.lock()) {
      other->outstanding_ -= bytes.size();
      // Not for every few bytes that were read (Clark, RFC 813).
      if (other->outstanding_ <= kWindowBytes / 2) other->push();
    }
    if (on_bytes) on_bytes(bytes);
  }
  finish_if_read();
}

void MemorySocket::finish_if_read() {
  if (at_end_ && inbox_.empty()) lose(Status::unavailable("the peer closed the connection"));
}

void MemorySocket::lose(const Status& why) {
  if (closed_) return;
  closed_ = true;
  if (on_lost) on_lost(why);
}

void MemorySocket::set_reading(bool reading) {
  reading_ = reading;
  if (!reading) return;
  network_.at(network_.now(), [self = shared_from_this()] { self->deliver(); });
}

void MemorySocket::close() {
  if (closed_) return;
  closed_ = true;
  const MemorySocketPtr other = other_.lock();
  if (other == nullptr) return;
  // What the window didn't take is lost.
  network_.carry(shared_from_this(), [other] {
    other->at_end_ = true;
    if (other->reading_) other->finish_if_read();
  });
}

// --- The network ---------------------------------------------------------------------------------

MemoryNetwork::~MemoryNetwork() {
  for (const auto& weak : sockets_) {
    if (const MemorySocketPtr socket = weak.lock()) {
      socket->closed_ = true;
      socket->stalled_.clear();
    }
  }
}

void MemoryNetwork::at(TimeMs at, std::function<void()> job) {
  events_.push({std::max(at, now_), ++numbers_, std::move(job)});
}

void MemoryNetwork::step() {
  Event event = events_.top();
  events_.pop();
  now_ = event.at;
  event.job();
}

void MemoryNetwork::run_until(TimeMs until) {
  while (!events_.empty() && events_.top().at <= until) step();
  now_ = std::max(now_, until);
}

bool MemoryNetwork::run_until(const std::function<bool()>& done, TimeMs limit) {
  while (!done()) {
    if (events_.empty() || events_.top().at > limit) {
      now_ = std::max(now_, limit);
      return done();
    }
    step();
  }
  return true;
}

Status MemoryNetwork::listen(PeerAddress* address, std::function<void(MemorySocketPtr)> on_accept) {
  if (address->port == 0) address->port = ++last_port_;
  if (!listeners_.emplace(*address, std::move(on_accept)).second) {
    return Status::already_exists("cannot listen on " + to_text(*address) + ": it is in use");
  }
  return Status();
}

MemorySocketPtr MemoryNetwork::dial(const std::string& host, const PeerAddress& address) {
  const PeerAddress local{host, ++last_port_};
  const MemorySocketPtr socket(new MemorySocket(*this, local, address));
  std::erase_if(sockets_, [](const auto& weak) { return weak.expired(); });
  sockets_.push_back(socket);
  const uint64_t there_ms = latency(host, address.host);
  at(now_ + there_ms, [this, socket] {
    if (socket->closed_) return;
    const std::string& here = socket->local_.host;
    const std::string& there = socket->remote_.host;
    if (is_cut(here, there) || is_cut(there, here)) return;  // and nothing else will ever happen
    const auto listener = listeners_.find(socket->remote_);
    if (listener == listeners_.end()) {
      return at(now_ + latency(there, here), [socket] {
        if (socket->closed_) return;
        socket->closed_ = true;
        if (socket->on_dial_failed) {
          socket->on_dial_failed(Unreachable::kRefused, Status::unavailable("connection refused"));
        }
      });
    }
    const MemorySocketPtr accepted(new MemorySocket(*this, socket->remote_, socket->local_));
    sockets_.push_back(accepted);
    accepted->other_ = socket;
    socket->other_ = accepted;
    carry(accepted, [socket] {
      if (!socket->closed_ && socket->on_connected) socket->on_connected();
    });
    const auto on_accept = listener->second;
    on_accept(accepted);
  });
  return socket;
}

uint64_t MemoryNetwork::latency(const std::string& from, const std::string& to) {
  const auto link = links_.find({from, to});
  if (link == links_.end()) return latency_ms_;
  return link->second.ms +
         (link->second.jitter_ms == 0 ? 0 : random_.below(link->second.jitter_ms));
}

void MemoryNetwork::carry(const MemorySocketPtr& sender, std::function<void()> job) {
  const uint64_t delay = latency(sender->local_.host, sender->remote_.host);
  sender->arrives_ = std::max(sender->arrives_, now_ + delay);
  at(sender->arrives_, [this, sender, job = std::move(job)]() mutable {
    if (sender->stalled_.empty() && !is_cut(sender->local_.host, sender->remote_.host)) {
      return job();
    }
    if (sender->stalled_.empty()) {
      at(now_ + unacknowledged_ms_, [sender] {
        if (sender->stalled_.empty() || sender->patient_) return;
        sender->lose(Status::unavailable("connection timed out"));
      });
    }
    sender->stalled_.push_back(std::move(job));
  });
}

void MemoryNetwork::cut(const std::string& from, const std::string& to) {
  cuts_.insert({from, to});
}

void MemoryNetwork::heal(const std::string& from, const std::string& to) {
  cuts_.erase({from, to});
  const auto sockets = sockets_;
  for (const auto& weak : sockets) {
    const MemorySocketPtr socket = weak.lock();
    if (socket == nullptr || socket->local_.host != from || socket->remote_.host != to) continue;
    for (auto& job : std::exchange(socket->stalled_, {})) at(now_, std::move(job));
  }
}

}  // namespace syntropy
