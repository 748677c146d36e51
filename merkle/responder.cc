#include "merkle/responder.h"

#include <algorithm>

#include "merkle/census.h"

namespace syntropy {
namespace {

ErrorReply refusal(const Status& status) { return {std::string(status.message())}; }

uint64_t word_of(const Summary& summary, size_t word) {
  return word < kSketchSums ? summary.sketch.sums[word] : summary.check;
}

}  // namespace

struct Answer {
  Responder& responder;
  uint64_t session;

  const Tree& tree() const { return responder.store_.tree(); }

  ReconcileReply operator()(const OpenRequest& request) const {
    std::erase_if(responder.sessions_, [&](const auto& known) { return known.first == session; });
    responder.sessions_.emplace_back(session, request.slots);
    if (responder.sessions_.size() > Responder::kMostSessions) responder.sessions_.pop_front();
    const Summary root = tree().root(request.slots);
    OpenReply reply;
    reply.equal = root.rows == request.rows && root.check == request.check;
    if (reply.equal) return reply;
    reply.rows = root.rows;
    reply.check = root.check;
    reply.sketch = root.sketch;
    reply.census = Census(tree(), kOpeningCensusLevel, kOpeningCensusBits, request.slots);
    return reply;
  }

  ReconcileReply operator()(const CensusRequest&) const {
    const SlotRanges* slots = responder.slots_of(session);
    if (slots == nullptr) return unknown_session();
    return CensusReply{Census(tree(), kFullCensusLevel, kFullCensusBits, *slots)};
  }

  ReconcileReply operator()(const SumsRequest& request) const {
    const SlotRanges* slots = responder.slots_of(session);
    if (slots == nullptr) return unknown_session();
    SumsReply reply;
    for (const uint64_t index : request.nodes) {
      if (!tree().reaches(request.level, index)) {
        reply.missing.push_back(index);
        continue;
      }
      const Summary sum = tree().within(request.level, index, *slots);
      for (size_t i = 0; i < request.words; ++i) {
        reply.words.push_back(word_of(sum, request.first + i));
      }
      if (request.counted) reply.counts.push_back(static_cast<uint8_t>(sum.rows % kCountModulus));
    }
    return reply;
  }

  ReconcileReply operator()(const ListRequest& request) const {
    ListReply reply;
    reply.checks = request.checks;
    size_t left = kMostItems;
    for (const uint64_t index : request.nodes) {
      std::vector<ListedRow> rows;
      bool fits = true;
      const Status status = responder.store_.visit(
          first_position(request.level, index), first_position(request.level, index + 1),
          [&](const RowMark& mark, std::string_view, std::string_view) {
            fits = rows.size() < left;
            const uint64_t check = request.checks ? mark.check : 0;
            if (fits) rows.push_back({mark.element, static_cast<uint16_t>(check)});
            return fits;
          });
      if (!status.ok()) return refusal(status);
      if (!fits) break;
      std::sort(rows.begin(), rows.end());
      left -= rows.size();
      reply.nodes.push_back(std::move(rows));
    }
    return reply;
  }

  ReconcileReply operator()(const FetchRequest& request) const {
    FetchReply reply;
    reply.values = request.values;
    size_t bytes = 0;
    for (const uint64_t position : request.positions) {
      const Status status = responder.store_.visit(
          position, position + 1,
          [&](const RowMark& mark, std::string_view key, std::string_view value) {
            bytes += key.size() + (request.values ? value.size() : 0);
            if (request.values) {
              reply.rows.push_back({std::string(key), std::string(value)});
            } else {
              reply.marks.push_back({std::string(key), mark});
            }
            return true;
          });
      if (!status.ok()) return refusal(status);
      ++reply.covered;
      if (bytes >= Responder::kMostReplyBytes) break;
    }
    return reply;
  }

  ReconcileReply operator()(const WalkRequest& request) const {
    const SlotRanges* slots = responder.slots_of(session);
    if (slots == nullptr) return unknown_session();
    WalkReply reply;
    reply.next = kPositions;
    size_t bytes = 0;
    for (const SlotRange& range : slots->ranges()) {
      const uint64_t end = first_position(kSlotLevel, range.last + uint64_t{1});
      const uint64_t first = std::max(request.from, first_position(kSlotLevel, range.first));
      if (first >= end) continue;
      uint64_t last = 0;
      const Status status = responder.store_.visit(
          first, end, [&](const RowMark& mark, std::string_view key, std::string_view value) {
            const uint64_t position = position_of(mark.element);
            // All rows of a position go together, for the next walk begins at another.
            if (full(bytes, reply.rows.size()) && position != last) {
              reply.next = position;
              return false;
            }
            last = position;
            bytes += key.size() + value.size();
            reply.rows.push_back({std::string(key), std::string(value)});
            return true;
          });
      if (!status.ok()) return refusal(status);
      if (reply.next != kPositions) break;
    }
    return reply;
  }

  ReconcileReply operator()(const PushRequest& request) const {
    const Status status = responder.store_.merge(request.rows);
    if (!status.ok()) return refusal(status);
    return PushReply{};
  }

 private:
  static bool full(size_t bytes, size_t rows) {
    return bytes >= Responder::kMostReplyBytes || rows >= kMostItems / 2;
  }
  static ErrorReply unknown_session() { return {"the session is unknown here: begin it anew"}; }
};

const SlotRanges* Responder::slots_of(uint64_t session) const {
  for (const auto& [number, slots] : sessions_) {
    if (number == session) return &slots;
  }
  return nullptr;
}

std::string Responder::answer(std::string_view request) {
  const Result<ReconcileRequest> decoded = decode_request(request);
  if (!decoded.ok()) return encode_reply(refusal(decoded.status()));
  return encode_reply(std::visit(Answer{*this, decoded->session}, decoded->what));
}

}  // namespace syntropy
