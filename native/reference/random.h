// The random streams, one number after the other: Philox4x32-10 (Salmon et al., 2011, "Parallel random numbers: as easy as
// 1, 2, 3") on the counter (block, calls), keyed by the seed. State: int32 [4] = seed low, high, calls low, high; a call
// adds 1 to the number of calls.
#pragma once
#include <cstring>

#include "reference/reference.h"

namespace flow::reference {

struct Stream {
  uint32_t seed[2];
  uint32_t calls[2];

  // Reads the state and advances it.
  explicit Stream(const Operand& state) {
    uint32_t words[4];
    std::memcpy(words, state.data, sizeof words);
    std::memcpy(seed, words, sizeof seed);
    std::memcpy(calls, words + 2, sizeof calls);
    if (++words[2] == 0) ++words[3];
    std::memcpy(state.data, words, sizeof words);
  }

  // Word `word` (0 to 3) of block `block`.
  uint32_t operator()(uint64_t block, int word) const {
    uint32_t x[4] = {static_cast<uint32_t>(block), static_cast<uint32_t>(block >> 32), calls[0], calls[1]};
    uint32_t key[2] = {seed[0], seed[1]};
    for (int round = 0; round < 10; ++round) {
      const uint64_t p = uint64_t{0xD2511F53u} * x[0], q = uint64_t{0xCD9E8D57u} * x[2];
      const uint32_t next[4] = {static_cast<uint32_t>(q >> 32) ^ x[1] ^ key[0], static_cast<uint32_t>(q),
                                static_cast<uint32_t>(p >> 32) ^ x[3] ^ key[1], static_cast<uint32_t>(p)};
      std::memcpy(x, next, sizeof x);
      key[0] += 0x9E3779B9u;
      key[1] += 0xBB67AE85u;
    }
    return x[word];
  }

  // Number i of a call in [0, 1): 24 bits of a word, or 53 of two.
  void uniform(int64_t i, float& u) const {
    u = static_cast<float>((*this)(static_cast<uint64_t>(i / 4), static_cast<int>(i % 4)) >> 8) * 0x1p-24f;
  }
  void uniform(int64_t i, double& u) const {
    const uint64_t block = static_cast<uint64_t>(i / 2);
    const int word = 2 * static_cast<int>(i % 2);
    const uint64_t bits = (uint64_t{(*this)(block, word + 1)} << 32) | (*this)(block, word);
    u = static_cast<double>(bits >> 11) * 0x1p-53;
  }
};

inline bool is_state(const Operand& state) { return state.dtype == DType::i32 && state.count() == 4 && state.contiguous(); }

}  // namespace flow::reference
