// Whole and partial registers of a row: `live` lanes of it count.
#pragma once
#include "simd/vec.h"

namespace flow::FLOW_ISA {

// body(vector index i, live lanes) over `count` elements.
template <class V, class F>
FLOW_INLINE void for_lanes(int64_t count, const F& body) {
  int64_t i = 0;
  for (; i + V::width <= count; i += V::width) body(i, V::width);
  if (i < count) body(i, static_cast<int>(count - i));
}
template <class T>
FLOW_INLINE Vec<T> load_live(const T* p, int live) {
  return live == Vec<T>::width ? load<Vec<T>>(p) : load_partial<Vec<T>>(p, live);
}
template <class T>
FLOW_INLINE void store_live(T* p, Vec<T> x, int live) {
  if (live == Vec<T>::width)
    store(p, x);
  else
    store_partial(p, x, live);
}
// The first `live` lanes of x, zeros in the others.
template <class T>
FLOW_INLINE Vec<T> first_lanes(Vec<T> x, int live) {
  T lanes[Vec<T>::width];
  store(lanes, x);
  return load_partial<Vec<T>>(lanes, live);
}

}  // namespace flow::FLOW_ISA
