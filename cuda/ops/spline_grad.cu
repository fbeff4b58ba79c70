// spline_grad: backward of spline, either direction, by its output and logDet together; see math/spline.h. in: x [N, D] (the input of the
// map, the output of its inverse), params, dL_dout or absent, dL_dlogDet [N] float64 or absent; out: dL_din, dL_dparams [N, D·P], a row a
// sample. attributes: those of spline.
//
// Floor: x, dL_dout, params in, dL_din, dL_dparams out. A thread an element, as in spline.
#include "cuda/ops/spline.h"

namespace flow::cuda {
namespace {

template <class T>
struct Elements {
  Matrix<const T> in, params, d_out;
  Vector<const double> d_log_det;
  Matrix<T> d_in, d_params;
  int64_t count, features;
  bool one_row;
};

template <class T>
struct GradientNumbers {
  T* p;
  __device__ __forceinline__ T get(int64_t i) const { return p[i]; }
  __device__ __forceinline__ void set(int64_t i, T x) const { p[i] = x; }
};

template <SplineKind kind, bool inverse, class T>
__global__ void __launch_bounds__(block_threads, 1) send_elements(SplineShape s, Elements<T> e, T* memory) {
  const SplineRows<KnotRows<T>> rows = spline_rows(memory, s.bins);
  for (int64_t i = thread_index(); i < e.count; i += thread_count()) {
    const int64_t row = i / e.features, feature = i - row * e.features, first = feature * s.count(kind);
    const GivenNumbers<T> p{e.params.at(e.one_row ? 0 : row, first)};
    const T d = e.d_out.p ? *e.d_out.at(row, feature) : T(0);
    const T d_log = e.d_log_det.p ? static_cast<T>(*e.d_log_det.at(row)) : T(0);
    spline_knots<kind, T>(s, p, rows);
    *e.d_in.at(row, feature) = spline_backward<kind, inverse, T>(s, p, rows, *e.in.at(row, feature), d, d_log,
                                                                 GradientNumbers<T>{e.d_params.at(row, first)});
  }
}

bool spline_grad(const Call& call) {
  const Operand &in = call.in[0], &params = call.in[1], &d_out = call.in[2], &d_log_det = call.in[3];
  return with_spline(call, 0, [&](auto tag, const SplineShape& shape) {
    constexpr SplineKind kind = decltype(tag)::value;
    if (!check_spline_grad(call, shape.count(kind))) return false;
    return with_float(call, in, "x", [&](auto zero) {
      using T = decltype(zero);
      const Elements<T> e{matrix<const T>(in),      matrix<const T>(params),    matrix<const T>(d_out), vector<const double>(d_log_det),
                          matrix<T>(call.out[0]), matrix<T>(call.out[1]), in.rows * in.cols,      in.cols,
                          params.rows == 1};
      if (e.count == 0) return true;
      const unsigned blocks = spline_blocks<T>(e.count, shape.bins);
      const int64_t threads = static_cast<int64_t>(blocks) * block_threads;
      T* memory = static_cast<T*>(workspace(static_cast<size_t>(spline_arrays * (shape.bins + 1) * threads) * sizeof(T)));
      if (!memory) return call.fail("the GPU has no memory for the knots of %lld elements", ll(threads));
      if (call.attr[8] != 0)
        FLOW_LAUNCH((send_elements<kind, true, T>), blocks, block_threads, 0, shape, e, memory);
      else
        FLOW_LAUNCH((send_elements<kind, false, T>), blocks, block_threads, 0, shape, e, memory);
      return launched(call);
    });
  });
}

}  // namespace

FLOW_DEFINE_OP(spline_grad) = {"spline_grad", spline_grad, 4, 4, 2, 9};

}  // namespace flow::cuda
