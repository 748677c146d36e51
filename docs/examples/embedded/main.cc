// embedded DIR [PORT]: a tour of a Syntropy node inside a program of your own.
#include <syntropy/node.h>

#include <chrono>
#include <cstdlib>
#include <iostream>
#include <string>

namespace {

// Every call says whether it worked. What to do when it didn't is for the program to decide.
template <class T>
T check(syntropy::Result<T> result) {
  if (result.ok()) return std::move(*result);
  std::cerr << "error: " << result.status().message() << std::endl;
  std::exit(1);
}

void check(const syntropy::Status& status) {
  if (status.ok()) return;
  std::cerr << "error: " << status.message() << std::endl;
  std::exit(1);
}

void use(syntropy::Node& node) {
  using namespace std::chrono_literals;

  // One key. The value is any bytes.
  check(node.put("user:1", "Ada"));
  check(node.put("session:1", "logged in", 30min));  // gone after half an hour
  const auto name = check(node.get("user:1"));
  std::cout << "user:1 is " << name.value_or("nobody") << '\n';
  std::cout << "user:9 is " << check(node.get("user:9")).value_or("nobody") << '\n';

  // Several changes at once: all of them, or none.
  syntropy::WriteBatch batch;
  batch.put("user:2", "Grace");
  batch.put("user:3", "Barbara");
  batch.erase("session:1");
  check(node.write(batch));

  // All keys with a prefix, in no particular order.
  int users = 0;
  check(node.scan("user:", [&](std::string_view, std::string_view) {
    ++users;
    return true;  // false would end the scan
  }));
  std::cout << users << " users\n";

  const bool was_there = check(node.erase("user:3"));
  std::cout << "user:3 " << (was_there ? "erased" : "was not there") << '\n';
  std::cout << check(node.count()) << " keys\n";

  check(node.flush());  // everything written so far is on the disk now
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::cerr << "usage: embedded DIR [PORT]\n";
    return 2;
  }
  syntropy::NodeOptions options;
  options.dir = argv[1];
  options.config = {{"appendfsync", "everysec"}, {"block-cache-size", "64mb"}};
  // With a port, Redis clients can use the node while the program does.
  if (argc > 2) options.config.emplace_back("port", argv[2]);

  syntropy::Node node = check(syntropy::Node::open(options));
  use(node);
  if (node.port() != 0) {
    std::cout << "try: redis-cli -p " << node.port() << " GET user:1, then press Enter" << std::endl;
    std::cin.get();
  }
  check(node.close());
  std::cout << "closed" << std::endl;
}
