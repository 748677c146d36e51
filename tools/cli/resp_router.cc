#include "tools/cli/resp_router.h"

#include <algorithm>
#include <charconv>
#include <string_view>

namespace syntropy {
namespace {

constexpr int kMaxRedirections = 8;

std::string place_of(std::string_view host, int64_t port) {
  return std::string(host) + ":" + std::to_string(port);
}

/// "MOVED 3999 10.0.0.1:6381": the last word. A node that doesn't know its own address leaves the
/// host out and means the one that was asked.
std::string redirection_target(std::string_view error, const std::string& asked_host) {
  const std::string_view target = error.substr(error.rfind(' ') + 1);
  return target.starts_with(':') ? asked_host + std::string(target) : std::string(target);
}

bool is_redirection(const RespReply& reply) {
  return reply.is_error("MOVED ") || reply.is_error("ASK ");
}

}  // namespace

Result<RespRouter> RespRouter::open(const NodeAddress& address, uint32_t database) {
  RespRouter router(address, database);
  router.primaries_ = {place_of(address.host, address.port)};
  Result<NodeConnection*> first = router.connection(router.primaries_.front());
  if (!first.ok()) return first.status();
  const Result<std::string> info = (*first)->call_text({"INFO", "cluster"});
  if (info.status().is(StatusCode::kUnavailable)) return info.status();
  // A server that has no such section, or lets nobody see it, is taken as one that stands alone.
  router.is_cluster_ = info.ok() && info->find("cluster_enabled:1") != std::string::npos;
  if (router.is_cluster_) {
    Result<std::vector<Place>> slots = router.ask_slots();
    if (!slots.ok()) return slots.status();
    router.slots_ = std::move(*slots);
    for (uint16_t slot = 0; slot < kSlotCount; ++slot) {
      router.places_of_slots_[slot] = router.index_of(router.slots_[slot]);
    }
    router.primaries_ = router.places_;
  }
  return router;
}

Result<std::vector<RespRouter::Place>> RespRouter::ask_slots() {
  Result<NodeConnection*> first = connection(place_of(address_.host, address_.port));
  if (!first.ok()) return first.status();
  Result<std::vector<RespReply>> reply = (*first)->pipeline({{"CLUSTER", "SLOTS"}});
  if (!reply.ok()) return reply.status();
  const RespReply& ranges = reply->front();
  if (ranges.is_error()) return Status::invalid_argument(address_.text() + ": " + ranges.text);
  std::vector<Place> slots(kSlotCount);
  for (const RespReply& range : ranges.elements) {
    if (range.elements.size() < 3 || range.elements[2].elements.size() < 2) continue;
    const RespReply& primary = range.elements[2];
    const std::string& host = primary.elements[0].text;
    const Place place = place_of(host.empty() ? address_.host : host, primary.elements[1].integer);
    const int64_t last = std::min<int64_t>(range.elements[1].integer, kSlotCount - 1);
    for (int64_t slot = std::max<int64_t>(range.elements[0].integer, 0); slot <= last; ++slot) {
      slots[static_cast<size_t>(slot)] = place;
    }
  }
  if (std::ranges::find(slots, Place()) != slots.end()) {
    return Status::invalid_argument("the cluster of " + address_.text() +
                                    " has slots that no node serves: its keys cannot all be seen");
  }
  return slots;
}

uint16_t RespRouter::index_of(const Place& place) {
  const auto index = static_cast<size_t>(std::ranges::find(places_, place) - places_.begin());
  if (index == places_.size()) places_.push_back(place);
  return static_cast<uint16_t>(index);
}

Status RespRouter::check_slots() {
  if (!is_cluster_) return {};
  const Result<std::vector<Place>> slots = ask_slots();
  if (!slots.ok()) return slots.status();
  if (*slots == slots_) return {};
  return Status::unavailable("slots of the cluster of " + address_.text() +
                             " moved while its keys were read, so some may have been missed: run "
                             "again once they are at rest");
}

Result<NodeConnection*> RespRouter::connection(const Place& place) {
  const auto known = connections_.find(place);
  if (known != connections_.end()) return &known->second;
  NodeAddress address = address_;
  const size_t colon = place.rfind(':');
  const std::string_view port = std::string_view(place).substr(colon + 1);
  address.host = place.substr(0, colon);
  std::from_chars(port.data(), port.data() + port.size(), address.port);
  Result<NodeConnection> opened = NodeConnection::open(address);
  if (!opened.ok()) return opened.status();
  if (database_ != 0) {
    const auto selected = opened->call({"SELECT", std::to_string(database_)});
    if (!selected.ok()) return selected.status();
  }
  return &connections_.emplace(place, std::move(*opened)).first->second;
}

Result<RespReply> RespRouter::ask_node(size_t node, const RespCommand& command) {
  Result<NodeConnection*> to = connection(primaries_[node]);
  if (!to.ok()) return to.status();
  Result<std::vector<RespReply>> replies = (*to)->pipeline({command});
  if (!replies.ok()) return replies.status();
  return std::move(replies->front());
}

Result<std::vector<RespReply>> RespRouter::ask(const std::vector<RespCommand>& commands) {
  if (!is_cluster_) {
    Result<NodeConnection*> to = connection(primaries_.front());
    if (!to.ok()) return to.status();
    return (*to)->pipeline(commands);
  }
  std::map<uint16_t, std::vector<size_t>> of_places;
  for (size_t i = 0; i < commands.size(); ++i) {
    of_places[places_of_slots_[slot_of(commands[i][1])]].push_back(i);
  }
  std::vector<RespReply> all(commands.size());
  for (const auto& [place, indexes] : of_places) {
    Result<NodeConnection*> to = connection(places_[place]);
    if (!to.ok()) return to.status();
    std::vector<RespCommand> part;
    part.reserve(indexes.size());
    for (const size_t index : indexes) part.push_back(commands[index]);
    Result<std::vector<RespReply>> replies = (*to)->pipeline(part);
    if (!replies.ok()) return replies.status();
    for (size_t i = 0; i < indexes.size(); ++i) all[indexes[i]] = std::move((*replies)[i]);
  }
  for (size_t i = 0; i < commands.size(); ++i) {
    if (!is_redirection(all[i])) continue;
    const Status followed = follow(commands[i], &all[i]);
    if (!followed.ok()) return followed;
  }
  return all;
}

Status RespRouter::follow(const RespCommand& command, RespReply* reply) {
  for (int i = 0; i < kMaxRedirections && is_redirection(*reply); ++i) {
    const Place target = redirection_target(reply->text, address_.host);
    const bool only_once = reply->is_error("ASK ");
    if (!only_once) {
      places_of_slots_[slot_of(command[1])] = index_of(target);
    }
    Result<NodeConnection*> to = connection(target);
    if (!to.ok()) return to.status();
    std::vector<RespCommand> commands;
    if (only_once) commands.push_back({"ASKING"});
    commands.push_back(command);
    Result<std::vector<RespReply>> replies = (*to)->pipeline(commands);
    if (!replies.ok()) return replies.status();
    *reply = std::move(replies->back());
  }
  if (!is_redirection(*reply)) return {};
  return Status::unavailable("the nodes of the cluster of " + address_.text() +
                             " don't agree on who has a slot: " + reply->text);
}

Traffic RespRouter::traffic() const {
  Traffic sum;
  for (const auto& [place, connection] : connections_) {
    sum.bytes += connection.bytes();
    sum.round_trips += connection.round_trips();
  }
  return sum;
}

}  // namespace syntropy
