#include "storage/lineage.h"

#include <algorithm>
#include <cstring>

namespace syntropy {
namespace {

bool read_lineage(ByteReader* reader, LineageId* id) {
  std::string_view bytes;
  if (!reader->read_bytes(LineageId::kBytes, &bytes)) return false;
  *id = *LineageId::from_bytes(bytes);
  return true;
}

}  // namespace

void encode_history(const History& history, std::string* out) {
  put_varint32(out, static_cast<uint32_t>(history.size()));
  for (const Lineage& lineage : history) {
    out->append(lineage.id.bytes());
    put_fixed64_le(out, lineage.start);
  }
}

Result<History> decode_history(std::string_view bytes) {
  ByteReader reader(bytes);
  uint32_t count = 0;
  reader.read_varint32(&count);
  History history;
  uint64_t last_start = 0;
  for (uint32_t i = 0; i < count && i <= kMaxLineages; ++i) {
    Lineage lineage;
    read_lineage(&reader, &lineage.id);
    if (!reader.read_fixed64_le(&lineage.start) || !lineage.id || lineage.start < last_start) break;
    last_start = lineage.start;
    history.push_back(lineage);
  }
  if (!reader.at_end() || history.size() != count || count > kMaxLineages) {
    return Status::corruption("the history of a log is ill-formed");
  }
  return history;
}

uint64_t LogPosition::end_of(size_t i) const {
  return i + 1 < history.size() ? std::min(history[i + 1].start, offset) : offset;
}

LineageId LogPosition::lineage() const {
  for (size_t i = history.size(); i > 0; --i) {
    // A lineage that starts here has no bytes yet: its primary alone is in it.
    if (history[i - 1].start < offset || i == 1) return history[i - 1].id;
  }
  return {};
}

bool LogPosition::contains(const LogPoint& point) const {
  for (size_t i = 0; i < history.size(); ++i) {
    if (history[i].id == point.lineage) return point.offset <= end_of(i);
  }
  return false;
}

std::optional<uint64_t> LogPosition::common_offset(const LogPosition& other) const {
  std::optional<uint64_t> common;
  for (size_t i = 0; i < history.size(); ++i) {
    for (size_t k = 0; k < other.history.size(); ++k) {
      if (history[i].id != other.history[k].id) continue;
      common = std::max(common.value_or(0), std::min(end_of(i), other.end_of(k)));
    }
  }
  return common;
}

void LogPosition::begin_lineage(const LineageId& id) {
  settle();
  if (owed) history.clear();
  owed.reset();
  std::erase_if(history, [&](const Lineage& lineage) { return lineage.start > offset; });
  if (history.size() >= kMaxLineages) history.erase(history.begin());
  history.push_back({id, offset});
}

void LogPosition::settle() {
  if (owed && contains(*owed)) owed.reset();
}

std::string encode_position(const LogPosition& position) {
  std::string bytes;
  put_fixed64_le(&bytes, position.offset);
  if (!position.owed) return bytes;
  bytes.append(position.owed->lineage.bytes());
  put_fixed64_le(&bytes, position.owed->offset);
  return bytes;
}

Status decode_position(std::string_view bytes, LogPosition* position) {
  ByteReader reader(bytes);
  position->owed.reset();
  reader.read_fixed64_le(&position->offset);
  if (reader.at_end()) return {};
  LogPoint owed;
  read_lineage(&reader, &owed.lineage);
  reader.read_fixed64_le(&owed.offset);
  if (!reader.at_end()) return Status::corruption("the position in a log is ill-formed");
  position->owed = owed;
  return {};
}

}  // namespace syntropy
