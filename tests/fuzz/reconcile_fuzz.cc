// What a peer says in a reconcile session. Input: one byte that says which side it plays; then its
// messages, each behind one byte with its length.
//
// Properties: a message that is accepted has the bytes that encode_request() or encode_reply()
// write; a request is answered by a reply that decodes; a session that hears anything ends or
// waits, and rows that it was not given stay as they were.

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "merkle/reconciler.h"
#include "merkle/responder.h"
#include "storage/base/coding.h"
#include "tests/fuzz/check.h"

namespace syntropy {
namespace {

// Rows of which the key is a position, in eight bytes.
class FewRows final : public ReconcileStore {
 public:
  FewRows() {
    for (uint64_t i = 0; i < 40; ++i) put(i * i * 1000003 % kPositions, "value");
  }

  const Tree& tree() const override { return tree_; }
  Status visit(uint64_t first, uint64_t end, const Visitor& visitor) const override {
    for (auto row = rows_.lower_bound(first); row != rows_.end() && row->first < end; ++row) {
      const std::string key = key_of(row->first);
      if (!visitor(*mark(key, row->second), key, row->second)) break;
    }
    return {};
  }
  Result<RowMark> mark(std::string_view key, std::string_view value) const override {
    if (key.size() != 8 || load_be<uint64_t>(key.data()) >= kPositions) {
      return Status::corruption("not a row");
    }
    const uint64_t position = load_be<uint64_t>(key.data());
    return mark_row(slot_of_position(position), static_cast<uint32_t>(position << 10), key, value);
  }
  Status merge(std::span<const ReconcileRow> rows) override {
    for (const ReconcileRow& row : rows) {
      if (const Result<RowMark> checked = mark(row.key, row.value); !checked.ok()) {
        return checked.status();
      }
      put(load_be<uint64_t>(row.key.data()), row.value);
    }
    return {};
  }
  bool has_what_it_had() const {
    for (uint64_t i = 0; i < 40; ++i) {
      if (!rows_.contains(i * i * 1000003 % kPositions)) return false;
    }
    return true;
  }

 private:
  static std::string key_of(uint64_t position) {
    std::string key;
    put_fixed64_be(&key, position);
    return key;
  }
  void put(uint64_t position, const std::string& value) {
    const std::string key = key_of(position);
    if (const auto old = rows_.find(position); old != rows_.end()) {
      if (old->second >= value) return;
      tree_.remove(*mark(key, old->second));
    }
    rows_[position] = value;
    tree_.add(*mark(key, value));
    tree_.settle();
  }

  std::map<uint64_t, std::string> rows_;
  Tree tree_;
};

std::vector<std::string_view> cut(std::string_view bytes) {
  std::vector<std::string_view> messages;
  while (!bytes.empty()) {
    const size_t size = static_cast<uint8_t>(bytes.front());
    bytes.remove_prefix(1);
    messages.push_back(bytes.substr(0, size));
    bytes.remove_prefix(messages.back().size());
  }
  return messages;
}

void play_the_asker(const std::vector<std::string_view>& messages) {
  FewRows rows;
  Responder responder(&rows);
  for (const std::string_view message : messages) {
    const auto request = decode_request(message);
    if (request.ok()) SYNTROPY_CHECK(encode_request(*request) == message);
    SYNTROPY_CHECK(decode_reply(responder.answer(message)).ok());
  }
  SYNTROPY_CHECK(rows.has_what_it_had());
}

void play_the_asked(const std::vector<std::string_view>& messages, bool moves) {
  FewRows rows;
  ReconcileOptions options;
  options.pull = options.push = moves;
  Reconciler reconciler(&rows, options, nullptr);
  reconciler.take_requests();
  for (const std::string_view message : messages) {
    const auto reply = decode_reply(message);
    if (reply.ok()) SYNTROPY_CHECK(encode_reply(*reply) == message);
    if (reconciler.receive(message).ok()) reconciler.take_requests();
  }
  SYNTROPY_CHECK(rows.has_what_it_had());
}

}  // namespace
}  // namespace syntropy

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const auto messages = syntropy::cut({reinterpret_cast<const char*>(data) + 1, size - 1});
  if (data[0] % 2 == 0) {
    syntropy::play_the_asker(messages);
  } else {
    syntropy::play_the_asked(messages, data[0] % 4 == 1);
  }
  return 0;
}
