// The text of a configuration file; behind a NUL, a second one, whose values CONFIG REWRITE brings
// into the first.
//
// Properties: every refusal names the file; reading again gives the same; a rewritten file gives
// the values that it was rewritten for.

#include <cstdint>
#include <string>

#include "server/config/load.h"
#include "server/config/rewrite.h"
#include "tests/fuzz/check.h"

namespace syntropy {
namespace {

const std::string kPath = "fuzzed.conf";

// An include would read files of the machine, devices among them. Its name may be quoted.
bool may_include(std::string_view text) {
  std::string letters;
  for (const char c : text) {
    if (c >= 'a' && c <= 'z') letters.push_back(c);
    if (c >= 'A' && c <= 'Z') letters.push_back(static_cast<char>(c + 32));
  }
  return letters.find("inc") != letters.npos || text.find("\\x") != text.npos;
}

void check_rewrite(std::string_view text, const Config& config) {
  const Result<std::string> rewritten = rewritten_config_text(text, kPath, config);
  if (!rewritten.ok()) return;
  const Result<Config> loaded = load_config_text(*rewritten, kPath);
  SYNTROPY_CHECK(loaded.ok() && *loaded == config);
}

void check_text(std::string_view input) {
  if (may_include(input)) return;
  const std::string_view text = input.substr(0, input.find('\0'));
  const Result<Config> config = load_config_text(text, kPath);
  const Result<Config> again = load_config_text(text, kPath);
  SYNTROPY_CHECK(config.ok() == again.ok());
  if (!config.ok()) {
    SYNTROPY_CHECK(config.status().message().find(kPath) != std::string_view::npos);
    return;
  }
  SYNTROPY_CHECK(*config == *again);
  check_rewrite(text, *config);
  if (text.size() == input.size()) return;
  const Result<Config> other = load_config_text(input.substr(text.size() + 1), kPath);
  if (other.ok()) check_rewrite(text, *other);
}

}  // namespace
}  // namespace syntropy

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  syntropy::check_text({reinterpret_cast<const char*>(data), size});
  return 0;
}
