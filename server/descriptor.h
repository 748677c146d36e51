// Descriptor: owns a file descriptor.
//
// Thread safety: none.
#pragma once

#include <unistd.h>

#include <utility>

namespace syntropy {

class Descriptor {
 public:
  Descriptor() = default;
  /// Negative: none.
  explicit Descriptor(int descriptor) : descriptor_(descriptor) {}
  Descriptor(Descriptor&& other) noexcept : descriptor_(other.release()) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    close();
    descriptor_ = other.release();
    return *this;
  }
  ~Descriptor() { close(); }

  int get() const { return descriptor_; }
  int release() { return std::exchange(descriptor_, -1); }
  void close() {
    if (descriptor_ >= 0) ::close(release());
  }

 private:
  int descriptor_ = -1;
};

}  // namespace syntropy
