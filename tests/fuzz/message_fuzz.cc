// Payloads of messages from a member of the cluster that keeps no rules. Input: the type of the
// message, then the payload.
//
// Properties: what is decoded is encoded to bytes that are decoded to the same again, in as many
// bytes as wire_size says, and not in more than came.

#include <cstdint>
#include <string>

#include "rpc/codec.h"
#include "tests/fuzz/check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace syntropy;
  if (size == 0) return 0;
  const std::string_view payload(reinterpret_cast<const char*>(data) + 1, size - 1);
  const Result<Message> message = decode_message(data[0], payload);
  if (!message.ok()) return 0;
  SYNTROPY_CHECK(static_cast<uint8_t>(message_type(*message)) == data[0]);
  const std::string bytes = encode_message(*message);
  SYNTROPY_CHECK(bytes.size() == wire_size(*message));
  SYNTROPY_CHECK(bytes.size() <= payload.size());
  const Result<Message> again = decode_message(data[0], bytes);
  SYNTROPY_CHECK(again.ok());
  SYNTROPY_CHECK(encode_message(*again) == bytes);
  return 0;
}
