// What this machine can do at most, measured: the denominators of the bench.
#pragma once
#include <stdint.h>

namespace flow {

// Loops of one instruction set, on one thread (native/simd/peak.cc).
struct PeakLoops {
  // `rounds` rounds of fused multiply-adds that wait for nothing; returns the number of operations, two a lane.
  double (*fma_f32)(int64_t rounds);
  double (*fma_f64)(int64_t rounds);
  void (*copy)(float* y, const float* x, int64_t n);                    // y = x
  void (*triad)(float* y, const float* x, const float* z, int64_t n);  // y = x + 3·z
  void (*update)(float* y, const float* x, int64_t n);                  // y = y + 3·x
};

enum class PeakKind : int { fma_f32, fma_f64, copy, triad, update };
inline constexpr int peak_kind_count = 5;

// 10⁹ operations, or 10⁹ bytes read and written, a second: the best of a few rounds of about 2 ms on thread_count()
// threads. `bytes` are those of the arrays of copy, triad and update (which reads and writes one of its two),
// of all threads together. Throws std::bad_alloc.
double measure_peak(const PeakLoops& loops, PeakKind kind, int64_t bytes);

}  // namespace flow
