#include "tests/server/test_node.h"

#include <gtest/gtest.h>

#include <charconv>
#include <utility>

#include "server/commands/table.h"

namespace syntropy::testing {
namespace {

/// The length of the first reply; 0 when it isn't complete.
size_t reply_length(std::string_view replies) {
  const size_t line = replies.find("\r\n");
  if (line == replies.npos) return 0;
  int64_t number = 0;
  std::from_chars(replies.data() + 1, replies.data() + line, number);
  size_t length = line + 2;
  if (replies.front() == '$' && number >= 0) {
    length += static_cast<size_t>(number) + 2;
  } else if (replies.front() == '*') {
    for (int64_t i = 0; i < number; ++i) {
      const size_t element = reply_length(replies.substr(std::min(length, replies.size())));
      if (element == 0) return 0;
      length += element;
    }
  }
  return length <= replies.size() ? length : 0;
}

}  // namespace

std::string integer(int64_t value) { return ":" + std::to_string(value) + "\r\n"; }

std::string bulk(std::string_view text) {
  return "$" + std::to_string(text.size()) + "\r\n" + std::string(text) + "\r\n";
}

std::string error(std::string_view text) { return "-" + std::string(text) + "\r\n"; }

std::string array(const std::vector<std::string>& elements) {
  std::string reply = "*" + std::to_string(elements.size()) + "\r\n";
  for (const std::string& element : elements) reply += element;
  return reply;
}

std::string request(const std::vector<std::string>& args) {
  std::vector<std::string> bulks;
  for (const std::string& arg : args) bulks.push_back(bulk(arg));
  return array(bulks);
}

std::vector<std::string> split_replies(std::string_view replies) {
  std::vector<std::string> split;
  while (!replies.empty()) {
    const size_t length = reply_length(replies);
    if (length == 0) {
      ADD_FAILURE() << "half a reply: " << replies;
      break;
    }
    split.emplace_back(replies.substr(0, length));
    replies.remove_prefix(length);
  }
  return split;
}

TestNode::TestNode(size_t row_cache_bytes)
    : TestServices(row_cache_bytes), dispatcher_(context), tick_(*keyspace) {}

TestNode::~TestNode() = default;

Session& TestNode::connect() {
  auto client = std::make_shared<Client>();
  client->authenticated = true;
  clients.add(client);
  sessions_.push_back(std::make_unique<Session>(client, RequestLimits()));
  return *sessions_.back();
}

void TestNode::begin_tick(uint32_t max_commands) {
  turn_config_ = config.current();
  turn_.emplace(Turn{
      tick_, stats.slot(0), *turn_config_, clock.wall_ms(), Turn::Clock::now(), max_commands, {}});
}

void TestNode::run(Session& session, std::string_view bytes) {
  session.warm(bytes, tick_);
  tick_.prefetch();
  session.run(bytes, dispatcher_, *turn_);
}

Status TestNode::end_tick(bool sync) {
  const bool wrote = tick_.has_writes();
  Status ended = tick_.commit();
  if (ended.ok() && wrote) ended = sync ? engine.sync() : engine.health();
  if (!ended.ok()) Dispatcher::fail_dependents(turn_->dependents, ended);
  turn_.reset();
  return ended;
}

void TestNode::serve_fetch(Session& session) {
  ASSERT_EQ(session.wait(), Session::Wait::kFetch);
  ASSERT_FALSE(session.misses().empty());
  const Status fetched = keyspace->fetch(session.misses());
  EXPECT_TRUE(fetched.ok()) << fetched.message();
  session.resume();
}

void TestNode::serve_worker(Session& session) {
  ASSERT_EQ(session.wait(), Session::Wait::kWorker);
  Tick tick(*keyspace);
  const auto current = config.current();
  Turn turn{tick, stats.slot(0), *current, clock.wall_ms(), Turn::Clock::now(), 1, {}};
  session.output() += dispatcher_.execute_on_worker(session.client(), session.worker_args(), turn);
  session.resume();
}

std::string TestNode::exchange(Session& session, std::string_view bytes) {
  while (true) {
    begin_tick();
    run(session, bytes);
    bytes = {};
    EXPECT_TRUE(end_tick().ok());
    switch (session.wait()) {
      case Session::Wait::kFetch:
        serve_fetch(session);
        continue;
      case Session::Wait::kWorker:
        serve_worker(session);
        continue;
      case Session::Wait::kReplicas:
      case Session::Wait::kForward:  // there is nobody to forward to
      case Session::Wait::kPause:
      case Session::Wait::kNone:
        break;
    }
    if (!session.has_more()) return take_output(session);
  }
}

std::string TestNode::take_output(Session& session) {
  return std::exchange(session.output(), std::string());
}

ServerStats::CommandTotals TestNode::command_totals(std::string_view name) const {
  const CommandSpec* const spec = find_command(name);
  EXPECT_NE(spec, nullptr) << name;
  return stats.command(command_index(*spec));
}

}  // namespace syntropy::testing
