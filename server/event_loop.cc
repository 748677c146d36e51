#include "server/event_loop.h"

#include <sys/eventfd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <system_error>
#include <utility>

namespace syntropy {
namespace {

Descriptor need(int descriptor, const char* what) {
  if (descriptor < 0) throw std::system_error(errno, std::generic_category(), what);
  return Descriptor(descriptor);
}

}  // namespace

EventLoop::EventLoop(SocketHandler on_socket)
    : on_socket_(std::move(on_socket)),
      epoll_(need(::epoll_create1(EPOLL_CLOEXEC), "cannot make an epoll instance")),
      wake_(need(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "cannot make an event descriptor")) {
  // Its tag is null. Edge-triggered, so it need not be read.
  if (!add(wake_.get(), nullptr)) {
    throw std::system_error(errno, std::generic_category(), "cannot watch an event descriptor");
  }
}

bool EventLoop::add(int socket, void* tag) {
  epoll_event event{};
  event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
  event.data.ptr = tag;
  return ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, socket, &event) == 0;
}

void EventLoop::remove(int socket) {
  epoll_event ignored{};
  (void)::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, socket, &ignored);
}

void EventLoop::post(std::function<void()> call) {
  bool wake = false;
  {
    const std::lock_guard lock(mutex_);
    posted_.push_back(std::move(call));
    has_posted_.store(true, std::memory_order_release);
    wake = std::exchange(sleeping_, false);
  }
  if (!wake) return;
  const uint64_t one = 1;
  // It can't fail: the counter is never near its limit.
  (void)!::write(wake_.get(), &one, sizeof(one));
}

void EventLoop::post_after(std::chrono::milliseconds delay, std::function<void()> call) {
  delayed_.emplace(std::chrono::steady_clock::now() + delay, std::move(call));
}

bool EventLoop::run(bool wait) {
  if (wait) {
    const std::lock_guard lock(mutex_);
    sleeping_ = posted_.empty();
    wait = sleeping_;
  }
  bool ran = poll_sockets(wait ? wait_ms() : 0);
  if (wait) {
    const std::lock_guard lock(mutex_);
    sleeping_ = false;
  }
  ran = run_posted() || ran;
  return run_due() || ran;
}

bool EventLoop::poll_sockets(int timeout_ms) {
  const int count =
      ::epoll_wait(epoll_.get(), events_.data(), static_cast<int>(events_.size()), timeout_ms);
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = events_[static_cast<size_t>(i)];
    if (event.data.ptr == nullptr) continue;
    const bool ended = (event.events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
    on_socket_(event.data.ptr, {.readable = ended || (event.events & EPOLLIN) != 0,
                                .writable = (event.events & EPOLLOUT) != 0,
                                .ended = ended});
  }
  return count > 0;
}

bool EventLoop::run_posted() {
  if (!has_posted_.load(std::memory_order_acquire)) return false;
  std::vector<std::function<void()>> calls;
  {
    const std::lock_guard lock(mutex_);
    calls.swap(posted_);
    has_posted_.store(false, std::memory_order_relaxed);
  }
  for (auto& call : calls) call();
  return true;
}

bool EventLoop::run_due() {
  if (delayed_.empty()) return false;
  const Time now = std::chrono::steady_clock::now();
  bool ran = false;
  while (!delayed_.empty() && delayed_.begin()->first <= now) {
    const auto call = std::move(delayed_.extract(delayed_.begin()).mapped());
    call();
    ran = true;
  }
  return ran;
}

int EventLoop::wait_ms() const {
  if (delayed_.empty()) return -1;
  const auto left = delayed_.begin()->first - std::chrono::steady_clock::now();
  const auto ms = std::chrono::ceil<std::chrono::milliseconds>(left).count();
  return static_cast<int>(std::clamp<int64_t>(ms, 0, 60'000));
}

}  // namespace syntropy
