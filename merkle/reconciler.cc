#include "merkle/reconciler.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "merkle/census.h"

namespace syntropy {
namespace {

// With more differing nodes in the opening census there are more elements than sums.
constexpr size_t kMostDecodedAtOnce = kSketchSums;
// Rows that may differ below a node that looks different, on average, if it is asked for four sums
// at first, or for two.
constexpr double kMostForFourSums = 2.6;
constexpr double kMostForTwoSums = 1.6;
// Levels below a census in which every node differs.
constexpr unsigned kLevelsBelowFull = 3;
constexpr size_t kCheckWord = kSketchSums;

// Of the elements, ascending, that lie at the position of element `i`.
size_t end_of_position(std::span<const uint64_t> elements, size_t i) {
  const uint64_t position = position_of(elements[i]);
  while (i < elements.size() && position_of(elements[i]) == position) ++i;
  return i;
}

}  // namespace

Reconciler::Reconciler(ReconcileStore* store, ReconcileOptions options,
                       DifferenceListener* listener)
    : store_(*store), options_(std::move(options)), listener_(listener) {}

// --- hearing -----------------------------------------------------------------------------------

struct Reconciler::ReplyHandler {
  Reconciler& reconciler;
  const Asked& asked;

  template <typename Reply>
  Status operator()(const Reply& reply) const {
    return reconciler.hear(asked, reply);
  }
};

Status Reconciler::receive(std::string_view reply) {
  if (done_) return status_;
  if (Status status = hear_reply(reply); !status.ok()) fail(std::move(status));
  return status_;
}

void Reconciler::fail(Status status) {
  status_ = std::move(status);
  done_ = true;
}

Status Reconciler::hear_reply(std::string_view bytes) {
  if (asked_.empty()) return Status::corruption("a reconcile reply that nobody asked for");
  const Asked asked = std::move(asked_.front());
  asked_.pop_front();
  const Result<ReconcileReply> reply = decode_reply(bytes);
  if (!reply.ok()) return reply.status();
  // Requests and replies stand in the same order.
  if (reply->index() != asked.kind && !std::holds_alternative<ErrorReply>(*reply)) {
    return Status::corruption("a reconcile reply to another request");
  }
  const bool is_rows =
      std::holds_alternative<FetchReply>(*reply) || std::holds_alternative<WalkReply>(*reply);
  (is_rows ? summary_.row_bytes : summary_.identify_bytes) += bytes.size();
  round_ = asked.round;
  Status status = std::visit(ReplyHandler{*this, asked}, *reply);
  if (status.ok() && !identifying()) status = decode_residual();
  if (status.ok()) status = finish_if_idle();
  return status;
}

// Begins with the nodes that look different, or so far below them that few rows differ in each.
void Reconciler::follow_census(const Census& mine, const Census& theirs, unsigned level,
                               size_t words, double most_per_node) {
  NodeList visible;
  NodeList hidden;
  for (uint64_t index = 0; index < nodes_of_level(level); ++index) {
    (mine.cell(index) != theirs.cell(index) ? visible : hidden).push_back(index);
  }
  const auto guess = estimate_differences(visible.size(), nodes_of_level(level));
  unsigned below = guess ? 0 : kLevelsBelowFull;
  if (guess) {
    auto nodes = static_cast<double>(visible.size());
    for (; static_cast<double>(*guess) > most_per_node * nodes; nodes *= 2) ++below;
  }
  const uint64_t rows = store_.tree().root(options_.slots).rows;
  const unsigned leaves = kSlotLevel + depth_for(rows / std::max(1u, options_.slots.count()));
  below = std::min(below, leaves - level);
  frontier_ = {level + below, 0, words};
  frontier_round_ = round_ + 1;
  const auto expand = [below](const NodeList& nodes, auto* ranges) {
    ranges->clear();
    for (const uint64_t index : nodes) ranges->emplace_back(index << below, (index + 1) << below);
  };
  expand(visible, &frontier_ranges_);
  expand(hidden, &hidden_ranges_);
}

Status Reconciler::hear(const Asked&, const OpenReply& reply) {
  check_left_ = 0;
  counted_ = false;
  if (reply.equal) return {};
  const Summary mine = store_.tree().root(options_.slots);
  check_left_ = mine.check ^ reply.check;
  if (options_.pull && mine.rows == 0) {
    walk_from_ = 0;
    return {};
  }
  if (options_.push && reply.rows == 0) {
    own_walk_from_ = 0;
    push_round_ = round_ + 1;
    return {};
  }
  if (thorough_) {
    begin_frontier(kOpeningCensusLevel, kCheckWord, 1);
    return {};
  }
  Sketch difference = mine.sketch;
  difference ^= reply.sketch;
  const Census census(store_.tree(), kOpeningCensusLevel, kOpeningCensusBits, options_.slots);
  size_t differing = 0;
  for (uint64_t i = 0; i < nodes_of_level(kOpeningCensusLevel); ++i) {
    if (census.cell(i) != reply.census.cell(i)) ++differing;
  }
  residual_ = difference;
  residual_decoded_ = false;
  hidden_ranges_.clear();
  // Few enough for the sums of the root: nothing is in sight, and all of it remains.
  if (differing <= kMostDecodedAtOnce && decode_sketch(difference.sums)) return {};
  if (estimate_differences(differing, nodes_of_level(kOpeningCensusLevel))) {
    follow_census(census, reply.census, kOpeningCensusLevel, kSketchSums, kMostForFourSums);
  } else {
    census_wanted_ = true;
  }
  return {};
}

Status Reconciler::hear(const Asked&, const CensusReply& reply) {
  const Census census(store_.tree(), kFullCensusLevel, kFullCensusBits, options_.slots);
  counted_ = true;
  follow_census(census, reply.census, kFullCensusLevel, 2, kMostForTwoSums);
  return {};
}

Status Reconciler::hear(const Asked& asked, const SumsReply& reply) {
  auto missing = reply.missing.begin();
  auto count = reply.counts.begin();
  size_t used = 0;
  for (const uint64_t index : asked.nodes) {
    const NodeId node{asked.level, index};
    if (missing != reply.missing.end() && *missing == index) {
      ++missing;
      partial_.erase(node);
      want(&lists_[node.level], index);
      continue;
    }
    if (used + asked.words > reply.words.size()) break;
    std::optional<uint8_t> rows;
    if (asked.counted) {
      if (count == reply.counts.end()) break;
      rows = *count++;
    }
    const Status status =
        compare_node(node, asked.first, std::span(reply.words).subspan(used, asked.words), rows);
    if (!status.ok()) return status;
    used += asked.words;
  }
  if (missing != reply.missing.end() || used != reply.words.size() || count != reply.counts.end() ||
      reply.missing.size() + used / asked.words != asked.nodes.size()) {
    return Status::corruption("a reconcile reply that doesn't fit its request");
  }
  return {};
}

Status Reconciler::compare_node(NodeId node, size_t first, std::span<const uint64_t> theirs,
                                std::optional<uint8_t> rows) {
  if (!store_.tree().reaches(node.level, node.index)) {
    want(&lists_[node.level], node.index);
    return {};
  }
  const Summary mine = own(node);
  if (first == kCheckWord) {
    if (mine.check != theirs.front()) descend(node);
    return {};
  }
  Partial partial;
  if (first > 0) {
    const auto found = partial_.find(node);
    if (found == partial_.end()) return Status::corruption("a reconcile reply out of turn");
    partial = found->second;
  } else if (rows) {
    constexpr uint64_t kHalf = kCountModulus / 2;
    partial.surplus = static_cast<int>((*rows - mine.rows + kHalf) % kCountModulus) - int{kHalf};
  }
  auto& sums = partial.sums;
  const size_t known = first + theirs.size();
  for (size_t i = first; i < known; ++i) sums[i] = mine.sketch.sums[i] ^ theirs[i - first];
  if (std::all_of(sums.begin(), sums.begin() + known, [](uint64_t sum) { return sum == 0; })) {
    partial_.erase(node);
    return {};
  }
  if (const auto decoded = decode_sketch({sums.data(), known}); decoded) {
    std::vector<uint64_t> elements;
    for (const uint64_t number : *decoded) elements.push_back(unscramble(number));
    if (plausible(node, elements)) {
      partial_.erase(node);
      return resolve(node, std::move(elements), partial.surplus);
    }
  }
  if (known == kSketchSums) {
    partial_.erase(node);
    descend(node);
    return {};
  }
  partial_[node] = partial;
  want(&sums_[{node.level, known, kSketchSums - known}], node.index);
  return {};
}

// Two levels at once: what four sums could not tell is told by those of a quarter.
void Reconciler::descend(NodeId node) {
  NodeId below = node;
  for (int i = 0; i < 2; ++i) {
    const NodeId child{below.level + 1, 2 * below.index};
    if (below.level == kDeepestLevel || !store_.tree().reaches(child.level, child.index)) break;
    below = child;
  }
  if (below.level == node.level) {
    want(&lists_[node.level], node.index);
    return;
  }
  const SumsKind kind =
      thorough_ ? SumsKind{below.level, kCheckWord, 1} : SumsKind{below.level, 0, kSketchSums};
  for (uint64_t i = 0; i < nodes_of_level(below.level - node.level); ++i) {
    want(&sums_[kind], below.index + i);
  }
}

Status Reconciler::hear(const Asked& asked, const ListReply& reply) {
  if (reply.nodes.size() > asked.nodes.size() || asked.nodes.empty() || reply.checks != thorough_) {
    return Status::corruption("a reconcile list that doesn't fit its request");
  }
  if (reply.nodes.empty()) {
    return Status::unavailable("more rows share a position than a list holds");
  }
  for (size_t i = 0; i < reply.nodes.size(); ++i) {
    const Status status = compare_list({asked.level, asked.nodes[i]}, reply.nodes[i]);
    if (!status.ok()) return status;
  }
  // The rest did not fit.
  for (size_t i = reply.nodes.size(); i < asked.nodes.size(); ++i) {
    want(&lists_[asked.level], asked.nodes[i]);
  }
  return {};
}

Status Reconciler::compare_list(NodeId node, const std::vector<ListedRow>& theirs) {
  std::unordered_map<uint64_t, Suspect> found;
  std::vector<bool> known(theirs.size());
  Status status = store_.visit(
      first_position(node.level, node.index), first_position(node.level, node.index + 1),
      [&](const RowMark& mark, std::string_view key, std::string_view) {
        ++summary_.rows_read;
        const ListedRow row{mark.element, static_cast<uint16_t>(thorough_ ? mark.check : 0)};
        const auto same = std::lower_bound(theirs.begin(), theirs.end(), row);
        if (same != theirs.end() && *same == row) {
          known[static_cast<size_t>(same - theirs.begin())] = true;
        } else {
          residual_.toggle(scramble(mark.element));
          found[position_of(mark.element)].mine.push_back({mark, std::string(key)});
        }
        return true;
      });
  for (size_t i = 0; i < theirs.size(); ++i) {
    if (known[i]) continue;
    const uint64_t position = position_of(theirs[i].element);
    if (node_of(node.level, position) != node.index) {
      return Status::corruption("a reconcile list names a row of another node");
    }
    residual_.toggle(scramble(theirs[i].element));
    found[position].theirs.push_back(theirs[i].element);
  }
  for (auto& [position, suspect] : found) {
    suspect.node = node;
    if (status.ok()) status = settle(position, std::move(suspect));
  }
  return status;
}

// --- differences -------------------------------------------------------------------------------

// Chance numbers rarely lie in the node that they were decoded from.
bool Reconciler::plausible(NodeId node, const std::vector<uint64_t>& elements) const {
  return std::all_of(elements.begin(), elements.end(), [&](uint64_t element) {
    const uint64_t position = position_of(element);
    return (element & ((uint64_t{1} << kContentBits) - 1)) != 0 &&
           node_of(node.level, position) == node.index &&
           options_.slots.contains(slot_of_position(position));
  });
}

// Looks up which of the elements are of rows here; the others are the peer's. Two at one position
// are most likely one of each; of the others all are the peer's if it has so many rows more. Should
// that be wrong, the peer won't have them, and the node is told apart further.
Status Reconciler::resolve(NodeId node, std::vector<uint64_t> elements, Surplus surplus) {
  std::sort(elements.begin(), elements.end());  // by position
  int alone = 0;
  for (size_t i = 0, end = 0; i < elements.size(); i = end) {
    end = end_of_position(elements, i);
    if (end - i == 1) ++alone;
  }
  for (size_t i = 0, end = 0; i < elements.size(); i = end) {
    end = end_of_position(elements, i);
    const uint64_t position = position_of(elements[i]);
    Suspect suspect;
    suspect.node = node;
    suspect.decoded = true;
    suspect.theirs.assign(elements.begin() + i, elements.begin() + end);
    for (const uint64_t element : suspect.theirs) residual_.toggle(scramble(element));
    Status status;
    if (end - i > 1 || surplus != alone) status = look_up(position, &suspect);
    if (status.ok()) status = settle(position, std::move(suspect));
    if (!status.ok()) return status;
  }
  return {};
}

Status Reconciler::look_up(uint64_t position, Suspect* suspect) {
  return store_.visit(position, position + 1,
                      [&](const RowMark& mark, std::string_view key, std::string_view) {
                        ++summary_.rows_read;
                        if (std::erase(suspect->theirs, mark.element) != 0) {
                          suspect->mine.push_back({mark, std::string(key)});
                        }
                        return !suspect->theirs.empty();
                      });
}

// Asks for what the peer has at the position, if anything.
Status Reconciler::settle(uint64_t position, Suspect suspect) {
  if (suspect.theirs.empty()) return judge(suspect, {});
  const auto [entry, first] = suspects_.try_emplace(position);
  if (first) {
    want(&fetch_, position);
  } else {
    // Rows changed since the node was told apart before: what was found then is not the difference.
    take_back(entry->second);
  }
  entry->second = std::move(suspect);
  return {};
}

// What was taken off the sums of the root for it is there again.
void Reconciler::take_back(const Suspect& suspect) {
  for (const uint64_t element : suspect.theirs) residual_.toggle(scramble(element));
  for (const OwnRow& row : suspect.mine) residual_.toggle(scramble(row.mark.element));
}

Status Reconciler::hear(const Asked& asked, const FetchReply& reply) {
  if (reply.covered > asked.positions.size() || (reply.covered == 0 && !asked.positions.empty()) ||
      reply.values != options_.pull) {
    return Status::corruption("a reconcile reply that doesn't fit its request");
  }
  std::unordered_map<uint64_t, std::vector<TheirRow>> rows;
  for (const MarkedKey& row : reply.marks) {
    rows[position_of(row.mark.element)].push_back({row.mark, row.key, {}});
  }
  for (const ReconcileRow& row : reply.rows) {
    const Result<RowMark> mark = store_.mark(row.key, row.value);
    if (!mark.ok()) return mark.status();
    rows[position_of(mark->element)].push_back({*mark, row.key, row.value});
  }
  for (size_t i = 0; i < asked.positions.size(); ++i) {
    const uint64_t position = asked.positions[i];
    if (i >= reply.covered) {
      want(&fetch_, position);
      continue;
    }
    const auto suspect = suspects_.find(position);
    if (suspect == suspects_.end()) continue;
    const Suspect taken = std::move(suspect->second);
    suspects_.erase(suspect);
    const Status status = judge(taken, rows[position]);
    if (!status.ok()) return status;
  }
  return {};
}

Status Reconciler::judge(const Suspect& suspect, const std::vector<TheirRow>& theirs) {
  std::vector<bool> paired(suspect.mine.size());
  for (const uint64_t element : suspect.theirs) {
    const auto row = std::find_if(theirs.begin(), theirs.end(), [&](const TheirRow& candidate) {
      return candidate.mark.element == element;
    });
    if (row == theirs.end()) {
      // More differed than could be decoded, and chance looked like an element.
      residual_.toggle(scramble(element));
      if (suspect.decoded && !hidden_ranges_.empty() && suspect.node.level == 0) {
        ask_hidden();
      } else if (suspect.decoded) {
        descend(suspect.node);
      }
      continue;
    }
    const OwnRow* own = nullptr;
    for (size_t i = 0; i < suspect.mine.size(); ++i) {
      if (suspect.mine[i].key != row->key) continue;
      own = &suspect.mine[i];
      paired[i] = true;
    }
    const DifferenceKind kind =
        own == nullptr ? DifferenceKind::kMissingHere : DifferenceKind::kDifferent;
    const Status status = found(kind, own, &*row);
    if (!status.ok()) return status;
  }
  for (size_t i = 0; i < suspect.mine.size(); ++i) {
    if (paired[i]) continue;
    const Status status = found(DifferenceKind::kMissingThere, &suspect.mine[i], nullptr);
    if (!status.ok()) return status;
  }
  return {};
}

Status Reconciler::found(DifferenceKind kind, const OwnRow* mine, const TheirRow* theirs) {
  if (mine != nullptr) check_left_ ^= mine->mark.check;
  if (theirs != nullptr) check_left_ ^= theirs->mark.check;
  const std::string& key = mine != nullptr ? mine->key : theirs->key;
  switch (kind) {
    case DifferenceKind::kMissingHere:
      ++summary_.missing_here;
      break;
    case DifferenceKind::kMissingThere:
      ++summary_.missing_there;
      break;
    case DifferenceKind::kDifferent:
      ++summary_.different;
      break;
  }
  if (listener_ != nullptr) listener_->on_difference(kind, key);
  if (theirs != nullptr && options_.pull) {
    const ReconcileRow row{theirs->key, theirs->value};
    const Status status = store_.merge({&row, 1});
    if (!status.ok()) return status;
    ++summary_.rows_pulled;
  }
  if (mine == nullptr || !options_.push) return {};
  return push_row(*mine);
}

// Sends what the row is by now: it may just have been merged with the peer's.
Status Reconciler::push_row(const OwnRow& row) {
  push_round_ = round_ + 1;
  const uint64_t position = position_of(row.mark.element);
  return store_.visit(position, position + 1,
                      [&](const RowMark&, std::string_view key, std::string_view value) {
                        ++summary_.rows_read;
                        if (key != row.key) return true;
                        push_bytes_ += key.size() + value.size();
                        push_.push_back({std::string(key), std::string(value)});
                        return false;
                      });
}

Status Reconciler::hear(const Asked& asked, const WalkReply& reply) {
  if (reply.next <= asked.positions.front()) {
    return Status::corruption("a reconcile walk that doesn't get on");
  }
  for (const ReconcileRow& row : reply.rows) {
    const Result<RowMark> mark = store_.mark(row.key, row.value);
    if (!mark.ok()) return mark.status();
    check_left_ ^= mark->check;
    if (listener_ != nullptr) listener_->on_difference(DifferenceKind::kMissingHere, row.key);
  }
  summary_.missing_here += reply.rows.size();
  summary_.rows_pulled += reply.rows.size();
  walk_from_ = reply.next;
  return store_.merge(reply.rows);
}

// Fills the next push with rows that the peer, which has none, lacks.
Status Reconciler::walk_own_rows() {
  const uint64_t from = std::exchange(own_walk_from_, kPositions);
  for (const SlotRange& range : options_.slots.ranges()) {
    const uint64_t end = first_position(kSlotLevel, range.last + uint64_t{1});
    const uint64_t first = std::max(from, first_position(kSlotLevel, range.first));
    if (first >= end) continue;
    uint64_t last = 0;
    const Status status = store_.visit(
        first, end, [&](const RowMark& mark, std::string_view key, std::string_view value) {
          const uint64_t position = position_of(mark.element);
          const bool full = push_bytes_ >= options_.window_bytes || push_.size() >= kMostItems / 2;
          if (full && position != last) {
            own_walk_from_ = position;
            return false;
          }
          last = position;
          ++summary_.rows_read;
          ++summary_.missing_there;
          check_left_ ^= mark.check;
          push_bytes_ += key.size() + value.size();
          push_.push_back({std::string(key), std::string(value)});
          if (listener_ != nullptr) {
            listener_->on_difference(DifferenceKind::kMissingThere, key);
          }
          return true;
        });
    if (!status.ok()) return status;
    if (own_walk_from_ != kPositions) break;
  }
  return {};
}

Status Reconciler::hear(const Asked&, const PushReply&) { return {}; }

Status Reconciler::hear(const Asked&, const ErrorReply& reply) {
  return Status::unavailable("the other node refused: " + reply.message);
}

// Whether nodes are still being told apart.
bool Reconciler::identifying() const {
  return open_wanted_ || census_wanted_ || !frontier_ranges_.empty() || !sums_.empty() ||
         !lists_.empty() || std::any_of(asked_.begin(), asked_.end(), [](const Asked& asked) {
           return !asked.nodes.empty();  // sums or a list
         });
}

// Finds what the census missed.
Status Reconciler::decode_residual() {
  if (thorough_ || residual_decoded_ || residual_ == Sketch()) return {};
  residual_decoded_ = true;
  if (const auto decoded = decode_sketch(residual_.sums)) {
    std::vector<uint64_t> elements;
    for (const uint64_t number : *decoded) elements.push_back(unscramble(number));
    const bool out_of_sight = std::all_of(elements.begin(), elements.end(), [&](uint64_t element) {
      return hidden_ranges_.empty() || is_hidden(element);
    });
    if (out_of_sight && plausible({0, 0}, elements))
      return resolve({0, 0}, std::move(elements), {});
  }
  ask_hidden();
  return {};
}

bool Reconciler::is_hidden(uint64_t element) const {
  const uint64_t index = node_of(frontier_.level, position_of(element));
  const auto after =
      std::upper_bound(hidden_ranges_.begin(), hidden_ranges_.end(), index,
                       [](uint64_t value, const auto& range) { return value < range.first; });
  return after != hidden_ranges_.begin() && index < std::prev(after)->second;
}

void Reconciler::ask_hidden() {
  frontier_ranges_ = std::exchange(hidden_ranges_, {});
  frontier_round_ = round_ + 1;
}

Status Reconciler::finish_if_idle() {
  const bool idle = !identifying() && asked_.empty() && walk_from_ == kPositions &&
                    own_walk_from_ == kPositions && fetch_.items.empty() && push_.empty();
  if (!idle) return {};
  summary_.proven = check_left_ == 0;
  if (summary_.proven || summary_.passes >= options_.passes) {
    done_ = true;
    return {};
  }
  thorough_ = true;
  open_wanted_ = true;
  partial_.clear();
  suspects_.clear();
  if (listener_ != nullptr) listener_->on_begin_anew();
  // What was moved is equal by now; what was only told is found again.
  if (!options_.pull) summary_.missing_here = 0;
  if (!options_.push) summary_.missing_there = 0;
  if (!options_.pull && !options_.push) summary_.different = 0;
  return {};
}

Summary Reconciler::own(NodeId node) const {
  return store_.tree().within(node.level, node.index, options_.slots);
}

}  // namespace syntropy
