#include "server/cluster/slot_mover.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "storage/purge_scan.h"

namespace syntropy {
namespace {

constexpr TimeMs kCompleteMs = 200;  // for the replicas to have the last of the log

const char* name_of(SlotExport::Stage stage) {
  using Stage = SlotExport::Stage;
  switch (stage) {
    case Stage::kConnecting:
      return "connecting";
    case Stage::kOffering:
      return "waiting-for-target";
    case Stage::kRestamping:
    case Stage::kCopying:
    case Stage::kSettling:
      return "copying";
    case Stage::kPausing:
    case Stage::kFinishing:
      return "finishing";
    case Stage::kConfirming:
      return "confirming";
    case Stage::kGiving:
    case Stage::kGranting:
      return "granting";
    case Stage::kDone:
      return "success";
    case Stage::kFailed:
      break;
  }
  return "failed";
}

}  // namespace

SlotMover::SlotMover(Keyspace& keyspace, RowTrees& trees, Transport& transport, StoreWork& work,
                     Clock& clock, Random& random, const Options& options, Events events)
    : keyspace_(keyspace),
      transport_(transport),
      work_(work),
      clock_(clock),
      random_(random),
      options_(options),
      events_(std::move(events)),
      applier_(keyspace),
      rows_(keyspace, trees, applier_) {}

// --- what is told of moves -----------------------------------------------------------------------

size_t SlotMover::add(SlotMigration migration) {
  migration.name = NodeId::random(random_).hex();
  migration.created_s = migration.updated_s = migration.heard_s = wall_s();
  const std::lock_guard<std::mutex> lock(mutex_);
  log_.push_back(std::move(migration));
  while (log_.size() > options_.log_length && log_.front().ended) {
    log_.pop_front();
    ++first_;
  }
  return first_ + log_.size() - 1;
}

// Called with the lock. Null: it has ended, and is remembered no longer.
SlotMigration* SlotMover::note(size_t number) {
  return number < first_ ? nullptr : &log_[number - first_];
}

void SlotMover::end_note(size_t number, std::string_view state, std::string_view message) {
  const std::lock_guard<std::mutex> lock(mutex_);
  SlotMigration* const told = note(number);
  if (told == nullptr || told->ended) return;
  told->state = state;
  told->message = message;
  told->updated_s = wall_s();
  told->ended = true;
}

void SlotMover::describe_export(const char* end) {
  const SlotExport& session = *export_->session;
  const std::lock_guard<std::mutex> lock(mutex_);
  SlotMigration* const found = note(*export_->number);
  if (found == nullptr) return;
  SlotMigration& told = *found;
  const std::string state = end != nullptr ? end : name_of(session.stage());
  if (state != told.state) told.updated_s = wall_s();
  told.state = state;
  told.message = session.trouble();
  told.rows = session.rows_moved();
  told.rounds = session.rounds();
  told.heard_s =
      std::max(told.heard_s, wall_s() - (transport_.now() - session.last_heard()) / 1000);
  told.ended = end != nullptr || session.ended();
}

std::vector<SlotMigration> SlotMover::migrations() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return {log_.begin(), log_.end()};
}

SlotRanges SlotMover::leaving() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  SlotRanges slots;
  for (const SlotMigration& migration : log_) {
    if (migration.exports && !migration.ended) slots.add(migration.slots);
  }
  return slots;
}

SlotRanges SlotMover::arriving() const {
  SlotRanges slots;
  for (const auto& [stream, import] : imports_) slots.add(import.session.slots());
  return slots;
}

NodeId SlotMover::shard_of(const NodeId& node) const {
  const std::optional<MemberView> member = membership().member(node);
  return member ? member->role.shard : NodeId();
}

NodeId SlotMover::goal_of(const Export& moving) const {
  return moving.owner ? moving.owner : membership().primary_of_shard(moving.shard);
}

// --- exports -------------------------------------------------------------------------------------

void SlotMover::start(const SlotRanges& slots, const NodeId& target) {
  SlotMigration migration;
  migration.exports = true;
  migration.slots = slots;
  migration.source = membership().self();
  migration.target = target;
  migration.state = "waiting";
  queue_.push_back(add(std::move(migration)));
  pump(transport_.now());
  events_.pumped();
}

size_t SlotMover::cancel() {
  size_t ended = 0;
  if (export_ && export_->session->cancel("canceled")) {
    describe_export("canceled");
    ++ended;
  }
  for (const size_t number : std::exchange(queue_, {})) {
    end_note(number, "canceled", "");
    ++ended;
  }
  pump(transport_.now());
  events_.pumped();
  return ended;
}

void SlotMover::open(Export* next, SlotRanges slots, SlotExport::Kind kind, TimeMs now) {
  uint64_t session = 0;
  while (session == 0) session = random_.next();
  next->serial = ++serial_;
  next->session =
      std::make_unique<SlotExport>(rows_, std::move(slots), kind, session, options_.exports, now);
}

SlotMover::Export* SlotMover::find_export(uint64_t serial) {
  if (export_ && export_->serial == serial) return &*export_;
  return hand_over_ && hand_over_->serial == serial ? &*hand_over_ : nullptr;
}

void SlotMover::begin_next(TimeMs now) {
  if (export_) return;
  const OwnershipState& own = membership().epochs();
  Export next(transport_);
  if (!own.given.empty()) {
    // Before a restart.
    next.shard = own.given_to;
    SlotMigration migration;
    migration.exports = true;
    migration.slots = own.given;
    migration.source = membership().self();
    migration.target = membership().primary_of_shard(next.shard);
    next.number = add(std::move(migration));
    open(&next, own.given, SlotExport::Kind::kGrant, now);
  } else {
    if (queue_.empty()) return;
    next.number = queue_.front();
    queue_.pop_front();
    SlotMigration migration;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      migration = *note(*next.number);
    }
    next.shard = shard_of(migration.target);
    open(&next, migration.slots, SlotExport::Kind::kMove, now);
  }
  export_.emplace(std::move(next));
}

// Who owns the slots by now decides what becomes of a move.
void SlotMover::look_at_claims() {
  SlotExport& session = *export_->session;
  if (session.ended()) return;
  const SlotRanges& own = membership().epochs().slots;
  if (session.is_given() && own.contains(session.slots()) && membership().epochs().given.empty()) {
    session.taken_back();
  } else if (!own.intersects(session.slots())) {
    // By a grant it is the target's, or another has taken them.
    if (!session.cancel("the slots are another node's by now")) session.taken();
  } else if (!own.contains(session.slots())) {
    (void)session.cancel("some of the slots are another node's by now");
  } else if (!membership().primary_of_shard(export_->shard)) {
    (void)session.cancel("the target isn't a primary any more");
  }
}

void SlotMover::pump_export(Export& moving, TimeMs now) {
  SlotExport& session = *moving.session;
  if (now >= moving.pipe.deadline(UINT64_MAX, options_.exports.silence_ms)) {
    moving.pipe.close();
    session.disconnected(now);
  }
  if (moving.storing) give(moving, now);
  while (moving.pipe.flush(now)) {
    SlotExport::Ready ready = session.take_ready(now);
    if (ready.disconnect) moving.pipe.close();
    if (ready.connect) {
      moving.pipe.open(events_.locate(goal_of(moving)), kSlotStream);
      if (moving.pipe.id() == 0) session.disconnected(now);
    }
    for (const SlotMessage& message : ready.send) moving.pipe.push(message);
    for (const ReplicaMessage& message : ready.rows) moving.pipe.push(message);
    act(moving, ready);
    if (ready.give) give(moving, now);
    if (ready.send.empty() && ready.rows.empty()) break;
  }
}

void SlotMover::end_export() {
  const SlotExport& session = *export_->session;
  if (session.stage() == SlotExport::Stage::kDone) {
    spdlog::info("slots {} have gone, with {} rows in {} rounds", session.slots().text(),
                 session.rows_moved(), session.rounds());
  } else {
    spdlog::warn("slots {} stay: {}", session.slots().text(), session.trouble());
  }
  export_->pipe.close();
  export_.reset();
  sweep_at_ = 0;  // what has gone is spare
}

// What the session wants done with the store.
void SlotMover::act(Export& moving, const SlotExport::Ready& ready) {
  const uint64_t serial = moving.serial;
  if (ready.resume) events_.release();
  if (ready.restamp) restamp(serial, *ready.restamp, moving.session->slots(), {});
  if (ready.ask) {
    work_.read([this, serial, work = *ready.ask] {
      Result<RowStep> step = ask_work(work);
      // Before rows go: see invariant 3.
      const bool rows_go = step.ok() && step->pushed != 0 && !step->requests.empty();
      const Status synced = rows_go ? keyspace_.engine().sync() : Status();
      if (!synced.ok()) step = synced;
      transport_.post([this, serial, step] {
        Export* const asking = find_export(serial);
        if (asking == nullptr) return;
        asking->session->asked(step, transport_.now());
        pump(transport_.now());
        events_.pumped();
      });
    });
  }
  if (!ready.pause) return;
  const auto told = [this, serial](const Status& paused) {
    Export* const pausing = find_export(serial);
    if (pausing == nullptr) return;
    pausing->session->paused(paused, transport_.now());
    pump(transport_.now());
    events_.pumped();
  };
  events_.complete(0, [this, told, slots = moving.session->slots()](const Status& all) {
    if (!all.ok()) return transport_.post([told, all] { told(all); });
    events_.hold(slots, [this, told](const Status& held) {
      transport_.post([told, held] { told(held); });
    });
  });
}

// The target has all, and nothing is written there any more.
void SlotMover::give(Export& moving, TimeMs now) {
  if (moving.storing) {
    moving.storing = !events_.settle();
    if (!moving.storing) moving.session->given(Status(), now);
  } else if (!std::exchange(moving.completing, true)) {
    events_.complete(kCompleteMs, [this, serial = moving.serial](const Status& all) {
      transport_.post([this, serial, all] { complete(serial, all); });
    });
  }
}

// From here on the slots aren't served here, whatever happens.
void SlotMover::complete(uint64_t serial, const Status& all) {
  Export* const moving = find_export(serial);
  if (moving == nullptr || !events_.leading()) return;
  moving->completing = false;
  SlotExport& session = *moving->session;
  if (session.stage() != SlotExport::Stage::kGiving) return;
  const TimeMs now = transport_.now();
  const Status given =
      all.ok() ? membership().give_slots(session.slots(), moving->shard, now) : all;
  if (given.ok()) {
    moving->storing = true;
    give(*moving, now);
  } else {
    session.given(given, now);
  }
  pump(now);
  events_.pumped();
}

void SlotMover::restamp(uint64_t serial, HlcStamp floor, SlotRanges rest, std::string from) {
  if (rest.empty()) return restamped(serial, Status());
  work_.change([this, serial, floor, rest = std::move(rest), from = std::move(from)]() mutable {
    const SlotRange range = rest.ranges().front();
    Result<PurgeScan> scan =
        scan_rows(keyspace_, range.first, range.last, floor, from, options_.rows_per_step);
    const Status done = scan.ok() ? applier_.restamp(scan->rows, floor) : scan.status();
    std::string next = scan.ok() ? std::move(scan->next) : std::string();
    if (done.ok() && next.empty()) rest.remove(range);
    transport_.post([this, serial, floor, done, rest = std::move(rest), next = std::move(next)] {
      if (find_export(serial) == nullptr) return;
      if (!done.ok()) return restamped(serial, done);
      restamp(serial, floor, rest, next);
    });
  });
}

void SlotMover::restamped(uint64_t serial, const Status& done) {
  transport_.post([this, serial, done] {
    Export* const moving = find_export(serial);
    if (moving == nullptr) return;
    moving->session->restamped(done, transport_.now());
    pump(transport_.now());
    events_.pumped();
  });
}

// --- roles, streams ------------------------------------------------------------------------------

void SlotMover::leave_role() {
  serial_ += 1;
  ++roles_left_;
  strays_at_ = 0;
  if (export_) {
    const bool given =
        export_->storing || export_->session->stage() == SlotExport::Stage::kGranting;
    (void)export_->session->cancel("this node isn't a primary any more");
    if (!export_->session->ended()) export_->session->taken();
    const SlotExport::Ready last = export_->session->take_ready(transport_.now());
    if (last.resume) events_.release();
    describe_export(given || export_->session->stage() == SlotExport::Stage::kFailed ? nullptr
                                                                                     : "failed");
    export_->pipe.close();
    export_.reset();
  }
  for (const size_t number : std::exchange(queue_, {})) {
    end_note(number, "failed", "this node isn't a primary any more");
  }
  while (!imports_.empty()) {
    imports_.begin()->second.pipe.close();
    end_import(imports_.begin()->first);
  }
  if (hand_over_) hand_over_->pipe.close();
  hand_over_.reset();
  removal_ = {};
  sweep_at_ = 0;
}

void SlotMover::drop(const NodeId& node) {
  const TimeMs now = transport_.now();
  if (export_ && export_->shard && membership().primary_of_shard(export_->shard) == NodeId()) {
    export_->pipe.close();
    export_->session->disconnected(now);
  }
  for (auto at = imports_.begin(); at != imports_.end();) {
    const auto import = at++;
    if (import->second.from != node) continue;
    import->second.pipe.close();
    if (pumping_) {
      closed_.push_back(import->first);
    } else {
      end_import(import->first);
    }
  }
}

void SlotMover::interrupted() {
  if (!export_ || export_->storing) return;  // what is given stays given
  export_->session->interrupted(transport_.now());
  pump(transport_.now());
}

void SlotMover::stop() {
  ++serial_;
  export_.reset();
  hand_over_.reset();
  imports_.clear();
}

bool SlotMover::has(StreamId stream) const {
  if (stream == 0) return false;
  return (export_ && export_->pipe.id() == stream) ||
         (hand_over_ && hand_over_->pipe.id() == stream) || imports_.count(stream) != 0;
}

bool SlotMover::on_open(StreamId stream, const Remote& remote, uint8_t purpose) {
  const TimeMs now = transport_.now();
  if (export_ && export_->pipe.id() == stream) {
    export_->session->connected(now);
  } else if (hand_over_ && hand_over_->pipe.id() == stream) {
    hand_over_->session->connected(now);
  } else {
    const bool known = membership().members().find(remote.id) != nullptr;
    if (remote.outbound || purpose != kSlotStream || !known || !events_.leading()) return false;
    imports_.try_emplace(stream, ++serial_, remote.id,
                         SlotImport(rows_, own_rate(), options_.exports.stream),
                         StreamPipe(transport_, stream));
  }
  pump(now);
  return true;
}

Status SlotMover::on_frame(StreamId stream, uint8_t type, std::string_view payload) {
  const TimeMs now = transport_.now();
  std::optional<SlotMessage> control;
  if (is_slot_message(type)) {
    Result<SlotMessage> message = decode_slot_message(type, payload);
    if (!message.ok()) return message.status();
    control = std::move(*message);
  }
  const bool handed = hand_over_ && hand_over_->pipe.id() == stream;
  if (handed || (export_ && export_->pipe.id() == stream)) {
    SlotExport& session = *(handed ? hand_over_ : export_)->session;
    if (control) {
      session.step(*control, now);
    } else {
      const Result<PrimaryMessage> message = decode_primary_message(type, payload);
      if (!message.ok()) return message.status();
      session.step(*message, now);
    }
  } else if (const auto at = imports_.find(stream); at != imports_.end()) {
    Import& import = at->second;
    if (!control) {
      const Result<ReplicaMessage> message = decode_replica_message(type, payload);
      if (!message.ok()) return message.status();
      const Status taken = import.session.step(*message, now);
      if (!taken.ok()) return taken;
    } else if (const auto* grant = std::get_if<SlotGrant>(&*control)) {
      take_grant(import.from, *grant);
    } else {
      import.session.step(*control, now);
    }
  }
  pump(now);
  return Status();
}

void SlotMover::on_closed(StreamId stream) {
  const TimeMs now = transport_.now();
  if (export_ && export_->pipe.id() == stream) {
    export_->pipe.forget();
    export_->session->disconnected(now);
  } else if (hand_over_ && hand_over_->pipe.id() == stream) {
    hand_over_->pipe.forget();
    hand_over_->session->disconnected(now);
  } else if (pumping_) {
    closed_.push_back(stream);
    return;
  } else {
    end_import(stream);
  }
  pump(now);
}

void SlotMover::pump(TimeMs now) {
  if (pumping_ || !events_.leading()) return;
  pumping_ = true;
  begin_next(now);
  if (export_) {
    look_at_claims();
    pump_export(*export_, now);
    const SlotExport& session = *export_->session;
    const bool canceled = session.ended() && session.trouble() == "canceled";
    describe_export(canceled ? "canceled" : nullptr);
    if (session.ended() && session.next_deadline() == UINT64_MAX) end_export();
  }
  std::vector<StreamId> over = std::exchange(closed_, {});
  for (auto& [stream, import] : imports_) {
    if (pump_import(import, now)) continue;
    import.pipe.close();
    over.push_back(stream);
  }
  for (const StreamId stream : over) end_import(stream);
  look_for_strays(now);
  sweep(now);
  pumping_ = false;
}

TimeMs SlotMover::next_deadline() const {
  if (!events_.leading()) return UINT64_MAX;
  const OwnershipState& own = membership().epochs();
  if (!export_ && (!queue_.empty() || !own.given.empty())) return 0;
  TimeMs next = strays_at_;
  if (export_) {
    next = export_->pipe.deadline(export_->session->next_deadline(), options_.exports.silence_ms);
    if (export_->storing) next = std::min(next, transport_.now() + options_.exports.retry_ms);
  }
  for (const auto& [stream, import] : imports_) {
    next = std::min(
        next, import.pipe.deadline(import.session.next_deadline(), options_.exports.silence_ms));
  }
  if (hand_over_) {
    next = std::min(next, hand_over_->pipe.deadline(hand_over_->session->next_deadline(),
                                                    options_.exports.silence_ms));
  } else if (!removal_.slots.empty()) {
    next = std::min(next, removal_.next_at);
  } else if (!own.spare.empty()) {
    next = std::min(next, sweep_at_);
  }
  return next;
}

}  // namespace syntropy
