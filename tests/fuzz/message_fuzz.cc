// Payloads of messages from a member of the cluster that keeps no rules. Input: the type of the
// message, then the payload.
//
// Properties: what is decoded is encoded to bytes that are decoded to the same again, in as many
// bytes as wire_size says, and hardly more than came: protobuf takes a repeated number alone as well,
// in two bytes or more, which takes one more when it is packed.

#include <cstdint>
#include <string>

#include "rpc/codec.h"
#include "rpc/publication.h"
#include "tests/fuzz/check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace syntropy;
  if (size == 0) return 0;
  const std::string_view payload(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (data[0] == kPublicationType) {
    const Result<Publication> publication = decode_publication(payload);
    if (!publication.ok()) return 0;
    const Result<Publication> again = decode_publication(encode_publication(*publication));
    SYNTROPY_CHECK(again.ok() && again->channel == publication->channel);
    SYNTROPY_CHECK(again->message == publication->message);
    SYNTROPY_CHECK(again->to_shard == publication->to_shard);
    return 0;
  }
  const Result<Message> message = decode_message(data[0], payload);
  if (!message.ok()) return 0;
  SYNTROPY_CHECK(static_cast<uint8_t>(message_type(*message)) == data[0]);
  const std::string bytes = encode_message(*message);
  SYNTROPY_CHECK(bytes.size() == wire_size(*message));
  SYNTROPY_CHECK(2 * bytes.size() <= 3 * payload.size());
  const Result<Message> again = decode_message(data[0], bytes);
  SYNTROPY_CHECK(again.ok());
  SYNTROPY_CHECK(encode_message(*again) == bytes);
  return 0;
}
