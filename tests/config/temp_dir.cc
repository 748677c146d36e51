#include "tests/config/temp_dir.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace syntropy {

TempDir::TempDir() {
  std::string pattern = (std::filesystem::temp_directory_path() / "config-test-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr) std::abort();
  path_ = std::filesystem::canonical(pattern).string();
}

TempDir::~TempDir() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string TempDir::write(std::string_view name, std::string_view text) const {
  std::ofstream file(path(name), std::ios::binary | std::ios::trunc);
  file << text;
  return path(name);
}

std::string TempDir::read(std::string_view name) const { return read_file(path(name)); }

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

}  // namespace syntropy
