// Arrays of numbers of one register of samples or elements, side by side: [numbers][width].
#pragma once
#include "ops/incremental.h"
#include "ops/log_det.h"

namespace flow::FLOW_ISA {

template <class T>
struct LaneRows {
  T* p;
  FLOW_INLINE Vec<T> get(int64_t i) const { return load<Vec<T>>(p + i * Vec<T>::width); }
  FLOW_INLINE void set(int64_t i, Vec<T> x) const { store(p + i * Vec<T>::width, x); }
};
// Numbers that all lanes share.
template <class T>
struct SharedNumbers {
  const T* p;
  FLOW_INLINE Vec<T> get(int64_t i) const { return Vec<T>(p[i]); }
};

// Rows [first, first + live) of an operand as [cols][width], zeros in the lanes beyond.
template <class T>
FLOW_INLINE void gather_lanes(const Operand& from, int64_t first, int64_t live, T* to) {
  transpose_block(from.as<T>() + first * from.ld, from.ld, live, from.cols, to, Vec<T>::width, Vec<T>::width);
}
template <class T>
FLOW_INLINE void scatter_lanes(const T* from, const Operand& to, int64_t first, int64_t live) {
  transpose_block(from, Vec<T>::width, to.cols, live, to.as<T>() + first * to.ld, to.ld, to.cols);
}

}  // namespace flow::FLOW_ISA
