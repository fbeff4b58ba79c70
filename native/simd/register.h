// Vec<T>: one register of float or double lanes; what a formula knows of it and of its scalar twin; loads and stores.
#pragma once

#include "isa.h"

namespace flow::FLOW_ISA {

// The register types stand here one by one: GCC takes a vector_size that depends on a template parameter
// for the plain element type when it compares overloads.
typedef float FloatRegister __attribute__((vector_size(kVectorBytes)));
typedef double DoubleRegister __attribute__((vector_size(kVectorBytes)));
typedef int32_t Int32Register __attribute__((vector_size(kVectorBytes)));
typedef int64_t Int64Register __attribute__((vector_size(kVectorBytes)));
// The same with the alignment of one lane, for loads and stores at any address.
typedef float FloatUnaligned __attribute__((vector_size(kVectorBytes), aligned(4), may_alias));
typedef double DoubleUnaligned __attribute__((vector_size(kVectorBytes), aligned(8), may_alias));

template <class T>
struct Registers;
template <>
struct Registers<float> {
  using Native = FloatRegister;
  using Unaligned = FloatUnaligned;
  using Int = int32_t;
  using Bits = Int32Register;
};
template <>
struct Registers<double> {
  using Native = DoubleRegister;
  using Unaligned = DoubleUnaligned;
  using Int = int64_t;
  using Bits = Int64Register;
};

/** The result of a lane-wise comparison: all ones or all zeros in each lane. */
template <class T>
struct Mask {
  typename Registers<T>::Bits m;
};

/** `width` lanes of T in one register. Trivially copyable; an uninitialised Vec holds anything. */
template <class T>
struct Vec {
  using Lane = T;
  using Native = typename Registers<T>::Native;
  using Bits = typename Registers<T>::Bits;
  using Unaligned = typename Registers<T>::Unaligned;
  static constexpr int width = kVectorBytes / static_cast<int>(sizeof(T));

  Native v;

  Vec() = default;
  FLOW_INLINE Vec(Native n) : v(n) {}
  FLOW_INLINE Vec(T s) : v(broadcast(s)) {}
  static FLOW_INLINE Native broadcast(T s) {
    if constexpr (width == 2) {
      return Native{s, s};
    } else if constexpr (width == 4) {
      return Native{s, s, s, s};
    } else if constexpr (width == 8) {
      return Native{s, s, s, s, s, s, s, s};
    } else {
      return Native{s, s, s, s, s, s, s, s, s, s, s, s, s, s, s, s};
    }
  }
};

// ---- traits -------------------------------------------------------------------------------------------

template <class V>
struct Traits;
template <class T>
struct Traits<Vec<T>> {
  using Lane = T;
  using Bits = typename Vec<T>::Bits;
  using M = Mask<T>;
  static constexpr int width = Vec<T>::width;
};
template <>
struct Traits<float> {
  using Lane = float;
  using Bits = int32_t;
  using M = bool;
  static constexpr int width = 1;
};
template <>
struct Traits<double> {
  using Lane = double;
  using Bits = int64_t;
  using M = bool;
  static constexpr int width = 1;
};

template <class V>
using lane_t = typename Traits<V>::Lane;
/** int32/int64 lanes as wide as V's: + - & | ^ << >> work on it as they do on an integer. */
template <class V>
using bits_t = typename Traits<V>::Bits;
template <class V>
using mask_t = typename Traits<V>::M;
template <class V>
inline constexpr int width_of = Traits<V>::width;

// ---- loads and stores (no alignment needed) -----------------------------------------------------------

template <class V>
FLOW_INLINE V load(const lane_t<V>* p) {
  if constexpr (width_of<V> == 1) {
    return *p;
  } else {
    return V(static_cast<typename V::Native>(*reinterpret_cast<const typename V::Unaligned*>(p)));
  }
}

FLOW_INLINE void store(float* p, float x) { *p = x; }
FLOW_INLINE void store(double* p, double x) { *p = x; }
template <class T>
FLOW_INLINE void store(T* p, Vec<T> x) {
  *reinterpret_cast<typename Vec<T>::Unaligned*>(p) = x.v;
}

/** The first n lanes (0 ≤ n ≤ width) from p, zeros above; nothing behind p + n is read. */
template <class V>
FLOW_INLINE V load_partial(const lane_t<V>* p, int n) {
  using T = lane_t<V>;
  if constexpr (width_of<V> == 1) {
    return n > 0 ? *p : T(0);
  } else {
#if defined(__AVX512F__)
    if constexpr (sizeof(T) == 4) {
      return V(_mm512_maskz_loadu_ps(static_cast<__mmask16>((1u << n) - 1), p));
    } else {
      return V(_mm512_maskz_loadu_pd(static_cast<__mmask8>((1u << n) - 1), p));
    }
#elif defined(__AVX2__)
    if constexpr (sizeof(T) == 4) {
      const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
      return V(_mm256_maskload_ps(p, _mm256_cmpgt_epi32(_mm256_set1_epi32(n), lane)));
    } else {
      const __m256i lane = _mm256_setr_epi64x(0, 1, 2, 3);
      return V(_mm256_maskload_pd(p, _mm256_cmpgt_epi64(_mm256_set1_epi64x(n), lane)));
    }
#else
    T buffer[width_of<V>] = {};
    for (int i = 0; i < n; ++i) buffer[i] = p[i];
    return load<V>(buffer);
#endif
  }
}

template <class T>
FLOW_INLINE void store_partial(T* p, T x, int n) {
  if (n > 0) *p = x;
}
/** The first n lanes (0 ≤ n ≤ width) to p; nothing behind p + n is written. */
template <class T>
FLOW_INLINE void store_partial(T* p, Vec<T> x, int n) {
#if defined(__AVX512F__)
  if constexpr (sizeof(T) == 4) {
    _mm512_mask_storeu_ps(p, static_cast<__mmask16>((1u << n) - 1), x.v);
  } else {
    _mm512_mask_storeu_pd(p, static_cast<__mmask8>((1u << n) - 1), x.v);
  }
#elif defined(__AVX2__)
  if constexpr (sizeof(T) == 4) {
    const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    _mm256_maskstore_ps(p, _mm256_cmpgt_epi32(_mm256_set1_epi32(n), lane), x.v);
  } else {
    const __m256i lane = _mm256_setr_epi64x(0, 1, 2, 3);
    _mm256_maskstore_pd(p, _mm256_cmpgt_epi64(_mm256_set1_epi64x(n), lane), x.v);
  }
#else
  T buffer[Vec<T>::width];
  store(buffer, x);
  for (int i = 0; i < n; ++i) p[i] = buffer[i];
#endif
}

}  // namespace flow::FLOW_ISA
