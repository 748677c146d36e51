#include "server/config/load.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <glob.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include "server/config/options.h"
#include "server/config/values.h"
#include "server/resp/quoting.h"

namespace syntropy {
namespace {

constexpr std::string_view kBlanks = " \t\r\n\v\f";
constexpr std::size_t kMaxShownBytes = 100;

/// Text from the user in a message: one line, of bounded length.
std::string shown(std::string_view text) {
  std::string out;
  for (char c : text.substr(0, kMaxShownBytes)) {
    const auto byte = static_cast<unsigned char>(c);
    out += byte < 0x20 || byte == 0x7f ? '?' : c;
  }
  if (text.size() > kMaxShownBytes) out += "...";
  return out;
}

std::string_view trim(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(kBlanks);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlanks) - begin + 1);
}

std::string absolute_path(const std::string& path) {
  std::error_code error;
  const auto absolute = std::filesystem::absolute(path, error);
  return error ? path : absolute.lexically_normal().string();
}

/// The path by which two names of one file are recognised as the same.
std::string canonical_path(const std::string& path) {
  std::error_code error;
  const auto canonical = std::filesystem::weakly_canonical(path, error);
  return error ? path : canonical.string();
}

Status too_long(const std::string& what) {
  return Status::invalid_argument(
      fmt::format("{}: the configuration exceeds {} bytes", what, kMaxTotalBytes));
}

/// Reads lines and flags into one Config. Lives for one load.
class Reader {
 public:
  explicit Reader(Config& config) : config_(config) {}

  Status read_file(const std::string& path) {
    auto text = read_config_file(path);
    if (!text.ok()) return text.status();
    return read_text(*text, path, path);
  }

  /// `label` names the text in messages; `path` is empty when it is not a file.
  Status read_text(std::string_view text, const std::string& label, const std::string& path) {
    total_bytes_ += text.size();
    if (total_bytes_ > kMaxTotalBytes) return too_long(label);
    open_files_.push_back(path.empty() ? std::string() : canonical_path(path));
    Status status;
    std::size_t number = 0;
    for (std::size_t begin = 0; begin < text.size() && status.ok();) {
      const std::size_t end = std::min(text.find('\n', begin), text.size());
      ++number;
      status = read_line(text.substr(begin, end - begin), fmt::format("{}:{}", label, number));
      begin = end + 1;
    }
    open_files_.pop_back();
    return status;
  }

  /// One option with its values. `place` begins the message, `shown_name` is how the user wrote the
  /// name.
  Status read_option(const std::string& place, const std::string& shown_name,
                     const std::string& name, const std::vector<std::string>& values) {
    const Option* option = find_option(name);
    if (option == nullptr) return unknown_option(place, shown_name, name);
    const bool hidden = option->sensitive || values.empty();
    const std::string what =
        hidden ? shown_name : fmt::format("{} {}", shown_name, fmt::join(values, " "));
    const std::string where = fmt::format("{}: '{}'", place, shown(what));
    if (!option->set) return include(where, values);
    const Status status = set_from_words(*option, config_, values);
    if (status.ok()) return status;
    return Status::invalid_argument(fmt::format("{}: {}", where, status.message()));
  }

 private:
  Status read_line(std::string_view line, const std::string& place) {
    if (line.size() > kMaxLineBytes) {
      return Status::invalid_argument(
          fmt::format("{}: the line exceeds {} bytes", place, kMaxLineBytes));
    }
    if (line.find('\0') != std::string_view::npos) {
      return Status::invalid_argument(fmt::format("{}: the line holds a NUL byte", place));
    }
    line = trim(line);
    if (line.empty() || line.front() == '#') return {};
    std::vector<std::string> words;
    if (!split_inline(line, &words) || words.empty()) {
      // Only the name: what follows may be a password.
      const std::string_view name = line.substr(0, line.find_first_of(" \t\"'"));
      return Status::invalid_argument(
          fmt::format("{}: '{}': unbalanced quotes", place, shown(name)));
    }
    const std::string name = std::move(words.front());
    words.erase(words.begin());
    return read_option(place, name, name, words);
  }

  static Status unknown_option(const std::string& place, const std::string& shown_name,
                               const std::string& name) {
    const std::size_t equals = name.find('=');
    const std::string_view near = nearest_option(name.substr(0, equals));
    const std::string_view note = redis_option_note(name);
    std::string hint;
    if (equals != std::string::npos && !near.empty()) {
      hint = fmt::format("; write '{} <value>', without '='", near);
    } else if (!near.empty()) {
      const std::string_view dashes = shown_name.starts_with("--") ? "--" : "";
      hint = fmt::format("; did you mean '{}{}'?", dashes, near);
    } else if (!note.empty()) {
      hint = fmt::format("; Redis has it, but {}", note);
    }
    return Status::invalid_argument(
        fmt::format("{}: '{}': unknown option{}", place, shown(shown_name), hint));
  }

  Status include(const std::string& where, const std::vector<std::string>& values) {
    if (values.size() != 1 || values.front().empty()) {
      return Status::invalid_argument(where + ": wrong number of arguments");
    }
    if (open_files_.size() >= kMaxIncludeDepth) {
      return Status::invalid_argument(
          fmt::format("{}: includes are more than {} deep", where, kMaxIncludeDepth));
    }
    for (const std::string& match : expand(values.front())) {
      const std::string path = absolute_path(match);
      const std::string canonical = canonical_path(path);
      if (std::find(open_files_.begin(), open_files_.end(), canonical) != open_files_.end()) {
        return Status::invalid_argument(
            fmt::format("{}: the file includes itself: {}", where, chain_to(canonical)));
      }
      const Status status = read_file(path);
      // A message with a line of the included file is the better place; otherwise say who asked.
      if (status.ok() || status.is(StatusCode::kInvalidArgument)) {
        if (!status.ok()) return status;
        continue;
      }
      return Status(status.code(), fmt::format("{}: {}", where, status.message()));
    }
    return {};
  }

  /// The files that a path stands for: itself, or what its wildcards match, in alphabetical order.
  static std::vector<std::string> expand(const std::string& pattern) {
    if (pattern.find_first_of("*?[") == std::string::npos) return {pattern};
    glob_t found{};
    std::vector<std::string> paths;
    if (::glob(pattern.c_str(), 0, nullptr, &found) == 0) {
      paths.assign(found.gl_pathv, found.gl_pathv + found.gl_pathc);
    }
    ::globfree(&found);
    return paths;
  }

  std::string chain_to(const std::string& last) const {
    std::vector<std::string> chain;
    for (const std::string& file : open_files_) {
      if (!file.empty()) chain.push_back(file);
    }
    chain.push_back(last);
    return fmt::format("{}", fmt::join(chain, " -> "));
  }

  Config& config_;
  std::vector<std::string> open_files_;  // canonical paths from the first file to the current one
  std::size_t total_bytes_ = 0;
};

/// An option given by flags.
struct Flag {
  std::string name;  // without the dashes
  std::vector<std::string> values;
};

struct CommandLine {
  Invocation::Action action = Invocation::Action::kServe;
  std::string file;
  bool read_input = false;
  std::vector<Flag> flags;
};

Status flag_error(std::string_view argument, std::string_view reason) {
  return Status::invalid_argument(fmt::format("command line: '{}': {}", shown(argument), reason));
}

/// Opens a flag from an argument such as "--port" or "--port 7400".
Result<Flag> open_flag(const std::string& argument) {
  Flag flag;
  if (argument.find_first_of(kBlanks) == std::string::npos) {
    flag.name = argument.substr(2);
  } else {
    std::vector<std::string> words;
    if (!split_inline(argument, &words)) {
      return flag_error(argument.substr(0, argument.find_first_of(kBlanks)), "unbalanced quotes");
    }
    flag.name = words.front().substr(2);
    flag.values.assign(words.begin() + 1, words.end());
  }
  if (flag.name.empty()) return flag_error(argument, "the name of an option is missing");
  return flag;
}

/// Sorts the arguments from `begin` to `end` into flags. `*action` changes when one asks for help.
Status collect_flags(const std::vector<std::string>& arguments, std::size_t begin, std::size_t end,
                     CommandLine& line) {
  for (std::size_t i = begin; i < end; ++i) {
    const std::string& argument = arguments[i];
    const bool wants_value = !line.flags.empty() && line.flags.back().values.empty();
    const bool save_alone = wants_value && equal_ignoring_case(line.flags.back().name, "save") &&
                            argument.starts_with("--");
    if (save_alone) line.flags.back().values.emplace_back();
    if (argument.starts_with("--") && (!wants_value || save_alone)) {
      auto flag = open_flag(argument);
      if (!flag.ok()) return flag.status();
      if (flag->name == "help" || flag->name == "version") {
        line.action =
            flag->name == "help" ? Invocation::Action::kHelp : Invocation::Action::kVersion;
        return {};
      }
      line.flags.push_back(std::move(*flag));
    } else if (line.flags.empty()) {
      return flag_error(argument, "expected --name of an option; see --help");
    } else {
      line.flags.back().values.push_back(argument);
    }
  }
  if (!line.flags.empty() && line.flags.back().values.empty() &&
      equal_ignoring_case(line.flags.back().name, "save")) {
    line.flags.back().values.emplace_back();
  }
  return {};
}

Result<CommandLine> parse_command_line(const std::vector<std::string>& arguments) {
  CommandLine line;
  if (arguments.empty()) return line;
  std::size_t begin = 0;
  std::size_t end = arguments.size();
  const std::string& first = arguments.front();
  if (first == "-h") {
    line.action = Invocation::Action::kHelp;
    return line;
  }
  if (first == "-v") {
    line.action = Invocation::Action::kVersion;
    return line;
  }
  if (first == "-") {
    line.read_input = true;
    begin = 1;
  } else if (!first.starts_with('-')) {
    line.file = absolute_path(first);
    begin = 1;
  }
  if (end > begin && arguments.back() == "-") {
    line.read_input = true;
    --end;
  }
  const Status status = collect_flags(arguments, begin, end, line);
  if (!status.ok()) return status;
  return line;
}

Result<std::string> read_all(std::istream& input) {
  std::string text;
  std::array<char, 4096> chunk;
  while (input.read(chunk.data(), chunk.size()) || input.gcount() > 0) {
    text.append(chunk.data(), static_cast<std::size_t>(input.gcount()));
    if (text.size() > kMaxTotalBytes) return too_long("standard input");
  }
  return text;
}

}  // namespace

Result<std::string> read_config_file(const std::string& path) {
  const auto failed = [&path](int error) {
    const auto code = error == ENOENT ? StatusCode::kNotFound : StatusCode::kIoError;
    return Status(
        code, fmt::format("cannot read the configuration file {}: {}", path, std::strerror(error)));
  };
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return failed(errno);
  std::string text;
  std::array<char, 16384> chunk;
  ssize_t count = 0;
  while ((count = ::read(fd, chunk.data(), chunk.size())) != 0) {
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 || text.size() > kMaxTotalBytes) break;
    text.append(chunk.data(), static_cast<std::size_t>(count));
  }
  const int error = errno;
  ::close(fd);
  if (count < 0) return failed(error);
  if (text.size() > kMaxTotalBytes) return too_long(path);
  return text;
}

void make_paths_absolute(Config& config) { config.storage.dir = absolute_path(config.storage.dir); }

Result<Config> load_config_text(std::string_view text, const std::string& path) {
  Config config;
  const Status status = Reader(config).read_text(text, path, path);
  if (!status.ok()) return status;
  make_paths_absolute(config);
  return config;
}

Result<Invocation> load_config(const std::vector<std::string>& arguments, std::istream& input) {
  auto line = parse_command_line(arguments);
  if (!line.ok()) return line.status();
  Invocation invocation;
  invocation.action = line->action;
  if (line->action != Invocation::Action::kServe) return invocation;
  invocation.file = line->file;
  Reader reader(invocation.config);
  Status status;
  if (!line->file.empty()) status = reader.read_file(line->file);
  if (status.ok() && line->read_input) {
    const auto text = read_all(input);
    status = text.ok() ? reader.read_text(*text, "standard input", "") : text.status();
  }
  for (const Flag& flag : line->flags) {
    if (!status.ok()) break;
    status = reader.read_option("command line", "--" + flag.name, flag.name, flag.values);
  }
  if (!status.ok()) return status;
  make_paths_absolute(invocation.config);
  return invocation;
}

}  // namespace syntropy
