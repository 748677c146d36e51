// A folder that lives as long as a test, and files in it.
#pragma once

#include <string>
#include <string_view>

namespace syntropy {

class TempDir {
 public:
  TempDir();
  ~TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  /// Canonical, so that messages that name files can be compared.
  const std::string& path() const { return path_; }
  std::string path(std::string_view name) const { return path_ + "/" + std::string(name); }
  /// Writes a file and returns its path.
  std::string write(std::string_view name, std::string_view text) const;
  std::string read(std::string_view name) const;

 private:
  std::string path_;
};

std::string read_file(const std::string& path);

}  // namespace syntropy
