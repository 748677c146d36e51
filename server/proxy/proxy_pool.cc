#include "server/proxy/proxy_pool.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <boost/asio/connect.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>
#include <deque>
#include <optional>

#include "server/cluster/cluster.h"
#include "server/config/config_store.h"
#include "server/proxy/reply_scanner.h"

namespace syntropy {
namespace {

namespace asio = boost::asio;
using Error = boost::system::error_code;
using Tcp = asio::ip::tcp;

constexpr std::chrono::milliseconds kRetry{20};
constexpr std::chrono::milliseconds kWatchInterval{100};
constexpr int kMostTurns = 16;  // MOVED and ASK that are followed
constexpr uint64_t kLeastPatienceMs = 1000;
constexpr size_t kReadBytes = size_t{64} << 10;

std::string request_of(const std::vector<std::string>& args) {
  std::string request = fmt::format("*{}\r\n", args.size());
  for (const std::string& arg : args) request += fmt::format("${}\r\n{}\r\n", arg.size(), arg);
  return request;
}

/// "-MOVED 1234 host:port\r\n" and the like: where to.
std::string target_of(std::string_view redirection) {
  const size_t blank = redirection.rfind(' ');
  return std::string(redirection.substr(blank + 1, redirection.size() - blank - 3));
}

}  // namespace

// One connection. On the pool's thread.
class ProxyLink : public std::enable_shared_from_this<ProxyLink> {
 public:
  ProxyLink(ProxyPool& pool, std::string address, int protocol)
      : pool_(pool), address_(std::move(address)), protocol_(protocol), socket_(pool.loop_) {}

  void open() {
    const size_t colon = address_.rfind(':');
    const std::string host = address_.substr(0, colon);
    Error error;
    const auto ip = asio::ip::make_address(host, error);
    if (error || colon == std::string::npos) return close("its address is '" + address_ + "'");
    const auto port =
        static_cast<uint16_t>(std::strtoul(address_.c_str() + colon + 1, nullptr, 10));
    greet();
    socket_.async_connect(Tcp::endpoint(ip, port),
                          [self = shared_from_this()](const Error& failed) {
                            if (self->closed_) return;
                            if (failed) return self->close(failed.message());
                            Error ignored;
                            (void)self->socket_.set_option(Tcp::no_delay(true), ignored);
                            self->connected_ = true;
                            self->read();
                            self->write();
                          });
  }

  void send(ProxyPool::Errand errand) {
    const uint64_t begins_at = queued_;
    const ProxyPart& planned = errand.part();
    if (errand.asking) {
      queue(asking(planned), &errand, begins_at);
    } else {
      queue(planned, &errand, begins_at);
    }
    // Together with what else comes meanwhile.
    if (std::exchange(write_posted_, true)) return;
    asio::post(pool_.loop_, [self = shared_from_this()] {
      self->write_posted_ = false;
      if (!self->closed_) self->write();
    });
  }

  bool closed() const { return closed_; }

  void close(const std::string& why) {
    if (closed_) return;
    closed_ = true;
    Error ignored;
    (void)socket_.close(ignored);
    const auto self = shared_from_this();
    pool_.links_.erase({address_, protocol_});
    for (Awaited& awaited : std::exchange(awaited_, {})) {
      if (!awaited.errand) continue;
      pool_.broke(std::move(*awaited.errand), awaited.begins_at < written_, why);
    }
  }

 private:
  struct Awaited {
    std::optional<ProxyPool::Errand> errand;  // none: a greeting
    uint64_t begins_at = 0;                   // in all that is to be written
    size_t replies = 1;
    size_t counts = 0;  // which of them
    size_t answered = 0;
    std::string reply = {};
    std::string leads = {};  // to another node
  };

  void queue(const ProxyPart& part, ProxyPool::Errand* errand, uint64_t begins_at) {
    queued_ += part.requests.size();
    unwritten_ += part.requests;
    awaited_.push_back({std::move(*errand), begins_at, part.replies, part.counts});
  }

  void greet() {
    const auto config = pool_.server_.config.current();
    const std::string& password = config->security.require_pass;
    std::vector<std::string> hello = {"HELLO", std::to_string(protocol_)};
    if (!password.empty()) {
      for (const std::string& word : {std::string("AUTH"), std::string("default"), password}) {
        hello.push_back(word);
      }
    }
    // Or two nodes whose views differ might send a request to and fro.
    unwritten_ = request_of(hello) + request_of({"CLIENT", "ROUTING", "REDIRECT"});
    queued_ = unwritten_.size();
    awaited_.push_back({std::nullopt});
    awaited_.push_back({std::nullopt});
  }

  void write() {
    if (!connected_ || writing_ || unwritten_.empty()) return;
    writing_ = true;
    being_written_ = std::exchange(unwritten_, {});
    written_ += being_written_.size();
    asio::async_write(socket_, asio::buffer(being_written_),
                      [self = shared_from_this()](const Error& failed, size_t) {
                        self->writing_ = false;
                        if (self->closed_) return;
                        if (failed) return self->close(failed.message());
                        self->write();
                      });
  }

  void read() {
    socket_.async_read_some(asio::buffer(buffer_),
                            [self = shared_from_this()](const Error& failed, size_t got) {
                              if (self->closed_) return;
                              if (failed) return self->close(failed.message());
                              self->input_.append(self->buffer_.data(), got);
                              if (self->take()) self->read();
                            });
  }

  bool take() {
    size_t used = 0;
    while (true) {
      const Result<size_t> size = scanner_.scan(std::string_view(input_).substr(used));
      if (!size.ok() || (*size != 0 && awaited_.empty())) {
        close(size.ok() ? "it answered what nobody asked" : std::string(size.status().message()));
        return false;
      }
      if (*size == 0) break;
      hear(input_.substr(used, *size));
      if (closed_) return false;
      used += *size;
    }
    input_.erase(0, used);
    return true;
  }

  void hear(std::string reply) {
    Awaited& first = awaited_.front();
    if (!first.errand) {
      awaited_.pop_front();
      if (reply.starts_with('-')) close("it answered: " + reply.substr(1, reply.size() - 3));
      return;
    }
    // Of a transaction it is a command within that says where the slot is; EXEC only fails then.
    const bool leads_on = reply.starts_with("-MOVED ") || reply.starts_with("-ASK ");
    if (leads_on && first.leads.empty()) first.leads = reply;
    if (first.answered == first.counts) first.reply = std::move(reply);
    if (++first.answered < first.replies) return;
    ProxyPool::Errand errand = std::move(*first.errand);
    std::string answer = std::move(first.leads.empty() ? first.reply : first.leads);
    awaited_.pop_front();
    pool_.answered(std::move(errand), std::move(answer));
  }

  ProxyPool& pool_;
  const std::string address_;
  const int protocol_;
  Tcp::socket socket_;
  bool connected_ = false;
  bool closed_ = false;
  bool writing_ = false;
  bool write_posted_ = false;
  std::string unwritten_;
  std::string being_written_;
  uint64_t queued_ = 0;   // bytes of all that was to be written so far
  uint64_t written_ = 0;  // of these, given to the kernel
  std::deque<Awaited> awaited_;
  std::array<char, kReadBytes> buffer_;
  std::string input_;
  ReplyScanner scanner_;
};

ProxyPool::ProxyPool(ServerContext& server)
    : server_(server), work_(asio::make_work_guard(loop_)), watch_(loop_), thread_([this] {
        watch();
        loop_.run();
      }) {}

ProxyPool::~ProxyPool() {
  loop_.stop();
  thread_.join();
  // What is left of jobs and links goes with the loop.
  links_.clear();
}

uint64_t ProxyPool::patience_ms() const {
  // A failover takes some node timeouts.
  const uint64_t timeout_ms = server_.config.current()->cluster.node_timeout_ms;
  return std::max(3 * timeout_ms, kLeastPatienceMs);
}

void ProxyPool::forward(std::vector<ProxyRequest> requests) {
  asio::post(loop_, [this, requests = std::move(requests)]() mutable {
    const uint64_t deadline_ms = now_ms() + patience_ms();
    for (ProxyRequest& request : requests) {
      auto job = std::make_shared<Job>();
      job->missing = request.plan.parts.size();
      job->replies.resize(job->missing);
      job->deadline_ms = deadline_ms;
      job->request = std::move(request);
      const std::vector<ProxyPart>& parts = job->request.plan.parts;
      for (size_t i = 0; i < parts.size(); ++i) send({job, i, parts[i].node});
    }
  });
}

// A node that is silent breaks no connection.
void ProxyPool::watch() {
  watch_.expires_after(kWatchInterval);
  watch_.async_wait([this](const Error& failed) {
    if (failed) return;
    const std::shared_ptr<const Routing> routing = server_.cluster->gate().routing();
    for (const Routing::Node& node : routing->nodes) {
      if (!node.failed) continue;
      for (const int protocol : {2, 3}) {
        const auto at = links_.find({fmt::format("{}:{}", node.host, node.port), protocol});
        if (at == links_.end()) continue;
        const std::shared_ptr<ProxyLink> link = at->second;
        link->close("the node has failed");
      }
    }
    watch();
  });
}

uint64_t ProxyPool::now_ms() const { return server_.clock.monotonic_us() / 1000; }
bool ProxyPool::late(const Errand& errand) const { return now_ms() > errand.job->deadline_ms; }

void ProxyPool::send(Errand errand) {
  const auto key = std::make_pair(errand.node, errand.job->request.protocol);
  std::shared_ptr<ProxyLink>& link = links_[key];
  if (link == nullptr) {
    link = std::make_shared<ProxyLink>(*this, key.first, key.second);
    const std::shared_ptr<ProxyLink> opened = link;
    opened->open();
    if (opened->closed()) return broke(std::move(errand), false, "its address isn't known");
    return opened->send(std::move(errand));
  }
  link->send(std::move(errand));
}

// To whoever owns the slot by then.
void ProxyPool::send_later(Errand errand) {
  errand.asking = false;
  auto timer = std::make_shared<asio::steady_timer>(loop_, kRetry);
  timer->async_wait([this, timer, errand = std::move(errand)](const Error& failed) mutable {
    if (failed) return;
    const std::shared_ptr<const Routing> routing = server_.cluster->gate().routing();
    const Routing::Node* const owner = routing->owner_of(errand.part().slot);
    if (owner != nullptr) errand.node = fmt::format("{}:{}", owner->host, owner->port);
    send(std::move(errand));
  });
}

void ProxyPool::answered(Errand errand, std::string reply) {
  if (reply.starts_with("-MOVED ") || reply.starts_with("-ASK ")) {
    if (++errand.turns > kMostTurns || late(errand)) return finish(errand, std::move(reply));
    errand.asking = reply[1] == 'A';
    errand.node = target_of(reply);
    return send(std::move(errand));
  }
  const bool waits = reply.starts_with("-TRYAGAIN ") || reply.starts_with("-CLUSTERDOWN ");
  if (waits && !late(errand)) return send_later(std::move(errand));
  finish(errand, std::move(reply));
}

void ProxyPool::broke(Errand errand, bool sent, const std::string& why) {
  const bool again = !sent || errand.part().repeatable;
  if (again && !late(errand)) return send_later(std::move(errand));
  spdlog::warn("proxy: the connection to {} broke: {}", errand.node, why);
  finish(errand,
         again ? fmt::format("-CLUSTERDOWN the node {} can't be reached: {}\r\n", errand.node, why)
               : fmt::format("-CLUSTERDOWN the connection to {} broke: the command may or "
                             "may not have been executed\r\n",
                             errand.node));
}

void ProxyPool::finish(const Errand& errand, std::string reply) {
  Job& job = *errand.job;
  job.replies[errand.index] = std::move(reply);
  if (--job.missing != 0) return;
  job.request.done(join_replies(job.request.plan, std::move(job.replies)));
}

}  // namespace syntropy
