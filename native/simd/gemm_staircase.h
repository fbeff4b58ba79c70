// Where a product under a staircase has anything to do: the k of a panel of B, the columns of a tile of C, the zeros around them.
#pragma once

#include "gemm_pack.h"

namespace flow::FLOW_ISA {

struct Range {
  int64_t begin, end;
};

/** The smallest and the largest of `count` ≥ 1 extents. */
FLOW_INLINE Range extents_of(const int32_t* extent, int count) {
  int32_t least = extent[0], most = extent[0];
  for (int i = 1; i < count; ++i) {
    least = extent[i] < least ? extent[i] : least;
    most = extent[i] > most ? extent[i] : most;
  }
  return {least, most};
}

// Extents are looked through again for each panel: so many at a time are a register's work.
inline constexpr int kExtentsAtOnce = 16;

/** The first of begin … end whose extent is above `limit`, or end. */
FLOW_INLINE int64_t first_above(const int32_t* extent, int64_t begin, int64_t end, int64_t limit) {
  constexpr int step = kExtentsAtOnce;
  while (begin + step <= end && extents_of(extent + begin, step).end <= limit) begin += step;
  while (begin < end && extent[begin] <= limit) ++begin;
  return begin;
}

/** Where the last run of extents above `limit` begins, of begin … end. */
FLOW_INLINE int64_t all_above_from(const int32_t* extent, int64_t begin, int64_t end, int64_t limit) {
  constexpr int step = kExtentsAtOnce;
  while (end - step >= begin && extents_of(extent + end - step, step).begin > limit) end -= step;
  while (end > begin && extent[end - 1] > limit) --end;
  return end;
}

/** The k of 0 … depth for which the columns n0 … n0 + columns of B hold anything. */
template <class T>
Range depth_range(const PackSource<T>& b, int64_t depth, int64_t n0, int columns) {
  if (b.mask == MaskKind::columns) return {0, extents_of(b.extent + n0, columns).end};
  if (b.mask == MaskKind::depth) {
    const int64_t begin = first_above(b.extent, 0, depth, n0);
    int64_t end = depth;
    while (end > begin && b.extent[end - 1] <= n0) --end;
    return {begin, end};
  }
  return {0, depth};
}

/** Where the two registers of a panel begin and end to hold anything: a staircase has finer steps than a panel is wide. */
struct Ragged {
  Range first, last;

  int64_t first_only(int64_t k0, int64_t k1) const { return clamp_to(last.begin - k0, 0, k1 - k0); }
  int64_t last_only(int64_t k0, int64_t k1) const {
    return clamp_to(k1 - first.end, 0, k1 - k0 - first_only(k0, k1));
  }
};

/** Of a panel that holds something for the k of `all`. */
template <class T>
Ragged ragged_of(const PackSource<T>& b, int64_t n0, int columns, const Range& all) {
  constexpr int w = Vec<T>::width;
  if (columns > w && b.mask == MaskKind::columns)
    return {depth_range(b, all.end, n0, w), depth_range(b, all.end, n0 + w, columns - w)};
  Ragged ragged = {all, all};
  if (columns > w && b.mask == MaskKind::depth) ragged.last.begin = first_above(b.extent, all.begin, all.end, n0 + w);
  return ragged;
}

/** The k of `all` from which on no entry of the panel is masked out: these need not be packed. */
template <class T>
int64_t whole_from(const PackSource<T>& b, int64_t n0, int columns, const Range& all) {
  if (b.mask == MaskKind::columns) return all.end;
  if (b.mask == MaskKind::depth) return all_above_from(b.extent, all.begin, all.end, n0 + columns - 1);
  return all.begin;
}

template <class T>
Terms<T> terms_of(const T* b, int64_t stride, int64_t k0, int64_t k1, const Ragged& ragged) {
  const int64_t first_only = ragged.first_only(k0, k1), last_only = ragged.last_only(k0, k1);
  return {b, stride, first_only, k1 - k0 - first_only - last_only, last_only};
}

/** Zeros. What holds them already, as the gradient of the step before does, is only read: that takes half the time. */
template <class T>
FLOW_INLINE void zero(T* p, int64_t n) {
  using V = Vec<T>;
  constexpr int w = V::width;
  int64_t done = 0;
  for (; done + 4 * w <= n; done += 4 * w) {
    const T* at = p + done;
    const auto half = to_bits(load<V>(at)) | to_bits(load<V>(at + w));
    const auto bits = half | to_bits(load<V>(at + 2 * w)) | to_bits(load<V>(at + 3 * w));
    if (any_bit<V>(bits)) break;
  }
  __builtin_memset(p + done, 0, static_cast<size_t>(n - done) * sizeof(T));
}

/** Zeros in a tile of C, columns n0 … n0 + columns, where its rows' extents end. */
template <class T>
void zero_ragged(const int32_t* extent, int rows, int64_t n0, int columns, T* c, int64_t ldc) {
  using V = Vec<T>;
  for (int r = 0; r < rows; ++r) {
    for (int64_t n = clamp_to(extent[r] - n0, 0, columns); n < columns; n += V::width)
      store_partial(c + r * ldc + n, V(T(0)), static_cast<int>(clamp_to(columns - n, 0, V::width)));
  }
}

}  // namespace flow::FLOW_ISA
