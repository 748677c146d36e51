#include "membership/observers.h"

#include <algorithm>
#include <cassert>

#include "membership/member_list.h"

namespace syntropy {
namespace {

/// Each step is one-to-one, so two digest ids never share a position.
uint64_t mix(uint64_t x) {
  x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9;
  x = (x ^ x >> 27) * 0x94D049BB133111EB;
  return x ^ x >> 31;
}

}  // namespace

ObserverRing::ObserverRing(uint64_t seed, uint32_t observers)
    : seed_(mix(seed)), each_side_(observers / 2) {
  assert(observers >= 2 && observers % 2 == 0);
}

uint64_t ObserverRing::position(const NodeId& id) const { return mix(digest_id(id) ^ seed_); }

bool ObserverRing::within(const std::vector<Near>& side, uint64_t distance) const {
  return side.size() < each_side_ || distance < side.back().distance;
}

void ObserverRing::keep_nearest(std::vector<Near>& side, uint64_t distance,
                                const NodeId& id) const {
  if (side.size() == each_side_) side.pop_back();
  const auto at = std::upper_bound(side.begin(), side.end(), distance,
                                   [](uint64_t d, const Near& near) { return d < near.distance; });
  side.insert(at, Near{distance, id});
}

ObserverRing::Arcs ObserverRing::arcs(const Roster& roster, const std::set<NodeId>& failed,
                                      const NodeId& node) const {
  Arcs arcs;
  arcs.ahead.reserve(each_side_);
  arcs.behind.reserve(each_side_);
  const uint64_t origin = position(node);
  const size_t size = roster.size();
  for (size_t rank = 0; rank < size; ++rank) {
    const NodeId& id = roster.id(rank);
    const uint64_t ahead = position(id) - origin;
    const uint64_t behind = origin - position(id);
    const bool is_ahead = within(arcs.ahead, ahead);
    const bool is_behind = within(arcs.behind, behind);
    if ((!is_ahead && !is_behind) || id == node) continue;
    if (!failed.empty() && failed.contains(id)) continue;
    if (is_ahead) keep_nearest(arcs.ahead, ahead, id);
    if (is_behind) keep_nearest(arcs.behind, behind, id);
  }
  return arcs;
}

std::vector<NodeId> ObserverRing::observers(const Roster& roster, const std::set<NodeId>& failed,
                                            const NodeId& node) const {
  const Arcs near = arcs(roster, failed, node);
  std::vector<NodeId> ids;
  ids.reserve(near.ahead.size() + near.behind.size());
  for (const Near& n : near.ahead) ids.push_back(n.id);
  for (const Near& n : near.behind) ids.push_back(n.id);
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  return ids;
}

std::vector<ObserverRing::Neighbour> ObserverRing::neighbours(const Roster& roster,
                                                              const std::set<NodeId>& failed,
                                                              const NodeId& node,
                                                              Reach& reach) const {
  const Arcs near = arcs(roster, failed, node);
  const auto end = [this](const std::vector<Near>& side) {
    return side.size() < each_side_ ? ~uint64_t{0} : side.back().distance;
  };
  reach = {end(near.ahead), end(near.behind)};
  const auto index = [](const std::vector<Near>& side, const NodeId& id) {
    return static_cast<size_t>(
        std::find_if(side.begin(), side.end(), [&](const Near& n) { return n.id == id; }) -
        side.begin());
  };
  std::vector<Neighbour> all;
  for (const std::vector<Near>* side : {&near.ahead, &near.behind}) {
    for (const Near& n : *side) {
      // In a small cluster a node is on both sides; the shorter way decides, as the other sees it.
      const size_t ahead = index(near.ahead, n.id);
      const size_t behind = index(near.behind, n.id);
      const bool initiates = ahead < behind || (ahead == behind && position(node) < position(n.id));
      all.push_back({n.id, false, initiates});
    }
  }
  for (const NodeId& id : failed) {
    if (id == node || !within(reach, node, id) || !roster.rank_of(id).has_value()) continue;
    all.push_back({id, true, true});
  }
  const auto by_id = [](const Neighbour& a, const Neighbour& b) { return a.id < b.id; };
  std::sort(all.begin(), all.end(), by_id);
  const auto same = [](const Neighbour& a, const Neighbour& b) { return a.id == b.id; };
  all.erase(std::unique(all.begin(), all.end(), same), all.end());
  return all;
}

bool ObserverRing::within(const Reach& reach, const NodeId& node, const NodeId& other) const {
  const uint64_t ahead = position(other) - position(node);
  return ahead <= reach.ahead || ~ahead + 1 <= reach.behind;
}

std::vector<ObserverRing::Place> ObserverRing::order(const Roster& roster,
                                                     const std::set<NodeId>& failed) const {
  std::vector<Place> places;
  places.reserve(roster.size());
  for (size_t rank = 0; rank < roster.size(); ++rank) {
    const NodeId& id = roster.id(rank);
    if (failed.empty() || !failed.contains(id)) {
      places.push_back({position(id), static_cast<uint32_t>(rank)});
    }
  }
  std::sort(places.begin(), places.end(),
            [](const Place& a, const Place& b) { return a.position < b.position; });
  return places;
}

}  // namespace syntropy
