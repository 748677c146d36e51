// Building blocks of the table in options.cc: one function for each kind of value. Each returns an
// Option whose set, get, lines, argument and bounds fit a field of Config; the table adds name,
// group and help.
//
// A field is given as two functions, made by SYNTROPY_FIELD, which read and write it.
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "server/config/options.h"

namespace syntropy {

template <class T>
struct Field {
  std::function<T(const Config&)> read;
  std::function<void(Config&, T)> write;
};

/// A Field<T> for the member `path` of Config, for example SYNTROPY_FIELD(int, network.port). The
/// parsed value fits the member because the option's bounds say so.
#define SYNTROPY_FIELD(type, path)                                                                 \
  Field<type> {                                                                                    \
    [](const Config& config) { return static_cast<type>(config.path); }, [](Config& config,        \
                                                                            type value) {          \
      config.path = static_cast<std::remove_reference_t<decltype(config.path)>>(std::move(value)); \
    }                                                                                              \
  }

/// What an integer counts: shown by --help as "<seconds>".
Option integer_option(Field<std::int64_t> field, std::string_view unit, std::int64_t min,
                      std::int64_t max);
/// An integer within bounds, or `auto`, which is stored as 0.
Option integer_or_auto_option(Field<std::int64_t> field, std::string_view unit, std::int64_t max);
Option memory_option(Field<std::uint64_t> field, std::uint64_t min, std::uint64_t max);
/// A memory size, or `auto`, which is stored as nullopt.
Option memory_or_auto_option(Field<std::optional<std::uint64_t>> field, std::uint64_t min,
                             std::uint64_t max);
Option memory_limit_option(Field<MemoryLimit> field);
Option bool_option(Field<bool> field);
Option octal_option(Field<unsigned> field);
Option string_option(Field<std::string> field, std::string_view argument);

/// One of a few names, in any case. The stored number is the enumerator's.
struct EnumName {
  std::string_view name;
  int value;
};
Option enum_option(Field<int> field, std::vector<EnumName> names);

/// An option of Redis of which only one value is true here: `value`. `parse` says whether a text is
/// well-formed and gives its canonical form; any other value is refused with `reason`.
Option fixed_option(std::string_view value, std::string_view argument, std::string_view reason,
                    std::function<Result<std::string>(const Option::Arguments&)> parse);

Option bind_option();
Option output_limits_option();
Option rename_command_option();
Option percentiles_option(std::string_view name);

/// Collects the options of one group after the other.
class TableBuilder {
 public:
  enum Flags : unsigned { kAtStart = 0, kChangeable = 1, kSensitive = 2 };

  void begin(OptionGroup group) { group_ = group; }
  Option& add(std::string_view name, unsigned flags, std::string_view help, Option option) {
    option.name = name;
    option.group = group_;
    option.help = help;
    option.changeable = (flags & kChangeable) != 0;
    option.sensitive = (flags & kSensitive) != 0;
    return options_.emplace_back(std::move(option));
  }
  std::vector<Option> take() { return std::move(options_); }

 private:
  OptionGroup group_ = OptionGroup::kGeneral;
  std::vector<Option> options_;
};

/// Replication and cluster (option_table_cluster.cc).
void add_cluster_options(TableBuilder& table);

/// The table itself (option_table.cc); everyone else asks all_options().
std::vector<Option> build_option_table();

}  // namespace syntropy
