#include "membership/voter_set.h"

#include <algorithm>
#include <bit>
#include <utility>

namespace syntropy {
namespace {

constexpr size_t kWordBits = 64;

uint64_t below(size_t bit) { return (uint64_t{1} << bit) - 1; }

}  // namespace

VoterSet::VoterSet(Words words) {
  if (words.empty()) return;
  words_ = std::make_shared<Words>(std::move(words));
  trim();
}

const VoterSet::Words& VoterSet::words() const {
  static const Words kNone;
  return words_ == nullptr ? kNone : *words_;
}

VoterSet::Words& VoterSet::writable(size_t size) {
  if (words_ == nullptr) {
    words_ = std::make_shared<Words>();
  } else if (words_.use_count() > 1) {
    words_ = std::make_shared<Words>(*words_);
  }
  if (words_->size() < size) words_->resize(size);
  return *words_;
}

void VoterSet::trim() {
  while (!words_->empty() && words_->back() == 0) words_->pop_back();
  if (words_->empty()) words_.reset();
}

bool VoterSet::contains(size_t rank) const {
  const Words& all = words();
  const size_t word = rank / kWordBits;
  return word < all.size() && (all[word] >> rank % kWordBits & 1) != 0;
}

bool VoterSet::add(size_t rank) {
  if (contains(rank)) return false;
  writable(rank / kWordBits + 1)[rank / kWordBits] |= uint64_t{1} << rank % kWordBits;
  return true;
}

void VoterSet::remove(size_t rank) {
  if (!contains(rank)) return;
  writable(0)[rank / kWordBits] &= ~(uint64_t{1} << rank % kWordBits);
  trim();
}

bool VoterSet::merge(const VoterSet& other) {
  const Words& theirs = other.words();
  const Words& mine = words();
  bool news = false;
  for (size_t i = 0; i < theirs.size() && !news; ++i) {
    news = (theirs[i] & ~(i < mine.size() ? mine[i] : 0)) != 0;
  }
  if (!news) return false;
  if (mine.empty()) {
    words_ = other.words_;
    return true;
  }
  Words& merged = writable(theirs.size());
  for (size_t i = 0; i < theirs.size(); ++i) merged[i] |= theirs[i];
  return true;
}

void VoterSet::make_room(size_t rank) {
  const size_t first = rank / kWordBits;
  if (first >= words().size()) return;
  Words& all = writable(words().size() + 1);
  for (size_t i = all.size() - 1; i > first; --i) {
    all[i] = all[i] << 1 | all[i - 1] >> (kWordBits - 1);
  }
  const uint64_t low = all[first] & below(rank % kWordBits);
  all[first] = low | (all[first] ^ low) << 1;
  trim();
}

void VoterSet::close_gap(size_t rank) {
  const size_t first = rank / kWordBits;
  if (first >= words().size()) return;
  Words& all = writable(0);
  const uint64_t low = all[first] & below(rank % kWordBits);
  const uint64_t high = all[first] >> rank % kWordBits >> 1 << rank % kWordBits;
  all[first] = low | high;
  for (size_t i = first + 1; i < all.size(); ++i) {
    all[i - 1] |= all[i] << (kWordBits - 1);
    all[i] >>= 1;
  }
  trim();
}

size_t VoterSet::count_in(const VoterSet& other) const {
  const Words& a = words();
  const Words& b = other.words();
  size_t count = 0;
  for (size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    count += static_cast<size_t>(std::popcount(a[i] & b[i]));
  }
  return count;
}

size_t VoterSet::count() const { return count_in(*this); }

}  // namespace syntropy
