#include "tests/simulation/observer.h"

#include <algorithm>

#include "rpc/codec.h"

namespace syntropy::testing {

void Observer::sent(SimNode& from, const NodeId& to, uint8_t type, std::string_view payload) {
  if (type != static_cast<uint8_t>(MessageType::kVote)) return;
  const Result<Message> message = decode_message(type, payload);
  if (!message.ok()) return violation_(from.name() + " sends a vote that can't be read");
  const auto* election = std::get_if<ElectionMessage>(&*message);
  const auto* vote = election == nullptr ? nullptr : std::get_if<Vote>(election);
  if (vote == nullptr) return violation_(from.name() + " sends a vote that is none");
  const auto [at, first] = votes_.try_emplace({from.id(), vote->epoch}, to);
  if (!first && at->second != to) {
    violation_(from.name() + " votes twice in epoch " + std::to_string(vote->epoch));
  }
}

void Observer::disk_changed(const NodeId& node,
                            const std::function<uint64_t(const NodeId&)>& known_epoch) {
  std::erase_if(votes_, [&](const auto& vote) { return vote.first.first == node; });
  std::erase_if(service_, [&](const auto& service) {
    return service.second.epoch > known_epoch(service.second.node);
  });
}

void Observer::look(SimNode& node, bool took_over) {
  if (!node.up()) return;
  if (!took_over) look_at_claims(node);
  look_at_log(node);
  look_at_routing(node);
}

void Observer::restarted(SimNode& node) {
  checked_.erase(node.index());
  complete_.erase(node.index());
}

void Observer::look_at_routing(SimNode& node) {
  const std::shared_ptr<const Routing> routing = node.cluster().gate().routing();
  std::shared_ptr<const Routing>& complete = complete_[node.index()];
  if (routing == complete || routing == nullptr) return;
  const auto nobody = std::find(routing->owner.begin(), routing->owner.end(), Routing::kNobody);
  if (nobody == routing->owner.end()) {
    complete = routing;
  } else if (out_of_reach_(static_cast<uint16_t>(nobody - routing->owner.begin()))) {
    complete = nullptr;  // until it has heard whose it is by then
  } else if (complete != nullptr && !left_.contains(node.index()) && node.with_majority()) {
    violation_(node.name() + " sees slot " + std::to_string(nobody - routing->owner.begin()) +
               " without an owner, which had one");
  }
}

void Observer::look_at_claims(SimNode& node) {
  const OwnershipState& own = node.membership().epochs();
  const SlotRanges claimed = own.slots.difference(own.given);
  if (claimed.empty()) return;
  std::map<NodeId, SlotRanges>& claims = claims_[own.config_epoch];
  SlotRanges& mine = claims[node.id()];
  if (mine.contains(claimed)) return;
  mine.add(claimed);
  for (const auto& [other, slots] : claims) {
    if (other != node.id() && slots.intersects(claimed)) {
      violation_(node.name() + " claims slots " + slots.intersection(claimed).text() +
                 " in epoch " + std::to_string(own.config_epoch) + ", as another did");
    }
  }
}

void Observer::look_at_log(SimNode& node) {
  const LogPosition position = node.log().position();
  const auto checked = checked_.find(node.index());
  const uint64_t before = checked == checked_.end() ? 0 : checked->second;
  checked_[node.index()] = position.offset;
  // It may have gone back: followers do when they leave another history.
  const uint64_t from = std::max(before > position.offset ? 0 : before, node.log().backlog_begin());
  if (from >= position.offset) return;
  const Result<std::string> bytes = node.log().read(from, SIZE_MAX);
  if (!bytes.ok()) return;  // trimmed meanwhile
  for (size_t i = 0; i < position.history.size(); ++i) {
    const Lineage& lineage = position.history[i];
    const uint64_t next =
        i + 1 < position.history.size() ? position.history[i + 1].start : position.offset;
    const uint64_t begin = std::max(lineage.start, from);
    const uint64_t end = std::min(next, position.offset);
    if (begin >= end) continue;
    CanonicalLog& log =
        logs_.try_emplace(lineage.id, CanonicalLog{lineage.start, {}}).first->second;
    if (log.start != lineage.start) {
      return violation_("a lineage begins at two offsets on " + node.name());
    }
    const uint64_t at = begin - log.start;
    if (at > log.bytes.size()) continue;  // the bytes before it were never seen
    const std::string_view part = std::string_view(*bytes).substr(begin - from, end - begin);
    const std::string_view known = std::string_view(log.bytes).substr(at, part.size());
    if (known != part.substr(0, known.size())) {
      return violation_(node.name() + " has other bytes at an offset of lineage " +
                        lineage.id.hex().substr(0, 8));
    }
    log.bytes.append(part.substr(known.size()));
  }
}

void Observer::served(SimNode& node, uint16_t slot, bool forced) {
  const OwnershipState& own = node.membership().epochs();
  if (!forced && (own.given.contains(slot) || !own.slots.contains(slot))) {
    violation_(node.name() + " executes a write of slot " + std::to_string(slot) +
               ", which has gone to another node");
  }
  const uint64_t epoch = own.config_epoch;
  Service& last = service_[slot];
  if (epoch < last.epoch && last.node != node.id() && !forced) {
    violation_(node.name() + " serves slot " + std::to_string(slot) + " in epoch " +
               std::to_string(epoch) + " after another did so in epoch " +
               std::to_string(last.epoch));
  }
  if (epoch >= last.epoch) last = {epoch, node.id()};
}

}  // namespace syntropy::testing
