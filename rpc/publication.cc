#include "rpc/publication.h"

#include <syntropy.pb.h>

#include <utility>

namespace syntropy {

std::string encode_publication(const Publication& publication) {
  wire::Publication to;
  to.set_channel(publication.channel);
  to.set_message(publication.message);
  to.set_to_shard(publication.to_shard);
  return to.SerializeAsString();
}

Result<Publication> decode_publication(std::string_view payload) {
  wire::Publication from;
  if (payload.size() > INT32_MAX ||
      !from.ParseFromArray(payload.data(), static_cast<int>(payload.size()))) {
    return Status::corruption("an ill-formed message of type Publication");
  }
  return Publication{std::move(*from.mutable_channel()), std::move(*from.mutable_message()),
                     from.to_shard()};
}

}  // namespace syntropy
