#include "merkle/settled_tree.h"

#include <algorithm>
#include <cassert>

namespace syntropy {

SettledTree::SettledTree(size_t most_waiting) : most_waiting_(most_waiting) {
  assert(most_waiting > 0);
}

void SettledTree::note(uint64_t stamp, const std::optional<RowMark>& before,
                       const std::optional<RowMark>& after) {
  const Change change{stamp, before.value_or(RowMark{}), after.value_or(RowMark{})};
  if (stamp <= cut_) return apply(change);
  // Nearly always the newest: writers' clocks ascend, and streams keep their order.
  auto place = waiting_.end();
  while (place != waiting_.begin() && std::prev(place)->stamp > stamp) --place;
  waiting_.insert(place, change);
  if (waiting_.size() <= most_waiting_) return;
  ++forced_;
  settle(waiting_.front().stamp);
}

void SettledTree::settle(uint64_t cut) {
  if (cut <= cut_) return;
  cut_ = cut;
  while (!waiting_.empty() && waiting_.front().stamp <= cut) {
    apply(waiting_.front());
    waiting_.pop_front();
  }
}

void SettledTree::apply(const Change& change) {
  if (change.before.element != 0) tree_.remove(change.before);
  if (change.after.element != 0) tree_.add(change.after);
}

}  // namespace syntropy
