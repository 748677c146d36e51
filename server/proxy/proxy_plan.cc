#include "server/proxy/proxy_plan.h"

#include <fmt/compile.h>
#include <fmt/format.h>

#include <atomic>
#include <iterator>
#include <map>
#include <optional>

#include "server/cluster/redirect.h"
#include "server/commands/arguments.h"
#include "server/commands/table.h"
#include "server/proxy/reply_scanner.h"
#include "server/resp/reply.h"
#include "storage/base/slot.h"

namespace syntropy {
namespace {

using Join = ProxyPlan::Join;

constexpr std::string_view kNotServed = "-CLUSTERDOWN Hash slot not served\r\n";
constexpr std::string_view kCrossSlot =
    "-CROSSSLOT Keys in request don't hash to the same slot\r\n";

void append_request(std::string* out, std::span<const std::string_view> args) {
  fmt::format_to(std::back_inserter(*out), FMT_COMPILE("*{}\r\n"), args.size());
  for (const std::string_view arg : args) {
    fmt::format_to(std::back_inserter(*out), FMT_COMPILE("${}\r\n"), arg.size());
    out->append(arg).append("\r\n");
  }
}

std::string request_of(std::span<const std::string_view> args) {
  std::string request;
  append_request(&request, args);
  return request;
}

std::string address_of(const Routing::Node& node) {
  return fmt::format("{}:{}", node.host, node.port);
}

ProxyPlan refused(std::string_view error) {
  ProxyPlan plan;
  plan.error = std::string(error);
  return plan;
}

ProxyPlan unserved() {
  ProxyPlan plan = refused(kNotServed);
  plan.unserved = true;
  return plan;
}

ProxyPlan local() {
  ProxyPlan plan;
  plan.local = true;
  return plan;
}

bool is_here(const Routing& routing, uint16_t slot) {
  const Routing::Node* const owner = routing.owner_of(slot);
  return owner != nullptr && owner->id == routing.self;
}

/// How a command is split whose arguments are keys, or keys and values.
struct Split {
  std::string_view name;
  size_t step;  // arguments for each key
  Join join;
};

constexpr Split kSplits[] = {
    {"del", 1, Join::kSum},    {"exists", 1, Join::kSum}, {"mget", 1, Join::kPlaces},
    {"mset", 2, Join::kAllOk}, {"touch", 1, Join::kSum},  {"unlink", 1, Join::kSum},
};

struct Everywhere {
  std::string_view name;
  Join join;
};

constexpr Everywhere kEverywhere[] = {{"dbsize", Join::kSum},
                                      {"flushall", Join::kAllOk},
                                      {"flushdb", Join::kAllOk},
                                      {"keys", Join::kConcat},
                                      {"randomkey", Join::kAny}};

bool is_read(const CommandSpec& spec) { return (spec.flags & kReadOnly) != 0; }

ProxyPlan to_slot(const Routing& routing, uint16_t slot, std::string requests, bool repeatable) {
  const Routing::Node* const owner = routing.owner_of(slot);
  if (owner == nullptr) return unserved();
  ProxyPlan plan;
  plan.one_slot = owner->id != routing.self;
  plan.parts.push_back({slot, address_of(*owner), std::move(requests), 1, 0, repeatable, {}});
  return plan;
}

ProxyPlan split_by_slot(const Routing& routing, const Split& split, const CommandSpec& spec,
                        std::span<const std::string_view> args) {
  std::map<uint16_t, std::vector<size_t>> keys;  // by slot: the numbers of the keys
  const size_t count = (args.size() - 1) / split.step;
  for (size_t i = 0; i < count; ++i) keys[slot_of(args[1 + i * split.step])].push_back(i);
  ProxyPlan plan;
  plan.join = split.join;
  plan.elements = count;
  std::vector<std::string_view> words;
  for (const auto& [slot, numbers] : keys) {
    const Routing::Node* const owner = routing.owner_of(slot);
    if (owner == nullptr) return unserved();
    words.assign(1, args[0]);
    for (const size_t number : numbers) {
      for (size_t i = 0; i < split.step; ++i) words.push_back(args[1 + number * split.step + i]);
    }
    plan.parts.push_back(
        {slot, address_of(*owner), request_of(words), 1, 0, is_read(spec), numbers});
  }
  return plan;
}

ProxyPlan to_every_primary(const Routing& routing, Join join, const CommandSpec& spec,
                           std::span<const std::string_view> args) {
  ProxyPlan plan;
  plan.join = join;
  std::vector<bool> seen(routing.nodes.size());
  for (uint32_t slot = 0; slot < kSlotCount; ++slot) {
    const uint16_t owner = routing.owner[slot];
    if (owner == Routing::kNobody) return unserved();
    if (seen[owner]) continue;
    seen[owner] = true;
    plan.parts.push_back({static_cast<uint16_t>(slot),
                          address_of(routing.nodes[owner]),
                          request_of(args),
                          1,
                          0,
                          is_read(spec),
                          {}});
  }
  return plan;
}

// A cursor is a slot and a hash below it (docs/commands.md).
ProxyPlan scan(const Routing& routing, std::span<const std::string_view> args) {
  const std::optional<int64_t> cursor = parse_int64(args[1]);
  if (!cursor || *cursor < 0) return local();  // it says what is wrong
  const auto slot = static_cast<uint64_t>(*cursor) >> 32;
  if (slot >= kSlotCount) return local();
  ProxyPlan plan = to_slot(routing, static_cast<uint16_t>(slot), request_of(args), true);
  plan.one_slot = false;
  plan.join = Join::kScan;
  plan.scan_end = static_cast<uint16_t>(slot);
  while (plan.scan_end + 1 < kSlotCount &&
         routing.owner[plan.scan_end + 1u] == routing.owner[slot]) {
    ++plan.scan_end;
  }
  return plan;
}

// What the keys are is asked for, and told with the transaction: see CLIENT WATCH-STATE.
ProxyPlan watch(const Routing& routing, const RequestKeys& keys,
                std::span<const std::string_view> args) {
  if (keys.crosses_slots() || is_here(routing, keys.slot())) return local();
  std::vector<std::string_view> words = {"CLIENT", "WATCH-STATE"};
  words.insert(words.end(), args.begin() + 1, args.end());
  ProxyPlan plan = to_slot(routing, keys.slot(), request_of(words), true);
  if (plan.forwards()) plan.watched.assign(args.begin() + 1, args.end());
  return plan;
}

std::string watch_at(const std::vector<WatchedKey>& watched) {
  std::vector<std::string> numbers;
  for (const WatchedKey& key : watched) {
    numbers.push_back(std::to_string(static_cast<int64_t>(key.fingerprint)));
    numbers.push_back(std::to_string(static_cast<int64_t>(key.since)));
  }
  std::vector<std::string_view> words = {"CLIENT", "WATCH-AT"};
  for (size_t i = 0; i < watched.size(); ++i) {
    words.insert(words.end(), {watched[i].key, numbers[2 * i], numbers[2 * i + 1]});
  }
  return request_of(words);
}

// --- joining -------------------------------------------------------------------------------------

std::optional<int64_t> integer_of(std::string_view reply) {
  if (reply.size() < 4 || reply.front() != ':') return std::nullopt;
  return parse_int64(reply.substr(1, reply.size() - 3));
}

std::string sum(const std::vector<std::string>& replies) {
  int64_t total = 0;
  for (const std::string& reply : replies) {
    const std::optional<int64_t> number = integer_of(reply);
    if (!number) return reply;
    total += *number;
  }
  return fmt::format(":{}\r\n", total);
}

std::string first_that_isnt_ok(const std::vector<std::string>& replies) {
  for (const std::string& reply : replies) {
    if (reply != "+OK\r\n") return reply;
  }
  return "+OK\r\n";
}

std::string in_their_places(const ProxyPlan& plan, const std::vector<std::string>& replies) {
  std::vector<std::string_view> elements(plan.elements);
  for (size_t i = 0; i < replies.size(); ++i) {
    const auto part = elements_of(replies[i]);
    if (!part || part->size() != plan.parts[i].places.size()) return replies[i];
    for (size_t j = 0; j < part->size(); ++j) elements[plan.parts[i].places[j]] = (*part)[j];
  }
  std::string joined = fmt::format("*{}\r\n", elements.size());
  for (const std::string_view element : elements) joined.append(element);
  return joined;
}

/// Of those that have something another one each time.
std::string any_of(const std::vector<std::string>& replies) {
  static std::atomic<size_t> turn{0};
  const size_t first = turn.fetch_add(1, std::memory_order_relaxed);
  for (size_t i = 0; i < replies.size(); ++i) {
    const std::string& reply = replies[(first + i) % replies.size()];
    if (bulk_of(reply)) return reply;
  }
  return replies.front();
}

std::string concatenated(const std::vector<std::string>& replies) {
  size_t count = 0;
  std::string elements;
  for (const std::string& reply : replies) {
    const auto part = elements_of(reply);
    if (!part) return reply;
    count += part->size();
    for (const std::string_view element : *part) elements.append(element);
  }
  return fmt::format("*{}\r\n", count) + elements;
}

// Keys that lie beyond what counts are told again by those who follow.
std::string scanned(const ProxyPlan& plan, const std::string& reply) {
  const auto parts = elements_of(reply);
  if (!parts || parts->size() != 2) return reply;
  const std::optional<std::string_view> text = bulk_of((*parts)[0]);
  const auto keys = elements_of((*parts)[1]);
  const std::optional<int64_t> cursor = text ? parse_int64(*text) : std::nullopt;
  if (!cursor || !keys) return reply;
  int64_t next = *cursor;
  const int64_t behind = (int64_t{plan.scan_end} + 1) << 32;
  if (next == 0 || next >= behind) next = plan.scan_end + 1 == kSlotCount ? 0 : behind;
  std::string told;
  size_t count = 0;
  for (const std::string_view key : *keys) {
    const std::optional<std::string_view> name = bulk_of(key);
    if (!name || slot_of(*name) > plan.scan_end) continue;
    told.append(key);
    ++count;
  }
  const std::string position = std::to_string(next);
  return fmt::format("*2\r\n${}\r\n{}\r\n*{}\r\n", position.size(), position, count) + told;
}

}  // namespace

ProxyPlan plan_proxy(const Routing& routing, const CommandSpec& spec,
                     std::span<const std::string_view> args, bool always_forward) {
  for (const Everywhere& everywhere : kEverywhere) {
    if (spec.name == everywhere.name) return to_every_primary(routing, everywhere.join, spec, args);
  }
  if (spec.name == "scan") return scan(routing, args);
  if ((spec.flags & kPubSub) != 0 && (spec.flags & kNoScript) != 0) return local();
  RequestKeys keys;
  for_each_key(spec, args, [&keys](std::string_view key) { keys.add(key); });
  if (keys.empty()) return local();
  if (spec.name == "watch") return watch(routing, keys, args);
  if (!keys.crosses_slots()) {
    if (always_forward || !is_here(routing, keys.slot())) {
      return to_slot(routing, keys.slot(), request_of(args), is_read(spec));
    }
    ProxyPlan plan = local();
    plan.one_slot = true;
    return plan;
  }
  for (const Split& split : kSplits) {
    // MSET with a value too few is for the owner of the first key to refuse.
    if (spec.name != split.name) continue;
    if ((args.size() - 1) % split.step != 0) return local();
    return split_by_slot(routing, split, spec, args);
  }
  return refused(kCrossSlot);
}

ProxyPlan plan_transaction(const Routing& routing, const Client& client) {
  RequestKeys keys;
  bool reads = true;
  bool watches_here = true;
  std::string requests = request_of(std::vector<std::string_view>{"MULTI"});
  if (!client.watched.empty()) requests += watch_at(client.watched);
  std::vector<std::string_view> args;
  for (const QueuedCommand& queued : client.queue) {
    args.assign(queued.args.begin(), queued.args.end());
    for_each_key(*queued.spec, args, [&keys](std::string_view key) { keys.add(key); });
    reads = reads && is_read(*queued.spec);
    append_request(&requests, args);
  }
  for (const WatchedKey& key : client.watched) {
    watches_here = watches_here && is_here(routing, slot_of(key.key));
  }
  // Of its own node's keys a client may watch those of other slots.
  const bool here = keys.empty() || (!keys.crosses_slots() && is_here(routing, keys.slot()));
  if (here && watches_here) return local();
  for (const WatchedKey& key : client.watched) keys.add(key.key);
  if (keys.crosses_slots()) return refused(kCrossSlot);
  append_request(&requests, std::vector<std::string_view>{"EXEC"});
  ProxyPlan plan = to_slot(routing, keys.slot(), std::move(requests), reads);
  if (plan.forwards()) {
    const size_t before = client.watched.empty() ? 1 : 2;
    plan.parts[0].replies = before + client.queue.size() + 1;
    plan.parts[0].counts = before + client.queue.size();
  }
  return plan;
}

std::string take_watched(const std::vector<std::string>& keys, std::string reply, Client* client) {
  const auto numbers = elements_of(reply);
  if (!numbers || numbers->size() != 2 * keys.size()) return reply;
  for (size_t i = 0; i < keys.size(); ++i) {
    const std::optional<int64_t> fingerprint = integer_of((*numbers)[2 * i]);
    const std::optional<int64_t> since = integer_of((*numbers)[2 * i + 1]);
    if (!fingerprint || !since) return reply;
    client->held_bytes += keys[i].size() + sizeof(WatchedKey);
    client->watched.push_back(
        {0, keys[i], static_cast<uint64_t>(*fingerprint), static_cast<uint64_t>(*since)});
  }
  client->shared.watched.store(static_cast<uint32_t>(client->watched.size()),
                               std::memory_order_relaxed);
  return "+OK\r\n";
}

ProxyPart asking(const ProxyPart& part) {
  ProxyPart asked = part;
  asked.requests = request_of(std::vector<std::string_view>{"ASKING"}) + part.requests;
  ++asked.replies;
  ++asked.counts;
  return asked;
}

ProxyPart with_write_acks(const ProxyPart& part, WriteAcks acks) {
  const std::string_view level = acks == WriteAcks::kOne        ? "1"
                                 : acks == WriteAcks::kMajority ? "MAJORITY"
                                                                : "ALL";
  using Words = std::vector<std::string_view>;
  ProxyPart wrapped = part;
  wrapped.requests = request_of(Words{"CLIENT", "WRITE-ACKS", level}) + part.requests +
                     request_of(Words{"CLIENT", "WRITE-ACKS", "DEFAULT"});
  wrapped.replies += 2;
  ++wrapped.counts;
  return wrapped;
}

std::string join_replies(const ProxyPlan& plan, std::vector<std::string> replies) {
  // What one of them refuses, all of it is: nobody could tell what of a joined reply is missing.
  for (const std::string& reply : replies) {
    if (reply.starts_with('-')) return reply;
  }
  switch (plan.join) {
    case Join::kOne:
      break;
    case Join::kSum:
      return sum(replies);
    case Join::kAllOk:
      return first_that_isnt_ok(replies);
    case Join::kPlaces:
      return in_their_places(plan, replies);
    case Join::kConcat:
      return concatenated(replies);
    case Join::kAny:
      return any_of(replies);
    case Join::kScan:
      return scanned(plan, replies.front());
  }
  return std::move(replies.front());
}

}  // namespace syntropy
