// Permutations of lanes: transposition of a square of registers, stride-2 loads and stores, and the
// conversion between one Vec<float> and two Vec<double>.
#pragma once

#include "vec.h"

#if defined(__has_builtin)
#if __has_builtin(__builtin_shufflevector)
#define FLOW_HAS_SHUFFLEVECTOR 1
#endif
#endif

namespace flow::FLOW_ISA {

template <class T, T... I>
struct Sequence {};
#if defined(__clang__)
template <int N>
using make_sequence = __make_integer_seq<Sequence, int, N>;
#else
template <int N>
using make_sequence = Sequence<int, __integer_pack(N)...>;
#endif

/** Lane i of the result is lane I[i] of (a, b) laid end to end. */
template <int... I, class T>
FLOW_INLINE Vec<T> shuffle(Vec<T> a, Vec<T> b) {
#if defined(FLOW_HAS_SHUFFLEVECTOR)
  return Vec<T>(__builtin_shufflevector(a.v, b.v, I...));
#else
  return Vec<T>(__builtin_shuffle(a.v, b.v, typename Vec<T>::Bits{I...}));
#endif
}

// ---- transposition ------------------------------------------------------------------------------------

template <int Step, class T, int... I>
FLOW_INLINE void swap_blocks(Vec<T>& a, Vec<T>& b, Sequence<int, I...>) {
  constexpr int w = Vec<T>::width;
  const Vec<T> top = shuffle<((I & Step) ? w + I - Step : I)...>(a, b);
  const Vec<T> bottom = shuffle<((I & Step) ? w + I : I + Step)...>(a, b);
  a = top;
  b = bottom;
}
template <int Step, class T>
FLOW_INLINE void transpose_step(Vec<T>* row) {
  constexpr int w = Vec<T>::width;
  if constexpr (Step < w) {
    FLOW_UNROLL
    for (int i = 0; i < w; ++i) {
      if ((i & Step) == 0) swap_blocks<Step>(row[i], row[i + Step], make_sequence<w>{});
    }
    transpose_step<2 * Step>(row);
  }
}
/** Transposes the width × width square whose rows are row[0 … width − 1]. */
template <class T>
FLOW_INLINE void transpose(Vec<T>* row) {
  transpose_step<1>(row);
}

// ---- pairs --------------------------------------------------------------------------------------------

template <class T, int... I>
FLOW_INLINE void deinterleave(Vec<T> a, Vec<T> b, Vec<T>& even, Vec<T>& odd, Sequence<int, I...>) {
  even = shuffle<(2 * I)...>(a, b);
  odd = shuffle<(2 * I + 1)...>(a, b);
}
template <class T, int... I>
FLOW_INLINE void interleave(Vec<T> even, Vec<T> odd, Vec<T>& a, Vec<T>& b, Sequence<int, I...>) {
  constexpr int w = Vec<T>::width;
  a = shuffle<((I & 1) ? w + I / 2 : I / 2)...>(even, odd);
  b = shuffle<((I & 1) ? w + (w + I) / 2 : (w + I) / 2)...>(even, odd);
}

/** p holds width pairs (e₀ o₀ e₁ o₁ …): even = e₀ e₁ …, odd = o₀ o₁ … */
template <class T>
FLOW_INLINE void load_pairs(const T* p, Vec<T>& even, Vec<T>& odd) {
  constexpr int w = Vec<T>::width;
  deinterleave(load<Vec<T>>(p), load<Vec<T>>(p + w), even, odd, make_sequence<w>{});
}
/** The inverse of load_pairs. */
template <class T>
FLOW_INLINE void store_pairs(T* p, Vec<T> even, Vec<T> odd) {
  constexpr int w = Vec<T>::width;
  Vec<T> a, b;
  interleave(even, odd, a, b, make_sequence<w>{});
  store(p, a);
  store(p + w, b);
}
FLOW_INLINE void load_pairs(const float* p, float& even, float& odd) { even = p[0], odd = p[1]; }
FLOW_INLINE void load_pairs(const double* p, double& even, double& odd) { even = p[0], odd = p[1]; }
FLOW_INLINE void store_pairs(float* p, float even, float odd) { p[0] = even, p[1] = odd; }
FLOW_INLINE void store_pairs(double* p, double even, double odd) { p[0] = even, p[1] = odd; }

// ---- float and double ---------------------------------------------------------------------------------

typedef float HalfFloats __attribute__((vector_size(kVectorBytes / 2)));

/** The low and the high half of x as doubles. */
FLOW_INLINE void widen(Vec<float> x, Vec<double>& low, Vec<double>& high) {
#if defined(__AVX512F__)
  low = Vec<double>(_mm512_maskz_cvtps_pd(0xff, _mm512_maskz_extractf32x8_ps(0xff, x.v, 0)));
  high = Vec<double>(_mm512_maskz_cvtps_pd(0xff, _mm512_maskz_extractf32x8_ps(0xff, x.v, 1)));
#elif defined(__AVX2__)
  low = Vec<double>(_mm256_cvtps_pd(_mm256_castps256_ps128(x.v)));
  high = Vec<double>(_mm256_cvtps_pd(_mm256_extractf128_ps(x.v, 1)));
#elif defined(FLOW_X86)
  low = Vec<double>(_mm_cvtps_pd(x.v));
  high = Vec<double>(_mm_cvtps_pd(_mm_movehl_ps(x.v, x.v)));
#else
  HalfFloats half[2];
  __builtin_memcpy(half, &x, sizeof(half));
  low = Vec<double>(__builtin_convertvector(half[0], typename Vec<double>::Native));
  high = Vec<double>(__builtin_convertvector(half[1], typename Vec<double>::Native));
#endif
}
/** The inverse of widen, rounded to nearest. */
FLOW_INLINE Vec<float> narrow(Vec<double> low, Vec<double> high) {
#if defined(__AVX512F__)
  return Vec<float>(_mm512_maskz_insertf32x8(
      0xffff, _mm512_castps256_ps512(_mm512_maskz_cvtpd_ps(0xff, low.v)),
      _mm512_maskz_cvtpd_ps(0xff, high.v), 1));
#elif defined(__AVX2__)
  return Vec<float>(_mm256_insertf128_ps(_mm256_castps128_ps256(_mm256_cvtpd_ps(low.v)),
                                         _mm256_cvtpd_ps(high.v), 1));
#elif defined(FLOW_X86)
  return Vec<float>(_mm_movelh_ps(_mm_cvtpd_ps(low.v), _mm_cvtpd_ps(high.v)));
#else
  HalfFloats half[2] = {__builtin_convertvector(low.v, HalfFloats),
                        __builtin_convertvector(high.v, HalfFloats)};
  Vec<float> r;
  __builtin_memcpy(&r, half, sizeof(half));
  return r;
#endif
}
/** width_of<Vec<double>> floats from p, widened. */
FLOW_INLINE Vec<double> load_widened(const float* p) {
  HalfFloats half;
  __builtin_memcpy(&half, p, sizeof(half));
  return Vec<double>(__builtin_convertvector(half, typename Vec<double>::Native));
}

}  // namespace flow::FLOW_ISA
