// Philox4x32-10, a counter-based random number generator (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3",
// SC 2011). Block b of a stream is a function of the key (seed) and the 128-bit counter (block, call): no state is
// carried from one number to the next, so a stream is the same on every backend and for any number of threads.
// Plain C++ for host and device.
#pragma once
#include <stdint.h>

#include "math/formula.h"

namespace flow::FLOW_ISA {

struct PhiloxKey {
  uint32_t low, high;    // of the seed
  uint64_t call;         // high half of the counter: how many calls the stream has served
};

/** The four words of block `block`. */
FLOW_FORMULA void philox(const PhiloxKey& key, uint64_t block, uint32_t& a, uint32_t& b, uint32_t& c,
                                    uint32_t& d) {
  uint32_t x0 = static_cast<uint32_t>(block), x1 = static_cast<uint32_t>(block >> 32);
  uint32_t x2 = static_cast<uint32_t>(key.call), x3 = static_cast<uint32_t>(key.call >> 32);
  uint32_t k0 = key.low, k1 = key.high;
  for (int round = 0; round < 10; ++round) {
    uint64_t p0 = uint64_t{0xD2511F53u} * x0, p1 = uint64_t{0xCD9E8D57u} * x2;
    uint32_t y0 = static_cast<uint32_t>(p1 >> 32) ^ x1 ^ k0, y2 = static_cast<uint32_t>(p0 >> 32) ^ x3 ^ k1;
    x1 = static_cast<uint32_t>(p1);
    x3 = static_cast<uint32_t>(p0);
    x0 = y0;
    x2 = y2;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  a = x0, b = x1, c = x2, d = x3;
}

/** A word to [0, 1): its upper 24 bits. */
FLOW_FORMULA float uniform_of(uint32_t word) {
  return static_cast<float>(static_cast<int32_t>(word >> 8)) * 0x1p-24f;
}
/** Two words to [0, 1): the upper 53 of their 64 bits, `high` first. */
FLOW_FORMULA double uniform_of(uint32_t low, uint32_t high) {
  return static_cast<double>(static_cast<int64_t>(((uint64_t{high} << 32) | low) >> 11)) * 0x1p-53;
}
/** A word to (0, 1]: for a logarithm; the smallest value is 2⁻³². */
FLOW_FORMULA float positive_uniform_of(uint32_t word) {
  return static_cast<float>(static_cast<int32_t>(word >> 1)) * 0x1p-31f + 0x1p-32f;
}
FLOW_FORMULA double positive_uniform_of(uint32_t low, uint32_t high) {
  return uniform_of(low, high) + 0x1p-54;
}

}  // namespace flow::FLOW_ISA
