#include "server/trees/reconcile_conversation.h"

namespace syntropy {

ReconcileConversation::ReconcileConversation(Keyspace& keyspace, RowTrees& trees,
                                             std::function<Status()> merged)
    : rows_(keyspace, trees, std::move(merged)), responder_(&rows_) {}

std::string ReconcileConversation::answer(std::string_view request) {
  const Result<ReconcileRequest> decoded = decode_request(request);
  if (decoded.ok()) {
    if (const auto* open = std::get_if<OpenRequest>(&decoded->what)) answered_slots_ = open->slots;
  }
  const Status begun = rows_.begin(answered_slots_);
  if (!begun.ok()) return encode_reply(ErrorReply{std::string(begun.message())});
  std::string reply = responder_.answer(request);
  rows_.end();
  return reply;
}

bool ReconcileConversation::is_light(std::string_view request) {
  constexpr size_t kFewBytes = 256;
  constexpr size_t kFewRows = 4;
  if (request.size() > kFewBytes) return false;
  const Result<ReconcileRequest> decoded = decode_request(request);
  if (!decoded.ok()) return true;
  if (const auto* fetch = std::get_if<FetchRequest>(&decoded->what)) {
    return fetch->positions.size() <= kFewRows;
  }
  return std::holds_alternative<OpenRequest>(decoded->what) ||
         std::holds_alternative<SumsRequest>(decoded->what);
}

Result<ReconcileConversation::Step> ReconcileConversation::begin(const ReconcileOptions& options) {
  reconciler_.reset();
  found_.clear();
  begun_anew_ = false;
  options_ = options;
  const Status begun = rows_.begin(options.slots);
  if (!begun.ok()) return begun;
  reconciler_.emplace(&rows_, options, static_cast<DifferenceListener*>(this));
  Result<Step> first = step();
  rows_.end();
  return first;
}

Result<ReconcileConversation::Step> ReconcileConversation::go_on(
    const std::vector<std::string_view>& replies) {
  if (!reconciler_) return Status::invalid_argument("no session is under way");
  const Status begun = rows_.begin(options_.slots);
  if (!begun.ok()) return begun;
  Status heard;
  for (const std::string_view reply : replies) {
    heard = reconciler_->receive(reply);
    if (!heard.ok() || reconciler_->done()) break;
  }
  Result<Step> next = heard.ok() ? step() : Result<Step>(heard);
  rows_.end();
  if (!next.ok() || next->done) reconciler_.reset();
  return next;
}

Result<ReconcileConversation::Step> ReconcileConversation::step() {
  Step step;
  step.done = reconciler_->done();
  if (!step.done) step.requests = reconciler_->take_requests();
  if (!reconciler_->status().ok()) return reconciler_->status();
  step.differences = std::exchange(found_, {});
  step.begun_anew = std::exchange(begun_anew_, false);
  step.summary = reconciler_->summary();
  return step;
}

void ReconcileConversation::on_difference(DifferenceKind kind, std::string_view row_key) {
  found_.push_back({kind, std::string(row_key)});
}

void ReconcileConversation::on_begin_anew() {
  found_.clear();
  begun_anew_ = true;
}

}  // namespace syntropy
