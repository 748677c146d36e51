#include "server/config/option_builders.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstddef>
#include <iterator>
#include <limits>

#include "server/config/values.h"

namespace syntropy {
namespace {

constexpr std::size_t kMaxBindAddresses = 16;
constexpr std::string_view kAuto = "auto";
constexpr std::uint64_t kMaxBytes = std::numeric_limits<std::int64_t>::max();

std::string integer_bounds(std::int64_t min, std::int64_t max) {
  if (max == std::numeric_limits<std::int64_t>::max() || max == std::numeric_limits<int>::max()) {
    return fmt::format("from {}", min);
  }
  return fmt::format("{}..{}", min, max);
}

std::string memory_bounds(std::uint64_t min, std::uint64_t max) {
  if (max >= kMaxBytes) return min == 0 ? std::string() : "from " + format_memory(min);
  return fmt::format("{}..{}", format_memory(min), format_memory(max));
}

/// An option with one value on one line, from a parser and two printers: `print` for CONFIG GET,
/// `print_line` for files.
template <class T, class Parse, class Print, class PrintLine>
Option scalar(Field<T> field, Parse parse, Print print, PrintLine print_line) {
  Option option;
  option.set = [write = field.write, parse](Config& config, const Option::Arguments& arguments) {
    auto value = parse(arguments.front());
    if (!value.ok()) return value.status();
    write(config, static_cast<T>(std::move(*value)));
    return Status();
  };
  option.get = [read = field.read, print](const Config& config) { return print(read(config)); };
  option.lines = [read = field.read, print_line](const Config& config) {
    return std::vector<Option::Arguments>{{print_line(read(config))}};
  };
  return option;
}

template <class T, class Parse, class Print>
Option scalar(Field<T> field, Parse parse, Print print) {
  return scalar(std::move(field), parse, print, print);
}

std::vector<Option::Arguments> one_line(Option::Arguments arguments) {
  // A list without elements still has to be written as an argument.
  if (arguments.empty()) arguments.emplace_back();
  return {std::move(arguments)};
}

Result<BindAddress> parse_bind_address(std::string_view text) {
  BindAddress address;
  address.optional = text.starts_with('-');
  address.address = text.substr(address.optional ? 1 : 0);
  if (address.address.empty()) return Status::invalid_argument("a bind address is empty");
  return address;
}

Option::Arguments bind_words(const Config& config) {
  Option::Arguments words;
  for (const BindAddress& address : config.network.bind) {
    words.push_back((address.optional ? "-" : "") + address.address);
  }
  return words;
}

/// The class of that name, or kClientClassCount.
std::size_t client_class_index(std::string_view name) {
  if (equal_ignoring_case(name, "normal")) return 0;
  if (equal_ignoring_case(name, "replica") || equal_ignoring_case(name, "slave")) return 1;
  if (equal_ignoring_case(name, "pubsub")) return 2;
  return kClientClassCount;
}

Status set_output_limits(Config& config, const Option::Arguments& words) {
  if (words.size() == 1 && words.front().empty()) return {};  // names no class, as in Redis
  if (words.size() % 4 != 0) {
    return Status::invalid_argument("Wrong number of arguments in buffer limit configuration.");
  }
  auto limits = config.clients.output_limits;
  for (std::size_t i = 0; i < words.size(); i += 4) {
    const std::size_t index = client_class_index(words[i]);
    if (index == kClientClassCount) {
      return Status::invalid_argument(
          "Invalid client class specified in buffer limit configuration.");
    }
    const auto hard = parse_memory(words[i + 1], 0, kMaxBytes);
    const auto soft = parse_memory(words[i + 2], 0, kMaxBytes);
    const auto seconds = parse_integer(words[i + 3], 0, std::numeric_limits<int>::max());
    if (!hard.ok() || !soft.ok() || !seconds.ok()) {
      return Status::invalid_argument(
          "Error in hard, soft or soft_seconds setting in buffer limit configuration.");
    }
    limits[index] = {*hard, *soft, static_cast<std::uint64_t>(*seconds)};
  }
  config.clients.output_limits = limits;
  return {};
}

/// CONFIG GET prints plain bytes and the class name "slave", which tools of Redis 7 expect; files
/// get units and "replica".
Option::Arguments output_limit_words(const Config& config, ClientClass which, bool for_file) {
  constexpr std::string_view kNames[] = {"normal", "replica", "pubsub"};
  const OutputLimit& limit = config.clients.output_limit(which);
  const auto print = [for_file](std::uint64_t bytes) {
    return for_file ? format_memory(bytes) : fmt::format("{}", bytes);
  };
  const bool old_name = which == ClientClass::kReplica && !for_file;
  return {std::string(old_name ? "slave" : kNames[static_cast<std::size_t>(which)]),
          print(limit.hard_bytes), print(limit.soft_bytes), fmt::format("{}", limit.soft_seconds)};
}

constexpr ClientClass kClientClasses[] = {ClientClass::kNormal, ClientClass::kReplica,
                                          ClientClass::kPubSub};

Status set_percentiles(Config& config, const Option::Arguments& words, std::string_view name) {
  std::vector<double> percentiles;
  if (words.size() != 1 || !words.front().empty()) {
    for (const std::string& word : words) {
      const auto value = parse_percentile(word, name);
      if (!value.ok()) return value.status();
      percentiles.push_back(*value);
    }
  }
  config.monitor.latency_tracking_percentiles = std::move(percentiles);
  return {};
}

Option::Arguments percentile_words(const Config& config) {
  Option::Arguments words;
  for (double value : config.monitor.latency_tracking_percentiles) {
    words.push_back(fmt::format("{}", value));
  }
  return words;
}

}  // namespace

Option integer_option(Field<std::int64_t> field, std::string_view unit, std::int64_t min,
                      std::int64_t max) {
  Option option = scalar(
      std::move(field), [min, max](std::string_view text) { return parse_integer(text, min, max); },
      [](std::int64_t value) { return fmt::format("{}", value); });
  option.argument = fmt::format("<{}>", unit);
  option.bounds = integer_bounds(min, max);
  return option;
}

Option integer_or_auto_option(Field<std::int64_t> field, std::string_view unit, std::int64_t max) {
  Option option = scalar(
      std::move(field),
      [max](std::string_view text) -> Result<std::int64_t> {
        if (equal_ignoring_case(text, kAuto)) return std::int64_t{0};
        return parse_integer(text, 0, max);
      },
      [](std::int64_t value) {
        return value == 0 ? std::string(kAuto) : fmt::format("{}", value);
      });
  option.argument = fmt::format("<{}>|auto", unit);
  option.bounds = fmt::format("1..{}", max);
  return option;
}

Option memory_option(Field<std::uint64_t> field, std::uint64_t min, std::uint64_t max) {
  Option option = scalar(
      std::move(field), [min, max](std::string_view text) { return parse_memory(text, min, max); },
      [](std::uint64_t value) { return fmt::format("{}", value); }, format_memory);
  option.argument = "<bytes>";
  option.bounds = memory_bounds(min, max);
  return option;
}

Option memory_or_auto_option(Field<std::optional<std::uint64_t>> field, std::uint64_t min,
                             std::uint64_t max) {
  using Value = std::optional<std::uint64_t>;
  Option option = scalar(
      std::move(field),
      [min, max](std::string_view text) -> Result<Value> {
        if (equal_ignoring_case(text, kAuto)) return Value();
        const auto bytes = parse_memory(text, min, max);
        if (!bytes.ok()) return bytes.status();
        return Value(*bytes);
      },
      [](Value value) { return value ? fmt::format("{}", *value) : std::string(kAuto); },
      [](Value value) { return value ? format_memory(*value) : std::string(kAuto); });
  option.argument = "<bytes>|auto";
  option.bounds = memory_bounds(min, max);
  return option;
}

Option memory_limit_option(Field<MemoryLimit> field) {
  const auto print = [](const MemoryLimit& limit, bool for_file) {
    if (limit.percent != 0) return fmt::format("{}%", limit.percent);
    return for_file ? format_memory(limit.bytes) : fmt::format("{}", limit.bytes);
  };
  Option option = scalar(
      std::move(field), parse_memory_limit,
      [print](const MemoryLimit& limit) { return print(limit, false); },
      [print](const MemoryLimit& limit) { return print(limit, true); });
  option.argument = "<bytes>|<percent>%";
  return option;
}

Option bool_option(Field<bool> field) {
  Option option = scalar(std::move(field), parse_bool,
                         [](bool value) { return std::string(value ? "yes" : "no"); });
  option.argument = "yes|no";
  return option;
}

Option octal_option(Field<unsigned> field) {
  Option option = scalar(std::move(field), parse_octal,
                         [](unsigned value) { return fmt::format("{:o}", value); });
  option.argument = "<octal>";
  option.bounds = "0..777";
  return option;
}

Option string_option(Field<std::string> field, std::string_view argument) {
  Option option = scalar(
      std::move(field), [](std::string text) { return Result<std::string>(std::move(text)); },
      [](std::string value) { return value; });
  option.argument = argument;
  return option;
}

Option enum_option(Field<int> field, std::vector<EnumName> names) {
  std::vector<std::string_view> words;
  for (const EnumName& known : names) words.push_back(known.name);
  const auto parse = [names, words](std::string_view text) -> Result<int> {
    for (const EnumName& known : names) {
      if (equal_ignoring_case(text, known.name)) return known.value;
    }
    return Status::invalid_argument(
        fmt::format("argument(s) must be one of the following: {}", fmt::join(words, ", ")));
  };
  const auto print = [names](int value) {
    for (const EnumName& known : names) {
      if (known.value == value) return std::string(known.name);
    }
    return std::string();
  };
  Option option = scalar(std::move(field), parse, print);
  option.argument = fmt::format("{}", fmt::join(words, "|"));
  return option;
}

Option fixed_option(std::string_view value, std::string_view argument, std::string_view reason,
                    std::function<Result<std::string>(const Option::Arguments&)> parse) {
  Option option;
  option.argument = argument;
  option.set = [value = std::string(value), reason = std::string(reason), parse = std::move(parse)](
                   Config&, const Option::Arguments& arguments) {
    const auto canonical = parse(arguments);
    if (!canonical.ok()) return canonical.status();
    return *canonical == value ? Status() : Status::invalid_argument(reason);
  };
  option.get = [value = std::string(value)](const Config&) { return value; };
  option.lines = [value = std::string(value)](const Config&) {
    return std::vector<Option::Arguments>{{value}};
  };
  return option;
}

Option bind_option() {
  Option option;
  option.argument = "<address> ...";
  option.many_arguments = true;
  option.set = [](Config& config, const Option::Arguments& words) {
    if (words.size() > kMaxBindAddresses) {
      return Status::invalid_argument("Too many bind addresses specified.");
    }
    std::vector<BindAddress> addresses;
    if (words.size() != 1 || !words.front().empty()) {
      for (const std::string& word : words) {
        auto address = parse_bind_address(word);
        if (!address.ok()) return address.status();
        addresses.push_back(std::move(*address));
      }
    }
    config.network.bind = std::move(addresses);
    return Status();
  };
  option.get = [](const Config& config) {
    return fmt::format("{}", fmt::join(bind_words(config), " "));
  };
  option.lines = [](const Config& config) { return one_line(bind_words(config)); };
  return option;
}

Option output_limits_option() {
  Option option;
  option.argument = "<class> <hard> <soft> <seconds> ...";
  option.many_arguments = true;
  option.set = set_output_limits;
  option.get = [](const Config& config) {
    Option::Arguments words;
    for (ClientClass which : kClientClasses) {
      auto part = output_limit_words(config, which, false);
      std::move(part.begin(), part.end(), std::back_inserter(words));
    }
    return fmt::format("{}", fmt::join(words, " "));
  };
  option.lines = [](const Config& config) {
    std::vector<Option::Arguments> lines;
    for (ClientClass which : kClientClasses) {
      lines.push_back(output_limit_words(config, which, true));
    }
    return lines;
  };
  return option;
}

Option rename_command_option() {
  Option option;
  option.argument = "<command> <name>|\"\"";
  option.many_arguments = true;
  option.file_only = true;
  option.set = [](Config& config, const Option::Arguments& words) {
    if (words.size() != 2) return Status::invalid_argument("wrong number of arguments");
    if (words[0].empty()) return Status::invalid_argument("the command to rename is empty");
    config.security.rename_command.emplace_back(words[0], words[1]);
    return Status();
  };
  option.get = [](const Config& config) {
    std::string text;
    for (const auto& [from, to] : config.security.rename_command) {
      text += fmt::format("{}{} \"{}\"", text.empty() ? "" : ", ", from, to);
    }
    return text;
  };
  option.lines = [](const Config& config) {
    std::vector<Option::Arguments> lines;
    for (const auto& [from, to] : config.security.rename_command) lines.push_back({from, to});
    return lines;
  };
  return option;
}

Option percentiles_option(std::string_view name) {
  Option option;
  option.argument = "<percentile> ...";
  option.bounds = "0..100 each";
  option.many_arguments = true;
  option.set = [name = std::string(name)](Config& config, const Option::Arguments& words) {
    return set_percentiles(config, words, name);
  };
  option.get = [](const Config& config) {
    return fmt::format("{}", fmt::join(percentile_words(config), " "));
  };
  option.lines = [](const Config& config) { return one_line(percentile_words(config)); };
  return option;
}

}  // namespace syntropy
