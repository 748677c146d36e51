#include "server/config/rewrite.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

#include "server/config/load.h"
#include "server/config/options.h"
#include "server/resp/quoting.h"

namespace syntropy {
namespace {

constexpr std::string_view kMarker = "# Appended by CONFIG REWRITE";

using Arguments = Option::Arguments;

struct Line {
  std::string text;                // without the line end
  const Option* option = nullptr;  // nullptr for comments, empty lines and includes
  Arguments words;                 // the values behind the name
  bool removed = false;
};

Line classify(std::string text) {
  Line line;
  line.text = std::move(text);
  const std::size_t begin = line.text.find_first_not_of(" \t\r\v\f");
  Arguments words;
  if (begin == std::string::npos || line.text[begin] == '#' || !split_inline(line.text, &words) ||
      words.empty()) {
    return line;
  }
  const Option* option = find_option(words.front());
  if (option == nullptr || !option->set) return line;
  line.option = option;
  line.words.assign(words.begin() + 1, words.end());
  return line;
}

std::vector<Line> split_lines(std::string_view text) {
  std::vector<Line> lines;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    lines.push_back(classify(std::string(text.substr(begin, end - begin))));
    begin = end + 1;
  }
  return lines;
}

std::string join_lines(const std::vector<Line>& lines) {
  std::string text;
  for (const Line& line : lines) {
    if (!line.removed) text += line.text + '\n';
  }
  return text;
}

bool is_plain(std::string_view word) {
  return !word.empty() && std::all_of(word.begin(), word.end(), [](char c) {
    return c > ' ' && c < 0x7f && c != '"' && c != '\'';
  });
}

std::string line_text(const Option& option, const Arguments& words) {
  std::string text = option.name;
  for (const std::string& word : words) text += ' ' + (is_plain(word) ? word : quote_arg(word));
  return text;
}

bool same_value(const Option& option, const Config& a, const Config& b) {
  return option.lines(a) == option.lines(b);
}

/// The lines to write for an option that has slots: of an option that is set piece by piece, only
/// the pieces that the file names or that differ from the default.
std::vector<Arguments> wanted_lines(const Option& option, const Config& config,
                                    const std::vector<Line>& lines,
                                    const std::vector<std::size_t>& slots) {
  auto all = option.lines(config);
  if (all.size() == 1) return all;
  const auto defaults = option.lines(Config());
  std::vector<Arguments> wanted;
  for (const Arguments& piece : all) {
    const bool changed = std::find(defaults.begin(), defaults.end(), piece) == defaults.end();
    const bool named = std::any_of(slots.begin(), slots.end(), [&](std::size_t slot) {
      const Arguments& words = lines[slot].words;
      return std::find(words.begin(), words.end(), piece.front()) != words.end();
    });
    if (changed || named) wanted.push_back(piece);
  }
  return wanted.empty() ? all : wanted;
}

/// Changes the lines of one option in place so that they give the value in force.
void update_slots(const Option& option, const Config& config, std::vector<Line>& lines) {
  std::vector<std::size_t> slots;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (lines[i].option == &option) slots.push_back(i);
  }
  if (slots.empty()) return;
  const auto wanted = wanted_lines(option, config, lines, slots);
  const std::size_t superseded = slots.size() - std::min(slots.size(), wanted.size());
  for (std::size_t i = 0; i < superseded; ++i) lines[slots[i]].removed = true;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    if (superseded + i < slots.size()) {
      Line& line = lines[slots[superseded + i]];
      const std::string_view end = line.text.ends_with('\r') ? "\r" : "";
      line.text = line_text(option, wanted[i]) + std::string(end);
      line.words = wanted[i];
    } else {
      const auto behind = static_cast<std::ptrdiff_t>(slots.back() + 1 + i - slots.size());
      lines.insert(lines.begin() + behind,
                   Line{line_text(option, wanted[i]), &option, wanted[i], false});
    }
  }
}

/// Appends what `loaded`, the result of loading `*text`, lacks.
void append_missing(const Config& config, const Config& loaded, std::string* text) {
  std::string missing;
  for (const Option& option : all_options()) {
    if (!option.set || same_value(option, loaded, config)) continue;
    const auto present = option.lines(loaded);
    for (const Arguments& piece : option.lines(config)) {
      if (std::find(present.begin(), present.end(), piece) == present.end()) {
        missing += line_text(option, piece) + '\n';
      }
    }
  }
  if (missing.empty()) return;
  const bool marked = text->find(kMarker) != std::string::npos;
  if (!marked) *text += fmt::format("{}{}\n", text->empty() ? "" : "\n", kMarker);
  *text += missing;
}

Status failed(int error) { return Status::io_error(std::strerror(error)); }

/// Writes all of `text` to a descriptor and forces it to disk. An errno, or 0.
int write_and_sync(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t count = ::write(fd, text.data(), text.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return errno;
    text.remove_prefix(static_cast<std::size_t>(count));
  }
  return ::fsync(fd) == 0 ? 0 : errno;
}

/// Takes mode and owner of the file that is going to be replaced. A new file gets the mode that the
/// umask leaves; a changed owner needs rights that we may not have, so it is only tried.
int copy_attributes(const std::string& from, int fd) {
  struct stat info {};
  if (::stat(from.c_str(), &info) != 0) return errno == ENOENT ? 0 : errno;
  if (::fchmod(fd, info.st_mode & 07777) != 0) return errno;
  if (::fchown(fd, info.st_uid, info.st_gid) != 0 && errno != EPERM) return errno;
  return 0;
}

int sync_folder(const std::string& folder) {
  const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return errno;
  const int error = ::fsync(fd) == 0 ? 0 : errno;
  ::close(fd);
  return error;
}

Status replace_file(const std::string& path, std::string_view text) {
  const std::string folder = std::filesystem::path(path).parent_path().string();
  std::string temporary = path + ".XXXXXX";
  const int fd = ::mkostemp(temporary.data(), O_CLOEXEC);
  if (fd < 0) return failed(errno);
  int error = copy_attributes(path, fd);
  if (error == 0) error = write_and_sync(fd, text);
  ::close(fd);
  if (error == 0 && ::rename(temporary.c_str(), path.c_str()) != 0) error = errno;
  if (error != 0) {
    ::unlink(temporary.c_str());
    return failed(error);
  }
  error = sync_folder(folder.empty() ? "." : folder);
  return error == 0 ? Status() : failed(error);
}

}  // namespace

Result<std::string> rewritten_config_text(std::string_view text, const std::string& path,
                                          const Config& config) {
  const auto original = load_config_text(text, path);
  if (!original.ok()) return original.status();
  auto lines = split_lines(text);
  for (const Option& option : all_options()) {
    if (option.set && !same_value(option, *original, config)) update_slots(option, config, lines);
  }
  std::string rewritten = join_lines(lines);
  const auto loaded = load_config_text(rewritten, path);
  if (!loaded.ok()) return loaded.status();
  append_missing(config, *loaded, &rewritten);
  const auto verified = load_config_text(rewritten, path);
  if (!verified.ok()) return verified.status();
  for (const Option& option : all_options()) {
    if (option.set && !same_value(option, *verified, config)) {
      return Status::invalid_argument(
          fmt::format("the value of '{}' cannot be expressed in {} because of what it includes",
                      option.name, path));
    }
  }
  return rewritten;
}

Status rewrite_config_file(const std::string& path, const Config& config) {
  std::error_code error;
  // Replacing a link would leave the file behind it as it was.
  const std::string target = std::filesystem::weakly_canonical(path, error).string();
  if (error) return Status::io_error(error.message());
  auto text = read_config_file(target);
  if (!text.ok() && !text.status().is(StatusCode::kNotFound)) return text.status();
  const auto rewritten = rewritten_config_text(text.ok() ? *text : std::string(), path, config);
  if (!rewritten.ok()) return rewritten.status();
  return replace_file(target, *rewritten);
}

}  // namespace syntropy
