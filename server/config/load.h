// Reading the configuration: the command line, the file that it names, standard input, and the
// files that those include.
//
//   syntropyd [file.conf] [--name value [value ...]] ... [-]
//
// File: one option per line, `name value [value ...]`, quoted as server/resp/quoting.h says; empty
// lines and lines that begin with '#' say nothing; names are read in any case; a later line
// overrides an earlier one. `include path` reads another file at that place; a relative path starts
// at the working directory.
// Order: file, then standard input (an argument `-`, first or last), then flags; later ones win.
// Flags: the argument behind `--name` is a value whatever it looks like, so `--requirepass --x`
// works; `--save` alone means `--save ""`; "--port 7400" may be one argument.
//
// Bounds: a line kMaxLineBytes, all files of one start together kMaxTotalBytes, includes
// kMaxIncludeDepth deep. A file that includes itself, also by way of others, is an error.
//
// Errors are complete sentences that name file and line, or the flag:
//   /etc/syntropy.conf:12: 'prot': unknown option; did you mean 'port'?
//   command line: '--port 99999': argument must be between 0 and 65535 inclusive
// Values of sensitive options never appear in them.
//
// Thread safety: no shared state; reads files.
#pragma once

#include <cstddef>
#include <istream>
#include <string>
#include <string_view>
#include <vector>

#include "server/config/config.h"
#include "storage/base/status.h"

namespace syntropy {

inline constexpr std::size_t kMaxLineBytes = 64 * 1024;
inline constexpr std::size_t kMaxTotalBytes = 16 * 1024 * 1024;
inline constexpr std::size_t kMaxIncludeDepth = 16;

/// What the command line asks for.
struct Invocation {
  enum class Action { kServe, kHelp, kVersion };
  Action action = Action::kServe;
  Config config;     // complete for kServe; `storage.dir` is absolute
  std::string file;  // absolute path of the configuration file; empty = none was given
};

/// Reads the arguments of a program (without its name) and all that they lead to. `input` is read
/// only when an argument says so.
Result<Invocation> load_config(const std::vector<std::string>& arguments, std::istream& input);

/// The configuration that a start with only a file of this content would give. `path` names the
/// file in messages and detects that an include leads back to it.
Result<Config> load_config_text(std::string_view text, const std::string& path);

/// The content of a file. kNotFound when there is none, kIoError when it cannot be read,
/// kInvalidArgument when it exceeds kMaxTotalBytes.
Result<std::string> read_config_file(const std::string& path);

/// Resolves `storage.dir` against the working directory, as load_config does.
void make_paths_absolute(Config& config);

}  // namespace syntropy
