// COMMAND INFO: the shape of Redis 7.0, ten elements for each command.
#include <utility>
#include <vector>

#include "server/commands/command_facts.h"
#include "server/commands/command_report.h"
#include "server/commands/table.h"

namespace syntropy {
namespace {

// In the order in which Redis reports them.
constexpr std::pair<uint32_t, std::string_view> kFlagNames[] = {
    {kWrite, "write"},
    {kReadOnly, "readonly"},
    {kDenyOom, "denyoom"},
    {kAdmin, "admin"},
    {kPubSub, "pubsub"},
    {kNoScript, "noscript"},
    {kLoading, "loading"},
    {kStale, "stale"},
    {kSkipMonitor, "skip_monitor"},
    {kSkipSlowlog, "skip_slowlog"},
    {kAsking, "asking"},
    {kFast, "fast"},
    {kNoAuth, "no_auth"},
    {kMayReplicate, "may_replicate"},
    {kSentinelOnly, "only_sentinel"},
    {kNoAsyncLoading, "no_async_loading"},
    {kNoMulti, "no_multi"},
    {kMovableKeys, "movablekeys"},
    {kAllowBusy, "allow_busy"},
};

void reply_flags(ReplyWriter& reply, uint32_t flags) {
  size_t count = 0;
  for (const auto& [flag, name] : kFlagNames) count += (flags & flag) != 0;
  reply.set(count);
  for (const auto& [flag, name] : kFlagNames) {
    if ((flags & flag) != 0) reply.simple_string(name);
  }
}

void reply_categories(ReplyWriter& reply, std::string_view categories) {
  reply.set(count_words(categories));
  for_each_word(categories, [&](std::string_view category) { reply.simple_string(category); });
}

void reply_tips(ReplyWriter& reply, std::string_view tips) {
  reply.set(count_words(tips));
  for_each_word(tips, [&](std::string_view tip) { reply.bulk(tip); });
}

void reply_number(ReplyWriter& reply, std::string_view name, int value) {
  reply.bulk(name);
  reply.integer(value);
}

void reply_key_spec(ReplyWriter& reply, const KeySpecPart& part, std::string_view notes) {
  reply.map(notes.empty() ? 3 : 4);
  if (!notes.empty()) {
    reply.bulk("notes");
    reply.bulk(notes);
  }
  reply.bulk("flags");
  reply_key_flags(reply, part.flags);
  reply.bulk("begin_search");
  reply.map(2);
  reply.bulk("type");
  reply.bulk("index");
  reply.bulk("spec");
  reply.map(1);
  reply_number(reply, "index", part.index);
  reply.bulk("find_keys");
  reply.map(2);
  reply.bulk("type");
  reply.bulk("range");
  reply.bulk("spec");
  reply.map(3);
  reply_number(reply, "lastkey", part.last);
  reply_number(reply, "keystep", part.step);
  reply_number(reply, "limit", 0);
}

}  // namespace

void reply_key_flags(ReplyWriter& reply, std::string_view flags) {
  reply.set(count_words(flags));
  for_each_word(flags, [&](std::string_view flag) { reply.simple_string(flag); });
}

void reply_command_info(ReplyWriter& reply, const CommandSpec& spec) {
  const CommandFacts& facts = command_facts(full_name(spec));
  reply.array(10);
  reply.bulk(full_name(spec));
  reply.integer(spec.arity);
  reply_flags(reply, spec.flags);
  reply.integer(spec.keys.first);
  reply.integer(spec.keys.last);
  reply.integer(spec.keys.step);
  reply_categories(reply, spec.categories);
  reply_tips(reply, facts.tips);
  const std::vector<KeySpecPart> parts = key_spec_parts(spec.keys);
  reply.set(parts.size());
  for (const KeySpecPart& part : parts) reply_key_spec(reply, part, facts.key_notes);
  // Redis writes an array, except where there is nothing in it.
  if (spec.subcommands.empty()) return reply.set(0);
  reply.array(spec.subcommands.size());
  for (const CommandSpec& subcommand : spec.subcommands) reply_command_info(reply, subcommand);
}

}  // namespace syntropy
