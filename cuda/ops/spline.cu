// spline: a monotone spline of each element; see math/spline.h. in: x [N, D] (inverse: y), params [N, D·P] or one row; out: y
// (inverse: x), logDet [N] float64. attributes: kind, tails, bins, left, right, least width, height and slope, inverse.
//
// Floor: x, params and y once, and some exp a number. A thread an element; its knots stand in a workspace in which neighbours lie side by
// side (about five times the bytes of params, most of them met in the caches), its log-slope too: a warp a row sums them in a second launch.
#include "cuda/ops/spline.h"

namespace flow::cuda {
namespace {

template <class T>
struct Elements {
  Matrix<const T> in, params;
  Matrix<T> out;
  int64_t count, features;
  bool one_row;
};

template <SplineKind kind, bool inverse, class T>
__global__ void __launch_bounds__(block_threads, 1) map_elements(SplineShape s, Elements<T> e, T* logs, T* memory) {
  const SplineRows<KnotRows<T>> rows = spline_rows(memory, s.bins);
  for (int64_t i = thread_index(); i < e.count; i += thread_count()) {
    const int64_t row = i / e.features, feature = i - row * e.features;
    const GivenNumbers<T> p{e.params.at(e.one_row ? 0 : row, feature * s.count(kind))};
    spline_knots<kind, T>(s, p, rows);
    T out, log_slope;
    spline_element<kind, inverse, T>(s, rows, *e.in.at(row, feature), out, log_slope);
    *e.out.at(row, feature) = out;
    logs[i] = log_slope;
  }
}

bool spline(const Call& call) {
  const Operand &in = call.in[0], &params = call.in[1], &out = call.out[0], &log_det = call.out[1];
  return with_spline(call, 0, [&](auto tag, const SplineShape& shape) {
    constexpr SplineKind kind = decltype(tag)::value;
    if (!check_spline(call, shape.count(kind))) return false;
    return with_float(call, in, "x", [&](auto zero) {
      using T = decltype(zero);
      const Elements<T> e{matrix<const T>(in), matrix<const T>(params), matrix<T>(out), in.rows * in.cols, in.cols, params.rows == 1};
      if (in.rows == 0) return true;
      const unsigned blocks = spline_blocks<T>(e.count, shape.bins);
      const int64_t threads = static_cast<int64_t>(blocks) * block_threads;
      T* memory = static_cast<T*>(
          workspace(static_cast<size_t>(e.count + spline_arrays * (shape.bins + 1) * threads) * sizeof(T)));
      if (!memory) return call.fail("the GPU has no memory for the knots of %lld elements", ll(threads));
      T* knots = memory + e.count;
      if (call.attr[8] != 0)
        FLOW_LAUNCH((map_elements<kind, true, T>), blocks, block_threads, 0, shape, e, memory, knots);
      else
        FLOW_LAUNCH((map_elements<kind, false, T>), blocks, block_threads, 0, shape, e, memory, knots);
      FLOW_LAUNCH((sum_rows<T>), static_cast<unsigned>(ceil_div(in.rows * warp_threads, block_threads)), block_threads, 0,
                  static_cast<const T*>(memory), in.rows, in.cols, vector<double>(log_det));
      return launched(call);
    });
  });
}

}  // namespace

FLOW_DEFINE_OP(spline) = {"spline", spline, 2, 2, 2, 9};

}  // namespace flow::cuda
