#include "server/commands/table.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cassert>
#include <cstring>
#include <functional>
#include <string>
#include <unordered_map>

namespace syntropy {
namespace {

constexpr size_t kWord = sizeof(uint64_t);
constexpr size_t kMaxShortName = 32;
constexpr uint64_t kEveryByte = 0x0101010101010101;

/// Lowers the ASCII letters among eight bytes at once: a byte's upper bit in `upper` says that it
/// is one of 'A'..'Z', and shifted by two it is the bit that a lower-case letter has more.
constexpr uint64_t to_lower(uint64_t word) {
  const uint64_t low_bits = word & (0x7f * kEveryByte);
  const uint64_t from_a = low_bits + (0x80 - 'A') * kEveryByte;
  const uint64_t beyond_z = low_bits + (0x80 - 'Z' - 1) * kEveryByte;
  const uint64_t upper = ~word & (from_a ^ beyond_z) & (0x80 * kEveryByte);
  return word | (upper >> 2);
}
static_assert(to_lower(0x5a41405b7a61c1da) == 0x7a61405b7a61c1da);  // Z A @ [ z a and two above 7f

std::string lowered(std::string_view name) {
  std::string lower(name);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + ('a' - 'A'));
  }
  return lower;
}

bool equals_lowered(std::string_view lower, std::string_view name) {
  if (lower.size() != name.size()) return false;
  for (size_t i = 0; i < name.size(); ++i) {
    const char c = name[i];
    if ((c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c) != lower[i]) return false;
  }
  return true;
}

/// A name of up to 32 bytes, lowered and padded with zeros, ready to be hashed and compared.
struct ShortName {
  std::array<uint64_t, kMaxShortName / kWord> words{};
  size_t size = 0;

  explicit ShortName(std::string_view name) : size(name.size()) {
    assert(size <= kMaxShortName);
    if (size != 0) std::memcpy(words.data(), name.data(), size);
    for (size_t i = 0; i < used(); ++i) words[i] = to_lower(words[i]);
  }

  size_t used() const { return (size + kWord - 1) / kWord; }
  uint64_t hash() const {
    uint64_t h = size;
    for (size_t i = 0; i < used(); ++i) h = std::rotl((h ^ words[i]) * 0x9e3779b97f4a7c15, 29);
    return h ^ (h >> 32);
  }
  bool operator==(const ShortName&) const = default;
};

/// Names to commands: open addressing over short names, a map for those that only a rename makes.
class NameIndex {
 public:
  const CommandSpec* find(std::string_view name) const {
    if (name.size() > kMaxShortName) {
      if (long_names_.empty()) return nullptr;
      const auto it = long_names_.find(lowered(name));
      return it == long_names_.end() ? nullptr : it->second;
    }
    const ShortName wanted(name);
    for (uint64_t at = wanted.hash();; ++at) {
      const Entry& entry = entries_[at % entries_.size()];
      if (entry.spec == nullptr || entry.name == wanted) return entry.spec;
    }
  }

  void add(std::string_view name, const CommandSpec* spec) {
    assert(find(name) == nullptr);
    if (name.size() > kMaxShortName) {
      long_names_.emplace(lowered(name), spec);
      return;
    }
    // At least half of the entries stay empty, so that find() ends and ends soon.
    ++used_;
    assert(used_ <= entries_.size() / 2);
    const ShortName added(name);
    uint64_t at = added.hash();
    while (entries_[at % entries_.size()].spec != nullptr) ++at;
    entries_[at % entries_.size()] = {added, spec};
  }

 private:
  struct Entry {
    ShortName name{std::string_view()};
    const CommandSpec* spec = nullptr;
  };
  std::array<Entry, 512> entries_;
  size_t used_ = 0;
  std::unordered_map<std::string, const CommandSpec*> long_names_;
};

std::vector<CommandSpec> collect_specs() {
  std::vector<CommandSpec> specs;
  for (const auto list :
       {string_commands(),      bitmap_commands(),   key_commands(),         expiry_commands(),
        scan_commands(),        dump_commands(),     connection_commands(),  client_commands(),
        command_commands(),     server_commands(),   config_commands(),      diagnosis_commands(),
        transaction_commands(), cluster_commands(),  replication_commands(), reconcile_commands(),
        pubsub_commands(),      sentinel_commands(), sync_commands(),        function_commands(),
        migrate_commands()}) {
    specs.insert(specs.end(), list.begin(), list.end());
  }
  const size_t top_level = specs.size();
  for (size_t i = 0; i < top_level; ++i) {
    const auto subcommands = specs[i].subcommands;
    specs.insert(specs.end(), subcommands.begin(), subcommands.end());
  }
  return specs;
}

/// What the functions of the header share. Pointers lead into `specs`, which never changes.
class Table {
 public:
  Table() : specs_(collect_specs()), containers_(specs_.size()), full_names_(specs_.size()) {
    size_t next = specs_.size();
    for (const CommandSpec& spec : specs_) next -= spec.subcommands.size();
    const size_t top_level = next;
    for (size_t i = 0; i < top_level; ++i) {
      CommandSpec& spec = specs_[i];
      full_names_[i] = spec.name;
      names_.emplace_back(spec.name, &spec);
      spec.subcommands = std::span(specs_).subspan(next, spec.subcommands.size());
      for (const CommandSpec& subcommand : spec.subcommands) {
        containers_[next] = &spec;
        full_names_[next++] = std::string(spec.name) + "|" + std::string(subcommand.name);
        assert(subcommand.subcommands.empty());
      }
    }
    publish();
  }

  const NameIndex& index() const { return index_; }
  std::span<const CommandSpec* const> by_name() const { return by_name_; }
  size_t size() const { return specs_.size(); }
  const CommandSpec* container(size_t i) const { return containers_[i]; }
  std::string_view full_name(size_t i) const { return full_names_[i]; }

  size_t index_of(const CommandSpec& spec) const {
    const CommandSpec* const first = specs_.data();
    assert(!std::less<>()(&spec, first) && std::less<>()(&spec, first + specs_.size()));
    return static_cast<size_t>(&spec - first);
  }

  bool rename(std::string_view from, std::string_view to) {
    const CommandSpec* const spec = index_.find(from);
    if (spec == nullptr || (!to.empty() && index_.find(to) != nullptr)) return false;
    const auto it = std::find_if(names_.begin(), names_.end(),
                                 [&](const Named& named) { return named.second == spec; });
    if (to.empty()) {
      names_.erase(it);
    } else {
      it->first = lowered(to);
    }
    publish();
    return true;
  }

 private:
  using Named = std::pair<std::string, const CommandSpec*>;

  void publish() {
    std::sort(names_.begin(), names_.end());
    index_ = NameIndex();
    by_name_.clear();
    for (const auto& [name, spec] : names_) {
      index_.add(name, spec);
      by_name_.push_back(spec);
    }
  }

  std::vector<CommandSpec> specs_;  // the top level, then the subcommands of each container
  std::vector<const CommandSpec*> containers_;
  std::vector<std::string> full_names_;
  std::vector<Named> names_;
  NameIndex index_;
  std::vector<const CommandSpec*> by_name_;
};

Table& table() {
  static Table the_table;
  return the_table;
}

}  // namespace

const CommandSpec* find_command(std::string_view name) { return table().index().find(name); }

const CommandSpec* find_subcommand(const CommandSpec& container, std::string_view name) {
  for (const CommandSpec& spec : container.subcommands) {
    if (equals_lowered(spec.name, name)) return &spec;
  }
  return nullptr;
}

const CommandSpec* container_of(const CommandSpec& spec) {
  return table().container(table().index_of(spec));
}

std::span<const CommandSpec* const> all_commands() { return table().by_name(); }

size_t command_index(const CommandSpec& spec) { return table().index_of(spec); }

size_t command_count() { return table().size(); }

std::string_view full_name(const CommandSpec& spec) {
  return table().full_name(table().index_of(spec));
}

bool rename_command(std::string_view from, std::string_view to) { return table().rename(from, to); }

std::vector<size_t> key_positions(const CommandSpec& spec, std::span<const std::string_view> args) {
  std::vector<size_t> positions;
  if (spec.find_keys != nullptr) {
    if (!spec.find_keys(args, &positions)) positions.clear();
    return positions;
  }
  const auto argc = static_cast<int64_t>(args.size());
  if (spec.keys.first == 0 || !arity_allows(spec, args.size())) return positions;
  const int64_t last = spec.keys.last < 0 ? argc + spec.keys.last : spec.keys.last;
  for (int64_t at = spec.keys.first; at <= last && at < argc; at += spec.keys.step) {
    positions.push_back(static_cast<size_t>(at));
  }
  return positions;
}

}  // namespace syntropy
