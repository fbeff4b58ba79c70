// channel_affine: y = x·exp(log_scale) + shift by channel (column), or back: x = (y − shift)·exp(−log_scale); and the
// log-determinant of each sample, ±positions·Σ log_scale. Inputs: x [N·positions, C]; log_scale, shift [C], float32 or
// float64. Outputs: y; log_det [N] (float64). Attributes: inverse (0 or 1), positions.
#include "ops/channel_affine.h"
#include "simd/math.h"

namespace flow::FLOW_ISA {
namespace {

template <class T>
void run_type(const Call& call) {
  const Operand &x = call.in[0], &log_scale = call.in[1], &shift = call.in[2], &y = call.out[0], &log_det = call.out[1];
  const bool inverse = call.attr[0] == 1;
  const int64_t joined = x.contiguous() && y.contiguous() ? joined_rows(x.rows, x.cols) : 1;
  const int64_t cols = x.cols * joined, rows = x.rows / joined;
  T* line = static_cast<T*>(scratch(static_cast<size_t>(2 * cols + 1) * sizeof(T), 4));
  T *factors = line, *terms = line + cols;
  double total = 0;
  for (int64_t c = 0; c < x.cols; ++c) {
    const double s = number_at(log_scale, c), b = number_at(shift, c);
    total += s;
    for (int64_t k = 0; k < joined; ++k) {
      factors[k * x.cols + c] = static_cast<T>(exp(inverse ? -s : s));
      terms[k * x.cols + c] = static_cast<T>(b);
    }
  }
  total *= call.attr[1];
  double* each = log_det.as<double>();
  for (int64_t n = 0; n < log_det.count(); ++n) each[n] = inverse ? -total : total;
  using V = Vec<T>;
  using Row = RowOf<T, false>;
  const int64_t step_x = joined == 1 ? x.ld : cols, step_y = joined == 1 ? y.ld : cols;
  parallel_rows(rows, cols * 2 * int64_t{sizeof(T)}, [&](int64_t first, int64_t last) {
    for (int64_t r = first; r < last; ++r) {
      T* target = y.as<T>() + r * step_y;
      Row row{x.as<T>() + r * step_x};
      if (inverse)
        map_row(target, cols, [](V v, V a, V b) FLOW_INLINE_LAMBDA { return (v - b) * a; }, row, Row{factors}, Row{terms});
      else
        map_row(target, cols, [](V v, V a, V b) FLOW_INLINE_LAMBDA { return fma(v, a, b); }, row, Row{factors}, Row{terms});
    }
  });
}

bool channel_affine(const Call& call) {
  if (!check_channel_affine(call)) return false;
  return with_float(call, call.in[0], "x", [&](auto zero) {
    run_type<decltype(zero)>(call);
    return true;
  });
}

}  // namespace

FLOW_DEFINE_OP(channel_affine) = {"channel_affine", channel_affine, 3, 3, 2, 2};

}  // namespace flow::FLOW_ISA
