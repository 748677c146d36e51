#include "server/migration/redis_upstream.h"

#include <algorithm>
#include <charconv>
#include <utility>

namespace syntropy {
namespace {

constexpr size_t kMostLine = 64 * 1024;
constexpr size_t kIdDigits = 40;
constexpr size_t kMarkBytes = 40;

std::optional<uint64_t> parse_number(std::string_view text) {
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return number;
}

bool is_id(std::string_view text) {
  return text.size() == kIdDigits &&
         text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

/// The word before the first blank; `*text` is what comes behind.
std::string_view take_word(std::string_view* text) {
  const size_t end = std::min(text->find(' '), text->size());
  const std::string_view word = text->substr(0, end);
  text->remove_prefix(std::min(end + 1, text->size()));
  return word;
}

Status not_the_protocol(std::string_view line) {
  return Status::corruption("it answered '" + std::string(line.substr(0, 100)) +
                            "': that isn't a redis-server");
}

}  // namespace

RedisUpstream::RedisUpstream(const Options& options, const Place& from)
    : options_(options),
      place_(from),
      parser_(RequestLimits{static_cast<int64_t>(options.most_bytes)}) {
  if (!options_.password.empty()) {
    if (options_.user.empty()) {
      greetings_.push_back({"AUTH", options_.password});
    } else {
      greetings_.push_back({"AUTH", options_.user, options_.password});
    }
  }
  greetings_.push_back({"PING"});
  greetings_.push_back({"REPLCONF", "listening-port", std::to_string(options_.port)});
  greetings_.push_back({"REPLCONF", "capa", "eof", "capa", "psync2"});
  greet();
}

void RedisUpstream::send(std::initializer_list<std::string_view> args) {
  output_ += "*" + std::to_string(args.size()) + "\r\n";
  for (const std::string_view arg : args) {
    output_ += "$" + std::to_string(arg.size()) + "\r\n";
    output_.append(arg).append("\r\n");
  }
}

// One thing after the other, as not every server takes the next one before it has answered.
void RedisUpstream::greet() {
  if (greetings_.empty()) {
    state_ = State::kPsync;
    if (place_.id.empty()) return send({"PSYNC", "?", "-1"});
    return send({"PSYNC", place_.id, std::to_string(place_.offset + 1)});
  }
  const std::vector<std::string> words = std::move(greetings_.front());
  greetings_.pop_front();
  may_refuse_ = words.front() == "REPLCONF";
  output_ += "*" + std::to_string(words.size()) + "\r\n";
  for (const std::string& word : words) {
    output_ += "$" + std::to_string(word.size()) + "\r\n" + word + "\r\n";
  }
}

void RedisUpstream::acknowledge(uint64_t offset) {
  if (state_ != State::kStream) return;
  send({"REPLCONF", "ACK", std::to_string(offset)});
}

std::optional<std::string> RedisUpstream::take_line() {
  while (true) {
    const size_t end = input_.find('\n');
    if (end == std::string::npos) return std::nullopt;
    std::string line = input_.substr(0, end);
    input_.erase(0, end + 1);
    if (!line.empty() && line.back() == '\r') line.pop_back();
    // While the dump is made, empty lines say that the other is alive.
    if (!line.empty()) return line;
  }
}

Result<RedisUpstream::Event> RedisUpstream::fail(Status status) {
  failed_ = std::move(status);
  return failed_;
}

Result<RedisUpstream::Event> RedisUpstream::next() {
  if (!failed_.ok()) return failed_;
  while (true) {
    if (state_ == State::kDump) return read_dump();
    if (state_ == State::kMark) return end_dump();
    if (state_ == State::kStream) return read_command();
    const std::optional<std::string> line = take_line();
    if (!line) {
      if (input_.size() > kMostLine) return fail(not_the_protocol(input_));
      return Event::kMore;
    }
    Result<Event> event = state_ == State::kGreeting ? hear_greeting(*line)
                          : state_ == State::kPsync  ? hear_psync(*line)
                                                     : hear_size(*line);
    if (!event.ok()) return fail(event.status());
    if (*event != Event::kMore) return event;
  }
}

Result<RedisUpstream::Event> RedisUpstream::hear_greeting(std::string_view line) {
  if (line.front() == '-' && !may_refuse_) {
    return Status::unavailable("it answered: " + std::string(line.substr(1)));
  }
  if (line.front() != '+' && line.front() != '-') return not_the_protocol(line);
  greet();
  return Event::kMore;
}

Result<RedisUpstream::Event> RedisUpstream::hear_psync(std::string_view line) {
  if (line.front() == '-') {
    return Status::unavailable("it answered: " + std::string(line.substr(1)));
  }
  std::string_view rest = line;
  const std::string_view verb = take_word(&rest);
  if (verb == "+CONTINUE" && !place_.id.empty()) {
    if (!rest.empty() && !is_id(rest)) return not_the_protocol(line);
    if (!rest.empty()) place_.id = std::string(rest);
    state_ = State::kStream;
    return Event::kContinues;
  }
  const std::string_view id = take_word(&rest);
  const std::optional<uint64_t> offset = parse_number(rest);
  if (verb != "+FULLRESYNC" || !is_id(id) || !offset) return not_the_protocol(line);
  place_ = {std::string(id), *offset};
  state_ = State::kSize;
  return Event::kMore;
}

Result<RedisUpstream::Event> RedisUpstream::hear_size(std::string_view line) {
  constexpr std::string_view kMarked = "$EOF:";
  if (line.front() == '-') {
    return Status::unavailable("it answered: " + std::string(line.substr(1)));
  }
  dump_bytes_.reset();
  mark_.clear();
  if (line.starts_with(kMarked)) {
    mark_ = std::string(line.substr(kMarked.size()));
    if (mark_.size() != kMarkBytes) return not_the_protocol(line);
  } else {
    dump_bytes_ = line.front() == '$' ? parse_number(line.substr(1)) : std::nullopt;
    if (!dump_bytes_) return not_the_protocol(line);
  }
  dump_.emplace(options_.most_bytes);
  state_ = State::kDump;
  return Event::kCopyBegins;
}

Result<RedisUpstream::Event> RedisUpstream::read_dump() {
  dump_->feed(std::exchange(input_, {}));
  const Result<RdbReader::Event> event = dump_->next();
  if (!event.ok()) return fail(event.status());
  switch (*event) {
    case RdbReader::Event::kMore:
      return Event::kMore;
    case RdbReader::Event::kString:
      return Event::kKey;
    case RdbReader::Event::kOther:
      return Event::kOther;
    case RdbReader::Event::kEnd:
      break;
  }
  if (dump_bytes_ && *dump_bytes_ != dump_->position()) {
    return fail(Status::corruption("its dump has " + std::to_string(dump_->position()) +
                                   " bytes instead of " + std::to_string(*dump_bytes_)));
  }
  input_ = std::string(dump_->rest());
  state_ = State::kMark;
  return end_dump();
}

Result<RedisUpstream::Event> RedisUpstream::end_dump() {
  if (input_.size() < mark_.size()) return Event::kMore;
  if (!input_.starts_with(mark_)) {
    return fail(Status::corruption("its dump doesn't end with the mark that it announced"));
  }
  input_.erase(0, mark_.size());
  state_ = State::kStream;
  return Event::kCopyEnds;
}

Result<RedisUpstream::Event> RedisUpstream::read_command() {
  // The arguments of the last one lay in these bytes.
  args_.clear();
  size_t consumed = 0;
  const std::string_view unread = std::string_view(input_).substr(used_);
  const ParseResult result = parser_.parse(unread, &consumed, &args_);
  if (result == ParseResult::kError) {
    return fail(Status::corruption("its stream of commands: " + parser_.message()));
  }
  used_ += consumed;
  place_.offset += consumed;
  if (result == ParseResult::kCommand) return Event::kCommand;
  input_.erase(0, std::exchange(used_, 0));
  return Event::kMore;
}

}  // namespace syntropy
