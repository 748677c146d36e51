// Quoted text: inline commands, lines of a configuration file, what MONITOR shows.
//
// Properties: the arguments of a line, quoted again, are split into the same; a line without quotes
// is split alike with and without copies; any bytes survive quoting.

#include <cstdint>
#include <string>

#include "server/resp/quoting.h"
#include "tests/fuzz/check.h"

namespace syntropy {
namespace {

void check_line(std::string_view line) {
  std::vector<std::string> args;
  std::vector<std::string_view> views;
  const bool balanced = split_inline(line, &args);
  SYNTROPY_CHECK(balanced || args.empty());
  if (split_unquoted(line, &views)) {
    SYNTROPY_CHECK(balanced && args == std::vector<std::string>(views.begin(), views.end()));
  }

  std::string quoted;
  size_t bytes = 0;
  for (const std::string& arg : args) {
    append_quoted(&quoted, arg);
    quoted += ' ';
    bytes += arg.size();
  }
  SYNTROPY_CHECK(bytes <= line.size());
  std::vector<std::string> again;
  SYNTROPY_CHECK(split_inline(quoted, &again) && again == args);

  const std::string whole = quote_arg(line);
  SYNTROPY_CHECK(whole.find_first_of("\r\n") == whole.npos);
  SYNTROPY_CHECK(split_inline(whole, &again) && again.size() == 1 && again[0] == line);
}

}  // namespace
}  // namespace syntropy

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  syntropy::check_line({reinterpret_cast<const char*>(data), size});
  return 0;
}
