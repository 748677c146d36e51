#include "rpc/link.h"

#include <utility>

namespace syntropy {

size_t MessageQueue::push(uint8_t type, std::string payload, size_t limit_bytes) {
  bytes_ += payload.size() + kOverheadBytes;
  messages_.push_back({type, std::move(payload)});
  size_t dropped = 0;
  for (; bytes_ > limit_bytes && messages_.size() > 1; ++dropped) pop();
  return dropped;
}

void MessageQueue::pop() {
  bytes_ -= messages_.front().payload.size() + kOverheadBytes;
  messages_.pop_front();
}

}  // namespace syntropy
