// What the linear ops share: an affine map of rows, its mask and its activation.
#pragma once
#include "ops/kernel.h"
#include "simd/gemm.h"

namespace flow::FLOW_ISA {

// Extents of a weight [units, inputs]: int32, one a unit, each between 0 and inputs.
inline bool check_extents(const Call& call, const Operand& extents, int64_t units, int64_t inputs) {
  FLOW_CHECK(call, extents.dtype == DType::i32, "extents: expected int32, got %s", name_of(extents.dtype));
  FLOW_CHECK(call, extents.count() == units && extents.rows <= 1, "extents: expected shape [%lld], got %lld × %lld",
             ll(units), ll(extents.rows), ll(extents.cols));
  const int32_t* extent = extents.as<int32_t>();
  for (int64_t o = 0; o < units; ++o)
    FLOW_CHECK(call, extent[o] >= 0 && extent[o] <= inputs, "extents[%lld]: expected 0 to %lld inputs, got %d",
               ll(o), ll(inputs), extent[o]);
  return true;
}

// to = from, of the same shape.
template <class T>
inline void copy_rows(const Operand& from, const Operand& to) {
  const T* source = from.as<T>();
  T* out = to.as<T>();
  parallel_rows(from.rows, from.cols * int64_t{2 * sizeof(T)}, [&](int64_t first, int64_t last) {
    for (int64_t r = first; r < last; ++r)
      __builtin_memcpy(out + r * to.ld, source + r * from.ld, static_cast<size_t>(from.cols) * sizeof(T));
  });
}

// y [rows, units] = act(x [rows, inputs] · Wᵀ + bias + addend); `extents` is null for a dense weight.
inline bool run_linear(const Call& call, const Operand& x, const Operand& weight, const Operand& bias,
                       const Operand& addend, const Operand* extents, const Operand& y) {
  Activation act = Activation::none;
  double param = 0;
  if (!read_activation(call, 0, act, param)) return false;
  const int64_t rows = x.rows, units = weight.rows, inputs = weight.cols;
  if (!check_shape(call, x, "x", rows, inputs, x.dtype) || !check_shape(call, weight, "weight", units, inputs, x.dtype) ||
      !check_shape(call, y, "y", rows, units, x.dtype))
    return false;
  if (!bias.absent() && !check_shape(call, bias, "bias", 1, units, x.dtype)) return false;
  if (!addend.absent() && !check_shape(call, addend, "addend", rows, units, x.dtype)) return false;
  if (extents && !check_extents(call, *extents, units, inputs)) return false;
  return with_float(call, x, "x", [&](auto zero) {
    using T = decltype(zero);
    Epilogue<T> epilogue;
    epilogue.bias = bias.as<T>();
    epilogue.act = act;
    epilogue.act_param = param;
    if (!addend.absent()) {
      copy_rows<T>(addend, y);
      epilogue.accumulate = true;
    }
    if (extents)
      masked_forward<T>(rows, units, inputs, x.as<T>(), x.ld, weight.as<T>(), weight.ld,
                        {extents->as<int32_t>(), units}, y.as<T>(), y.ld, epilogue);
    else
      gemm<T>(Trans::no, Trans::yes, rows, units, inputs, x.as<T>(), x.ld, weight.as<T>(), weight.ld, y.as<T>(), y.ld,
              epilogue);
    return true;
  });
}

}  // namespace flow::FLOW_ISA
