// Ops on all tensors of a model in one instruction: the elements of a list of operands, cut into chunks of about
// chunk_elements by the sizes only, so that results do not depend on the number of threads.
#pragma once
#include "ops/kernel.h"
#include "ops/lanes.h"
#include "ops/tensor_list_operands.h"
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

  // body(T{}, tensor, count, at) in the type of each tensor; at(list) is where the run begins in the tensor's operand of that list.
  template <class F>
  void run_typed(const F& body) const {
    run([&](int64_t, int i, int64_t row, int64_t col, int64_t count) {
      const auto go = [&](auto zero) FLOW_INLINE_LAMBDA {
        using T = decltype(zero);
        body(zero, i, count, [&](const Operand* list) FLOW_INLINE_LAMBDA { return list[i].as<T>() + row * list[i].ld + col; });
      };
      if (operands_[i].dtype == DType::f32)
        go(float{});
      else
        go(double{});
    });
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

// Extents of 0 and more.
inline bool check_extent_values(const Call& call, const Operand* extents, int n) {
  for (int i = 0; i < n; ++i) {
    const int32_t* extent = extents[i].as<int32_t>();
    for (int64_t r = 0; extent && r < extents[i].count(); ++r)
      FLOW_CHECK(call, extent[r] >= 0, "extents[%d][%lld]: expected 0 or more, got %d", i, ll(r), extent[r]);
  }
  return true;
}

inline bool skips(const Operand& skip) { return !skip.absent() && *skip.as<int32_t>() >= 0; }

}  // namespace flow::FLOW_ISA
