// Division by a number that all threads have in common: a multiplication and a shift (Granlund and Montgomery, "Division by invariant
// integers using multiplication", 1994), where both are below 2³¹; an ordinary division beyond.
#pragma once
#include <cuda_runtime.h>
#include <stdint.h>

#include "math/formula.h"

namespace flow::cuda {

class Divisor {
 public:
  /** divisor ≥ 1 */
  explicit Divisor(int64_t divisor) : divisor_(divisor) {
    if (divisor < 2 || divisor >= limit) return;
    int bits = 1;
    while ((int64_t{1} << bits) < divisor) ++bits;
    shift_ = bits - 1;
    factor_ = static_cast<uint32_t>(((uint64_t{1} << (31 + bits)) + static_cast<uint64_t>(divisor) - 1) /
                                    static_cast<uint64_t>(divisor));
  }

  __device__ __forceinline__ int64_t quotient(int64_t n) const {
    if (divisor_ == 1) return n;
    if (factor_ == 0 || n >= limit) return n / divisor_;
    return static_cast<int64_t>(static_cast<uint32_t>((static_cast<uint64_t>(factor_) * static_cast<uint32_t>(n)) >> 32) >>
                                shift_);
  }
  /** The quotient, and the remainder in n. */
  __device__ __forceinline__ int64_t split(int64_t& n) const {
    const int64_t q = quotient(n);
    n -= q * divisor_;
    return q;
  }

 private:
  static constexpr int64_t limit = int64_t{1} << 31;
  int64_t divisor_;
  uint32_t factor_ = 0;
  int shift_ = 0;
};

}  // namespace flow::cuda
