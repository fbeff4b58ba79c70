// What the standalone native programs share: random numbers, guarded matrices, ulp distances.
#pragma once

#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <vector>

#include "simd/isa.h"

namespace test {

#define FLOW_TEXT_(x) #x
#define FLOW_TEXT(x) FLOW_TEXT_(x)
inline const char* isa_name() { return FLOW_TEXT(FLOW_ISA); }

/** SplitMix64: the same stream everywhere. */
struct Random {
  uint64_t state;
  explicit Random(uint64_t seed) : state(seed) {}
  uint64_t next() {
    uint64_t z = (state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }
  double uniform() { return static_cast<double>(next() >> 11) * 0x1p-53; }
  /** In [−1, 1). */
  double symmetric() { return 2 * uniform() - 1; }
  int64_t below(int64_t n) { return static_cast<int64_t>(next() % static_cast<uint64_t>(n)); }
};

/** A matrix in a block of its own, NaN in every element that is not its: padding of rows and both ends. */
template <class T>
struct Matrix {
  int64_t rows, cols, ld;
  std::vector<T> block;
  static constexpr int64_t guard = 67;
  Matrix(int64_t r, int64_t c, int64_t leading)
      : rows(r), cols(c), ld(leading),
        block(static_cast<size_t>(2 * guard + (r > 0 ? (r - 1) * leading + c : 0)), poison()) {}
  static T poison() { return std::numeric_limits<T>::quiet_NaN(); }
  T* data() { return block.data() + guard; }
  const T* data() const { return block.data() + guard; }
  T& at(int64_t r, int64_t c) { return data()[r * ld + c]; }
  const T& at(int64_t r, int64_t c) const { return data()[r * ld + c]; }
  void fill(Random& random) {
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t c = 0; c < cols; ++c) at(r, c) = static_cast<T>(random.symmetric());
    }
  }
  /** Whether every element outside still is the poison that it was. */
  bool guards_whole() const {
    for (size_t i = 0; i < block.size(); ++i) {
      const int64_t p = static_cast<int64_t>(i) - guard;
      const bool inside = p >= 0 && p / ld < rows && p % ld < cols;
      const T expected = poison();
      if (!inside && std::memcmp(&block[i], &expected, sizeof(T)) != 0) return false;
    }
    return true;
  }
};

inline double seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace test
