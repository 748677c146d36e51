#include "tools/cli/resp_key_server.h"

#include <algorithm>
#include <charconv>

namespace syntropy {
namespace {

/// Only asked about, to see which commands are there.
constexpr char kProbeKey[] = "syntropy:compare:probe";

/// A DUMP ends with 2 bytes of version and 8 of checksum, which differ between versions of a
/// server.
constexpr size_t kDumpFooterBytes = 10;

constexpr int64_t kNoKey = -2;

bool is_unknown_command(const RespReply& reply) {
  return reply.is_error() && reply.text.find("unknown command") != std::string::npos;
}

void flatten(const RespReply& reply, std::vector<std::string>* texts) {
  if (!reply.is_array()) {
    texts->push_back(reply.is_integer() ? std::to_string(reply.integer) : reply.text);
    return;
  }
  texts->push_back("*" + std::to_string(reply.elements.size()));
  for (const RespReply& element : reply.elements) flatten(element, texts);
}

RespCommand elements_command(const std::string& key, const std::string& type) {
  if (type == "hash") return {"HGETALL", key};
  if (type == "set") return {"SMEMBERS", key};
  if (type == "list") return {"LRANGE", key, "0", "-1"};
  if (type == "zset") return {"ZRANGE", key, "0", "-1", "WITHSCORES"};
  if (type == "stream") return {"XRANGE", key, "-", "+"};
  return {};
}

}  // namespace

Result<std::unique_ptr<RespKeyServer>> RespKeyServer::open(const NodeAddress& address,
                                                           uint32_t database,
                                                           const ScanOptions& scan,
                                                           const Clock& clock) {
  Result<RespRouter> router = RespRouter::open(address, database);
  if (!router.ok()) return router.status();
  std::unique_ptr<RespKeyServer> server(
      new RespKeyServer(std::move(*router), address.text(), scan, clock));
  const Status found = server->find_abilities();
  if (!found.ok()) return found;
  return server;
}

Status RespKeyServer::find_abilities() {
  const std::vector<RespCommand> probes = {
      {"EXISTS", kProbeKey}, {"PEXPIRETIME", kProbeKey}, {"HLEN", kProbeKey}};
  const Result<std::vector<RespReply>> replies = router_.ask(probes);
  if (!replies.ok()) return replies.status();
  // What else is wrong, a password that is missing above all, shows here.
  if (!(*replies)[0].is_integer()) return refused(probes[0], (*replies)[0]);
  has_exact_expiry_ = !is_unknown_command((*replies)[1]);
  has_collections_ = !is_unknown_command((*replies)[2]);
  return {};
}

Status RespKeyServer::refused(const RespCommand& command, const RespReply& reply) const {
  return Status::unavailable(
      name_ + " answers " + command[0] +
      (reply.is_error() ? " with: " + reply.text : " in a form that is not expected"));
}

Result<std::vector<RespReply>> RespKeyServer::ask(const std::vector<RespCommand>& commands) {
  Result<std::vector<RespReply>> replies = router_.ask(commands);
  if (!replies.ok()) return replies;
  for (size_t i = 0; i < commands.size(); ++i) {
    const RespReply& reply = (*replies)[i];
    if (reply.is_error() && !reply.is_error("WRONGTYPE")) return refused(commands[i], reply);
  }
  return replies;
}

Result<KeyPage> RespKeyServer::scan(const std::string& from) {
  // "node:cursor"
  size_t node = 0;
  std::string cursor = "0";
  if (!from.empty()) {
    const size_t colon = from.find(':');
    std::from_chars(from.data(), from.data() + colon, node);
    cursor = from.substr(colon + 1);
  }
  RespCommand command = {"SCAN", cursor, "COUNT", std::to_string(scan_.batch)};
  if (!scan_.match.empty()) command.insert(command.end(), {"MATCH", scan_.match});
  Result<RespReply> reply = router_.ask_node(node, command);
  if (!reply.ok()) return reply.status();
  if (reply->elements.size() != 2 || !reply->elements[1].is_array()) {
    return refused(command, *reply);
  }
  KeyPage page;
  page.keys.reserve(reply->elements[1].elements.size());
  for (RespReply& key : reply->elements[1].elements) page.keys.push_back(std::move(key.text));
  const std::string& next = reply->elements[0].text;
  if (next != "0") {
    page.next = std::to_string(node) + ":" + next;
  } else if (node + 1 < router_.node_count()) {
    page.next = std::to_string(node + 1) + ":0";
  } else {
    const Status unmoved = router_.check_slots();
    if (!unmoved.ok()) return unmoved;
  }
  return page;
}

Result<std::vector<bool>> RespKeyServer::exist(Keys keys) {
  std::vector<RespCommand> commands;
  commands.reserve(keys.size());
  for (const std::string& key : keys) commands.push_back({"EXISTS", key});
  const Result<std::vector<RespReply>> replies = ask(commands);
  if (!replies.ok()) return replies.status();
  std::vector<bool> found;
  for (const RespReply& reply : *replies) found.push_back(reply.integer > 0);
  return found;
}

RespCommand RespKeyServer::expiry_command(const std::string& key) const {
  return {has_exact_expiry_ ? "PEXPIRETIME" : "PTTL", key};
}

int64_t RespKeyServer::expiry_of(const RespReply& reply) const {
  if (reply.integer < 0 || has_exact_expiry_) return reply.integer;
  return static_cast<int64_t>(clock_.wall_ms()) + reply.integer;
}

Result<std::vector<KeyState>> RespKeyServer::look(Keys keys) {
  std::vector<RespCommand> commands;
  commands.reserve(keys.size() * 2);
  for (const std::string& key : keys) {
    commands.push_back(expiry_command(key));
    commands.push_back({"STRLEN", key});
  }
  const Result<std::vector<RespReply>> replies = ask(commands);
  if (!replies.ok()) return replies.status();
  std::vector<KeyState> states;
  states.reserve(keys.size());
  for (size_t i = 0; i < keys.size(); ++i) {
    const RespReply& length = (*replies)[2 * i + 1];
    const int64_t expiry = expiry_of((*replies)[2 * i]);
    KeyState& state = states.emplace_back();
    if (expiry == kNoKey) continue;
    state.expires_at_ms = expiry;
    state.form = length.is_integer() ? KeyState::Form::kString : KeyState::Form::kOther;
    state.length = static_cast<uint64_t>(length.integer);
  }
  return states;
}

Result<std::vector<std::optional<std::string>>> RespKeyServer::values(Keys keys) {
  std::vector<RespCommand> commands;
  commands.reserve(keys.size());
  for (const std::string& key : keys) commands.push_back({"GET", key});
  Result<std::vector<RespReply>> replies = ask(commands);
  if (!replies.ok()) return replies.status();
  std::vector<std::optional<std::string>> values(keys.size());
  for (size_t i = 0; i < keys.size(); ++i) {
    if ((*replies)[i].is_text()) values[i] = std::move((*replies)[i].text);
  }
  return values;
}

Result<std::vector<KeyContents>> RespKeyServer::contents(Keys keys) {
  std::vector<RespCommand> commands;
  for (const std::string& key : keys) {
    commands.push_back({"TYPE", key});
    commands.push_back({"DUMP", key});
  }
  Result<std::vector<RespReply>> replies = router_.ask(commands);
  if (!replies.ok()) return replies.status();
  std::vector<KeyContents> contents(keys.size());
  for (size_t i = 0; i < keys.size(); ++i) {
    RespReply& type = (*replies)[2 * i];
    RespReply& dump = (*replies)[2 * i + 1];
    if (!type.is_text()) return refused(commands[2 * i], type);
    contents[i].type = type.text;
    // DUMP is not everywhere; then the elements decide.
    if (!dump.is_text() || dump.text.size() <= kDumpFooterBytes) continue;
    dump.text.resize(dump.text.size() - kDumpFooterBytes);
    contents[i].payload = std::move(dump.text);
  }
  return contents;
}

Result<std::vector<std::string>> RespKeyServer::elements(const std::string& key,
                                                         const std::string& type) {
  std::vector<std::string> texts;
  const RespCommand command = elements_command(key, type);
  if (command.empty()) return texts;
  Result<std::vector<RespReply>> replies = ask({command});
  if (!replies.ok()) return replies.status();
  std::vector<RespReply>& elements = replies->front().elements;
  if (type == "hash") {
    for (size_t i = 0; i + 1 < elements.size(); i += 2) {
      const std::string& field = elements[i].text;
      texts.push_back(std::to_string(field.size()) + ":" + field + elements[i + 1].text);
    }
  } else {
    for (const RespReply& element : elements) flatten(element, &texts);
  }
  // These two come in an order that depends on the server's seed.
  if (type == "hash" || type == "set") std::ranges::sort(texts);
  return texts;
}

Result<std::vector<std::optional<KeyCopy>>> RespKeyServer::copies(
    Keys keys, std::span<const KeyState> states) {
  std::vector<RespCommand> commands;
  for (size_t i = 0; i < keys.size(); ++i) {
    const bool is_string = states[i].form == KeyState::Form::kString;
    commands.push_back({is_string ? "GET" : "DUMP", keys[i]});
    commands.push_back(expiry_command(keys[i]));
  }
  Result<std::vector<RespReply>> replies = ask(commands);
  if (!replies.ok()) return replies.status();
  std::vector<std::optional<KeyCopy>> copies(keys.size());
  for (size_t i = 0; i < keys.size(); ++i) {
    RespReply& value = (*replies)[2 * i];
    // An old expiry must not be put on a new value.
    const bool changed =
        has_exact_expiry_ && expiry_of((*replies)[2 * i + 1]) != states[i].expires_at_ms;
    if (!value.is_text() || changed) continue;
    copies[i] = KeyCopy{keys[i], states[i], std::move(value.text)};
  }
  return copies;
}

RespCommand RespKeyServer::write_command(const KeyCopy& copy, bool only_absent) const {
  const bool expires = copy.state.expires_at_ms >= 0;
  // Whoever has PEXPIRETIME (7.0) has PXAT (6.2) and ABSTTL (5.0).
  const int64_t left_ms =
      std::max<int64_t>(copy.state.expires_at_ms - static_cast<int64_t>(clock_.wall_ms()), 1);
  const std::string expiry =
      expires ? std::to_string(has_exact_expiry_ ? copy.state.expires_at_ms : left_ms) : "0";
  if (copy.state.form == KeyState::Form::kString) {
    RespCommand command = {"SET", copy.key, copy.value};
    if (expires) command.insert(command.end(), {has_exact_expiry_ ? "PXAT" : "PX", expiry});
    if (only_absent) command.push_back("NX");
    return command;
  }
  RespCommand command = {"RESTORE", copy.key, expiry, copy.value};
  if (!only_absent) command.push_back("REPLACE");
  if (expires && has_exact_expiry_) command.push_back("ABSTTL");
  return command;
}

Result<std::vector<std::string>> RespKeyServer::write(std::span<const KeyCopy> keys,
                                                      bool only_absent) {
  std::vector<RespCommand> commands;
  commands.reserve(keys.size());
  for (const KeyCopy& copy : keys) commands.push_back(write_command(copy, only_absent));
  Result<std::vector<RespReply>> replies = router_.ask(commands);
  if (!replies.ok()) return replies.status();
  std::vector<std::string> failures(keys.size());
  for (size_t i = 0; i < keys.size(); ++i) {
    RespReply& reply = (*replies)[i];
    if (reply.is_error() && !(only_absent && reply.is_error("BUSYKEY"))) {
      failures[i] = std::move(reply.text);
    }
  }
  return failures;
}

Result<std::vector<std::string>> RespKeyServer::erase(Keys keys) {
  std::vector<RespCommand> commands;
  commands.reserve(keys.size());
  for (const std::string& key : keys) commands.push_back({"DEL", key});
  Result<std::vector<RespReply>> replies = router_.ask(commands);
  if (!replies.ok()) return replies.status();
  std::vector<std::string> failures(keys.size());
  for (size_t i = 0; i < keys.size(); ++i) {
    if ((*replies)[i].is_error()) failures[i] = std::move((*replies)[i].text);
  }
  return failures;
}

}  // namespace syntropy
