#include "simd/peak.h"

#include "simd/vec.h"

// Any vector register of the machine.
#if defined(FLOW_ARM)
#define FLOW_REGISTER(x) "w"(x)
#else
#define FLOW_REGISTER(x) "v"(x)
#endif

namespace flow::FLOW_ISA {
namespace {

// Chains that fit into the registers and cover the latency: 2 units of 4 to 5 cycles need 10.
#if defined(__AVX512F__) || defined(FLOW_ARM)
constexpr int chains = 24;
#else
constexpr int chains = 12;
#endif

template <class T>
double fma_loop(int64_t rounds) {
  using V = Vec<T>;
  V acc[chains];
  FLOW_UNROLL
  for (int i = 0; i < chains; ++i) acc[i] = V(T(i) * T(1e-3));
  V a(T(0.999)), b(T(1e-3));
  asm volatile("" : "+" FLOW_REGISTER(a.v), "+" FLOW_REGISTER(b.v));
  for (int64_t r = 0; r < rounds; ++r) {
    FLOW_UNROLL
    for (int i = 0; i < chains; ++i) acc[i] = fma(acc[i], a, b);
    // The rounds may not be folded into fewer.
    asm volatile("" : "+" FLOW_REGISTER(a.v));
  }
  V sum = acc[0];
  FLOW_UNROLL
  for (int i = 1; i < chains; ++i) sum += acc[i];
  asm volatile("" : "+" FLOW_REGISTER(sum.v));
  return 2.0 * V::width * chains * static_cast<double>(rounds);
}

void copy(float* y, const float* x, int64_t n) {
  constexpr int64_t w = Vec<float>::width;
  for (int64_t i = 0; i < n; i += 4 * w) {  // n is a multiple of 64
    FLOW_UNROLL
    for (int64_t k = 0; k < 4; ++k) store(y + i + k * w, load<Vec<float>>(x + i + k * w));
  }
  asm volatile("" ::: "memory");
}

void triad(float* y, const float* x, const float* z, int64_t n) {
  using V = Vec<float>;
  for (int64_t i = 0; i < n; i += 4 * V::width) {
    FLOW_UNROLL
    for (int64_t k = 0; k < 4; ++k) {
      const int64_t j = i + k * V::width;
      store(y + j, fma(V(3), load<V>(z + j), load<V>(x + j)));
    }
  }
  asm volatile("" ::: "memory");
}

void update(float* y, const float* x, int64_t n) { triad(y, y, x, n); }

}  // namespace

const PeakLoops peak_loops = {fma_loop<float>, fma_loop<double>, copy, triad, update};

}  // namespace flow::FLOW_ISA
