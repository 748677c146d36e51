#include "tools/cli/node_connection.h"

#include <hiredis/hiredis.h>
#include <sys/time.h>

#include <array>
#include <utility>

namespace syntropy {
namespace {

constexpr size_t kReadBytes = size_t{64} << 10;

timeval to_timeval(double seconds) {
  const auto whole = static_cast<time_t>(seconds);
  return {whole, static_cast<suseconds_t>((seconds - static_cast<double>(whole)) * 1e6)};
}

RespReply converted(const redisReply& from) {
  RespReply reply;
  if (from.type == REDIS_REPLY_NIL) return reply;
  if (from.type == REDIS_REPLY_INTEGER) {
    reply.type = RespReply::Type::kInteger;
    reply.integer = from.integer;
  } else if (from.str != nullptr) {
    reply.type = from.type == REDIS_REPLY_ERROR ? RespReply::Type::kError : RespReply::Type::kText;
    reply.text.assign(from.str, static_cast<size_t>(from.len));
  } else {
    reply.type = RespReply::Type::kArray;
    reply.elements.reserve(from.elements);
    for (size_t i = 0; i < from.elements; ++i)
      reply.elements.push_back(converted(*from.element[i]));
  }
  return reply;
}

void collect(const RespReply& reply, std::vector<std::string>* texts) {
  if (reply.is_array()) {
    for (const RespReply& element : reply.elements) collect(element, texts);
  } else {
    texts->push_back(reply.is_integer() ? std::to_string(reply.integer) : reply.text);
  }
}

/// As the protocol has it: an array of bulks.
void append_command(const RespCommand& command, std::string* out) {
  *out += '*' + std::to_string(command.size()) + "\r\n";
  for (const std::string& arg : command) {
    *out += '$' + std::to_string(arg.size()) + "\r\n";
    *out += arg;
    *out += "\r\n";
  }
}

}  // namespace

std::string NodeAddress::text() const {
  return socket.empty() ? host + ":" + std::to_string(port) : socket;
}

void add_address_options(CLI::App& command, NodeAddress* address) {
  command.set_help_flag("--help", "Explain and exit");
  command.add_option("-h,--host", address->host, "Host of the node")->capture_default_str();
  command.add_option("-p,--port", address->port, "Port of the node")->capture_default_str();
  command.add_option("-s,--socket", address->socket, "Unix socket of the node, instead of a port");
  command
      .add_option("-a,--password", address->password,
                  "Password; others on this machine can read it in the list of processes, "
                  "SYNTROPY_PASSWORD they cannot")
      ->envname("SYNTROPY_PASSWORD");
  command.add_option("--user", address->user, "User to authenticate as");
  command.add_option("--timeout", address->timeout_s, "Seconds to wait for the node's answers")
      ->capture_default_str()
      ->check(CLI::Range(0.1, 86400.0));
}

void NodeConnection::Close::operator()(redisContext* context) const { redisFree(context); }

NodeConnection::NodeConnection(const NodeAddress& address, redisContext* context)
    : address_(address.text()), timeout_s_(address.timeout_s), context_(context) {}

Result<NodeConnection> NodeConnection::open(const NodeAddress& address) {
  const timeval timeout = to_timeval(address.timeout_s);
  NodeConnection connection(
      address, address.socket.empty()
                   ? redisConnectWithTimeout(address.host.c_str(), address.port, timeout)
                   : redisConnectUnixWithTimeout(address.socket.c_str(), timeout));
  redisContext* const context = connection.context_.get();
  if (context == nullptr) return Status::unavailable("out of memory");
  const std::string nobody = "no node answers at " + connection.address_ + ": ";
  if (context->err != 0) return Status::unavailable(nobody + context->errstr);
  Result<NodeStream> stream =
      NodeStream::open(context->fd, address.tls, address.host, address.timeout_s);
  if (!stream.ok()) {
    return Status(stream.status().code(), nobody + std::string(stream.status().message()));
  }
  connection.stream_ = std::move(*stream);
  if (address.password.empty()) return connection;
  std::vector<std::string> auth = {"AUTH"};
  if (!address.user.empty()) auth.push_back(address.user);
  auth.push_back(address.password);
  const auto answer = connection.call(auth);
  if (!answer.ok()) return answer.status();
  return connection;
}

Result<std::vector<std::string>> NodeConnection::call(const std::vector<std::string>& args) {
  const Result<std::vector<RespReply>> replies = pipeline({args});
  if (!replies.ok()) return replies.status();
  const RespReply& reply = replies->front();
  if (reply.is_error()) {
    return Status::invalid_argument("the node at " + address_ + " answers " + args[0] +
                                    " with: " + reply.text);
  }
  std::vector<std::string> result;
  collect(reply, &result);
  return result;
}

Result<std::vector<RespReply>> NodeConnection::pipeline(const std::vector<RespCommand>& commands) {
  std::vector<RespReply> replies;
  if (commands.empty()) return replies;
  replies.reserve(commands.size());
  std::string out;
  for (const RespCommand& command : commands) append_command(command, &out);
  bytes_ += out.size();
  ++round_trips_;
  size_t sent = 0;
  const auto exchange = [&]() -> Status {
    while (sent < out.size() || replies.size() < commands.size()) {
      if (sent < out.size()) {
        const Result<size_t> written = stream_->write_some(std::string_view(out).substr(sent));
        if (!written.ok()) return written.status();
        sent += *written;
      }
      Status status = receive(&replies);
      if (!status.ok()) return status;
      if (replies.size() >= commands.size()) continue;
      status = stream_->wait(sent < out.size(), timeout_s_);
      if (!status.ok()) return status;
    }
    return {};
  };
  const Status status = exchange();
  if (!status.ok()) {
    return Status::unavailable("the node at " + address_ + " does not answer " + commands[0][0] +
                               ": " + std::string(status.message()));
  }
  return replies;
}

Status NodeConnection::receive(std::vector<RespReply>* replies) {
  std::array<char, kReadBytes> buffer;
  for (bool first = true;; first = false) {
    const Result<size_t> got = stream_->read_some(buffer.data(), buffer.size());
    // What came before the end of the stream counts; the end will be met again.
    if (!got.ok()) return first ? got.status() : Status();
    if (*got == 0) return {};
    bytes_ += *got;
    if (redisReaderFeed(context_->reader, buffer.data(), *got) != REDIS_OK) {
      return Status::unavailable(context_->reader->errstr);
    }
    const Status taken = take_replies(replies);
    if (!taken.ok()) return taken;
  }
}

Status NodeConnection::take_replies(std::vector<RespReply>* replies) {
  while (true) {
    void* reply = nullptr;
    if (redisReaderGetReply(context_->reader, &reply) != REDIS_OK) {
      return Status::unavailable(context_->reader->errstr);
    }
    if (reply == nullptr) return {};
    replies->push_back(converted(*static_cast<redisReply*>(reply)));
    freeReplyObject(reply);
  }
}

Result<std::string> NodeConnection::call_text(const std::vector<std::string>& args) {
  Result<std::vector<std::string>> texts = call(args);
  if (!texts.ok()) return texts.status();
  if (texts->size() == 1) return std::move(texts->front());
  return Status::invalid_argument("the node at " + address_ + " answers " + args[0] +
                                  " in a form that is not expected");
}

}  // namespace syntropy
