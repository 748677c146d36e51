#include "tests/server/sequential_model.h"

#include <algorithm>
#include <charconv>
#include <limits>

#include "tests/server/test_node.h"

namespace syntropy::testing {

bool SequentialModel::writes(const Request& request) {
  const std::string& name = request[0];
  return name == "SET" || name == "DEL" || name == "INCR" || name == "APPEND" || name == "MSET";
}

SequentialModel::Answer SequentialModel::execute(size_t number, const Request& request) {
  Client& client = clients_[number];
  touched_ = false;
  const bool is_exec = request[0] == "EXEC";
  const bool transaction_writes =
      is_exec && std::any_of(client.queue.begin(), client.queue.end(), writes);
  if (!refusal_.empty() && (writes(request) || transaction_writes)) {
    if (is_exec) {
      client = Client();
      return {error("EXECABORT Transaction discarded because of: " + refusal_), false};
    }
    if (client.in_multi) client.aborted = true;
    return {error(refusal_), false};
  }
  static const std::set<std::string> kControl = {"MULTI", "EXEC", "DISCARD", "WATCH", "UNWATCH"};
  const bool queued =
      client.in_multi && (request[0] == "UNWATCH" || !kControl.contains(request[0]));
  if (queued) {
    client.queue.push_back(request);
    return {std::string(kQueued), false};
  }
  if (kControl.contains(request[0])) return control(client, request);
  std::string reply = apply(request);
  return {std::move(reply), touched_};
}

SequentialModel::Answer SequentialModel::control(Client& client, const Request& request) {
  const std::string& name = request[0];
  if (name == "EXEC") return exec(client);
  if (name == "MULTI") {
    if (client.in_multi) return {error("ERR MULTI calls can not be nested"), false};
    client.in_multi = true;
  } else if (name == "DISCARD") {
    if (!client.in_multi) return {error("ERR DISCARD without MULTI"), false};
    client = Client();
  } else if (name == "UNWATCH") {
    client.watched.clear();
  } else {
    if (client.in_multi) return {error("ERR WATCH inside MULTI is not allowed"), false};
    for (size_t i = 1; i < request.size(); ++i) {
      const auto same = [&](const Watched& watched) { return watched.key == request[i]; };
      if (std::any_of(client.watched.begin(), client.watched.end(), same)) continue;
      client.watched.push_back(watch(request[i]));
    }
  }
  return {std::string(kOk), touched_};
}

SequentialModel::Answer SequentialModel::exec(Client& client) {
  if (!client.in_multi) return {error("ERR EXEC without MULTI"), false};
  const Client transaction = std::exchange(client, Client());
  if (transaction.aborted) {
    return {error("EXECABORT Transaction discarded because of previous errors."), false};
  }
  for (const Watched& watched : transaction.watched) {
    if (changed_since(watched)) return {std::string(kNullArray), touched_};
  }
  std::vector<std::string> replies;
  for (const Request& request : transaction.queue) {
    replies.push_back(request[0] == "UNWATCH" ? std::string(kOk) : apply(request));
  }
  return {array(replies), touched_};
}

std::string SequentialModel::apply(const Request& request) {
  const std::string& name = request[0];
  const auto value = [this](const std::string& key) {
    const std::string* const found = find(key);
    return found == nullptr ? std::string(kNull) : bulk(*found);
  };
  if (name == "PING") return "+PONG\r\n";
  if (name == "DBSIZE") {
    touched_ = touched_ || !dirty_.empty();
    return integer(static_cast<int64_t>(now_.rows.size()));
  }
  if (name == "GET") return value(request[1]);
  if (name == "INCR") return increment(request[1]);
  if (name == "APPEND") {
    const std::string* const found = find(request[1]);
    put(request[1], (found == nullptr ? "" : *found) + request[2]);
    return integer(static_cast<int64_t>(now_.rows[request[1]].size()));
  }
  if (name == "SET" || name == "MSET") {
    for (size_t i = 1; i < request.size(); i += 2) put(request[i], request[i + 1]);
    return std::string(kOk);
  }
  int64_t count = 0;
  std::vector<std::string> values;
  for (size_t i = 1; i < request.size(); ++i) {
    if (name == "MGET") values.push_back(value(request[i]));
    if (name == "EXISTS") count += find(request[i]) != nullptr;
    if (name != "DEL" || find(request[i]) == nullptr) continue;
    now_.rows.erase(request[i]);
    changed(request[i]);
    ++count;
  }
  return name == "MGET" ? array(values) : integer(count);
}

std::string SequentialModel::increment(const std::string& key) {
  const std::string* const found = find(key);
  int64_t number = 0;
  if (found != nullptr) {
    const std::string& text = *found;
    const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), number);
    const bool whole = failed == std::errc() && end == text.data() + text.size();
    if (!whole || text != std::to_string(number)) {
      return error("ERR value is not an integer or out of range");
    }
    if (number == std::numeric_limits<int64_t>::max()) {
      return error("ERR increment or decrement would overflow");
    }
  }
  put(key, std::to_string(number + 1));
  return integer(number + 1);
}

const std::string* SequentialModel::find(const std::string& key) {
  if (dirty_.contains(key)) touched_ = true;
  const auto found = now_.rows.find(key);
  return found == now_.rows.end() ? nullptr : &found->second;
}

SequentialModel::Watched SequentialModel::watch(const std::string& key) {
  const bool live = find(key) != nullptr;
  return {key, live, live ? now_.versions[key] : next_version_ - 1};
}

// A key that was absent and is absent again has changed when it came and went meanwhile.
bool SequentialModel::changed_since(const Watched& watched) {
  const bool live = find(watched.key) != nullptr;
  if (live != watched.live) return true;
  const uint64_t version = now_.versions[watched.key];
  return live ? version != watched.version : version > watched.version;
}

void SequentialModel::put(const std::string& key, std::string text) {
  now_.rows[key] = std::move(text);
  changed(key);
}

void SequentialModel::changed(const std::string& key) {
  now_.versions[key] = next_version_++;
  dirty_.insert(key);
  touched_ = true;
}

void SequentialModel::commit() {
  committed_ = now_;
  dirty_.clear();
}

void SequentialModel::roll_back() {
  now_ = committed_;
  dirty_.clear();
}

}  // namespace syntropy::testing
