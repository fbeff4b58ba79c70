// What spline and its gradient share: tiles of one register of elements.
#pragma once
#include "ops/elementwise.h"
#include "ops/lane_rows.h"
#include "simd/math.h"
// These come after the functions that they call.
#include "math/spline.h"
#include "ops/spline_operands.h"

namespace flow::FLOW_ISA {

// The arrays of a tile in `memory`; `rest` is what comes after them.
template <class T>
SplineRows<LaneRows<T>> spline_rows(T* memory, int64_t bins, T*& rest) {
  const int64_t step = (bins + 1) * Vec<T>::width;
  const auto part = [&](int64_t k) { return LaneRows<T>{memory + k * step}; };
  rest = memory + spline_arrays * step;
  return {part(0), part(1), part(2), part(3), part(4), part(5), part(6), part(7), part(8), part(9)};
}

// The elements of a matrix, row by row, in tiles of a register: element e is (e / cols, e % cols), `count` numbers each.
template <class T>
struct ElementTiles {
  const Operand& operand;
  int64_t features, count;

  FLOW_INLINE T* at(int64_t element) const {
    const int64_t row = element / features;
    return operand.as<T>() + (operand.rows == 1 ? 0 : row * operand.ld) + (element - row * features) * count;
  }
  bool packed() const { return operand.rows != 1 && operand.ld == features * count; }

  // [count][width]; zeros in the lanes beyond.
  void gather(int64_t first, int64_t live, T* to) const {
    constexpr int64_t w = Vec<T>::width;
    if (packed()) return transpose_block(operand.as<T>() + first * count, count, live, count, to, w, w);
    for (int64_t i = 0; i < w; ++i) {
      const T* from = i < live ? at(first + i) : nullptr;
      for (int64_t k = 0; k < count; ++k) to[k * w + i] = from ? from[k] : T(0);
    }
  }
  void scatter(const T* from, int64_t first, int64_t live) const {
    constexpr int64_t w = Vec<T>::width;
    if (packed()) return transpose_block(from, w, count, live, operand.as<T>() + first * count, count, count);
    for (int64_t i = 0; i < live; ++i) {
      T* to = at(first + i);
      for (int64_t k = 0; k < count; ++k) to[k] = from[k * w + i];
    }
  }
};

}  // namespace flow::FLOW_ISA
