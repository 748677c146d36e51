// What a reconciler asks for, and in which order.
#include <algorithm>
#include <type_traits>
#include <utility>

#include "merkle/reconciler.h"

namespace syntropy {
namespace {

constexpr size_t kListKind = 3;  // of ReconcileRequest::what; those after it are about rows
static_assert(
    std::is_same_v<std::variant_alternative_t<kListKind, decltype(ReconcileRequest::what)>,
                   ListRequest>);

// Takes up to `most` items off `items`, ascending, each once.
NodeList take_nodes(std::vector<uint64_t>* items, size_t most) {
  std::sort(items->begin(), items->end());
  items->erase(std::unique(items->begin(), items->end()), items->end());
  const auto end = items->begin() + static_cast<ptrdiff_t>(std::min(most, items->size()));
  NodeList taken(items->begin(), end);
  items->erase(items->begin(), end);
  return taken;
}

}  // namespace

std::vector<std::string> Reconciler::take_requests() {
  std::vector<std::string> requests;
  while (!done_ && asked_.size() < options_.most_outstanding && ask_next(&requests)) {
  }
  return requests;
}

// What is nearest to its end goes first, so that little is held.
bool Reconciler::ask_next(std::vector<std::string>* requests) {
  if (open_wanted_) {
    open_wanted_ = false;
    ++summary_.passes;
    const Summary root = store_.tree().root(options_.slots);
    send({0, OpenRequest{options_.slots, root.rows, root.check}}, {round_ + 1}, requests);
    return true;
  }
  if (census_wanted_) {
    census_wanted_ = false;
    send({0, CensusRequest{}}, {round_ + 1}, requests);
    return true;
  }
  return ask_push(requests) || ask_fetch(requests) || ask_list(requests) || ask_sums(requests) ||
         ask_frontier(requests);
}

void Reconciler::send(ReconcileRequest request, Asked asked, std::vector<std::string>* requests) {
  request.session = options_.session;
  const bool is_push = std::holds_alternative<PushRequest>(request.what);
  asked.kind = request.what.index();
  std::string bytes = encode_request(request);
  (is_push ? summary_.row_bytes : summary_.identify_bytes) += bytes.size();
  summary_.round_trips = std::max(summary_.round_trips, asked.round);
  const bool is_rows = asked.kind > kListKind;
  if (!is_rows) {
    summary_.identify_round_trips = std::max(summary_.identify_round_trips, asked.round);
  }
  asked_.push_back(std::move(asked));
  requests->push_back(std::move(bytes));
}

bool Reconciler::ask_push(std::vector<std::string>* requests) {
  if (push_.empty()) return false;
  summary_.rows_pushed += push_.size();
  send({0, PushRequest{std::exchange(push_, {})}}, {push_round_}, requests);
  push_bytes_ = 0;
  return true;
}

bool Reconciler::ask_fetch(std::vector<std::string>* requests) {
  if (fetch_.items.empty()) {
    if (walk_from_ == kPositions) return false;
    Asked asked{round_ + 1};
    asked.positions = {std::exchange(walk_from_, kPositions)};
    send({0, WalkRequest{asked.positions.front()}}, asked, requests);
    return true;
  }
  const size_t count = std::min(fetch_.items.size(), options_.window_positions);
  Asked asked{fetch_.round};
  asked.positions.assign(fetch_.items.begin(), fetch_.items.begin() + count);
  fetch_.items.erase(fetch_.items.begin(), fetch_.items.begin() + count);
  std::sort(asked.positions.begin(), asked.positions.end());
  send({0, FetchRequest{options_.pull, asked.positions}}, asked, requests);
  return true;
}

bool Reconciler::ask_list(std::vector<std::string>* requests) {
  if (lists_.empty()) return false;
  const auto first = lists_.begin();
  Asked asked{first->second.round, first->first};
  asked.nodes = take_nodes(&first->second.items, options_.window_nodes);
  if (first->second.items.empty()) lists_.erase(first);
  send({0, ListRequest{asked.level, thorough_, asked.nodes}}, asked, requests);
  return true;
}

bool Reconciler::ask_sums(std::vector<std::string>* requests) {
  if (sums_.empty()) return false;
  // The deepest first, and of a level those that know most.
  const auto last = std::prev(sums_.end());
  const SumsKind kind = last->first;
  Asked asked{last->second.round, kind.level};
  asked.first = kind.first;
  asked.words = kind.words;
  asked.nodes = take_nodes(&last->second.items, options_.window_nodes);
  if (last->second.items.empty()) sums_.erase(last);
  asked.counted = counted_ && kind.first == 0;
  send({0, SumsRequest{kind.level, kind.first, kind.words, asked.nodes, asked.counted}}, asked,
       requests);
  return true;
}

bool Reconciler::ask_frontier(std::vector<std::string>* requests) {
  if (frontier_ranges_.empty()) {
    if (own_walk_from_ == kPositions) return false;
    if (const Status status = walk_own_rows(); !status.ok()) fail(status);
    return !done_ && ask_push(requests);
  }
  Asked asked{frontier_round_, frontier_.level};
  asked.first = frontier_.first;
  asked.words = frontier_.words;
  while (!frontier_ranges_.empty() && asked.nodes.size() < options_.window_nodes) {
    auto& [first, end] = frontier_ranges_.front();
    const uint64_t stop =
        std::min<uint64_t>(end, first + options_.window_nodes - asked.nodes.size());
    for (; first < stop; ++first) asked.nodes.push_back(first);
    if (first == end) frontier_ranges_.pop_front();
  }
  asked.counted = counted_ && asked.first == 0;
  send({0, SumsRequest{asked.level, asked.first, asked.words, asked.nodes, asked.counted}}, asked,
       requests);
  return true;
}

void Reconciler::want(Waiting* waiting, uint64_t item) {
  waiting->items.push_back(item);
  waiting->round = round_ + 1;
}

void Reconciler::begin_frontier(unsigned level, size_t first, size_t words) {
  frontier_ = {level, first, words};
  frontier_round_ = round_ + 1;
  frontier_ranges_.clear();
  for (const SlotRange& range : options_.slots.ranges()) {
    uint64_t begin = node_of(level, first_position(kSlotLevel, range.first));
    const uint64_t end = node_of(level, first_position(kSlotLevel, range.last + uint64_t{1}) - 1);
    // Two ranges may lie in one node.
    if (!frontier_ranges_.empty()) begin = std::max(begin, frontier_ranges_.back().second);
    if (begin <= end) frontier_ranges_.emplace_back(begin, end + 1);
  }
}

}  // namespace syntropy
