// merge: the row that two replicas agree on after each has written its own.
//
// merge is commutative, associative and idempotent, so replicas that have seen the same rows, in
// any order and any number of times, hold the same bytes. It is the least upper bound in this
// order:
//
//   1. The greater version wins.
//   2. At equal versions each row has a class, and the greater class wins:
//        bytes(b)    a row that is no counter; its class is its own encoded bytes. Ordered by them.
//        counter(n)  a kCounter row with base n, or a kString row that writes the integer n: the
//                    counter with base n without entries. Above all bytes classes; ordered by n.
//      Honest writers never write two rows of the same version and different classes; the rule
//      makes sure that all replicas agree on one of them should it happen.
//   3. Within counter(n): per writer the entry with the newer stamp, or the greater total when the
//      stamps are equal; the expiry set at the greater version, or the later one when those are
//      equal ("never" counts as 0); the kCounter kind if either side has it.
//
// A tombstone is a row like any other here. So is an expired row: expiry is a matter of reading
// (RowView::expired) and the same on all replicas, because the row says when.
//
// Thread safety: pure functions.
#pragma once

#include <string>

#include "storage/row.h"

namespace syntropy {

/// Appends the encoded merge of `a` and `b` to `out`, which neither may point into.
void merge(const RowView& a, const RowView& b, std::string* out);

}  // namespace syntropy
