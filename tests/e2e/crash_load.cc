// Load and judge for the crash test.
//
//   syntropy_crash_load load   --port N --dir D --round R --clients C --announce A
//                              --at-least-ms T
//     Writes until every client has lost its connection (the test kills the server), then leaves in
//     D one journal per client: what was sent, and when it was acknowledged. Prints "reached" once
//     A operations are acknowledged.
//   syntropy_crash_load verify --port N --dir D [--round R] [--lost-after MS]
//     Reads everything back and compares it with the journals of round R (all rounds without).
//     Operations acknowledged later than MS (CLOCK_MONOTONIC milliseconds) may be lost.
//
// What must hold after a crash, where "due" means acknowledged and not later than MS:
//   1. a due write is there, byte for byte; one that wasn't acknowledged is there whole or not at
//   all;
//   2. the parts of an MSET or of a transaction are there all or none;
//   3. a key written again and again holds a value not older than the last due one;
//   4. a counter is at least the number of due increments and at most the number sent;
//   5. a key whose deletion is due is gone.
// All keys of a client begin with its round and number; no two clients share one. Every value can
// be computed from its key and sequence number, so that a torn value cannot pass.
#include <hiredis/hiredis.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace {

constexpr int kHotKeys = 8;
constexpr int kGroupParts = 4;
constexpr size_t kMaxValueBytes = 3000;
constexpr int kMaxPipeline = 24;

enum Kind : int { kUnique = 0, kMset = 1, kTransaction = 2, kHot = 3, kCounter = 4, kDelete = 5 };

struct Operation {
  int kind = kUnique;
  uint64_t sequence = 0;
  uint64_t target = 0;   // kDelete: the sequence number of the unique key
  int64_t acked_ms = 0;  // zero: sent, no reply
};

using Command = std::vector<std::string>;

int64_t now_ms() {
  using namespace std::chrono;
  return duration_cast<milliseconds>(steady_clock::now().time_since_epoch()).count();
}

[[noreturn]] void fail(const std::string& message) {
  std::cerr << message << std::endl;
  std::exit(2);
}

/// The value that `key` gets from operation `sequence`.
std::string value_of(const std::string& key, uint64_t sequence) {
  std::mt19937_64 random(std::hash<std::string>{}(key) ^ (sequence * 0x9e3779b97f4a7c15u));
  std::string value = std::to_string(sequence) + ":" + key + ":";
  const size_t size = value.size() + random() % (random() % 4 == 0 ? kMaxValueBytes : 150);
  while (value.size() < size) {
    value.push_back(static_cast<char>(random()));
  }
  return value;
}

/// The keys of one client in one round.
class KeySpace {
 public:
  KeySpace(int round, int client)
      : prefix_("r" + std::to_string(round) + ":c" + std::to_string(client) + ":") {}
  std::string unique(uint64_t sequence) const { return prefix_ + "u" + std::to_string(sequence); }
  std::string part(uint64_t sequence, int part) const {
    return prefix_ + "g" + std::to_string(sequence) + ":" + std::to_string(part);
  }
  std::string hot(uint64_t sequence) const {
    return prefix_ + "h" + std::to_string(sequence % kHotKeys);
  }
  std::string counter() const { return prefix_ + "counter"; }

 private:
  std::string prefix_;
};

/// A connection; null after a failure to connect. Owned by one thread.
class Link {
 public:
  explicit Link(int port) : context_(redisConnect("127.0.0.1", port), redisFree) {}
  bool usable() const { return context_ && context_->err == 0; }
  void append(const Command& command) {
    std::vector<const char*> data;
    std::vector<size_t> sizes;
    for (const auto& argument : command) {
      data.push_back(argument.data());
      sizes.push_back(argument.size());
    }
    redisAppendCommandArgv(context_.get(), static_cast<int>(data.size()), data.data(),
                           sizes.data());
  }
  /// Null when the connection is lost. An error reply ends the program: no operation earns one.
  std::unique_ptr<redisReply, void (*)(void*)> read() {
    void* reply = nullptr;
    if (redisGetReply(context_.get(), &reply) != REDIS_OK) {
      return {nullptr, freeReplyObject};
    }
    auto* typed = static_cast<redisReply*>(reply);
    if (typed->type == REDIS_REPLY_ERROR) {
      fail(std::string("error reply: ") + typed->str);
    }
    return {typed, freeReplyObject};
  }

 private:
  std::unique_ptr<redisContext, void (*)(redisContext*)> context_;
};

struct Options {
  std::string mode;
  std::map<std::string, std::string> values;
  bool has(const std::string& name) const { return values.count(name) != 0; }
  int64_t number(const std::string& name) const { return std::stoll(values.at(name)); }
};

std::filesystem::path journal_path(const std::string& dir, int round, int client) {
  return std::filesystem::path(dir) /
         ("round" + std::to_string(round) + "-client" + std::to_string(client));
}

// --- load

std::atomic<int64_t> total_acked{0};
std::atomic<bool> announced{false};
const int64_t start_ms = now_ms();

class Writer {
 public:
  Writer(const Options& options, int client)
      : options_(options),
        client_(client),
        keys_(static_cast<int>(options.number("round")), client),
        random_(static_cast<uint64_t>(options.number("round")) * 1000 +
                static_cast<uint64_t>(client)) {}

  void run() {
    Link link(static_cast<int>(options_.number("port")));
    while (link.usable() && send_batch(link)) {
    }
    save();
  }

 private:
  Operation next_operation() {
    Operation operation;
    operation.sequence = ++sequence_;
    operation.kind = static_cast<int>(random_() % 6);
    if (operation.kind == kDelete) {
      if (acked_unique_.empty()) {
        operation.kind = kUnique;
      } else {
        const size_t index = random_() % acked_unique_.size();
        operation.target = acked_unique_[index];
        acked_unique_[index] = acked_unique_.back();
        acked_unique_.pop_back();
      }
    }
    return operation;
  }

  std::vector<Command> commands(const Operation& operation) const {
    const uint64_t sequence = operation.sequence;
    const auto set = [&](const std::string& key) {
      return Command{"SET", key, value_of(key, sequence)};
    };
    switch (operation.kind) {
      case kUnique:
        return {set(keys_.unique(sequence))};
      case kHot:
        return {set(keys_.hot(sequence))};
      case kCounter:
        return {{"INCR", keys_.counter()}};
      case kDelete:
        return {{"DEL", keys_.unique(operation.target)}};
      case kMset: {
        Command command{"MSET"};
        for (int part = 0; part < kGroupParts; ++part) {
          command.push_back(keys_.part(sequence, part));
          command.push_back(value_of(command.back(), sequence));
        }
        return {command};
      }
      default: {
        std::vector<Command> result{{"MULTI"}};
        for (int part = 0; part < kGroupParts; ++part) {
          result.push_back(set(keys_.part(sequence, part)));
        }
        result.push_back({"EXEC"});
        return result;
      }
    }
  }

  /// False when the connection is lost.
  bool send_batch(Link& link) {
    const size_t depth = random_() % 2 == 0 ? 1 : 1 + random_() % kMaxPipeline;
    const size_t first = operations_.size();
    std::vector<size_t> replies;
    for (size_t i = 0; i < depth; ++i) {
      operations_.push_back(next_operation());
      const auto list = commands(operations_.back());
      replies.push_back(list.size());
      for (const auto& command : list) {
        link.append(command);
      }
    }
    for (size_t i = 0; i < depth; ++i) {
      for (size_t reply = 0; reply < replies[i]; ++reply) {
        if (!link.read()) {
          return false;
        }
      }
      acknowledge(operations_[first + i]);
    }
    return true;
  }

  void acknowledge(Operation& operation) {
    operation.acked_ms = now_ms();
    if (operation.kind == kUnique) {
      acked_unique_.push_back(operation.sequence);
    }
    if (++total_acked >= options_.number("announce") &&
        operation.acked_ms - start_ms >= options_.number("at-least-ms") &&
        !announced.exchange(true)) {
      std::cout << "reached" << std::endl;
    }
  }

  void save() const {
    std::ofstream journal(journal_path(options_.values.at("dir"),
                                       static_cast<int>(options_.number("round")), client_));
    for (const auto& operation : operations_) {
      journal << operation.kind << ' ' << operation.sequence << ' ' << operation.target << ' '
              << operation.acked_ms << '\n';
    }
    if (!journal.flush()) {
      fail("cannot write the journal");
    }
  }

  const Options& options_;
  const int client_;
  const KeySpace keys_;
  std::mt19937_64 random_;
  uint64_t sequence_ = 0;
  std::vector<Operation> operations_;
  std::vector<uint64_t> acked_unique_;
};

int load(const Options& options) {
  std::vector<std::thread> threads;
  for (int client = 0; client < options.number("clients"); ++client) {
    threads.emplace_back([&options, client] { Writer(options, client).run(); });
  }
  for (auto& thread : threads) {
    thread.join();
  }
  std::cout << "acknowledged " << total_acked << std::endl;
  return 0;
}

// --- verify

struct Tally {
  uint64_t checked = 0;
  uint64_t due = 0;
  uint64_t lost = 0;
  uint64_t torn = 0;
};

class Judge {
 public:
  Judge(Link& link, int64_t lost_after_ms, Tally& tally)
      : link_(link), lost_after_ms_(lost_after_ms), tally_(tally) {}

  void check(const std::filesystem::path& path, int round, int client) {
    const KeySpace keys(round, client);
    const auto operations = read_journal(path);
    std::map<uint64_t, const Operation*> deletions;
    for (const auto& operation : operations) {
      if (operation.kind == kDelete) {
        deletions[operation.target] = &operation;
      }
    }
    for (const auto& operation : operations) {
      ++tally_.checked;
      tally_.due += is_due(operation) ? 1 : 0;
      if (operation.kind == kUnique) {
        const auto found = deletions.find(operation.sequence);
        check_unique(keys, operation, found == deletions.end() ? nullptr : found->second);
      } else if (operation.kind == kMset || operation.kind == kTransaction) {
        check_group(keys, operation);
      }
    }
    check_hot(keys, operations);
    check_counter(keys, operations);
  }

 private:
  bool is_due(const Operation& operation) const {
    return operation.acked_ms != 0 && operation.acked_ms <= lost_after_ms_;
  }

  static std::vector<Operation> read_journal(const std::filesystem::path& path) {
    std::ifstream journal(path);
    std::vector<Operation> operations;
    Operation operation;
    while (journal >> operation.kind >> operation.sequence >> operation.target >>
           operation.acked_ms) {
      operations.push_back(operation);
    }
    return operations;
  }

  /// False when the key is absent.
  bool get(const std::string& key, std::string* value) {
    link_.append({"GET", key});
    const auto reply = link_.read();
    if (!reply) {
      fail("connection lost while reading back");
    }
    if (reply->type == REDIS_REPLY_NIL) {
      return false;
    }
    value->assign(reply->str, static_cast<size_t>(reply->len));
    return true;
  }

  void lost(const std::string& what) {
    ++tally_.lost;
    std::cerr << "LOST " << what << '\n';
  }
  void torn(const std::string& what) {
    ++tally_.torn;
    std::cerr << "TORN " << what << '\n';
  }

  void check_unique(const KeySpace& keys, const Operation& operation, const Operation* deletion) {
    const std::string key = keys.unique(operation.sequence);
    std::string value;
    const bool present = get(key, &value);
    if (present && value != value_of(key, operation.sequence)) {
      torn(key);
    }
    if (!present && is_due(operation) && deletion == nullptr) {
      lost(key);
    }
    if (present && deletion != nullptr && is_due(*deletion)) {
      lost("deletion of " + key);
    }
  }

  void check_group(const KeySpace& keys, const Operation& operation) {
    int present = 0;
    for (int part = 0; part < kGroupParts; ++part) {
      const std::string key = keys.part(operation.sequence, part);
      std::string value;
      if (get(key, &value)) {
        ++present;
        if (value != value_of(key, operation.sequence)) {
          torn(key);
        }
      }
    }
    const std::string first = keys.part(operation.sequence, 0);
    if (present != 0 && present != kGroupParts) {
      torn(first + ": " + std::to_string(present) + " parts of the group");
    }
    if (present == 0 && is_due(operation)) {
      lost(first);
    }
  }

  void check_hot(const KeySpace& keys, const std::vector<Operation>& operations) {
    std::map<uint64_t, uint64_t> last_due;
    std::map<uint64_t, uint64_t> last_sent;
    for (const auto& operation : operations) {
      if (operation.kind == kHot) {
        last_sent[operation.sequence % kHotKeys] = operation.sequence;
        if (is_due(operation)) {
          last_due[operation.sequence % kHotKeys] = operation.sequence;
        }
      }
    }
    for (const auto& [hot, sent] : last_sent) {
      const std::string key = keys.hot(hot);
      std::string value;
      const bool present = get(key, &value);
      const uint64_t sequence = present ? std::strtoull(value.c_str(), nullptr, 10) : 0;
      if (present && (sequence > sent || value != value_of(key, sequence))) {
        torn(key);
      }
      if (sequence < last_due[hot]) {
        lost(key + ": holds " + std::to_string(sequence) + ", due " +
             std::to_string(last_due[hot]));
      }
    }
  }

  void check_counter(const KeySpace& keys, const std::vector<Operation>& operations) {
    uint64_t due = 0;
    uint64_t sent = 0;
    for (const auto& operation : operations) {
      if (operation.kind == kCounter) {
        ++sent;
        due += is_due(operation) ? 1 : 0;
      }
    }
    std::string value = "0";
    get(keys.counter(), &value);
    const uint64_t count = std::strtoull(value.c_str(), nullptr, 10);
    if (count < due) {
      lost(keys.counter() + ": " + value + ", due " + std::to_string(due));
    }
    if (count > sent) {
      torn(keys.counter() + ": " + value + ", sent " + std::to_string(sent));
    }
  }

  Link& link_;
  const int64_t lost_after_ms_;
  Tally& tally_;
};

int verify(const Options& options) {
  Link link(static_cast<int>(options.number("port")));
  if (!link.usable()) {
    fail("cannot connect");
  }
  Tally tally;
  Judge judge(link, options.has("lost-after") ? options.number("lost-after") : INT64_MAX, tally);
  for (const auto& entry : std::filesystem::directory_iterator(options.values.at("dir"))) {
    int round = 0;
    int client = 0;
    if (std::sscanf(entry.path().filename().c_str(), "round%d-client%d", &round, &client) == 2 &&
        (!options.has("round") || round == options.number("round"))) {
      judge.check(entry.path(), round, client);
    }
  }
  std::cout << "checked " << tally.checked << " due " << tally.due << " lost " << tally.lost
            << " torn " << tally.torn << std::endl;
  return tally.lost + tally.torn == 0 && tally.due > 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  options.mode = argc > 1 ? argv[1] : "";
  for (int i = 2; i + 1 < argc; i += 2) {
    options.values[std::string(argv[i]).substr(2)] = argv[i + 1];
  }
  if (options.mode == "load") {
    return load(options);
  }
  if (options.mode == "verify") {
    return verify(options);
  }
  fail("usage: syntropy_crash_load load|verify --port N --dir D ...");
}
