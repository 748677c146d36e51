#include "tools/cli/node_connection.h"

#include <hiredis/hiredis.h>
#include <sys/time.h>

#include <utility>

namespace syntropy {
namespace {

struct FreeReply {
  void operator()(redisReply* reply) const { freeReplyObject(reply); }
};

timeval to_timeval(double seconds) {
  const auto whole = static_cast<time_t>(seconds);
  return {whole, static_cast<suseconds_t>((seconds - static_cast<double>(whole)) * 1e6)};
}

void collect(const redisReply& reply, std::vector<std::string>* texts) {
  if (reply.type == REDIS_REPLY_ARRAY) {
    for (size_t i = 0; i < reply.elements; ++i) collect(*reply.element[i], texts);
  } else if (reply.type == REDIS_REPLY_INTEGER) {
    texts->push_back(std::to_string(reply.integer));
  } else if (reply.str != nullptr) {
    texts->emplace_back(reply.str, static_cast<size_t>(reply.len));
  } else {
    texts->emplace_back();  // null
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

Result<NodeConnection> NodeConnection::open(const NodeAddress& address) {
  NodeConnection connection(address.text());
  const timeval timeout = to_timeval(address.timeout_s);
  connection.context_.reset(
      address.socket.empty() ? redisConnectWithTimeout(address.host.c_str(), address.port, timeout)
                             : redisConnectUnixWithTimeout(address.socket.c_str(), timeout));
  redisContext* const context = connection.context_.get();
  if (context == nullptr) return Status::unavailable("out of memory");
  if (context->err != 0) {
    return Status::unavailable("no node answers at " + connection.address_ + ": " +
                               context->errstr);
  }
  if (redisSetTimeout(context, timeout) != REDIS_OK) {
    return Status::unavailable("cannot set a timeout for " + connection.address_);
  }
  if (address.password.empty()) return connection;
  std::vector<std::string> auth = {"AUTH"};
  if (!address.user.empty()) auth.push_back(address.user);
  auth.push_back(address.password);
  const auto answer = connection.call(auth);
  if (!answer.ok()) return answer.status();
  return connection;
}

Result<std::vector<std::string>> NodeConnection::call(const std::vector<std::string>& args) {
  std::vector<const char*> texts;
  std::vector<size_t> lengths;
  for (const std::string& arg : args) {
    texts.push_back(arg.data());
    lengths.push_back(arg.size());
  }
  const std::unique_ptr<redisReply, FreeReply> reply(static_cast<redisReply*>(redisCommandArgv(
      context_.get(), static_cast<int>(args.size()), texts.data(), lengths.data())));
  if (reply == nullptr) {
    return Status::unavailable("the node at " + address_ + " does not answer " + args[0] + ": " +
                               context_->errstr);
  }
  std::vector<std::string> result;
  collect(*reply, &result);
  if (reply->type == REDIS_REPLY_ERROR) {
    return Status::invalid_argument("the node at " + address_ + " answers " + args[0] +
                                    " with: " + result.front());
  }
  return result;
}

Result<std::string> NodeConnection::call_text(const std::vector<std::string>& args) {
  Result<std::vector<std::string>> texts = call(args);
  if (!texts.ok()) return texts.status();
  if (texts->size() == 1) return std::move(texts->front());
  return Status::invalid_argument("the node at " + address_ + " answers " + args[0] +
                                  " in a form that is not expected");
}

}  // namespace syntropy
