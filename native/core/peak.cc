#include "core/peak.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <memory>
#include <vector>

#include "core/memory.h"
#include "core/thread_pool.h"

namespace flow {
namespace {

constexpr double round_seconds = 2e-3;
constexpr int rounds = 5;

// Seconds that body() takes on every thread of the pool at once.
template <class F>
double time_of(const F& body) {
  const auto start = std::chrono::steady_clock::now();
  parallel(thread_count(), body);
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// The best rate of body(thread, repetitions), where a repetition on a thread counts `amount`.
template <class F>
double best_rate(const F& body, double amount) {
  int64_t repetitions = 1;
  double best = 0;
  for (int measured = 0; measured < rounds;) {
    const double time = time_of([&](int64_t thread) { body(thread, repetitions); });
    // A round that was interrupted looks long enough: so each is looked at.
    if (time < round_seconds) {
      repetitions *= 2;
      continue;
    }
    best = std::max(best, static_cast<double>(repetitions) * thread_count() * amount / time);
    ++measured;
  }
  return best * 1e-9;
}

struct Release {
  void operator()(void* block) const { aligned_release(block); }
};

}  // namespace

double measure_peak(const PeakLoops& loops, PeakKind kind, int64_t bytes) {
  if (kind == PeakKind::fma_f32 || kind == PeakKind::fma_f64) {
    const auto loop = kind == PeakKind::fma_f32 ? loops.fma_f32 : loops.fma_f64;
    constexpr int64_t steps = 1000;
    return best_rate([&](int64_t, int64_t repetitions) { loop(repetitions * steps); }, loop(steps));
  }
  const int arrays = kind == PeakKind::triad ? 3 : 2, moves = kind == PeakKind::copy ? 2 : 3;
  const int64_t n = std::max<int64_t>(64, bytes / (arrays * thread_count() * int64_t{sizeof(float)}) / 64 * 64);
  // One array more than a page apart from the next: equal distances of 4 KiB would share cache sets.
  const int64_t stride = n + 1088;
  const size_t block_bytes = static_cast<size_t>(stride * arrays) * sizeof(float);
  std::vector<std::unique_ptr<void, Release>> blocks;
  for (int i = 0; i < thread_count(); ++i) {
    blocks.emplace_back(aligned_block(block_bytes));
    std::memset(blocks.back().get(), 0, block_bytes);
  }
  return best_rate(
      [&](int64_t thread, int64_t repetitions) {
        float* y = static_cast<float*>(blocks[static_cast<size_t>(thread)].get());
        for (int64_t i = 0; i < repetitions; ++i) {
          if (kind == PeakKind::copy) loops.copy(y, y + stride, n);
          else if (kind == PeakKind::update) loops.update(y, y + stride, n);
          else loops.triad(y, y + stride, y + 2 * stride, n);
        }
      },
      static_cast<double>(n) * moves * sizeof(float));
}

}  // namespace flow
