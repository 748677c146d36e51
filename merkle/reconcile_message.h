// What two nodes say to each other in a reconcile session (merkle/reconciler.h): requests of the
// one that began it, each answered by one reply of the other.
//
//   Open     which slots, and the sum over their rows ─> equal; or our sum, and a coarse census
//   Census   ─> some bits of every slot: where, and how much, differs
//   Sums     nodes ─> words of their summaries, and if asked for how many rows each has, modulo 16
//   List     nodes that are small or hopeless ─> their rows' elements
//   Fetch    positions ─> the rows there, whole or just their marks
//   Walk     a position to go on from ─> all rows from there on, as many as fit
//   Push     rows, to be merged
//
// Bytes (varints and fixed integers: storage/base/coding.h; integers little-endian):
//
//   request  := 1:u8 session slots rows:varint check:fixed64
//             | 2:u8 session
//             | 3:u8 session level:u8 first:u8 words:u8 counted:u8 nodes
//             | 4:u8 session level:u8 checks:u8 nodes
//             | 5:u8 session values:u8 positions
//             | 6:u8 session from:varint
//             | 7:u8 session rows
//   reply    := 1:u8 equal:u8 (rows:varint check:fixed64 sum:fixed64*4 census)?
//             | 2:u8 census
//             | 3:u8 missing:nodes counts word:fixed64*
//             | 4:u8 checks:u8 (count:varint (gap:varint check:fixed16?)*)*     one group a node
//             | 5:u8 covered:varint rows | 5:u8 covered:varint marks
//             | 6:u8 next:varint rows
//             | 7:u8
//             | 8:u8 message:bytes                                   an error
//   session  := varint                                               the initiator's number for it
//   slots    := storage/base/slot_ranges.h
//   nodes    := count:varint (gap:varint length:varint)*             runs, ascending
//   positions:= count:varint gap:varint*                             ascending
//   rows     := count:varint (keylen:varint key vallen:varint value)*
//   marks    := count:varint (keylen:varint key element:fixed64 check:fixed64)*
//   counts   := count:varint (rows:4 bits)*          of each node, modulo 16; the lower half first
//   census   := merkle/census.h: the opening census has 48 bytes, the full one 32768
//
// A gap is the difference to the one before, the first from 0 (of runs: to the end of the run
// before).
//
// Thread safety: values and pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "merkle/census.h"
#include "merkle/tree.h"
#include "storage/base/slot_ranges.h"
#include "storage/base/status.h"

namespace syntropy {

/// The words of a node's summary that Sums can ask for: the sketch's sums, then the check.
inline constexpr size_t kSummaryWords = kSketchSums + 1;
/// Most nodes, rows or positions in a message; a message with more is refused.
inline constexpr size_t kMostItems = 1 << 16;

inline constexpr uint64_t kCountModulus = 16;

/// Ascending node numbers of one level.
using NodeList = std::vector<uint64_t>;

struct ReconcileRow {
  std::string key;    // encoded row key
  std::string value;  // encoded row
  bool operator==(const ReconcileRow&) const = default;
};

/// A row without its value.
struct MarkedKey {
  std::string key;
  RowMark mark;
  bool operator==(const MarkedKey&) const = default;
};

struct OpenRequest {
  SlotRanges slots;
  uint64_t rows = 0;
  uint64_t check = 0;
};
struct CensusRequest {};
struct SumsRequest {
  unsigned level = 0;
  size_t first = 0;  // word
  size_t words = 0;
  NodeList nodes;
  bool counted = false;
};
struct ListRequest {
  unsigned level = 0;
  bool checks = false;
  NodeList nodes;
};
struct FetchRequest {
  bool values = false;
  std::vector<uint64_t> positions;  // ascending
};
struct WalkRequest {
  uint64_t from = 0;  // position
};
struct PushRequest {
  std::vector<ReconcileRow> rows;
};

struct ReconcileRequest {
  uint64_t session = 0;
  std::variant<OpenRequest, CensusRequest, SumsRequest, ListRequest, FetchRequest, WalkRequest,
               PushRequest>
      what;
};

struct OpenReply {
  bool equal = false;  // then the rest is empty
  uint64_t rows = 0;
  uint64_t check = 0;
  Sketch sketch;
  Census census;  // of kOpeningCensusLevel
};
struct CensusReply {
  Census census;  // of kFullCensusLevel
};
struct SumsReply {
  NodeList missing;             // nodes below the replier's leaves
  std::vector<uint64_t> words;  // of the other nodes, in their order
  std::vector<uint8_t> counts;  // of these nodes, if asked for: rows, modulo kCountModulus
};
/// A row in a list: its element, and 16 bits of its check, or 0 where they weren't asked for.
struct ListedRow {
  uint64_t element = 0;
  uint16_t check = 0;
  auto operator<=>(const ListedRow&) const = default;
};
struct ListReply {
  bool checks = false;
  std::vector<std::vector<ListedRow>> nodes;  // ascending each
};
struct FetchReply {
  uint64_t covered = 0;  // of the positions asked for, from the first; the rest did not fit
  bool values = false;
  std::vector<ReconcileRow> rows;  // if values
  std::vector<MarkedKey> marks;    // if not
};
struct WalkReply {
  uint64_t next = 0;  // where to go on; kPositions: all rows were told
  std::vector<ReconcileRow> rows;
};
struct PushReply {};
struct ErrorReply {
  std::string message;
};

/// In the order of the requests they answer, then the error.
using ReconcileReply = std::variant<OpenReply, CensusReply, SumsReply, ListReply, FetchReply,
                                    WalkReply, PushReply, ErrorReply>;

std::string encode_request(const ReconcileRequest& request);
/// kCorruption when the bytes are no request: unknown, cut short, out of order or out of bounds.
Result<ReconcileRequest> decode_request(std::string_view bytes);
std::string encode_reply(const ReconcileReply& reply);
/// As decode_request().
Result<ReconcileReply> decode_reply(std::string_view bytes);

}  // namespace syntropy
