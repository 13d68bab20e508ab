#include "text/tokenizer/vocab.h"

#include <bit>
#include <cstring>
#include <random>

namespace galen::text {
namespace {

uint64_t Seed() {
  static const uint64_t seed = [] {
    std::random_device device;
    return static_cast<uint64_t>(device()) << 32 | device();
  }();
  return seed;
}

uint64_t Mix(uint64_t a, uint64_t b) {
  const auto product = static_cast<unsigned __int128>(a) * b;
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

template <typename T>
T Load(const char* p) {
  T value;
  std::memcpy(&value, p, sizeof(T));
  return value;
}

}  // namespace

uint64_t HashBytes(std::string_view bytes) {
  constexpr uint64_t k0 = 0xA0761D6478BD642Full,
                     k1 = 0xE7037ED1A0B428DBull;  // odd, half of the bits set (wyhash)
  const char* p = bytes.data();
  size_t n = bytes.size();
  uint64_t h = Seed() ^ Mix(n ^ k0, k1);
  for (; n > 8; n -= 8, p += 8) h = Mix(h ^ Load<uint64_t>(p), k0);
  uint64_t tail = 0;
  if (n >= 4) {
    tail = static_cast<uint64_t>(Load<uint32_t>(p)) << 32 | Load<uint32_t>(p + n - 4);
  } else if (n > 0) {
    const auto at = [&](size_t i) {
      return static_cast<uint64_t>(static_cast<unsigned char>(p[i]));
    };
    tail = at(0) << 16 | at(n >> 1) << 8 | at(n - 1);
  }
  return Mix(h ^ tail, k1);
}

void Vocab::Set(int32_t id, std::string_view text) {
  if (static_cast<size_t>(id) >= tokens_.size()) tokens_.resize(static_cast<size_t>(id) + 1);
  tokens_[id] = text;
}

void Vocab::Rehash(size_t slots) {
  slots_.assign(std::bit_ceil(slots), Slot());
  used_ = 0;
}

void Vocab::Insert(int32_t id, bool replace) {
  const std::string_view text = tokens_[id];
  const uint64_t hash = HashBytes(text);
  const auto tag = static_cast<uint32_t>(hash >> 32);
  const size_t mask = slots_.size() - 1;
  for (size_t i = hash & mask;; i = (i + 1) & mask) {
    Slot& slot = slots_[i];
    if (slot.id == kNone) {
      slot = {tag, id};
      ++used_;
      return;
    }
    if (slot.tag == tag && tokens_[slot.id] == text) {
      if (replace) slot.id = id;
      return;
    }
  }
}

void Vocab::Index() {
  Rehash(std::max<size_t>(16, tokens_.size() * 2));
  for (size_t id = 0; id < tokens_.size(); ++id) {
    if (!tokens_[id].empty()) Insert(static_cast<int32_t>(id), false);
  }
}

void Vocab::AddToIndex(int32_t id) {
  if (slots_.empty() || (used_ + 1) * 2 > slots_.size()) {
    const std::vector<Slot> old = std::move(slots_);
    Rehash(std::max<size_t>(16, old.size() * 2));
    for (const Slot& slot : old) {
      if (slot.id != kNone) Insert(slot.id, false);
    }
  }
  Insert(id, true);
}

int32_t Vocab::Find(std::string_view text) const {
  if (slots_.empty()) return kNone;
  const uint64_t hash = HashBytes(text);
  const auto tag = static_cast<uint32_t>(hash >> 32);
  const size_t mask = slots_.size() - 1;
  for (size_t i = hash & mask;; i = (i + 1) & mask) {
    const Slot& slot = slots_[i];
    if (slot.id == kNone) return kNone;
    if (slot.tag == tag && tokens_[slot.id] == text) return slot.id;
  }
}

}  // namespace galen::text
