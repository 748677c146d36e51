#include "server/config/help.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstddef>
#include <string_view>
#include <vector>

#include "server/config/options.h"
#include "server/resp/quoting.h"

namespace syntropy {
namespace {

constexpr std::size_t kHelpWidth = 96;
constexpr std::string_view kHelpIndent = "        ";

/// Breaks `text` at blanks into lines of `width` columns, each after `indent`.
std::string wrap(std::string_view text, std::string_view indent, std::size_t width) {
  std::string out;
  std::size_t column = 0;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(' '), text.size());
    if (column != 0 && column + 1 + end > width) {
      out += '\n';
      column = 0;
    }
    out += column == 0 ? indent : " ";
    column += (column == 0 ? indent.size() : 1) + end;
    out += text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out + '\n';
}

std::string word_text(const std::string& word) {
  const bool quoted = word.empty() || word.find_first_of(" \"'") != std::string::npos;
  return quoted ? quote_arg(word) : word;
}

/// The lines that set the default, without the name; none for an option that has no value.
std::vector<std::string> default_lines(const Option& option) {
  std::vector<std::string> lines;
  if (!option.set) return lines;
  for (const auto& words : option.lines(Config())) {
    std::string line;
    for (const std::string& word : words) line += (line.empty() ? "" : " ") + word_text(word);
    lines.push_back(std::move(line));
  }
  return lines;
}

/// "default 7379, 0..65535, at start only"
std::string facts(const Option& option) {
  std::string text;
  const auto lines = default_lines(option);
  if (!lines.empty()) text = fmt::format("default {}", fmt::join(lines, ", "));
  if (!option.bounds.empty()) text += (text.empty() ? "" : "; ") + option.bounds;
  if (!option.alias.empty()) text += fmt::format("; also named {}", option.alias);
  if (option.changeable) text += "; CONFIG SET";
  return text;
}

std::string escape(std::string_view text, std::string_view special) {
  std::string out;
  for (char c : text) {
    if (special.find(c) != std::string_view::npos) out += '\\';
    out += c;
  }
  return out;
}

/// Code in a cell of a table: only the cell's own border needs care.
std::string markdown_code(std::string_view text) { return escape(text, "|"); }

/// Prose in a cell of a table.
std::string markdown_prose(std::string_view text) { return escape(text, "|*<_"); }

std::string markdown_row(const Option& option) {
  std::string name = fmt::format("`{}`", option.name);
  if (!option.alias.empty()) name += fmt::format(", `{}`", option.alias);
  std::string value = fmt::format("`{}`", markdown_code(option.argument));
  if (!option.bounds.empty()) value += ' ' + option.bounds;
  std::string defaults;
  for (const std::string& line : default_lines(option)) {
    defaults += fmt::format("{}`{}`", defaults.empty() ? "" : "<br>", markdown_code(line));
  }
  return fmt::format("| {} | {} | {} | {} | {} |\n", name, value, defaults,
                     option.changeable ? "yes" : "no", markdown_prose(option.help));
}

}  // namespace

std::string help_text() {
  std::string text =
      "Usage: syntropyd [file.conf] [--name value [value ...]] ... [-]\n"
      "\n"
      "Serves the Redis protocol from one folder on disk.\n"
      "\n"
      "  file.conf     options, one per line: name value [value ...]\n"
      "  -             reads more such lines from standard input (first or last argument)\n"
      "  --name value  an option; overrides the file and standard input\n"
      "  --help, -h    this text\n"
      "  --version, -v the version\n"
      "\n"
      "Sizes take units: k = 1000, kb = 1024, m, mb, g, gb.\n"
      "Options marked CONFIG SET can be changed while the server runs.\n"
      "\n"
      "  syntropyd --port 7400 --dir /var/lib/syntropy --appendfsync always\n";
  for (OptionGroup group : option_groups()) {
    text += fmt::format("\n{}:\n", group_title(group));
    for (const Option& option : all_options()) {
      if (option.group != group) continue;
      text += fmt::format("  --{} {}\n", option.name, option.argument);
      text += wrap(option.help, kHelpIndent, kHelpWidth);
      const std::string known = facts(option);
      if (!known.empty()) text += wrap("[" + known + "]", kHelpIndent, kHelpWidth);
    }
  }
  return text;
}

std::string options_markdown() {
  std::string text;
  for (OptionGroup group : option_groups()) {
    text += fmt::format("{}### {}\n\n", text.empty() ? "" : "\n", group_title(group));
    text += "| option | value | default | CONFIG SET | meaning |\n|---|---|---|---|---|\n";
    for (const Option& option : all_options()) {
      if (option.group == group) text += markdown_row(option);
    }
  }
  return text;
}

std::string sample_config_file() {
  std::string text =
      "# Configuration of Syntropy: syntropyd /path/to/this/file\n"
      "#\n"
      "# Every option stands here with its default. Remove the '#' before a name to change it.\n"
      "# Sizes take units: k = 1000, kb = 1024, m, mb, g, gb. More: docs/configuration.md\n";
  for (OptionGroup group : option_groups()) {
    text += fmt::format("\n# ---- {} ----\n", group_title(group));
    for (const Option& option : all_options()) {
      if (option.group != group) continue;
      text += '\n' + wrap(option.help, "# ", kHelpWidth);
      if (!option.bounds.empty()) text += fmt::format("# {}: {}\n", option.argument, option.bounds);
      const auto lines = default_lines(option);
      for (const std::string& line : lines) text += fmt::format("#{} {}\n", option.name, line);
      if (lines.empty()) text += fmt::format("# {} {}\n", option.name, option.argument);
    }
  }
  return text;
}

}  // namespace syntropy
