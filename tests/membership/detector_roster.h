// A roster for tests: ids ascend with the index, the prefix of each being the index + 1.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "membership/roster.h"

namespace syntropy {

class TestRoster final : public Roster {
 public:
  struct Member {
    NodeId id;
    uint64_t incarnation = 0;
    bool votes = false;
    bool lease_withheld = false;
  };

  /// The first `voters` of them vote.
  explicit TestRoster(size_t size, size_t voters = 0) {
    for (size_t i = 0; i < size; ++i) members.push_back({make_id(i), 0, i < voters, false});
  }

  /// Ids of successive numbers ascend; between 10 and 11 there is room for 10.5.
  static NodeId make_id(double number) {
    std::string bytes(NodeId::kBytes, '\0');
    const auto value = static_cast<uint64_t>(number * 16) + 16;
    for (size_t i = 0; i < 8; ++i) bytes[i] = static_cast<char>(value >> (56 - 8 * i));
    return *NodeId::from_bytes(bytes);
  }

  size_t size() const override { return members.size(); }
  const NodeId& id(size_t rank) const override { return members[rank].id; }
  uint64_t incarnation(size_t rank) const override { return members[rank].incarnation; }
  bool votes(size_t rank) const override { return members[rank].votes; }
  bool lease_withheld(const NodeId& id) const override {
    const std::optional<size_t> rank = rank_of(id);
    return rank && members[*rank].lease_withheld;
  }

  void add(const NodeId& id, bool votes = false) {
    members.insert(members.begin() + static_cast<ptrdiff_t>(members_below(id)),
                   {id, 0, votes, false});
  }
  void remove(const NodeId& id) {
    std::erase_if(members, [&](const Member& member) { return member.id == id; });
  }

  std::vector<Member> members;
};

}  // namespace syntropy
