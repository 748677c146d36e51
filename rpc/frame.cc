#include "rpc/frame.h"

#include <xxhash.h>

#include <algorithm>
#include <cassert>

#include "storage/base/coding.h"

namespace syntropy {
namespace {

constexpr std::string_view kMagic = "Sy";
constexpr size_t kCheckAt = 8;  // the check covers what is before it and what follows it
constexpr size_t kKeptBytes = 64 * 1024;

std::string hex_byte(uint8_t byte) {
  constexpr char kDigits[] = "0123456789abcdef";
  return {kDigits[byte >> 4], kDigits[byte & 15]};
}

}  // namespace

uint64_t FrameCheck::next(std::string_view header, std::string_view payload) {
  assert(header.size() == kCheckAt);
  if (!mac_)
    return ::XXH3_64bits_withSeed(payload.data(), payload.size(), load_le<uint64_t>(header.data()));
  char numbered[sizeof(uint64_t) + kCheckAt];
  store_le<uint64_t>(numbered, number_++);
  std::copy(header.begin(), header.end(), numbered + sizeof(uint64_t));
  return mac_->tag({numbered, sizeof(numbered)}, payload);
}

void append_frame(uint8_t type, std::string_view payload, FrameCheck* check, std::string* out) {
  assert(type != 0 && payload.size() <= UINT32_MAX);
  char header[kFrameHeaderBytes];
  std::copy(kMagic.begin(), kMagic.end(), header);
  header[2] = static_cast<char>(kFrameVersion);
  header[3] = static_cast<char>(type);
  store_le<uint32_t>(header + 4, static_cast<uint32_t>(payload.size()));
  store_le<uint64_t>(header + kCheckAt, check->next({header, kCheckAt}, payload));
  out->append(header, sizeof(header));
  out->append(payload);
}

// Each byte is looked at as soon as it is there: a stranger's first bytes are answer enough.
Status FrameParser::check_header(std::string_view header) const {
  const size_t compared = std::min(header.size(), kMagic.size());
  if (header.substr(0, compared) != kMagic.substr(0, compared)) {
    return Status::corruption("not a frame of the cluster bus: it begins with 0x" +
                              hex_byte(static_cast<uint8_t>(header[0])));
  }
  if (header.size() > 2 && header[2] != static_cast<char>(kFrameVersion)) {
    return Status::corruption("a frame of format version " +
                              std::to_string(static_cast<uint8_t>(header[2])) +
                              "; this node speaks " + std::to_string(kFrameVersion));
  }
  if (header.size() > 3 && header[3] == 0) return Status::corruption("a frame of type 0");
  if (header.size() >= kCheckAt && load_le<uint32_t>(header.data() + 4) > max_payload_) {
    return Status::corruption("a frame of " + std::to_string(load_le<uint32_t>(header.data() + 4)) +
                              " bytes where at most " + std::to_string(max_payload_) +
                              " are allowed");
  }
  return Status();
}

Result<std::optional<FrameView>> FrameParser::next(std::string_view* input) {
  if (!broken_.ok()) return broken_;
  if (done_with_held_) {
    done_with_held_ = false;
    held_.clear();
    if (held_.capacity() > kKeptBytes) held_.shrink_to_fit();
  }
  if (held_.empty() && input->size() >= kFrameHeaderBytes) {
    broken_ = check_header(input->substr(0, kFrameHeaderBytes));
    if (!broken_.ok()) return broken_;
    const size_t size = kFrameHeaderBytes + load_le<uint32_t>(input->data() + 4);
    if (input->size() >= size) {
      const std::string_view frame = input->substr(0, size);
      input->remove_prefix(size);
      return finish(frame);
    }
  }
  // Two rounds: the header tells how much of the payload is missing.
  for (;;) {
    size_t missing = kFrameHeaderBytes;
    if (held_.size() >= kFrameHeaderBytes) missing += load_le<uint32_t>(held_.data() + 4);
    missing -= held_.size();
    const std::string_view taken = input->substr(0, missing);
    const bool in_header = held_.size() < kFrameHeaderBytes;
    held_.append(taken);
    input->remove_prefix(taken.size());
    if (in_header && !held_.empty()) {
      broken_ = check_header(std::string_view(held_).substr(0, kFrameHeaderBytes));
      if (!broken_.ok()) return broken_;
    }
    if (taken.size() < missing) return std::optional<FrameView>();
    if (!in_header || load_le<uint32_t>(held_.data() + 4) == 0) break;
  }
  done_with_held_ = true;
  return finish(held_);
}

Result<std::optional<FrameView>> FrameParser::finish(std::string_view frame) {
  const std::string_view payload = frame.substr(kFrameHeaderBytes);
  if (load_le<uint64_t>(frame.data() + kCheckAt) !=
      check_.next(frame.substr(0, kCheckAt), payload)) {
    return broken_ = Status::corruption("a frame whose check is wrong");
  }
  return std::optional<FrameView>(FrameView{static_cast<uint8_t>(frame[3]), payload});
}

}  // namespace syntropy
