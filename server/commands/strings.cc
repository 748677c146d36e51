// Commands that read or write whole strings.
#include "server/commands/arguments.h"
#include "server/commands/string_handlers.h"

namespace syntropy {
namespace {

void set_with_options(Call& call) {
  StringOptions options;
  if (!parse_string_options(call, 3, StringOptionSet::kSet, &options)) return;
  uint64_t expires_at_ms = 0;
  if (options.has_expiry()) {
    const std::optional<uint64_t> expiry =
        parse_expiry(call, options.expiry, options.expiry_unit, options.expiry_base);
    if (!expiry) return;
    expires_at_ms = *expiry;
  }

  const bool needs_old_row =
      options.get || options.only_if_absent || options.only_if_present || options.keep_expiry;
  if (needs_old_row) {
    const std::optional<RowView> old = call.tick.get(call.db(), call.args[1]);
    if (options.get) {
      if (!old) {
        call.reply.null();
      } else if (!reply_string(call, *old)) {
        return;
      }
    }
    if (old ? options.only_if_absent : options.only_if_present) {
      if (!options.get) call.reply.null();
      return;
    }
    if (old && options.keep_expiry) expires_at_ms = old->expires_at_ms;
  }
  call.tick.put(call.db(), call.args[1], RowKind::kString, call.args[2], expires_at_ms);
  if (!options.get) call.reply.ok();
}

// SETEX and PSETEX: key, time, value.
void set_with_expiry(Call& call, TimeUnit unit) {
  const std::optional<uint64_t> expiry = parse_expiry(call, call.args[2], unit, TimeBase::kNow);
  if (!expiry) return;
  call.tick.put(call.db(), call.args[1], RowKind::kString, call.args[3], *expiry);
  call.reply.ok();
}

// Writes the pairs of MSET and MSETNX. Of a key named twice the last value stays.
void put_pairs(Call& call) {
  for (size_t i = 1; i < call.argc(); i += 2) {
    call.tick.put(call.db(), call.args[i], RowKind::kString, call.args[i + 1], 0);
  }
}

}  // namespace

void get_command(Call& call) {
  const std::optional<RowView> row = call.tick.get(call.db(), call.args[1]);
  if (!row) return call.reply.null();
  reply_string(call, *row);
}

void set_command(Call& call) {
  if (call.argc() > 3) return set_with_options(call);
  call.tick.put(call.db(), call.args[1], RowKind::kString, call.args[2], 0);
  call.reply.ok();
}

void setnx_command(Call& call) {
  if (call.tick.get(call.db(), call.args[1])) return call.reply.integer(0);
  call.tick.put(call.db(), call.args[1], RowKind::kString, call.args[2], 0);
  call.reply.integer(1);
}

void setex_command(Call& call) { set_with_expiry(call, TimeUnit::kSeconds); }

void psetex_command(Call& call) { set_with_expiry(call, TimeUnit::kMilliseconds); }

void getset_command(Call& call) {
  const std::optional<RowView> old = call.tick.get(call.db(), call.args[1]);
  if (!old) {
    call.reply.null();
  } else if (!reply_string(call, *old)) {
    return;
  }
  call.tick.put(call.db(), call.args[1], RowKind::kString, call.args[2], 0);
}

void getdel_command(Call& call) {
  const std::optional<RowView> row = call.tick.get(call.db(), call.args[1]);
  if (!row) return call.reply.null();
  if (reply_string(call, *row)) call.tick.erase(call.db(), call.args[1]);
}

void getex_command(Call& call) {
  StringOptions options;
  if (!parse_string_options(call, 2, StringOptionSet::kGetEx, &options)) return;
  StringRow row;
  if (!get_string(call, call.args[1], &row)) return;
  if (!row.present) return call.reply.null();

  if (options.has_expiry()) {
    const std::optional<uint64_t> expiry =
        parse_expiry(call, options.expiry, options.expiry_unit, options.expiry_base);
    if (!expiry) return;
    call.reply.bulk(row.bytes);
    if (*expiry <= call.tick.now_ms()) {
      call.tick.erase(call.db(), call.args[1]);
    } else {
      call.tick.set_expiry(call.db(), call.args[1], *expiry);
    }
    return;
  }
  call.reply.bulk(row.bytes);
  if (options.persist && row.expires_at_ms != 0) {
    call.tick.set_expiry(call.db(), call.args[1], 0);
  }
}

void mget_command(Call& call) {
  call.reply.array(call.argc() - 1);
  for (size_t i = 1; i < call.argc(); ++i) {
    const std::optional<RowView> row = call.tick.get(call.db(), call.args[i]);
    if (row && is_string(*row)) {
      reply_string(call, *row);
    } else {
      call.reply.null();
    }
  }
}

void mset_command(Call& call) {
  if (call.argc() % 2 == 0) return reply_wrong_arity(call);
  put_pairs(call);
  call.reply.ok();
}

void msetnx_command(Call& call) {
  if (call.argc() % 2 == 0) return reply_wrong_arity(call);
  for (size_t i = 1; i < call.argc(); i += 2) {
    if (call.tick.get(call.db(), call.args[i])) return call.reply.integer(0);
  }
  put_pairs(call);
  call.reply.integer(1);
}

}  // namespace syntropy
