#include "tools/cli/row_comparison.h"

#include <algorithm>
#include <utility>

#include "merkle/reconcile_message.h"
#include "storage/row.h"

namespace syntropy {
namespace {

using Kind = Difference::Kind;

constexpr uint64_t kPollMs = 100;
constexpr int kMostTries = 3;

Kind kind_of(DifferenceKind kind) {
  switch (kind) {
    case DifferenceKind::kMissingHere:
      return Kind::kMissingHere;
    case DifferenceKind::kMissingThere:
      return Kind::kMissingThere;
    case DifferenceKind::kDifferent:
      break;
  }
  return Kind::kDifferent;
}

void count(const ReconcileSummary& summary, RowOutcome* outcome) {
  outcome->counts[static_cast<size_t>(Kind::kMissingHere)] = summary.missing_here;
  outcome->counts[static_cast<size_t>(Kind::kMissingThere)] = summary.missing_there;
  outcome->counts[static_cast<size_t>(Kind::kDifferent)] = summary.different;
}

void count_keys(RowOutcome* outcome) {
  outcome->counts = {};
  for (const auto& [owner, kind] : outcome->differences) {
    ++outcome->counts[static_cast<size_t>(kind)];
  }
}

/// Whether they are the answer to what opens a session, and all is equal.
bool says_equal(const std::vector<std::string>& replies) {
  if (replies.size() != 1) return false;
  const Result<ReconcileReply> reply = decode_reply(replies.front());
  const auto* open = reply.ok() ? std::get_if<OpenReply>(&*reply) : nullptr;
  return open != nullptr && open->equal;
}

/// Leaves the keys that were found again, as what they are now.
void keep_those_in(const std::map<RowOwner, Kind>& found, std::map<RowOwner, Kind>* differences) {
  for (auto difference = differences->begin(); difference != differences->end();) {
    const auto again = found.find(difference->first);
    if (again == found.end()) {
      difference = differences->erase(difference);
    } else {
      difference->second = again->second;
      ++difference;
    }
  }
}

}  // namespace

uint64_t RowOutcome::total() const {
  uint64_t total = 0;
  for (const uint64_t of_kind : counts) total += of_kind;
  return total;
}

Status wait_for_trees(ReconcileSide& side, std::string_view name, uint64_t patience_ms,
                      RowComparisonHost& host) {
  uint64_t least = UINT64_MAX;
  uint64_t since_ms = host.now_ms();
  while (true) {
    const Result<uint64_t> left = side.stale_slots();
    if (!left.ok()) return left.status();
    if (*left == 0) return {};
    if (*left < least) {
      least = *left;
      since_ms = host.now_ms();
    } else if (host.now_ms() - since_ms >= patience_ms) {
      return Status::unavailable("the trees of " + std::string(name) + " are being made, and the " +
                                 "rows of " + std::to_string(*left) +
                                 " slots are still to be read: try again later");
    }
    host.making_trees(name, *left);
    host.wait_ms(kPollMs);
  }
}

Result<RowOutcome> RowComparison::run(const ReconcilePlan& plan) {
  RowOutcome outcome;
  std::set<RowOwner> seen;
  const unsigned most = plan.mends() || !in_use() ? 1 : 1 + options_.rechecks;
  while (outcome.sessions < most) {
    if (outcome.sessions != 0) host_.wait_ms(options_.recheck_delay_ms);
    Result<Found> found = session(plan);
    if (!found.ok()) return found.status();
    const ReconcileSummary& summary = found->summary;
    outcome.proven = summary.proven;
    outcome.rows = found->rows + summary.missing_here;
    outcome.rows_pulled += summary.rows_pulled;
    outcome.rows_pushed += summary.rows_pushed;
    outcome.identify_bytes += summary.identify_bytes;
    outcome.row_bytes += summary.row_bytes;
    outcome.round_trips += summary.round_trips;
    const bool first = outcome.sessions++ == 0;
    if (!found->all) {
      outcome.differences = std::move(found->keys);
      outcome.exact = false;
      count(summary, &outcome);
      return outcome;
    }
    for (const auto& [owner, kind] : found->keys) seen.insert(owner);
    if (first) {
      outcome.differences = std::move(found->keys);
    } else {
      keep_those_in(found->keys, &outcome.differences);
    }
    if (seen.empty() || (!first && found->keys.empty())) break;
  }
  outcome.on_their_way = seen.size() - outcome.differences.size();
  count_keys(&outcome);
  return outcome;
}

// As long as what is in the way is that a side has begun to make its trees anew: after FLUSHDB,
// say.
Result<RowComparison::Found> RowComparison::session(const ReconcilePlan& plan) {
  for (int tried = 1;; ++tried) {
    Status ready = wait_for_trees(a_, "A", options_.patience_ms, host_);
    if (ready.ok()) ready = wait_for_trees(b_, "B", options_.patience_ms, host_);
    if (!ready.ok()) return ready;
    Result<Found> found = try_session(plan);
    if (found.ok() || tried == kMostTries) return found;
    const Result<uint64_t> left_a = a_.stale_slots();
    const Result<uint64_t> left_b = b_.stale_slots();
    if (!left_a.ok() || !left_b.ok() || *left_a + *left_b == 0) return found;
  }
}

Result<RowComparison::Found> RowComparison::try_session(const ReconcilePlan& plan) {
  Found found;
  Result<ReconcileSide::Step> step = a_.begin(plan);
  while (true) {
    if (!step.ok()) return step.status();
    take_in(*step, plan.mends(), &found);
    if (step->done) return found;
    if (step->requests.empty()) {
      return Status::corruption("the session at A waits for replies and asks for none");
    }
    for (const std::string& request : step->requests) note_rows(request, &found);
    const Result<std::vector<std::string>> replies = b_.answer(step->requests);
    if (!replies.ok()) return replies.status();
    host_.after_round_trip(step->summary);
    if (says_equal(*replies)) {  // then A has nothing more to say
      found.summary.identify_bytes += replies->front().size();
      found.summary.proven = true;
      return found;
    }
    step = a_.go_on(*replies);
  }
}

// What opens a session, or one that is begun anew, says how many rows the side has.
void RowComparison::note_rows(const std::string& request, Found* found) const {
  const Result<ReconcileRequest> decoded = decode_request(request);
  if (!decoded.ok()) return;
  if (const auto* open = std::get_if<OpenRequest>(&decoded->what)) found->rows = open->rows;
}

void RowComparison::take_in(const ReconcileSide::Step& step, bool mends, Found* found) const {
  found->summary = step.summary;
  // What was mended isn't told again.
  if (step.begun_anew && !mends) {
    found->keys.clear();
    found->all = true;
  }
  for (const auto& difference : step.differences) {
    const Result<RowKeyView> at = decode_row_key(difference.row_key);
    if (!at.ok()) continue;
    const Kind kind = kind_of(difference.kind);
    RowOwner owner{at->db, std::string(at->key)};
    if (const auto known = found->keys.find(owner); known != found->keys.end()) {
      // Rows of a collection that differ in different ways.
      if (known->second != kind) known->second = Kind::kDifferent;
    } else if (found->keys.size() < options_.max_remembered) {
      found->keys.emplace(std::move(owner), kind);
    } else {
      found->all = false;
    }
  }
}

}  // namespace syntropy
