#include "server/session.h"

#include <utility>

#include "server/dispatcher.h"
#include "server/resp/reply.h"

namespace syntropy {
namespace {

// An input buffer that has grown larger gives its memory back when it is empty.
constexpr size_t kKeptBuffer = 16 * 1024;
// After so many bytes of replies in a turn, the socket and the limits of the output come first.
constexpr size_t kMaxTurnOutput = 1024 * 1024;
// Commands, arguments of one and rows that look_ahead() takes on.
constexpr size_t kMostAhead = 256;
// Commands of which warm() takes note, and arguments of one.
constexpr size_t kMostWarm = 64;
// Requests on their way to other nodes.
constexpr size_t kMostForwards = 256;

}  // namespace

Session::Session(std::shared_ptr<Client> client, const RequestLimits& limits)
    : client_(std::move(client)), parser_(limits) {
  parser_.set_authenticated(client_->authenticated);
}

void Session::run(std::string_view fresh, Dispatcher& dispatcher, Turn& turn) {
  const bool is_input = !input_.empty();
  if (is_input) input_.append(fresh);
  const std::string_view view = is_input ? std::string_view(input_) : fresh;
  size_t used = 0;
  const size_t most_output = output_.size() + kMaxTurnOutput;
  has_more_ = false;
  while (wait_ == Wait::kNone && !client_->close_after_reply) {
    if (turn.spent() || output_.size() > most_output) {
      has_more_ = used < view.size();
      break;
    }
    size_t consumed = 0;
    const ParseResult result = parser_.parse(view.substr(used), &consumed, &args_);
    if (result == ParseResult::kError) {
      ReplyWriter(&output_, client_->protocol).error("ERR " + parser_.message());
      client_->close_after_reply = true;
      break;
    }
    if (result == ParseResult::kNeedMore) {
      used += consumed;
      break;
    }
    wait_ = dispatcher.execute(*this, args_, turn);
    // What has to wait, waits behind those that are on their way to others.
    const bool waits = wait_ == Wait::kFetch || wait_ == Wait::kPause;
    if (waits && !forwards_.empty()) wait_ = Wait::kForward;
    if (wait_ == Wait::kFetch) look_ahead(view.substr(used + consumed), dispatcher, turn);
    // kForward: this one is for here, and comes after those that aren't.
    const bool again = wait_ == Wait::kFetch || wait_ == Wait::kPause || wait_ == Wait::kForward;
    if (!again) used += consumed;
    parser_.set_authenticated(client_->authenticated);
    if (forwards_.size() >= kMostForwards) wait_ = Wait::kForward;
  }
  if (wait_ == Wait::kNone && !forwards_.empty()) wait_ = Wait::kForward;
  keep(view, is_input, used);
}

Session::Forwards Session::take_forwards() {
  Forwards forwards;
  forwards.requests = std::exchange(forwards_, {});
  forwards_elsewhere_ = true;
  const size_t begin = forwards.requests.front().at;
  for (Forwards::Request& request : forwards.requests) request.at -= begin;
  forwards.behind = output_.substr(begin);
  output_.resize(begin);
  return forwards;
}

void Session::take_in(const Forwards& forwards) {
  size_t done = 0;
  for (const Forwards::Request& request : forwards.requests) {
    output_.append(forwards.behind, done, request.at - done);
    done = request.at;
    const std::string reply = request.watched.empty()
                                  ? request.reply
                                  : take_watched(request.watched, request.reply, client_.get());
    if (!request.silent) output_.append(reply);
  }
  output_.append(forwards.behind, done);
}

void Session::warm(std::string_view fresh, Tick& tick) {
  if (!input_.empty() || wait_ != Wait::kNone || !client_->authenticated) return;
  RequestParser parser = parser_;
  for (size_t i = 0; i < kMostWarm; ++i) {
    size_t consumed = 0;
    if (parser.parse(fresh, &consumed, &args_) != ParseResult::kCommand) break;
    if (args_.size() > kMostWarm) break;
    fresh.remove_prefix(consumed);
    Dispatcher::warm_rows(*client_, args_, tick);
  }
}

// What the commands behind one that waits will need is fetched along with it: a pipeline of cold
// rows waits once.
void Session::look_ahead(std::string_view view, const Dispatcher& dispatcher, Turn& turn) {
  RequestParser parser = parser_;
  std::vector<std::string_view> args;
  turn.tick.begin_command(turn.now_ms, ReadTier::kMemory);
  for (size_t i = 0; i < kMostAhead && turn.tick.misses().size() < kMostAhead; ++i) {
    size_t consumed = 0;
    if (parser.parse(view, &consumed, &args) != ParseResult::kCommand) break;
    if (args.size() > kMostAhead) break;
    view.remove_prefix(consumed);
    dispatcher.look_up_rows(*client_, args, turn.tick);
  }
  const std::vector<std::string>& missing = turn.tick.misses();
  misses_.insert(misses_.end(), missing.begin(), missing.end());
}

void Session::keep(std::string_view view, bool is_input, size_t used) {
  if (client_->close_after_reply) used = view.size();
  if (!is_input) {
    input_.assign(view.substr(used));
  } else if (used != 0) {
    input_.erase(0, used);
  }
  if (input_.empty() && input_.capacity() > kKeptBuffer) std::string().swap(input_);
}

void Session::replace_replies(const std::vector<Span>& spans, std::string_view error) {
  std::string replaced;
  size_t done = 0;
  size_t next = 0;  // of forwards_
  // Those up to there lie as far behind `done` as before.
  const auto move_up_to = [&](size_t end) {
    for (; next < forwards_.size() && forwards_[next].at <= end; ++next) {
      forwards_[next].at = replaced.size() + (forwards_[next].at - done);
    }
  };
  for (const Span& span : spans) {
    move_up_to(span.begin);
    replaced.append(output_, done, span.begin - done);
    ReplyWriter(&replaced, client_->protocol).error(error);
    done = span.end;
  }
  move_up_to(output_.size());
  replaced.append(output_, done);
  output_ = std::move(replaced);
}

}  // namespace syntropy
