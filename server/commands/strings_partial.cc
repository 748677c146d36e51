// Commands that read or write parts of a string.
#include <algorithm>
#include <cstring>

#include "server/commands/arguments.h"
#include "server/commands/string_handlers.h"

namespace syntropy {

void append_command(Call& call) {
  StringRow row;
  if (!get_string(call, call.args[1], &row)) return;
  const std::string_view suffix = call.args[2];
  const size_t size = row.bytes.size() + suffix.size();
  if (row.present && !check_string_size(call, size)) return;

  std::string value;
  value.reserve(size);
  value.append(row.bytes).append(suffix);
  call.tick.put(call.db(), call.args[1], RowKind::kString, value, row.expires_at_ms);
  call.reply.integer(static_cast<int64_t>(size));
}

void strlen_command(Call& call) {
  StringRow row;
  if (!get_string(call, call.args[1], &row)) return;
  call.reply.integer(static_cast<int64_t>(row.bytes.size()));
}

void setrange_command(Call& call) {
  const std::optional<int64_t> offset = int64_argument(call, 2);
  if (!offset) return;
  if (*offset < 0) return call.reply.error("ERR offset is out of range");
  StringRow row;
  if (!get_string(call, call.args[1], &row)) return;
  const std::string_view patch = call.args[3];
  if (patch.empty()) return call.reply.integer(static_cast<int64_t>(row.bytes.size()));
  // Neither summand reaches 2^63, so the sum fits.
  const uint64_t end = static_cast<uint64_t>(*offset) + patch.size();
  if (!check_string_size(call, end)) return;

  std::string value;
  value.reserve(std::max<size_t>(end, row.bytes.size()));
  value.assign(row.bytes);
  if (value.size() < end) value.resize(end);
  std::memcpy(value.data() + *offset, patch.data(), patch.size());
  call.tick.put(call.db(), call.args[1], RowKind::kString, value, row.expires_at_ms);
  call.reply.integer(static_cast<int64_t>(value.size()));
}

void getrange_command(Call& call) {
  const std::optional<int64_t> first = int64_argument(call, 2);
  if (!first) return;
  const std::optional<int64_t> last = int64_argument(call, 3);
  if (!last) return;
  StringRow row;
  if (!get_string(call, call.args[1], &row)) return;

  if (*first < 0 && *last < 0 && *first > *last) return call.reply.bulk({});
  const int64_t size = static_cast<int64_t>(row.bytes.size());
  // An end before the string means its first byte, not nothing: Redis does so, and clients see it.
  const int64_t from = std::max<int64_t>(*first < 0 ? *first + size : *first, 0);
  int64_t to = std::max<int64_t>(*last < 0 ? *last + size : *last, 0);
  to = std::min(to, size - 1);
  if (from > to) return call.reply.bulk({});
  call.reply.bulk(row.bytes.substr(static_cast<size_t>(from), static_cast<size_t>(to - from + 1)));
}

}  // namespace syntropy
