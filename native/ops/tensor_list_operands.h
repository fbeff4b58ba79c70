// What the ops on all tensors of a model read of their lists, on either device.
#pragma once
#include "ops/operands.h"

namespace flow::FLOW_ISA {

/** Every operand of a list is like that of the other: same rows, columns and dtype. */
inline bool check_list(const Call& call, const char* what, const Operand* list, const Operand* like, int n, bool optional = false) {
  for (int i = 0; i < n; ++i) {
    if (optional && list[i].absent()) continue;
    FLOW_CHECK(call, list[i].dtype == like[i].dtype, "%s[%d]: expected %s, got %s", what, i, name_of(like[i].dtype),
               name_of(list[i].dtype));
    FLOW_CHECK(call, same_shape(list[i], like[i]), "%s[%d]: expected %lld × %lld, got %lld × %lld", what, i, ll(like[i].rows),
               ll(like[i].cols), ll(list[i].rows), ll(list[i].cols));
  }
  return true;
}

inline bool check_float_list(const Call& call, const char* what, const Operand* list, int n) {
  for (int i = 0; i < n; ++i)
    FLOW_CHECK(call, list[i].dtype == DType::f32 || list[i].dtype == DType::f64, "%s[%d]: expected float32 or float64, got %s", what,
               i, name_of(list[i].dtype));
  return true;
}

/** One int32 a row of each operand, or absent. */
inline bool check_extent_list(const Call& call, const Operand* extents, const Operand* like, int n) {
  for (int i = 0; i < n; ++i) {
    if (extents[i].absent()) continue;
    FLOW_CHECK(call, extents[i].dtype == DType::i32 && extents[i].rows <= 1 && extents[i].count() == like[i].rows,
               "extents[%d]: expected int32 of shape [%lld], got %s %lld × %lld", i, ll(like[i].rows), name_of(extents[i].dtype),
               ll(extents[i].rows), ll(extents[i].cols));
  }
  return true;
}

/** A float64 vector of hyper-parameters, read (and for counters written) by the op. */
inline bool check_state(const Call& call, const Operand& state, int64_t count) {
  FLOW_CHECK(call, state.dtype == DType::f64 && state.rows == 1 && state.cols == count,
             "state: expected float64 of shape [%lld], got %s %lld × %lld", ll(count), name_of(state.dtype), ll(state.rows),
             ll(state.cols));
  return true;
}

/** The place of a tensor that is not finite, as check_finite tells it: where there is one, nothing is to be changed. */
inline bool check_skip(const Call& call, const Operand& skip) {
  FLOW_CHECK(call, skip.absent() || (skip.dtype == DType::i32 && skip.count() == 1), "skip: expected one int32, got %s %lld × %lld",
             name_of(skip.dtype), ll(skip.rows), ll(skip.cols));
  return true;
}

}  // namespace flow::FLOW_ISA
