// Reconciler: the side of a reconcile session that asks. It finds the rows in which two nodes
// differ and, if told to, moves just those.
//
//   1. Open. The sums over all rows of the slots are compared: equal ones are the end of it, after
//      one round trip and some 30 bytes. A few differences are decoded from those sums at once.
//   2. Census. A few bits of each node of a level (merkle/census.h) tell where differences lie, and
//      roughly how many.
//   3. Sums. Of each node that looks different, as many sums as it probably has elements: up to
//      four are decoded on the spot. Where that makes no sense the other sums follow, then those of
//      the nodes below. Where the trees end, the rows' elements are listed.
//   4. Rows. An element names a position (merkle/row_mark.h): what lies there here is looked up,
//      what lies there at the other node is fetched, both together say what the difference is.
//      Where a node's count of rows says that all of its elements are the other node's, nothing is
//      looked up.
//
// All nodes of a level go through the rounds side by side, so the number of round trips doesn't
// grow with the number of differences; a window bounds how many. No step scans data, but for lists.
//
// One side empty: all rows of the other are walked, in order.
//
// What the census missed. Once every node in sight is decoded, the elements found are taken off the
// sums of the root: what remains there are the elements that were hidden, and if they are too many
// to be decoded, the nodes out of sight are asked for after all.
//
// Proof. The checks of the rows found to differ must add up to the difference between the checks of
// the roots. If they don't (a row in four thousand million hides behind its other version; rows
// changed meanwhile) the session begins anew, this time by checks down to lists, up to
// ReconcileOptions::passes times.
//
// A core without I/O: take_requests() says what to send, receive() takes the replies in the order
// of the requests. When the connection goes, so may the reconciler: what was moved has arrived, and
// a new one finds what is left.
//
// Thread safety: none.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "merkle/census.h"
#include "merkle/reconcile_store.h"

namespace syntropy {

enum class DifferenceKind { kMissingHere, kMissingThere, kDifferent };

class DifferenceListener {
 public:
  virtual ~DifferenceListener() = default;
  virtual void on_difference(DifferenceKind kind, std::string_view row_key) = 0;
  /// What was told so far is told again, unless it was mended.
  virtual void on_begin_anew() = 0;
};

struct ReconcileOptions {
  /// Tells sessions with the same peer apart.
  uint64_t session = 1;
  SlotRanges slots = SlotRanges::all();
  bool pull = false;  // take in rows that the peer has
  bool push = false;  // send it rows that are here
  /// Most nodes asked for in one request; 1 to kMostItems.
  size_t window_nodes = 8192;
  /// Most rows asked for, and bytes of rows sent, in one request.
  size_t window_positions = 4096;
  size_t window_bytes = size_t{256} << 10;
  /// Most requests without a reply.
  size_t most_outstanding = 8;
  unsigned passes = 3;
};

struct ReconcileSummary {
  uint64_t missing_here = 0;
  uint64_t missing_there = 0;
  uint64_t different = 0;
  uint64_t rows_pulled = 0;
  uint64_t rows_pushed = 0;
  uint64_t rows_read = 0;             // here
  uint64_t identify_bytes = 0;        // both ways, all that isn't a row
  uint64_t row_bytes = 0;             // both ways: keys, and values where they were asked for
  uint64_t round_trips = 0;           // until the last row was there
  uint64_t identify_round_trips = 0;  // until the last element was known
  unsigned passes = 0;
  /// All differences were found: what is told is complete.
  bool proven = false;

  uint64_t differences() const { return missing_here + missing_there + different; }
};

class Reconciler {
 public:
  /// `store` and `listener` (may be null) outlive it.
  Reconciler(ReconcileStore* store, ReconcileOptions options, DifferenceListener* listener);

  /// Encoded requests to be sent now, in this order.
  std::vector<std::string> take_requests();
  /// The encoded reply to the oldest request without one. Returns status().
  Status receive(std::string_view reply);

  bool done() const { return done_; }
  /// What ended it early: the peer's refusal, a reply that isn't one, a store that failed.
  const Status& status() const { return status_; }
  const ReconcileSummary& summary() const { return summary_; }

 private:
  struct NodeId {
    unsigned level = 0;
    uint64_t index = 0;
    auto operator<=>(const NodeId&) const = default;
  };
  // A request on its way.
  struct Asked {
    uint64_t round = 0;
    unsigned level = 0;
    NodeList nodes = {};
    std::vector<uint64_t> positions = {};
    size_t first = 0;
    size_t words = 0;
    bool counted = false;
    size_t kind = 0;  // which alternative of ReconcileRequest::what
  };
  // What waits to be asked for, with the round in which it will be.
  struct Waiting {
    std::vector<uint64_t> items;
    uint64_t round = 0;
  };
  struct SumsKind {
    unsigned level = 0;
    size_t first = 0;
    size_t words = 0;
    auto operator<=>(const SumsKind&) const = default;
  };
  struct OwnRow {
    RowMark mark;
    std::string key;
  };
  /// How many rows more the peer has below a node, -8 to 7; or nobody knows.
  using Surplus = std::optional<int>;
  // The differences of a node's sums so far.
  struct Partial {
    std::array<uint64_t, kSketchSums> sums{};
    Surplus surplus;
  };
  // A position at which something differs.
  struct Suspect {
    NodeId node;  // whose sums said so
    bool decoded = false;
    std::vector<uint64_t> theirs;  // elements
    std::vector<OwnRow> mine;
  };
  struct ReplyHandler;

  // --- asking
  bool ask_next(std::vector<std::string>* requests);
  void send(ReconcileRequest request, Asked asked, std::vector<std::string>* requests);
  bool ask_push(std::vector<std::string>* requests);
  bool ask_fetch(std::vector<std::string>* requests);
  bool ask_list(std::vector<std::string>* requests);
  bool ask_sums(std::vector<std::string>* requests);
  bool ask_frontier(std::vector<std::string>* requests);
  void want(Waiting* waiting, uint64_t item);
  void begin_frontier(unsigned level, size_t first, size_t words);
  void follow_census(const Census& mine, const Census& theirs, unsigned level, size_t words,
                     double most_per_node);

  // --- hearing
  Status hear_reply(std::string_view bytes);
  Status hear(const Asked& asked, const OpenReply& reply);
  Status hear(const Asked& asked, const CensusReply& reply);
  Status hear(const Asked& asked, const SumsReply& reply);
  Status hear(const Asked& asked, const ListReply& reply);
  Status hear(const Asked& asked, const FetchReply& reply);
  Status hear(const Asked& asked, const WalkReply& reply);
  Status hear(const Asked& asked, const PushReply& reply);
  Status hear(const Asked& asked, const ErrorReply& reply);
  Status compare_node(NodeId node, size_t first, std::span<const uint64_t> theirs,
                      std::optional<uint8_t> rows);
  Status compare_list(NodeId node, const std::vector<ListedRow>& theirs);
  void descend(NodeId node);

  // --- differences
  bool plausible(NodeId node, const std::vector<uint64_t>& elements) const;
  Status resolve(NodeId node, std::vector<uint64_t> elements, Surplus surplus);
  Status look_up(uint64_t position, Suspect* suspect);
  Status settle(uint64_t position, Suspect suspect);
  void take_back(const Suspect& suspect);
  Status decode_residual();
  bool is_hidden(uint64_t element) const;
  void ask_hidden();
  bool identifying() const;
  struct TheirRow {
    RowMark mark;
    std::string key;
    std::string value;  // empty unless it was fetched
  };
  Status judge(const Suspect& suspect, const std::vector<TheirRow>& theirs);
  Status found(DifferenceKind kind, const OwnRow* mine, const TheirRow* theirs);
  Status push_row(const OwnRow& row);
  Status walk_own_rows();
  void fail(Status status);
  Status finish_if_idle();

  Summary own(NodeId node) const;

  ReconcileStore& store_;
  const ReconcileOptions options_;
  DifferenceListener* const listener_;

  std::deque<Asked> asked_;
  bool open_wanted_ = true;
  bool thorough_ = false;  // this pass goes by checks, down to lists
  bool counted_ = false;   // there are so many differences that it saves time to count rows
  uint64_t round_ = 0;     // of the reply that is being heard
  uint64_t check_left_ = 0;

  // The nodes of one level that are still to be asked for, in ranges first..end-1.
  SumsKind frontier_;
  std::deque<std::pair<uint64_t, uint64_t>> frontier_ranges_;
  uint64_t frontier_round_ = 0;
  bool census_wanted_ = false;
  // The difference between the roots, but for the elements found so far.
  Sketch residual_;
  bool residual_decoded_ = false;
  // What looks alike in the census, as ranges of the frontier's level.
  std::deque<std::pair<uint64_t, uint64_t>> hidden_ranges_;
  uint64_t walk_from_ = kPositions;      // the peer's rows: where to go on
  uint64_t own_walk_from_ = kPositions;  // ours

  std::map<SumsKind, Waiting> sums_;
  std::map<unsigned, Waiting> lists_;  // by level
  Waiting fetch_;
  std::map<NodeId, Partial> partial_;
  std::unordered_map<uint64_t, Suspect> suspects_;  // by position
  std::vector<ReconcileRow> push_;
  size_t push_bytes_ = 0;
  uint64_t push_round_ = 0;

  bool done_ = false;
  Status status_;
  ReconcileSummary summary_;
};

}  // namespace syntropy
