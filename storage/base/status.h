// Status and Result: how every call of Syntropy that the world can make fail reports it.
//
// A Status is a code and, when it is not ok, a message for a person: what failed, on which thing
// (file, key, option), and what can be done. Errors of libraries are converted to a Status at the
// edge of the module that calls them; no exception crosses a module's edge. What a programmer got
// wrong is an assertion, never a Status.
//
// Thread safety: values; const access from any number of threads.
#pragma once

#include <cassert>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace syntropy {

enum class StatusCode : unsigned char {
  kOk = 0,
  kNotFound,         // the thing asked for does not exist; often an answer, not a failure
  kInvalidArgument,  // the caller's input is ill-formed or out of bounds
  kCorruption,       // stored or received bytes are not what was written
  kIoError,          // the disk or the network failed
  kNoSpace,          // the disk is full
  kIncomplete,       // the answer needs the disk and the caller forbade to touch it
  kUnavailable,      // cannot be done now; may succeed later
  kAlreadyExists,
};

class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(StatusCode code, std::string message)
      : detail_(code == StatusCode::kOk
                    ? nullptr
                    : std::make_shared<Detail>(Detail{code, std::move(message)})) {}

  static Status ok_status() { return {}; }
  static Status not_found(std::string m) { return {StatusCode::kNotFound, std::move(m)}; }
  static Status invalid_argument(std::string m) {
    return {StatusCode::kInvalidArgument, std::move(m)};
  }
  static Status corruption(std::string m) { return {StatusCode::kCorruption, std::move(m)}; }
  static Status io_error(std::string m) { return {StatusCode::kIoError, std::move(m)}; }
  static Status no_space(std::string m) { return {StatusCode::kNoSpace, std::move(m)}; }
  static Status incomplete(std::string m) { return {StatusCode::kIncomplete, std::move(m)}; }
  static Status unavailable(std::string m) { return {StatusCode::kUnavailable, std::move(m)}; }
  static Status already_exists(std::string m) { return {StatusCode::kAlreadyExists, std::move(m)}; }

  bool ok() const { return detail_ == nullptr; }
  StatusCode code() const { return detail_ ? detail_->code : StatusCode::kOk; }
  bool is(StatusCode c) const { return code() == c; }
  /// Empty when ok. Owned by the status and its copies.
  std::string_view message() const { return detail_ ? detail_->message : std::string_view(); }

 private:
  struct Detail {
    StatusCode code;
    std::string message;
  };
  std::shared_ptr<const Detail> detail_;  // null when ok, so that success costs no allocation
};

/// A value, or the Status that says why there is none. Never holds an ok Status.
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}        // NOLINT: implicit
  Result(Status status) : state_(std::in_place_index<1>, std::move(status)) {  // NOLINT: implicit
    assert(!std::get<1>(state_).ok());
  }

  bool ok() const { return state_.index() == 0; }
  Status status() const { return ok() ? Status() : std::get<1>(state_); }

  /// The value; calling these on a failed result is a programmer's error.
  T& value() & { return assert(ok()), std::get<0>(state_); }
  const T& value() const& { return assert(ok()), std::get<0>(state_); }
  T&& value() && { return assert(ok()), std::get<0>(std::move(state_)); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

 private:
  std::variant<T, Status> state_;
};

}  // namespace syntropy
