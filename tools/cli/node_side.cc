#include "tools/cli/node_side.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <sstream>

#include "tools/cli/compare.h"

namespace syntropy {
namespace {

// A step of a session may merge megabytes of rows, on a node that has other things to do as well.
constexpr double kStepTimeoutS = 60;

uint64_t number_of(const InfoFields& fields, std::string_view name) {
  const auto field = fields.find(name);
  uint64_t number = 0;
  if (field == fields.end()) return number;
  const std::string& text = field->second;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

std::string text_of(const InfoFields& fields, std::string_view name) {
  const auto field = fields.find(name);
  return field == fields.end() ? std::string() : field->second;
}

std::optional<DifferenceKind> kind_of(std::string_view name) {
  if (name == "missing-here") return DifferenceKind::kMissingHere;
  if (name == "missing-there") return DifferenceKind::kMissingThere;
  if (name == "different") return DifferenceKind::kDifferent;
  return std::nullopt;
}

std::string_view direction_of(const ReconcilePlan& plan) {
  if (plan.pull && plan.push) return "BOTH";
  if (plan.pull) return "PULL";
  return plan.push ? "PUSH" : "NONE";
}

void set_figure(std::string_view name, int64_t value, ReconcileSummary* summary) {
  const auto figure = static_cast<uint64_t>(value);
  if (name == "proven") summary->proven = figure != 0;
  if (name == "missing-here") summary->missing_here = figure;
  if (name == "missing-there") summary->missing_there = figure;
  if (name == "different") summary->different = figure;
  if (name == "rows-pulled") summary->rows_pulled = figure;
  if (name == "rows-pushed") summary->rows_pushed = figure;
  if (name == "rows-read") summary->rows_read = figure;
  if (name == "identify-bytes") summary->identify_bytes = figure;
  if (name == "row-bytes") summary->row_bytes = figure;
  if (name == "round-trips") summary->round_trips = figure;
  if (name == "identify-round-trips") summary->identify_round_trips = figure;
  if (name == "passes") summary->passes = static_cast<unsigned>(figure);
}

/// "name", value, "name", value; figures of later versions are passed over.
bool read_summary(const RespReply& reply, ReconcileSummary* summary) {
  if (!reply.is_array() || reply.elements.size() % 2 != 0) return false;
  for (size_t i = 0; i < reply.elements.size(); i += 2) {
    if (!reply.elements[i].is_text() || !reply.elements[i + 1].is_integer()) return false;
    set_figure(reply.elements[i].text, reply.elements[i + 1].integer, summary);
  }
  return true;
}

/// As server/commands/reconcile.cc writes a step.
std::optional<ReconcileSide::Step> read_step(RespReply reply) {
  if (!reply.is_array() || reply.elements.size() < 5) return std::nullopt;
  std::vector<RespReply>& parts = reply.elements;
  if (!parts[0].is_text() || !parts[1].is_integer() || !parts[2].is_array() ||
      !parts[3].is_array() || parts[3].elements.size() % 2 != 0) {
    return std::nullopt;
  }
  ReconcileSide::Step step;
  step.done = parts[0].text == "done";
  step.begun_anew = parts[1].integer != 0;
  for (RespReply& request : parts[2].elements) step.requests.push_back(std::move(request.text));
  for (size_t i = 0; i < parts[3].elements.size(); i += 2) {
    const auto kind = kind_of(parts[3].elements[i].text);
    if (!kind) return std::nullopt;
    step.differences.push_back({*kind, std::move(parts[3].elements[i + 1].text)});
  }
  if (!read_summary(parts[4], &step.summary)) return std::nullopt;
  return step;
}

/// The slots behind a node's own line in CLUSTER NODES; those that are on their way stand in
/// brackets.
SlotRanges own_slots(const std::string& nodes) {
  SlotRanges slots;
  std::istringstream lines(nodes);
  for (std::string line; std::getline(lines, line);) {
    if (line.find("myself") == std::string::npos) continue;
    std::istringstream words(line);
    std::string word;
    for (int i = 0; words >> word; ++i) {
      if (i < 8) continue;
      if (const auto range = parse_slots(word)) slots.add(*range);
    }
  }
  return slots;
}

}  // namespace

Result<std::unique_ptr<NodeSide>> NodeSide::open(const NodeAddress& address) {
  Result<NodeConnection> connection = NodeConnection::open(address);
  if (!connection.ok()) return connection.status();
  std::unique_ptr<NodeSide> side(new NodeSide(address, std::move(*connection)));
  const Result<InfoFields> fields = side->info("merkle");
  if (!fields.ok()) return fields.status();
  if (!fields->contains("merkle_trees")) {
    return Status::invalid_argument(
        side->name_ + " is no Syntropy node that keeps trees of its rows; as redis://" +
        side->name_ + " it is compared key by key");
  }
  if (number_of(*fields, "merkle_trees") == 0) {
    return Status::invalid_argument(side->name_ +
                                    " keeps no trees of its rows: start it with 'merkle-trees "
                                    "yes', or compare it key by key, as redis://" +
                                    side->name_);
  }
  side->connection_.set_timeout_s(std::max(address.timeout_s, kStepTimeoutS));
  return side;
}

Result<InfoFields> NodeSide::info(const std::string& section) {
  const Result<std::string> text = connection_.call_text({"INFO", section});
  if (!text.ok()) return text.status();
  return parse_info(*text);
}

Status NodeSide::check_writable(const SlotRanges& slots) {
  const Result<InfoFields> replication = info("replication");
  if (!replication.ok()) return replication.status();
  if (text_of(*replication, "role") == "slave") {
    return Status::invalid_argument(name_ + " follows " + text_of(*replication, "master_host") +
                                    ":" + text_of(*replication, "master_port") +
                                    " and takes no writes of its own: repair at its primary");
  }
  const Result<InfoFields> cluster = info("cluster");
  if (!cluster.ok()) return cluster.status();
  if (number_of(*cluster, "cluster_enabled") == 0) return {};
  const Result<std::string> nodes = connection_.call_text({"CLUSTER", "NODES"});
  if (!nodes.ok()) return nodes.status();
  const SlotRanges served = own_slots(*nodes);
  if (served.contains(slots)) return {};
  return Status::invalid_argument(name_ + " is a node of a cluster and serves " +
                                  (served.empty() ? "no slots" : "the slots " + served.text()) +
                                  " only: name slots among these with --slots");
}

Result<std::vector<RespReply>> NodeSide::ask(const std::vector<RespCommand>& commands) {
  Result<std::vector<RespReply>> replies = connection_.pipeline(commands);
  if (!replies.ok()) return replies;
  for (const RespReply& reply : *replies) {
    if (reply.is_error()) return Status::unavailable(name_ + " answers: " + reply.text);
  }
  return replies;
}

Status NodeSide::unexpected(std::string_view command) const {
  return Status::corruption(name_ + " answers RECONCILE " + std::string(command) +
                            " in a form that is not expected");
}

Result<ReconcileSide::Step> NodeSide::step(RespCommand command) {
  Result<std::vector<RespReply>> replies = ask({command});
  if (!replies.ok()) return replies.status();
  std::optional<Step> step = read_step(std::move(replies->front()));
  if (!step) return unexpected(command[1]);
  return std::move(*step);
}

Result<ReconcileSide::Step> NodeSide::begin(const ReconcilePlan& plan) {
  RespCommand command = {"RECONCILE", "BEGIN", std::string(direction_of(plan))};
  for (const SlotRange& range : plan.slots.ranges()) {
    command.push_back(std::to_string(range.first));
    command.push_back(std::to_string(range.last));
  }
  return step(std::move(command));
}

Result<ReconcileSide::Step> NodeSide::go_on(const std::vector<std::string>& replies) {
  RespCommand command = {"RECONCILE", "NEXT"};
  command.insert(command.end(), replies.begin(), replies.end());
  return step(std::move(command));
}

Result<std::vector<std::string>> NodeSide::answer(const std::vector<std::string>& requests) {
  std::vector<RespCommand> commands;
  commands.reserve(requests.size());
  for (const std::string& request : requests) {
    commands.push_back({"RECONCILE", "ANSWER", request});
  }
  Result<std::vector<RespReply>> replies = ask(commands);
  if (!replies.ok()) return replies.status();
  std::vector<std::string> answers;
  for (RespReply& reply : *replies) {
    if (!reply.is_text()) return unexpected("ANSWER");
    answers.push_back(std::move(reply.text));
  }
  return answers;
}

Result<uint64_t> NodeSide::stale_slots() {
  const Result<InfoFields> fields = info("merkle");
  if (!fields.ok()) return fields.status();
  return number_of(*fields, "merkle_stale_slots");
}

Result<NodeVerdict> NodeSide::verify(const SlotRange& range) {
  Result<std::vector<RespReply>> replies =
      ask({{"RECONCILE", "VERIFY", std::to_string(range.first), std::to_string(range.last)}});
  if (!replies.ok()) return replies.status();
  std::vector<RespReply>& parts = replies->front().elements;
  if (parts.size() < 5) return unexpected("VERIFY");
  NodeVerdict verdict;
  verdict.rows = static_cast<uint64_t>(parts[0].integer);
  for (const RespReply& slot : parts[1].elements) {
    verdict.wrong_slots.push_back(static_cast<uint16_t>(slot.integer));
  }
  for (RespReply& key : parts[2].elements) verdict.rotten.push_back(std::move(key.text));
  for (const RespReply& position : parts[3].elements) {
    verdict.lost.push_back(static_cast<uint64_t>(position.integer));
  }
  verdict.unnamed_leaves = static_cast<uint64_t>(parts[4].integer);
  return verdict;
}

Result<std::vector<ReconcileRow>> NodeSide::fetch(const std::vector<uint64_t>& positions) {
  std::vector<ReconcileRow> rows;
  for (size_t asked = 0; asked < positions.size();) {
    FetchRequest request;
    request.values = true;
    request.positions.assign(positions.begin() + static_cast<std::ptrdiff_t>(asked),
                             positions.end());
    const Result<std::vector<std::string>> replies = answer({encode_request({1, request})});
    if (!replies.ok()) return replies.status();
    Result<ReconcileReply> reply = decode_reply(replies->front());
    if (!reply.ok()) return reply.status();
    if (const auto* error = std::get_if<ErrorReply>(&*reply)) {
      return Status::unavailable(name_ + ": " + error->message);
    }
    auto* const fetched = std::get_if<FetchReply>(&*reply);
    if (fetched == nullptr || fetched->covered == 0) return unexpected("ANSWER");
    for (ReconcileRow& row : fetched->rows) rows.push_back(std::move(row));
    asked += fetched->covered;
  }
  return rows;
}

Result<bool> NodeSide::mend(const ReconcileRow& row) {
  const Result<std::vector<RespReply>> replies =
      connection_.pipeline({{"RECONCILE", "MEND", row.key, row.value}});
  if (!replies.ok()) return replies.status();
  if (replies->size() != 1) return unexpected("MEND");
  const RespReply& reply = replies->front();
  if (reply.is_error("ERR no such row is missed")) return false;
  if (reply.is_error()) return Status::unavailable(name_ + ": " + reply.text);
  return true;
}

}  // namespace syntropy
