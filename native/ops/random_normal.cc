// random_normal: out standard normal by Box and Muller: √(−2 log u)·(cos 2πv, sin 2πv), u in (0, 1], v in [0, 1).
// Outputs: out, state (in place; random.h). Of the pairs that a block makes (float32 two: words 0, 1 and 2, 3; float64
// one) the cosine is the element before the sine. |value| ≤ 6.7 in float32, 8.7 in float64.
#include "ops/random.h"
#include "simd/math.h"
#include "simd/shuffle.h"

namespace flow::FLOW_ISA {
namespace {

// n pairs in place: (u, v) to the cosine and the sine.
template <class T>
void box_muller(T* u, T* v, int64_t n) {
  using V = Vec<T>;
  for (int64_t i = 0; i < n; i += V::width) {
    const V radius = sqrt(V(-2) * log(load<V>(u + i)));
    V sine, cosine;
    sincos_2pi(load<V>(v + i), sine, cosine);
    store(u + i, radius * cosine);
    store(v + i, radius * sine);
  }
}

void normals(const Words& w, float* out) {
  alignas(64) float u[2 * philox_batch], v[2 * philox_batch];
  for (int64_t k = 0; k < philox_batch; ++k) {
    for (int j = 0; j < 2; ++j) {
      u[2 * k + j] = positive_uniform_of(w.word[2 * j][k]);
      v[2 * k + j] = uniform_of(w.word[2 * j + 1][k]);
    }
  }
  box_muller(u, v, 2 * philox_batch);
  constexpr int width = Vec<float>::width;
  for (int64_t i = 0; i < 2 * philox_batch; i += width)
    store_pairs(out + 2 * i, load<Vec<float>>(u + i), load<Vec<float>>(v + i));
}

void normals(const Words& w, double* out) {
  alignas(64) double u[philox_batch], v[philox_batch];
  for (int64_t k = 0; k < philox_batch; ++k) {
    u[k] = positive_uniform_of(w.word[0][k], w.word[1][k]);
    v[k] = uniform_of(w.word[2][k], w.word[3][k]);
  }
  box_muller(u, v, philox_batch);
  constexpr int width = Vec<double>::width;
  for (int64_t i = 0; i < philox_batch; i += width)
    store_pairs(out + 2 * i, load<Vec<double>>(u + i), load<Vec<double>>(v + i));
}

bool random_normal(const Call& call) {
  return fill_random(call, [](const Words& words, auto* target) { normals(words, target); });
}

}  // namespace

FLOW_DEFINE_OP(random_normal) = {"random_normal", random_normal, 0, 0, 2, 0};

}  // namespace flow::FLOW_ISA
