// reduce_grad: dL_dx of the kinds max and logsumexp of `reduce`. Inputs: x, y, dL_dy. Attributes: kind (2 max,
// 3 logsumexp), axis. The gradient of a maximum goes to the first element that has it.
//
// Floor: logsumexp x and dL_dx, once. max x once and dL_dx once: a first pass finds the elements that equal y, and keeps the first of
// them by an integer atomic minimum, whose result does not depend on the order.
#include "cuda/core/columns.h"
#include "cuda/core/scalar.h"

namespace flow::cuda {
namespace {

/** The elements of y and dL_dy that (row, col) of x belongs to. */
struct Results {
  const float* of_float;
  const double* of_double;
  int64_t row, col;  // steps

  Results(const Operand& v, int64_t axis)
      : of_float(v.dtype == DType::f32 ? v.as<const float>() : nullptr),
        of_double(v.dtype == DType::f64 ? v.as<const double>() : nullptr), row(axis == 1), col(axis == 0) {}
  __device__ __forceinline__ int64_t index(int64_t r, int64_t c) const { return r * row + c * col; }
  template <class T>
  __device__ __forceinline__ T at(int64_t i) const {
    return of_float ? static_cast<T>(of_float[i]) : static_cast<T>(of_double[i]);
  }
};

template <class T>
struct LogSumExpGradient {
  Matrix<const T> x;
  Results y, d;
  Matrix<T> dL_dx;

  __device__ __forceinline__ Nothing column(int64_t) const { return {}; }
  __device__ __forceinline__ void operator()(Nothing, int64_t r, int64_t c) const {
    const int64_t i = y.index(r, c);
    *dL_dx.at(r, c) = exp(*x.at(r, c) - y.at<T>(i)) * d.at<T>(i);
  }
};

using Position = unsigned long long;

template <class T>
struct FindMax {
  Matrix<const T> x;
  Results y;
  Position* first;  // of each result
  int64_t cols;

  __device__ __forceinline__ Nothing column(int64_t) const { return {}; }
  __device__ __forceinline__ void operator()(Nothing, int64_t r, int64_t c) const {
    const int64_t i = y.index(r, c);
    const T value = *x.at(r, c), most = y.at<T>(i);
    if (value == most || (value != value && most != most)) atomicMin(first + i, static_cast<Position>(r * cols + c));
  }
};

template <class T>
struct MaxGradient {
  Results d;
  const Position* first;
  int64_t cols;
  Matrix<T> dL_dx;

  __device__ __forceinline__ Nothing column(int64_t) const { return {}; }
  __device__ __forceinline__ void operator()(Nothing, int64_t r, int64_t c) const {
    const int64_t i = d.index(r, c);
    *dL_dx.at(r, c) = first[i] == static_cast<Position>(r * cols + c) ? d.at<T>(i) : T(0);
  }
};

template <class T>
bool run_type(const Call& call, int64_t kind, int64_t axis, int64_t results) {
  const Operand &x = call.in[0], &dL_dx = call.out[0];
  const Results y(call.in[1], axis), d(call.in[2], axis);
  if (x.count() == 0) return true;
  if (kind == 3)
    return walk_columns(call, x.rows, x.cols, LogSumExpGradient<T>{matrix<const T>(x), y, d, matrix<T>(dL_dx)});
  const size_t bytes = static_cast<size_t>(results) * sizeof(Position);
  Position* first = static_cast<Position*>(workspace(bytes));
  if (!first) return call.fail("the GPU has no memory for the positions of %lld results", ll(results));
  cudaMemsetAsync(first, 0xff, bytes, current_stream());
  return walk_columns(call, x.rows, x.cols, FindMax<T>{matrix<const T>(x), y, first, x.cols}) &&
         walk_columns(call, x.rows, x.cols, MaxGradient<T>{d, first, x.cols, matrix<T>(dL_dx)});
}

bool reduce_grad(const Call& call) {
  const Operand &x = call.in[0], &dL_dx = call.out[0];
  FLOW_CHECK_SAME_SHAPE(call, x, dL_dx, "x");
  FLOW_CHECK_SAME_DTYPE(call, x, dL_dx, "x");
  const int64_t kind = call.int_attr(0), axis = call.int_attr(1);
  FLOW_CHECK(call, (kind == 2 || kind == 3) && axis >= 0 && axis <= 2, "kind, axis: got %lld, %lld", ll(kind), ll(axis));
  const int64_t wanted = axis == 0 ? x.cols : axis == 1 ? x.rows : 1;
  for (int i = 1; i < 3; ++i) {
    const Operand& in = call.in[i];
    FLOW_CHECK(call, in.count() == wanted && in.contiguous(), "input %d: expected %lld values side by side, got %lld × %lld",
               i, ll(wanted), ll(in.rows), ll(in.cols));
    FLOW_CHECK(call, in.dtype == DType::f32 || in.dtype == DType::f64, "input %d: expected a float type, got %s", i,
               name_of(in.dtype));
  }
  return with_float(call, x, "x", [&](auto zero) { return run_type<decltype(zero)>(call, kind, axis, wanted); });
}

}  // namespace

FLOW_DEFINE_OP(reduce_grad) = {"reduce_grad", reduce_grad, 3, 3, 1, 2};

}  // namespace flow::cuda
