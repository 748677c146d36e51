#include "server/redaction.h"

#include "server/config/options.h"

namespace syntropy {

namespace {

constexpr std::string_view kRedacted = "(redacted)";

bool equals_nocase(std::string_view text, std::string_view lower) {
  if (text.size() != lower.size()) return false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if ((c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c) != lower[i]) return false;
  }
  return true;
}

// Calls `hide` with the index of each argument that must not be shown.
template <class Hide>
void find_secrets(std::string_view command, std::span<const std::string_view> args, Hide hide) {
  if (command == "auth") {
    for (size_t i = 1; i < args.size(); ++i) hide(i);
  } else if (command == "hello") {
    for (size_t i = 2; i + 2 < args.size(); ++i) {
      if (!equals_nocase(args[i], "auth")) continue;
      hide(i + 1);
      hide(i + 2);
      i += 2;
    }
  } else if (command == "config|set") {
    for (size_t i = 2; i + 1 < args.size(); i += 2) {
      const Option* option = find_option(args[i]);
      if (option != nullptr && option->sensitive) hide(i + 1);
    }
  }
}

}  // namespace

std::span<const std::string_view> redact_arguments(std::string_view command,
                                                   std::span<const std::string_view> args,
                                                   std::vector<std::string_view>* storage) {
  bool hidden = false;
  find_secrets(command, args, [&](size_t index) {
    if (!hidden) storage->assign(args.begin(), args.end());
    hidden = true;
    (*storage)[index] = kRedacted;
  });
  return hidden ? std::span<const std::string_view>(*storage) : args;
}

}  // namespace syntropy
