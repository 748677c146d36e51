#include "tests/commands/command_fixture.h"

#include "server/command.h"
#include "server/commands/table.h"
#include "server/resp/quoting.h"
#include "storage/tick.h"

namespace syntropy {

std::string integer(int64_t value) { return ":" + std::to_string(value) + "\r\n"; }

std::string bulk(std::string_view text) {
  return "$" + std::to_string(text.size()) + "\r\n" + std::string(text) + "\r\n";
}

std::string error(std::string_view text) { return "-" + std::string(text) + "\r\n"; }

std::string array(const std::vector<std::string>& elements) {
  std::string reply = "*" + std::to_string(elements.size()) + "\r\n";
  for (const std::string& element : elements) reply += element;
  return reply;
}

std::string CommandFixture::run(std::string_view line) {
  std::vector<std::string> args;
  EXPECT_TRUE(split_inline(line, &args)) << line;
  return run_args(args);
}

std::string CommandFixture::run_args(const std::vector<std::string>& args) {
  const std::vector<std::string_view> views(args.begin(), args.end());
  const CommandSpec* spec = find_command(views.at(0));
  if (spec == nullptr) return error("ERR unknown command");
  if (!spec->subcommands.empty() && views.size() > 1) {
    const CommandSpec* const subcommand = find_subcommand(*spec, views[1]);
    if (subcommand == nullptr && spec->handler == nullptr) return error("ERR unknown subcommand");
    if (subcommand != nullptr) spec = subcommand;
  }
  const int argc = static_cast<int>(views.size());
  if (spec->arity >= 0 ? argc != spec->arity : argc < -spec->arity) {
    const std::string name(full_name(*spec));
    return error("ERR wrong number of arguments for '" + name + "' command");
  }

  std::string out;
  Tick tick(*services_.keyspace);
  ReplyWriter reply(&out, client_.protocol);
  Call call{views, *spec, client_, tick, reply, server(), now_ms()};
  const int runs = (spec->flags & (kNoRows | kAsksLoop)) != 0 ? 1 : 2;
  for (int i = 0; i < runs; ++i) {
    out.clear();
    tick.begin_command(now_ms(), ReadTier::kMemory);
    if ((spec->flags & kWrite) != 0) {
      tick.begin_write();
    } else if ((spec->flags & kManyRows) != 0) {
      tick.begin_shared();
    }
    spec->handler(call);
    if (i + 1 < runs) tick.rollback_command();
  }
  tick.end_shared();
  EXPECT_TRUE(tick.misses().empty());
  EXPECT_TRUE(tick.error().ok()) << tick.error().message();
  const Status committed = tick.commit();
  EXPECT_TRUE(committed.ok()) << committed.message();
  return out;
}

void CommandFixture::put_hash(std::string_view key) { put_row(key, RowKind::kHash, {}); }

void CommandFixture::put_row(std::string_view key, RowKind kind, std::string_view payload) {
  Tick tick(*services_.keyspace);
  tick.begin_command(now_ms(), ReadTier::kMemory);
  tick.begin_write();
  tick.put(client_.db, key, kind, payload, 0);
  EXPECT_TRUE(tick.commit().ok());
}

Status CommandFixture::read_error(std::string_view key) {
  Tick tick(*services_.keyspace);
  tick.begin_command(now_ms(), ReadTier::kMemory);
  EXPECT_FALSE(tick.get(client_.db, key));
  return tick.error();
}

RowKind CommandFixture::kind_of(std::string_view key) {
  Tick tick(*services_.keyspace);
  tick.begin_command(now_ms(), ReadTier::kMemory);
  const std::optional<RowView> row = tick.get(client_.db, key);
  return row ? row->kind : RowKind::kTombstone;
}

uint64_t CommandFixture::fingerprint(std::string_view key) {
  Tick tick(*services_.keyspace);
  tick.begin_command(now_ms(), ReadTier::kMemory);
  return tick.fingerprint(client_.db, key, 0);
}

int64_t CommandFixture::ttl_ms(std::string_view key) {
  Tick tick(*services_.keyspace);
  tick.begin_command(now_ms(), ReadTier::kMemory);
  const std::optional<RowView> row = tick.get(client_.db, key);
  if (!row) return -2;
  if (row->expires_at_ms == 0) return -1;
  return static_cast<int64_t>(row->expires_at_ms - now_ms());
}

void CommandFixture::set_config(const std::string& name, const std::string& value) {
  const Status status = services_.config.set({{name, value}});
  EXPECT_TRUE(status.ok()) << status.message();
}

}  // namespace syntropy
