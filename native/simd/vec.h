// The arithmetic of Vec<T>, a register of float or double lanes (register.h), and of its scalar twin.
//
// Every function here is overloaded for Vec<float>, Vec<double>, float and double, so that a formula
// written as `template <class V> V f(V x)` serves all four. Constants are written V(0.5), comparisons give
// mask_t<V>, and a choice is select(mask, a, b); there is no branch on a lane.
//
// NaN: max(a, b) and min(a, b) return b if either is NaN (the rule of x86), so max(V(0), x) propagates a
// NaN in x and max(x, V(0)) hides it. Comparisons with NaN are false, except !=.
#pragma once

#include "register.h"

namespace flow::FLOW_ISA {

// ---- arithmetic ---------------------------------------------------------------------------------------

#define FLOW_VEC_OPERATOR(op)                                                                      \
  template <class T>                                                                               \
  FLOW_INLINE Vec<T> operator op(Vec<T> a, Vec<T> b) {                                             \
    return Vec<T>(a.v op b.v);                                                                     \
  }                                                                                                \
  template <class T>                                                                               \
  FLOW_INLINE Vec<T> operator op(Vec<T> a, typename Vec<T>::Lane b) {                              \
    return a op Vec<T>(b);                                                                         \
  }                                                                                                \
  template <class T>                                                                               \
  FLOW_INLINE Vec<T> operator op(typename Vec<T>::Lane a, Vec<T> b) {                              \
    return Vec<T>(a) op b;                                                                         \
  }                                                                                                \
  template <class T>                                                                               \
  FLOW_INLINE Vec<T>& operator op##=(Vec<T>& a, Vec<T> b) {                                        \
    return a = a op b;                                                                             \
  }
FLOW_VEC_OPERATOR(+)
FLOW_VEC_OPERATOR(-)
FLOW_VEC_OPERATOR(*)
FLOW_VEC_OPERATOR(/)
#undef FLOW_VEC_OPERATOR
template <class T>
FLOW_INLINE Vec<T> operator-(Vec<T> a) {
  return Vec<T>(-a.v);
}

// Comparisons with vectors; the scalar twins are the language's own operators.
#define FLOW_VEC_COMPARE(op)                                                                       \
  template <class T>                                                                               \
  FLOW_INLINE Mask<T> operator op(Vec<T> a, Vec<T> b) {                                            \
    return {a.v op b.v};                                                                           \
  }                                                                                                \
  template <class T>                                                                               \
  FLOW_INLINE Mask<T> operator op(Vec<T> a, typename Vec<T>::Lane b) {                             \
    return a op Vec<T>(b);                                                                         \
  }
FLOW_VEC_COMPARE(<)
FLOW_VEC_COMPARE(<=)
FLOW_VEC_COMPARE(>)
FLOW_VEC_COMPARE(>=)
FLOW_VEC_COMPARE(==)
FLOW_VEC_COMPARE(!=)
#undef FLOW_VEC_COMPARE

template <class T>
FLOW_INLINE Mask<T> operator&(Mask<T> a, Mask<T> b) {
  return {a.m & b.m};
}
template <class T>
FLOW_INLINE Mask<T> operator|(Mask<T> a, Mask<T> b) {
  return {a.m | b.m};
}
template <class T>
FLOW_INLINE Mask<T> operator!(Mask<T> a) {
  return {~a.m};
}
FLOW_INLINE bool any(bool m) { return m; }
FLOW_INLINE bool all(bool m) { return m; }
template <class T>
FLOW_INLINE bool any(Mask<T> m) {
  typename Registers<T>::Int r = 0;
  for (int i = 0; i < Vec<T>::width; ++i) r |= m.m[i];
  return r != 0;
}
template <class T>
FLOW_INLINE bool all(Mask<T> m) {
  return !any(!m);
}

FLOW_INLINE float select(bool m, float a, float b) { return m ? a : b; }
FLOW_INLINE double select(bool m, double a, double b) { return m ? a : b; }
/** m ? a : b, lane by lane. */
template <class T>
FLOW_INLINE Vec<T> select(Mask<T> m, Vec<T> a, Vec<T> b) {
  return Vec<T>(m.m ? a.v : b.v);
}

// ---- bits ---------------------------------------------------------------------------------------------

template <class V>
FLOW_INLINE bits_t<V> to_bits(V x) {
  bits_t<V> b;
  static_assert(sizeof(b) == sizeof(x));
  __builtin_memcpy(&b, &x, sizeof(b));
  return b;
}
template <class V>
FLOW_INLINE V from_bits(bits_t<V> b) {
  V x;
  __builtin_memcpy(&x, &b, sizeof(x));
  return x;
}
/** Whether any bit of any lane is set. */
template <class V>
FLOW_INLINE bool any_bit(bits_t<V> b) {
  if constexpr (width_of<V> == 1) {
    return b != 0;
  } else {
#if defined(__AVX512F__)
    const __m512i all = reinterpret_cast<__m512i>(b);
    return _mm512_test_epi32_mask(all, all) != 0;
#elif defined(__AVX2__)
    const __m256i all = reinterpret_cast<__m256i>(b);
    return _mm256_testz_si256(all, all) == 0;
#else
    typename Registers<lane_t<V>>::Int r = 0;
    for (int i = 0; i < width_of<V>; ++i) r |= b[i];
    return r != 0;
#endif
  }
}
/** The integer type of one lane of V. */
template <class V>
using int_t = typename Registers<lane_t<V>>::Int;

template <class V>
FLOW_INLINE V abs(V x) {
  constexpr int_t<V> magnitude = static_cast<int_t<V>>((uint64_t(1) << (8 * sizeof(int_t<V>) - 1)) - 1);
  return from_bits<V>(to_bits(x) & magnitude);
}
/** |x| with the sign of s (also of −0 and NaN). */
template <class V>
FLOW_INLINE V copysign(V x, V s) {
  constexpr int_t<V> magnitude = static_cast<int_t<V>>((uint64_t(1) << (8 * sizeof(int_t<V>) - 1)) - 1);
  return from_bits<V>((to_bits(x) & magnitude) | (to_bits(s) & ~magnitude));
}

// ---- fma, max, min, sqrt ------------------------------------------------------------------------------

// fma: a·b + c, rounded once where the instruction set can, else twice. Written as the instruction: in
// a·b + c·d the compiler would choose by itself which product is rounded.
#if defined(__FMA__) || defined(FLOW_ARM)
FLOW_INLINE float fma(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
FLOW_INLINE double fma(double a, double b, double c) { return __builtin_fma(a, b, c); }
#else
FLOW_INLINE float fma(float a, float b, float c) { return a * b + c; }
FLOW_INLINE double fma(double a, double b, double c) { return a * b + c; }
#endif
template <class T>
FLOW_INLINE Vec<T> fma(Vec<T> a, Vec<T> b, Vec<T> c) {
#if defined(__AVX512F__)
  if constexpr (sizeof(T) == 4) {
    return Vec<T>(_mm512_fmadd_ps(a.v, b.v, c.v));
  } else {
    return Vec<T>(_mm512_fmadd_pd(a.v, b.v, c.v));
  }
#elif defined(__FMA__)
  if constexpr (sizeof(T) == 4) {
    return Vec<T>(_mm256_fmadd_ps(a.v, b.v, c.v));
  } else {
    return Vec<T>(_mm256_fmadd_pd(a.v, b.v, c.v));
  }
#elif defined(FLOW_ARM)
  if constexpr (sizeof(T) == 4) {
    return Vec<T>(vfmaq_f32(c.v, a.v, b.v));
  } else {
    return Vec<T>(vfmaq_f64(c.v, a.v, b.v));
  }
#else
  return Vec<T>(a.v * b.v + c.v);
#endif
}

FLOW_INLINE float max(float a, float b) { return a > b ? a : b; }
FLOW_INLINE double max(double a, double b) { return a > b ? a : b; }
FLOW_INLINE float min(float a, float b) { return a < b ? a : b; }
FLOW_INLINE double min(double a, double b) { return a < b ? a : b; }
FLOW_INLINE float sqrt(float x) { return __builtin_sqrtf(x); }
FLOW_INLINE double sqrt(double x) { return __builtin_sqrt(x); }

// The forms of AVX-512 with a mask of ones: the plain ones of GCC 12's header read a variable that they
// never set, and -Wall says so. The instruction is the same.
#if defined(__AVX512F__)
#define FLOW_X86_1(name, t, a) _mm512_maskz_##name##_##t(0xff | (sizeof(a) / sizeof(a[0]) == 16 ? 0xff00 : 0), a)
#define FLOW_X86_2(name, t, a, b) _mm512_maskz_##name##_##t(0xff | (sizeof(a) / sizeof(a[0]) == 16 ? 0xff00 : 0), a, b)
#elif defined(__AVX2__)
#define FLOW_X86_1(name, t, a) _mm256_##name##_##t(a)
#define FLOW_X86_2(name, t, a, b) _mm256_##name##_##t(a, b)
#else
#define FLOW_X86_1(name, t, a) _mm_##name##_##t(a)
#define FLOW_X86_2(name, t, a, b) _mm_##name##_##t(a, b)
#endif

template <class T>
FLOW_INLINE Vec<T> max(Vec<T> a, Vec<T> b) {
#if defined(FLOW_X86)
  if constexpr (sizeof(T) == 4) {
    return Vec<T>(FLOW_X86_2(max, ps, a.v, b.v));
  } else {
    return Vec<T>(FLOW_X86_2(max, pd, a.v, b.v));
  }
#else
  return select(a > b, a, b);
#endif
}
template <class T>
FLOW_INLINE Vec<T> min(Vec<T> a, Vec<T> b) {
#if defined(FLOW_X86)
  if constexpr (sizeof(T) == 4) {
    return Vec<T>(FLOW_X86_2(min, ps, a.v, b.v));
  } else {
    return Vec<T>(FLOW_X86_2(min, pd, a.v, b.v));
  }
#else
  return select(a < b, a, b);
#endif
}
template <class T>
FLOW_INLINE Vec<T> sqrt(Vec<T> x) {
#if defined(FLOW_X86)
  if constexpr (sizeof(T) == 4) {
    return Vec<T>(FLOW_X86_1(sqrt, ps, x.v));
  } else {
    return Vec<T>(FLOW_X86_1(sqrt, pd, x.v));
  }
#else
  Vec<T> r;
  for (int i = 0; i < Vec<T>::width; ++i) r.v[i] = sqrt(static_cast<T>(x.v[i]));
  return r;
#endif
}
#undef FLOW_X86_1
#undef FLOW_X86_2

/** x rounded to the nearest integer, ties to even. ±inf, NaN and −0 stay what they are. */
template <class V>
FLOW_INLINE V round(V x) {
  // Adding 1.5·2^mantissa leaves no fraction bits; numbers from 2^mantissa on are integers already.
  constexpr lane_t<V> whole = sizeof(lane_t<V>) == 4 ? lane_t<V>(8388608.0) : lane_t<V>(4503599627370496.0);
  const V a = abs(x);
  const V r = (a + V(whole)) - V(whole);
  return select(a < V(whole), copysign(r, x), x);
}
/** The largest integer that is not above x. ±inf, NaN and −0 stay what they are. */
template <class V>
FLOW_INLINE V floor(V x) {
  const V r = round(x);
  return copysign(select(r > x, r - V(1), r), x);
}

/** The sum of the lanes by halves: the same order for every call. */
FLOW_INLINE float horizontal_sum(float x) { return x; }
FLOW_INLINE double horizontal_sum(double x) { return x; }
template <class T>
FLOW_INLINE T horizontal_sum(Vec<T> x) {
  T lane[Vec<T>::width];
  store(lane, x);
  for (int half = Vec<T>::width / 2; half > 0; half /= 2) {
    for (int i = 0; i < half; ++i) lane[i] += lane[i + half];
  }
  return lane[0];
}

}  // namespace flow::FLOW_ISA
