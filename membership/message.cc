#include "membership/message.h"

#include "storage/base/coding.h"

namespace syntropy {

size_t wire_size(const Meet& message) {
  size_t size = message.self.entries.empty() ? 0 : wire_size(message.self);
  if (!message.your_host.empty()) size += 2 + message.your_host.size();
  if (message.forgotten != 0) size += 1 + varint_size(message.forgotten);
  if (message.token != 0) size += 1 + varint_size(message.token);
  if (message.reply_wanted) size += 2;
  return size;
}

size_t wire_size(const Message& message) {
  return std::visit([](const auto& m) { return wire_size(m); }, message);
}

}  // namespace syntropy
