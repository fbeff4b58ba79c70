// Ops on all tensors of a model in one instruction: the elements of a list of operands, cut into chunks of about
// chunk_elements by the sizes only, so that results do not depend on the number of threads.
#pragma once
#include "ops/kernel.h"
#include "ops/lanes.h"
#include "simd/shuffle.h"

namespace flow::FLOW_ISA {

inline constexpr int64_t chunk_elements = 16384;

// The chunks of `n` operands of equal shapes in every list that is walked along. Scratch slot 4.
class TensorList {
 public:
  // extents: null, or for each operand an int32 operand (or an absent one): row r then has extents[r] elements, and
  // those behind it are left alone.
  // others: further lists that are walked along with this one; where one of their operands has gaps between its rows, the
  // chunks are made of rows.
  template <class... Lists>
  TensorList(const Operand* operands, int n, const Operand* extents, Lists... others)
      : operands_(operands), extents_(extents), others_{others...}, others_count_(sizeof...(others)), n_(n) {
    first_ = static_cast<int64_t*>(scratch(static_cast<size_t>(n + 1) * sizeof(int64_t), 4));
    first_[0] = 0;
    for (int i = 0; i < n; ++i) {
      const Operand& o = operands[i];
      const int64_t units = flat(i) ? o.count() : o.rows;
      first_[i + 1] = first_[i] + ceil_div(units, step(i));
    }
  }

  int64_t tasks() const { return first_[n_]; }

  // body(task, tensor, row, col, count) for each run of elements of the task; offsets are row·ld + col.
  template <class F>
  void run_task(int64_t task, const F& body) const {
    int low = 0, high = n_;
    while (high - low > 1) {
      int middle = (low + high) / 2;
      (first_[middle] <= task ? low : high) = middle;
    }
    const Operand& o = operands_[low];
    const int64_t from = (task - first_[low]) * step(low);
    if (flat(low)) {
      body(task, low, int64_t{0}, from, min_of(step(low), o.count() - from));
      return;
    }
    const int32_t* extent = extents_ && !extents_[low].absent() ? extents_[low].as<int32_t>() : nullptr;
    for (int64_t r = from, end = min_of(o.rows, from + step(low)); r < end; ++r)
      body(task, low, r, int64_t{0}, extent ? min_of(extent[r], o.cols) : o.cols);
  }

  template <class F>
  void run(const F& body) const {
    parallel(tasks(), [&](int64_t task) { run_task(task, body); });
  }

 private:
  bool flat(int i) const {
    if (!operands_[i].contiguous() || (extents_ && !extents_[i].absent())) return false;
    for (int k = 0; k < others_count_; ++k)
      if (!others_[k][i].absent() && !others_[k][i].contiguous()) return false;
    return true;
  }
  int64_t step(int i) const {
    return flat(i) ? chunk_elements : max_of(1, chunk_elements / max_of(1, operands_[i].cols));
  }

  const Operand* operands_;
  const Operand* extents_;
  const Operand* others_[3];
  int others_count_;
  int64_t* first_;
  int n_;
};

// Every operand of a list is like the first list's: same rows, columns and dtype.
inline bool check_list(const Call& call, const char* what, const Operand* list, const Operand* like, int n,
                       bool optional = false) {
  for (int i = 0; i < n; ++i) {
    if (optional && list[i].absent()) continue;
    FLOW_CHECK(call, list[i].dtype == like[i].dtype, "%s[%d]: expected %s, got %s", what, i, name_of(like[i].dtype),
               name_of(list[i].dtype));
    FLOW_CHECK(call, same_shape(list[i], like[i]), "%s[%d]: expected %lld × %lld, got %lld × %lld", what, i,
               static_cast<long long>(like[i].rows), static_cast<long long>(like[i].cols),
               static_cast<long long>(list[i].rows), static_cast<long long>(list[i].cols));
  }
  return true;
}

inline bool check_float_list(const Call& call, const char* what, const Operand* list, int n) {
  for (int i = 0; i < n; ++i)
    FLOW_CHECK(call, list[i].dtype == DType::f32 || list[i].dtype == DType::f64,
               "%s[%d]: expected float32 or float64, got %s", what, i, name_of(list[i].dtype));
  return true;
}

inline bool check_extent_list(const Call& call, const Operand* extents, const Operand* like, int n) {
  for (int i = 0; i < n; ++i) {
    if (extents[i].absent()) continue;
    FLOW_CHECK(call, extents[i].dtype == DType::i32 && extents[i].rows <= 1 && extents[i].count() == like[i].rows,
               "extents[%d]: expected int32 of shape [%lld], got %s %lld × %lld", i,
               static_cast<long long>(like[i].rows), name_of(extents[i].dtype),
               static_cast<long long>(extents[i].rows), static_cast<long long>(extents[i].cols));
    const int32_t* extent = extents[i].as<int32_t>();
    for (int64_t r = 0; r < like[i].rows; ++r)
      FLOW_CHECK(call, extent[r] >= 0, "extents[%d][%lld]: expected 0 or more, got %d", i, static_cast<long long>(r),
                 extent[r]);
  }
  return true;
}

// A float64 vector of hyper-parameters, read (and for counters written) by the op.
inline bool check_state(const Call& call, const Operand& state, int64_t count) {
  FLOW_CHECK(call, state.dtype == DType::f64 && state.rows == 1 && state.cols == count,
             "state: expected float64 of shape [%lld], got %s %lld × %lld", static_cast<long long>(count),
             name_of(state.dtype), static_cast<long long>(state.rows), static_cast<long long>(state.cols));
  return true;
}

inline bool check_scalar(const Call& call, const Operand& scalar, const char* what) {
  FLOW_CHECK(call, scalar.dtype == DType::f64 && scalar.count() == 1, "%s: expected one float64, got %s %lld × %lld",
             what, name_of(scalar.dtype), static_cast<long long>(scalar.rows), static_cast<long long>(scalar.cols));
  return true;
}

// The place of a tensor that is not finite, as check_finite tells it: where there is one, nothing is to be changed.
inline bool check_skip(const Call& call, const Operand& skip) {
  FLOW_CHECK(call, skip.absent() || (skip.dtype == DType::i32 && skip.count() == 1),
             "skip: expected one int32, got %s %lld × %lld", name_of(skip.dtype), static_cast<long long>(skip.rows),
             static_cast<long long>(skip.cols));
  return true;
}
inline bool skips(const Operand& skip) { return !skip.absent() && *skip.as<int32_t>() >= 0; }

// min(1, max_norm/(norm + 1e-6)), as torch.nn.utils.clip_grad_norm_; a NaN stays.
inline double clip_factor(double norm, double max_norm) {
  const double factor = max_norm / (norm + 1e-6);
  return factor > 1 ? 1 : factor;
}

}  // namespace flow::FLOW_ISA
