// Numbers of several elements side by side: number k of all of them stands at p + k·step, a register (or, on a GPU, the one
// of this thread) at a time. The includer brings load<V> and store.
#pragma once

#include "math/formula.h"

namespace flow::FLOW_ISA {

template <class T>
inline constexpr T layout_infinity = T(__builtin_huge_val());

template <class V>
struct Rows {
  lane_t<V>* p;
  int64_t step;

  FLOW_FORMULA V operator[](int64_t k) const { return load<V>(p + k * step); }
  FLOW_FORMULA void set(int64_t k, V value) const { store(p + k * step, value); }
  FLOW_FORMULA Rows from(int64_t k) const { return {p + k * step, step}; }
};

}  // namespace flow::FLOW_ISA
