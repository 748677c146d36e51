// COMMAND DOCS: a command's documentation, with its arguments read from the syntax text.
#include <algorithm>
#include <string>
#include <vector>

#include "server/commands/command_facts.h"
#include "server/commands/command_report.h"
#include "server/commands/syntax.h"
#include "server/commands/table.h"

namespace syntropy {
namespace {

void reply_text(ReplyWriter& reply, std::string_view name, std::string_view text) {
  reply.bulk(name);
  reply.bulk(text);
}

void reply_arguments(ReplyWriter& reply, const std::vector<SyntaxArgument>& arguments,
                     int key_specs);

void reply_argument(ReplyWriter& reply, const SyntaxArgument& argument, int key_specs) {
  const bool is_key = argument.key_spec >= 0 && key_specs > 0;
  const bool has_flags = argument.optional || argument.multiple || argument.multiple_token;
  const bool has_arguments = !argument.arguments.empty();
  reply.map(size_t{2} + is_key + !argument.token.empty() + has_flags + has_arguments);
  reply_text(reply, "name", argument.name);
  reply_text(reply, "type", argument_type_name(argument.type));
  if (is_key) {
    reply.bulk("key_spec_index");
    reply.integer(std::min(argument.key_spec, key_specs - 1));
  }
  if (!argument.token.empty()) reply_text(reply, "token", argument.token);
  if (has_flags) {
    reply.bulk("flags");
    reply.set(size_t{argument.optional} + argument.multiple + argument.multiple_token);
    if (argument.optional) reply.simple_string("optional");
    if (argument.multiple) reply.simple_string("multiple");
    if (argument.multiple_token) reply.simple_string("multiple_token");
  }
  if (has_arguments) {
    reply.bulk("arguments");
    reply_arguments(reply, argument.arguments, key_specs);
  }
}

void reply_arguments(ReplyWriter& reply, const std::vector<SyntaxArgument>& arguments,
                     int key_specs) {
  reply.array(arguments.size());
  for (const SyntaxArgument& argument : arguments) reply_argument(reply, argument, key_specs);
}

void reply_deprecation(ReplyWriter& reply, const CommandFacts& facts) {
  reply.bulk("doc_flags");
  reply.set(1);
  reply.simple_string("deprecated");
  reply_text(reply, "deprecated_since", facts.deprecated_since);
  reply_text(reply, "replaced_by", facts.replaced_by);
}

}  // namespace

void reply_command_docs(ReplyWriter& reply, const CommandSpec& spec) {
  const CommandFacts& facts = command_facts(full_name(spec));
  const bool deprecated = !facts.deprecated_since.empty();
  const Result<std::vector<SyntaxArgument>> arguments = parse_syntax(spec.syntax);
  const bool has_arguments = arguments.ok() && !arguments->empty();
  const bool has_subcommands = !spec.subcommands.empty();

  reply.bulk(full_name(spec));
  reply.map(size_t{4} + (deprecated ? 3 : 0) + has_arguments + has_subcommands);
  reply_text(reply, "summary", spec.summary);
  reply_text(reply, "since", spec.since);
  reply_text(reply, "group", spec.group);
  reply_text(reply, "complexity", spec.complexity);
  if (deprecated) reply_deprecation(reply, facts);
  if (has_arguments) {
    reply.bulk("arguments");
    reply_arguments(reply, arguments.value(), static_cast<int>(key_spec_parts(spec.keys).size()));
  }
  if (has_subcommands) {
    reply.bulk("subcommands");
    reply.map(spec.subcommands.size());
    for (const CommandSpec& subcommand : spec.subcommands) reply_command_docs(reply, subcommand);
  }
}

}  // namespace syntropy
