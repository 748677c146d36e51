// SequentialModel: what a node answers, told by a map. It executes one command of one client after
// the other, in the order in which the test saw them take place, and knows for each reply whether
// it depends on what is not committed yet.
//
// Knows SET GET DEL EXISTS INCR APPEND MGET MSET PING DBSIZE, MULTI EXEC DISCARD WATCH UNWATCH.
//
// Thread safety: one thread.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace syntropy::testing {

using Request = std::vector<std::string>;

class SequentialModel {
 public:
  struct Answer {
    std::string reply;
    bool dependent = false;  // becomes an error when the commit of its tick fails
  };

  Answer execute(size_t client, const Request& request);

  /// While not empty, writes are refused with this error.
  void set_refusal(std::string error) { refusal_ = std::move(error); }

  void commit();
  /// The tick's commit failed: nothing of it happened to the rows.
  void roll_back();

 private:
  struct Watched {
    std::string key;
    bool live;
    uint64_t version;  // of the key's last change then; of an absent key, of any key's
  };
  struct Client {
    bool in_multi = false;
    bool aborted = false;
    std::vector<Request> queue;
    std::vector<Watched> watched;
  };

  static bool writes(const Request& request);
  Answer control(Client& client, const Request& request);
  Answer exec(Client& client);
  std::string apply(const Request& request);
  std::string increment(const std::string& key);
  const std::string* find(const std::string& key);
  Watched watch(const std::string& key);
  bool changed_since(const Watched& watched);
  void put(const std::string& key, std::string text);
  void changed(const std::string& key);

  struct State {
    std::map<std::string, std::string> rows;
    std::map<std::string, uint64_t> versions;  // of each key's last change; never used twice
  };
  State now_;
  State committed_;
  std::set<std::string> dirty_;  // written and not committed
  bool touched_ = false;         // the present command met a dirty row
  uint64_t next_version_ = 1;
  std::string refusal_;
  std::map<size_t, Client> clients_;
};

}  // namespace syntropy::testing
