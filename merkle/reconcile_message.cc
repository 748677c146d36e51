#include "merkle/reconcile_message.h"

#include <cassert>
#include <utility>

#include "storage/base/coding.h"

namespace syntropy {
namespace {

// What comes first in a message. Requests and their replies share numbers.
enum class Tag : uint8_t {
  kOpen = 1,
  kCensus = 2,
  kSums = 3,
  kList = 4,
  kFetch = 5,
  kWalk = 6,
  kPush = 7,
  kError = 8,
};

class Writer {
 public:
  explicit Writer(Tag tag) { u8(static_cast<uint8_t>(tag)); }

  void u8(size_t value) { out.push_back(static_cast<char>(value)); }
  void varint(uint64_t value) { put_varint64(&out, value); }
  void fixed64(uint64_t value) { put_fixed64_le(&out, value); }
  void bytes(std::string_view value) {
    varint(value.size());
    out.append(value);
  }
  void ascending(const std::vector<uint64_t>& numbers) {
    varint(numbers.size());
    uint64_t before = 0;
    for (const uint64_t number : numbers) varint(number - std::exchange(before, number));
  }
  void nodes(const NodeList& numbers) {
    std::vector<std::pair<uint64_t, uint64_t>> runs;  // first, length
    for (const uint64_t number : numbers) {
      if (!runs.empty() && runs.back().first + runs.back().second == number) {
        ++runs.back().second;
      } else {
        runs.emplace_back(number, 1);
      }
    }
    varint(runs.size());
    uint64_t end = 0;
    for (const auto& [first, length] : runs) {
      varint(first - end);
      varint(length);
      end = first + length;
    }
  }
  // An odd one is followed by a count of 0 that isn't there.
  void counts(const std::vector<uint8_t>& counts) {
    varint(counts.size());
    for (size_t i = 0; i < counts.size(); i += 2) {
      u8(counts[i] | (i + 1 < counts.size() ? counts[i + 1] << 4 : 0));
    }
  }
  void rows(const std::vector<ReconcileRow>& rows) {
    varint(rows.size());
    for (const ReconcileRow& row : rows) {
      bytes(row.key);
      bytes(row.value);
    }
  }

  std::string out;
};

// Reads what Writer wrote. The first thing that is wrong makes it fail for good.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : reader_(bytes) {}

  bool done() const { return ok_ && reader_.at_end(); }
  bool ok() const { return ok_; }
  bool at_end() const { return reader_.rest().empty(); }
  void require(bool holds) { ok_ = ok_ && holds; }

  uint8_t u8() {
    uint8_t value = 0;
    require(reader_.read_u8(&value));
    return value;
  }
  uint64_t varint() {
    uint64_t value = 0;
    require(reader_.read_varint64(&value));
    return ok_ ? value : 0;
  }
  uint64_t fixed64() {
    uint64_t value = 0;
    require(reader_.read_fixed64_le(&value));
    return value;
  }
  uint16_t fixed16() {
    uint16_t value = 0;
    require(reader_.read_fixed16_le(&value));
    return value;
  }
  bool flag() {
    const uint8_t value = u8();
    require(value <= 1);
    return value == 1;
  }
  unsigned level(unsigned most) {
    const unsigned value = u8();
    require(value <= most);
    return ok_ ? value : 0;
  }
  size_t count() {
    const uint64_t value = varint();
    require(value <= kMostItems);
    return ok_ ? value : 0;
  }
  std::string bytes() {
    const uint64_t size = varint();
    std::string_view value;
    require(size <= reader_.rest().size());
    if (ok_) require(reader_.read_bytes(size, &value));
    return std::string(value);
  }
  std::vector<uint8_t> counts() {
    std::vector<uint8_t> counts(count());
    for (size_t i = 0; ok_ && i < counts.size(); i += 2) {
      const uint8_t both = u8();
      counts[i] = both & 15;
      if (i + 1 < counts.size()) {
        counts[i + 1] = both >> 4;
      } else {
        require(both < kCountModulus);
      }
    }
    return counts;
  }
  Census census(unsigned level, unsigned bits) {
    std::string_view bytes;
    require(reader_.read_bytes(Census::bytes_for(nodes_of_level(level), bits), &bytes));
    return Census::from_bytes(std::string(bytes), bits);
  }
  // Different numbers below `end`.
  std::vector<uint64_t> ascending(uint64_t end) {
    std::vector<uint64_t> numbers(count());
    uint64_t before = 0;
    for (size_t i = 0; ok_ && i < numbers.size(); ++i) {
      const uint64_t gap = varint();
      require((gap > 0 || i == 0) && gap < end - before);
      numbers[i] = before += gap;
    }
    return numbers;
  }
  NodeList nodes(uint64_t end_of_level) {
    NodeList numbers;
    const size_t runs = count();
    uint64_t end = 0;
    for (size_t i = 0; ok_ && i < runs; ++i) {
      const uint64_t gap = varint();
      const uint64_t length = varint();
      require((gap > 0 || i == 0) && length > 0 && gap < end_of_level - end &&
              length <= end_of_level - end - gap && numbers.size() + length <= kMostItems);
      if (!ok_) break;
      for (uint64_t k = 0; k < length; ++k) numbers.push_back(end + gap + k);
      end += gap + length;
    }
    return numbers;
  }
  std::vector<ReconcileRow> rows() {
    std::vector<ReconcileRow> rows;
    const size_t number = count();
    for (size_t i = 0; ok_ && i < number; ++i) {
      ReconcileRow row;
      row.key = bytes();
      row.value = bytes();
      rows.push_back(std::move(row));
    }
    return rows;
  }
  SlotRanges slots() {
    Result<SlotRanges> slots = SlotRanges::decode(&reader_);
    require(slots.ok());
    return ok_ ? *std::move(slots) : SlotRanges();
  }

 private:
  ByteReader reader_;
  bool ok_ = true;
};

struct RequestWriter {
  uint64_t session;

  Writer begin(Tag tag) const {
    Writer writer(tag);
    writer.varint(session);
    return writer;
  }
  std::string operator()(const OpenRequest& open) const {
    Writer writer = begin(Tag::kOpen);
    open.slots.encode(&writer.out);
    writer.varint(open.rows);
    writer.fixed64(open.check);
    return writer.out;
  }
  std::string operator()(const CensusRequest&) const { return begin(Tag::kCensus).out; }
  std::string operator()(const SumsRequest& sums) const {
    Writer writer = begin(Tag::kSums);
    writer.u8(sums.level);
    writer.u8(sums.first);
    writer.u8(sums.words);
    writer.u8(sums.counted ? 1 : 0);
    writer.nodes(sums.nodes);
    return writer.out;
  }
  std::string operator()(const ListRequest& list) const {
    Writer writer = begin(Tag::kList);
    writer.u8(list.level);
    writer.u8(list.checks ? 1 : 0);
    writer.nodes(list.nodes);
    return writer.out;
  }
  std::string operator()(const FetchRequest& fetch) const {
    Writer writer = begin(Tag::kFetch);
    writer.u8(fetch.values ? 1 : 0);
    writer.ascending(fetch.positions);
    return writer.out;
  }
  std::string operator()(const WalkRequest& walk) const {
    Writer writer = begin(Tag::kWalk);
    writer.varint(walk.from);
    return writer.out;
  }
  std::string operator()(const PushRequest& push) const {
    Writer writer = begin(Tag::kPush);
    writer.rows(push.rows);
    return writer.out;
  }
};

struct ReplyWriter {
  std::string operator()(const OpenReply& open) const {
    Writer writer(Tag::kOpen);
    writer.u8(open.equal ? 1 : 0);
    if (open.equal) return writer.out;
    writer.varint(open.rows);
    writer.fixed64(open.check);
    for (const uint64_t sum : open.sketch.sums) writer.fixed64(sum);
    writer.out.append(open.census.bytes());
    return writer.out;
  }
  std::string operator()(const CensusReply& census) const {
    Writer writer(Tag::kCensus);
    writer.out.append(census.census.bytes());
    return writer.out;
  }
  std::string operator()(const SumsReply& sums) const {
    Writer writer(Tag::kSums);
    writer.nodes(sums.missing);
    writer.counts(sums.counts);
    for (const uint64_t word : sums.words) writer.fixed64(word);
    return writer.out;
  }
  std::string operator()(const ListReply& list) const {
    Writer writer(Tag::kList);
    writer.u8(list.checks ? 1 : 0);
    for (const std::vector<ListedRow>& rows : list.nodes) {
      writer.varint(rows.size());
      uint64_t before = 0;
      for (const ListedRow& row : rows) {
        writer.varint(row.element - std::exchange(before, row.element));
        if (list.checks) put_fixed16_le(&writer.out, row.check);
      }
    }
    return writer.out;
  }
  std::string operator()(const FetchReply& fetch) const {
    Writer writer(Tag::kFetch);
    writer.varint(fetch.covered);
    writer.u8(fetch.values ? 1 : 0);
    if (fetch.values) {
      writer.rows(fetch.rows);
      return writer.out;
    }
    writer.varint(fetch.marks.size());
    for (const MarkedKey& row : fetch.marks) {
      writer.bytes(row.key);
      writer.fixed64(row.mark.element);
      writer.fixed64(row.mark.check);
    }
    return writer.out;
  }
  std::string operator()(const WalkReply& walk) const {
    Writer writer(Tag::kWalk);
    writer.varint(walk.next);
    writer.rows(walk.rows);
    return writer.out;
  }
  std::string operator()(const PushReply&) const { return Writer(Tag::kPush).out; }
  std::string operator()(const ErrorReply& error) const {
    Writer writer(Tag::kError);
    writer.bytes(error.message);
    return writer.out;
  }
};

SumsRequest read_sums(Reader* reader) {
  SumsRequest sums;
  sums.level = reader->level(kDeepestLevel);
  sums.first = reader->u8();
  sums.words = reader->u8();
  reader->require(sums.words > 0 && sums.first + sums.words <= kSummaryWords);
  sums.counted = reader->flag();
  sums.nodes = reader->nodes(nodes_of_level(sums.level));
  return sums;
}

OpenReply read_open_reply(Reader* reader) {
  OpenReply open;
  open.equal = reader->flag();
  if (open.equal) return open;
  open.rows = reader->varint();
  open.check = reader->fixed64();
  for (uint64_t& sum : open.sketch.sums) sum = reader->fixed64();
  open.census = reader->census(kOpeningCensusLevel, kOpeningCensusBits);
  return open;
}

SumsReply read_sums_reply(Reader* reader) {
  SumsReply sums;
  sums.missing = reader->nodes(nodes_of_level(kDeepestLevel));
  sums.counts = reader->counts();
  while (reader->ok() && !reader->at_end()) {
    sums.words.push_back(reader->fixed64());
    reader->require(sums.words.size() <= kMostItems * kSummaryWords);
  }
  return sums;
}

ListReply read_list_reply(Reader* reader) {
  ListReply list;
  list.checks = reader->flag();
  while (reader->ok() && !reader->at_end()) {
    std::vector<ListedRow> rows(reader->count());
    uint64_t element = 0;
    for (size_t i = 0; reader->ok() && i < rows.size(); ++i) {
      const uint64_t gap = reader->varint();
      reader->require(gap <= UINT64_MAX - element);
      element += gap;
      rows[i] = {element, list.checks ? reader->fixed16() : uint16_t{0}};
    }
    list.nodes.push_back(std::move(rows));
    reader->require(list.nodes.size() <= kMostItems);
  }
  return list;
}

FetchReply read_fetch_reply(Reader* reader) {
  FetchReply fetch;
  fetch.covered = reader->varint();
  fetch.values = reader->flag();
  if (fetch.values) {
    fetch.rows = reader->rows();
    return fetch;
  }
  const size_t number = reader->count();
  for (size_t i = 0; reader->ok() && i < number; ++i) {
    MarkedKey row;
    row.key = reader->bytes();
    row.mark.element = reader->fixed64();
    row.mark.check = reader->fixed64();
    fetch.marks.push_back(std::move(row));
  }
  return fetch;
}

}  // namespace

std::string encode_request(const ReconcileRequest& request) {
  return std::visit(RequestWriter{request.session}, request.what);
}

std::string encode_reply(const ReconcileReply& reply) { return std::visit(ReplyWriter{}, reply); }

Result<ReconcileRequest> decode_request(std::string_view bytes) {
  Reader reader(bytes);
  const auto tag = static_cast<Tag>(reader.u8());
  ReconcileRequest request;
  request.session = reader.varint();
  switch (tag) {
    case Tag::kOpen: {
      OpenRequest open;
      open.slots = reader.slots();
      open.rows = reader.varint();
      open.check = reader.fixed64();
      request.what = std::move(open);
      break;
    }
    case Tag::kCensus:
      request.what = CensusRequest{};
      break;
    case Tag::kSums:
      request.what = read_sums(&reader);
      break;
    case Tag::kList: {
      ListRequest list;
      list.level = reader.level(kDeepestLevel);
      list.checks = reader.flag();
      list.nodes = reader.nodes(nodes_of_level(list.level));
      request.what = std::move(list);
      break;
    }
    case Tag::kFetch: {
      FetchRequest fetch;
      fetch.values = reader.flag();
      fetch.positions = reader.ascending(kPositions);
      request.what = std::move(fetch);
      break;
    }
    case Tag::kWalk: {
      WalkRequest walk{reader.varint()};
      reader.require(walk.from < kPositions);
      request.what = walk;
      break;
    }
    case Tag::kPush:
      request.what = PushRequest{reader.rows()};
      break;
    default:
      return Status::corruption("a reconcile request of an unknown kind");
  }
  if (!reader.done()) return Status::corruption("an ill-formed reconcile request");
  return request;
}

Result<ReconcileReply> decode_reply(std::string_view bytes) {
  Reader reader(bytes);
  ReconcileReply reply;
  switch (static_cast<Tag>(reader.u8())) {
    case Tag::kOpen:
      reply = read_open_reply(&reader);
      break;
    case Tag::kCensus:
      reply = CensusReply{reader.census(kFullCensusLevel, kFullCensusBits)};
      break;
    case Tag::kSums:
      reply = read_sums_reply(&reader);
      break;
    case Tag::kList:
      reply = read_list_reply(&reader);
      break;
    case Tag::kFetch:
      reply = read_fetch_reply(&reader);
      break;
    case Tag::kWalk: {
      WalkReply walk;
      walk.next = reader.varint();
      reader.require(walk.next <= kPositions);
      walk.rows = reader.rows();
      reply = std::move(walk);
      break;
    }
    case Tag::kPush:
      reply = PushReply{};
      break;
    case Tag::kError:
      reply = ErrorReply{reader.bytes()};
      break;
    default:
      return Status::corruption("a reconcile reply of an unknown kind");
  }
  if (!reader.done()) return Status::corruption("an ill-formed reconcile reply");
  return reply;
}

}  // namespace syntropy
