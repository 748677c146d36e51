// Runs a fuzz target without libFuzzer: on each seed in the folder given, on a thousand mutations
// of them, and on the empty input. The same ones in every run, so that a failure can be repeated;
// it is how ctest sees to it that targets and seeds stay good in a build without clang.

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

constexpr int kMutations = 1000;

void run(const std::string& input) {
  LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(input.data()), input.size());
}

std::vector<std::string> read_seeds(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.is_regular_file()) paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());
  std::vector<std::string> seeds;
  for (const auto& path : paths) {
    std::ifstream file(path, std::ios::binary);
    seeds.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  }
  return seeds;
}

std::string mutate(const std::vector<std::string>& seeds, std::mt19937_64& random) {
  std::string input = seeds[random() % seeds.size()];
  for (uint64_t changes = 1 + random() % 4; changes > 0; --changes) {
    const size_t at = random() % (input.size() + 1);
    switch (random() % 5) {
      case 0:
        input.insert(at, 1, static_cast<char>(random()));
        break;
      case 1:
        input.erase(at, 1 + random() % 4);
        break;
      case 2:
        input.resize(at);
        break;
      case 3:
        input.insert(at, seeds[random() % seeds.size()]);
        break;
      default:
        if (at < input.size()) input[at] = static_cast<char>(random());
    }
  }
  return input;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: %s <folder of seeds>\n", argv[0]);
    return 2;
  }
  const std::vector<std::string> seeds = read_seeds(argv[1]);
  if (seeds.empty()) {
    std::fprintf(stderr, "%s holds no seeds\n", argv[1]);
    return 1;
  }
  run("");
  for (const std::string& seed : seeds) run(seed);
  std::mt19937_64 random(1);
  for (int i = 0; i < kMutations; ++i) run(mutate(seeds, random));
  std::printf("%zu seeds, %d mutations\n", seeds.size(), kMutations);
  return 0;
}
