// What SlotMover does with slots that come, and with rows that are of no use here any more.
#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "server/cluster/slot_mover.h"
#include "storage/purge_scan.h"

namespace syntropy {

// --- imports -------------------------------------------------------------------------------------

void SlotMover::judge(Import& import, const SlotOffer& offer, TimeMs now) {
  Membership& membership = this->membership();
  const OwnershipState& own = membership.epochs();
  const SlotRanges& slots = offer.slots;
  const auto refuse = [&](std::string why, bool later) {
    import.session.refuse(std::move(why), later);
  };
  if (membership.has_lost_data() || membership.health(now) == ClusterHealth::kCutOff) {
    return refuse("the target can't take slots now", true);
  }
  const RowCoverage coverage = keyspace_.coverage();
  HlcStamp flushed = 0;
  for (const HlcStamp stamp : coverage.flush_stamps) flushed = std::max(flushed, stamp);
  if (offer.hand_over) {
    // What is about to go to him who offers is wanted there.
    const bool leaves =
        own.given.intersects(slots) || (export_ && export_->session->slots().intersects(slots));
    if (leaves || !own.slots.contains(slots)) {
      return refuse("the rows are another node's to have", true);
    }
    return import.session.accept(flushed);
  }
  Status whole;
  events_.complete(0, [&whole](const Status& all) { whole = all; });
  if (!whole.ok()) return refuse("of the target's shard: " + std::string(whole.message()), true);
  if (slots.empty() || own.slots.intersects(slots)) {
    return refuse("the target owns some of the slots already", false);
  }
  if (!membership.slots().slots_of(import.from).contains(slots)) {
    return refuse("the target doesn't see the source as the owner of the slots yet", true);
  }
  // Rows that were about to be offered to their owner are wanted here now, as he says himself. He
  // refuses them while he offers his, so waiting for the end of that would be for long.
  if (hand_over_ && hand_over_->session->slots().intersects(slots)) {
    hand_over_->pipe.close();
    hand_over_.reset();
  }
  if (removal_.slots.intersects(slots) || arriving().intersects(slots)) {
    return refuse("the target is busy with rows of the slots", true);
  }
  membership.add_spare_slots(slots, now);
  if (!events_.settle()) return refuse("the target can't store its state", true);
  import.session.accept(flushed);
  SlotMigration migration;
  migration.slots = slots;
  migration.source = import.from;
  migration.target = membership.self();
  migration.state = "importing";
  import.number = add(std::move(migration));
  spdlog::info("slots {} come from {}", slots.text(), import.from.hex());
}

// False: the session is over.
bool SlotMover::pump_import(Import& import, TimeMs now) {
  const StreamId stream = import.pipe.id();
  if (now >= import.pipe.deadline(UINT64_MAX, options_.exports.silence_ms)) return false;
  while (import.pipe.flush(now)) {
    Result<SlotImport::Ready> ready = import.session.take_ready(now);
    if (!ready.ok()) return false;
    if (ready->judge) {
      judge(import, *ready->judge, now);
      continue;
    }
    for (const SlotMessage& message : ready->send) import.pipe.push(message);
    for (const PrimaryMessage& message : ready->rows) import.pipe.push(message);
    if (ready->answer) {
      work_.change([this, stream, serial = import.serial, work = std::move(*ready->answer)] {
        const Result<std::string> reply = answer_work(work);
        transport_.post([this, stream, serial, reply] {
          const auto at = imports_.find(stream);
          if (at == imports_.end() || at->second.serial != serial) return;
          if (!at->second.session.answered(reply, transport_.now()).ok()) {
            at->second.pipe.close();
            end_import(stream);
          }
          pump(transport_.now());
          events_.pumped();
        });
      });
    }
    if (ready->secure) {
      events_.secure([this, stream, serial = import.serial](const Status& done) {
        const auto at = imports_.find(stream);
        if (at == imports_.end() || at->second.serial != serial) return;
        at->second.session.secured(done);
        pump(transport_.now());
        events_.pumped();
      });
    }
    if (ready->send.empty() && ready->rows.empty()) break;
  }
  return true;
}

// They are this node's from here on, unless they have gone elsewhere meanwhile.
void SlotMover::take_grant(const NodeId& from, const SlotGrant& grant) {
  if (!events_.leading()) return;
  const bool had = membership().epochs().slots.contains(grant.slots);
  const Status taken = membership().take_slots(grant.slots, from, transport_.now());
  if (!taken.ok()) {
    spdlog::warn("slots {} were granted by {} and not taken: {}", grant.slots.text(), from.hex(),
                 taken.message());
    return;
  }
  (void)events_.settle();
  if (had) return;
  spdlog::info("slots {} are this node's from now on", grant.slots.text());
  const std::lock_guard<std::mutex> lock(mutex_);
  for (SlotMigration& migration : log_) {
    if (migration.exports || migration.ended || !grant.slots.contains(migration.slots)) continue;
    migration.state = "success";
    migration.updated_s = wall_s();
    migration.ended = true;
  }
}

void SlotMover::end_import(StreamId stream) {
  const auto at = imports_.find(stream);
  if (at == imports_.end()) return;
  if (at->second.number) {
    end_note(*at->second.number, "failed", "the connection with the source has ended");
  }
  imports_.erase(at);
}

// --- spare rows ----------------------------------------------------------------------------------

// Rows of slots that are neither this node's nor on their way here.
void SlotMover::look_for_strays(TimeMs now) {
  if (now < strays_at_) return;
  strays_at_ = UINT64_MAX;
  work_.read([this, role = roles_left_] {
    const Result<SlotRanges> occupied = rows_.occupied_slots();
    transport_.post([this, role, occupied] {
      if (role != roles_left_ || !events_.leading()) return;
      strays_at_ = transport_.now() + options_.strays_ms;
      if (!occupied.ok()) return events_.pumped();  // the trees are being made
      const Membership& membership = this->membership();
      const OwnershipState& own = membership.epochs();
      SlotRanges strays;
      for (const NodeId& owner : membership.slots().owners()) {
        if (owner == membership.self()) continue;
        strays.add(occupied->intersection(membership.slots().slots_of(owner)));
      }
      strays = strays.difference(own.slots).difference(own.spare).difference(arriving());
      for (const auto& [slot, from] : own.importing) strays.remove({{slot, slot}});
      if (strays.empty()) return events_.pumped();
      spdlog::info("slots {} are another node's and have rows here", strays.text());
      this->membership().add_spare_slots(strays, transport_.now());
      (void)events_.settle();
      events_.pumped();
    });
  });
}

// Offers them to their owner, and removes them when it has had all of them.
void SlotMover::sweep(TimeMs now) {
  if (!removal_.slots.empty()) {
    if (now >= removal_.next_at) remove_step();
    return;
  }
  if (hand_over_) {
    const SlotRanges owned = this->membership().slots().slots_of(hand_over_->owner);
    if (!owned.contains(hand_over_->session->slots())) {
      (void)hand_over_->session->cancel("they are another node's by now");
    }
    pump_export(*hand_over_, now);
    if (hand_over_->session->ended()) end_hand_over();
    return;
  }
  if (now < sweep_at_) return;
  sweep_at_ = now + options_.sweep_ms;
  const Membership& membership = this->membership();
  const SlotRanges spare = membership.epochs().spare.difference(arriving());
  if (spare.empty() || membership.health(now) == ClusterHealth::kCutOff) return;
  if (options_.fault == Fault::kDropUnasked) {
    removal_.slots = spare;
    return remove_step();
  }
  for (const SlotRange& range : spare.ranges()) {
    const NodeId owner = membership.slots().owner(range.first);
    if (!owner || owner == membership.self()) continue;
    hand_over_.emplace(transport_);
    hand_over_->owner = owner;
    open(&*hand_over_, spare.intersection(membership.slots().slots_of(owner)),
         SlotExport::Kind::kHandOver, now);
    return pump_export(*hand_over_, now);
  }
}

void SlotMover::end_hand_over() {
  const SlotExport& session = *hand_over_->session;
  const bool done = session.stage() == SlotExport::Stage::kDone;
  // What has begun to come meanwhile, or is this node's by now, stays.
  const SlotRanges slots =
      session.slots().intersection(membership().epochs().spare).difference(arriving());
  hand_over_->pipe.close();
  hand_over_.reset();
  if (!done || slots.empty()) return;
  removal_.slots = slots;
  remove_step();
}

void SlotMover::remove_step() {
  // Slots that have become this node's own meanwhile are spare no longer.
  const SlotRanges rest = removal_.slots.intersection(membership().epochs().spare);
  if (std::exchange(removal_.slots, rest) != rest) removal_.from.clear();
  if (rest.empty()) {
    sweep_at_ = transport_.now();
    pump(transport_.now());
    return events_.pumped();
  }
  removal_.serial = ++serial_;
  removal_.next_at = UINT64_MAX;
  const SlotRange range = removal_.slots.ranges().front();
  const TimeMs began = transport_.now();
  work_.change([this, began, serial = removal_.serial, range, from = removal_.from] {
    const Result<PurgeScan> scan =
        scan_rows(keyspace_, range.first, range.last, UINT64_MAX, from, options_.rows_per_step);
    const Status done = scan.ok() ? applier_.remove(scan->rows) : scan.status();
    const std::string next = scan.ok() ? scan->next : std::string();
    transport_.post([this, began, serial, range, done, next] {
      if (removal_.serial != serial || removal_.slots.empty()) return;
      removal_.from = next;
      if (!done.ok()) {
        spdlog::warn("rows of slots {} can't be removed: {}", SlotRanges{range}.text(),
                     done.message());
        removal_ = {};  // they are offered again
      } else if (next.empty()) {
        removal_.slots.remove(range);
        if (removal_.slots.empty()) sweep_at_ = transport_.now();
        membership().remove_spare_slots({range}, transport_.now());
        (void)events_.settle();
        spdlog::info("slots {} hold no rows here any more", SlotRanges{range}.text());
      }
      const TimeMs now = transport_.now();
      removal_.next_at = now + own_rate().pause_after(0, 0, now - began);
      pump(now);
      events_.pumped();
    });
  });
}

}  // namespace syntropy
