// The rows of a layer's weight, and what they are multiplied by: see native/ops/scale_weights.h.
#pragma once
#include "reference/tensor_list.h"

namespace flow::reference {

// Of in[0 … 3] = weight [O, I], bias [O], log_scale [O], gain [O] (all but the weight may be absent).
struct ScaledLayer {
  const Operand *weight, *bias, *log_scale, *gain;
  double factor;

  bool fits() const {
    const auto vector = [&](const Operand& o) { return o.absent() || is_vector(o, weight->rows, weight->dtype); };
    return is_float(*weight) && vector(*bias) && vector(*log_scale) && vector(*gain);
  }
  // exp(factor·log_scale), or 1.
  template <class T>
  double outer(int64_t o) const {
    return log_scale->absent() ? 1 : std::exp(factor * static_cast<double>(Vector<T>(*log_scale)(o)));
  }
  template <class T>
  double norm(int64_t o) const {
    double squares = 0;
    for (int64_t i = 0; i < weight->cols; ++i) {
      const double v = static_cast<double>(Matrix<T>(*weight)(o, i));
      squares += v * v;
    }
    return std::sqrt(squares);
  }
  // gain/‖v‖, or 1.
  template <class T>
  double inner(int64_t o) const {
    return gain->absent() ? 1 : static_cast<double>(Vector<T>(*gain)(o)) / norm<T>(o);
  }
};

}  // namespace flow::reference
