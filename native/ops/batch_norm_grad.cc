// batch_norm_grad: the gradients of batch_norm (math/batch_norm.h). Inputs: x; mean, variance (float64); log_gamma; dL_dy
// (or left out: zero); dL_dlogDet (float64, or left out: zero). Outputs, each may be left out: dL_dx, dL_dlogGamma,
// dL_dbeta. Attributes: eps, training (1: mean and variance are those of x and pass their gradient on; 0: constants).
#include "ops/batch_norm_operands.h"
#include "ops/reduce.h"
#include "simd/math.h"
#include "math/batch_norm.h"

namespace flow::FLOW_ISA {
namespace {

// S₁ and S₂ of a block of rows: to partial[0 … n) and partial[n … 2n).
template <class T>
void block_sums(const Operand& x, const Operand& dL_dy, const double* mean, const double* inverse, double* partial,
                int64_t first, int64_t last, int64_t from, int64_t n) {
  const T *row = x.as<T>() + first * x.ld + from, *gradient = dL_dy.as<T>() + first * dL_dy.ld + from;
  int64_t ld = x.ld, ld_gradient = dL_dy.ld;
  mean += from;
  inverse += from;
  fold_columns<2>(
      last - first, n, {partial, partial + n},
      [=](Vec<double>* total, int64_t r, int64_t c, auto lanes) FLOW_INLINE_LAMBDA {
        const Vec<double> d = load_double(gradient + r * ld_gradient + c, lanes);
        const Vec<double> h =
            (load_double(row + r * ld + c, lanes) - load_double(mean + c, lanes)) * load_double(inverse + c, lanes);
        total[0] += d;
        total[1] += d * h;
      });
}

template <class T>
void run_type(const Call& call) {
  const Operand &x = call.in[0], &dL_dy = call.in[4], &dL_dx = call.out[0];
  const double *mean = call.in[1].as<double>(), *variance = call.in[2].as<double>();
  const T* log_gamma = call.in[3].as<T>();
  double eps = call.attr[0], training = call.attr[1] != 0 ? 1 : 0;
  double d_log_det = call.in[5].absent() ? 0 : call.in[5].as<double>()[0];
  int64_t cols = x.cols, blocks = ceil_div(x.rows, rows_of_block(cols));
  double rows = static_cast<double>(x.rows);

  double* inverse = static_cast<double*>(scratch(static_cast<size_t>((2 * blocks + 3) * cols + 1) * sizeof(double), 4));
  double *plain = inverse + cols, *weighted = inverse + 2 * cols, *partials = inverse + 3 * cols;
  for (int64_t c = 0; c < cols; ++c) inverse[c] = 1.0 / __builtin_sqrt(variance[c] + eps);
  for (int64_t c = 0; c < cols; ++c) plain[c] = weighted[c] = 0;
  if (!dL_dy.absent()) {
    reduce_rows(
        x.rows, cols, partials, 2,
        [&](double* partial, int64_t first, int64_t last, int64_t from, int64_t to) {
          block_sums<T>(x, dL_dy, mean, inverse, partial, first, last, from, to - from);
        },
        [&](int64_t from, int64_t to, const double* partial, int64_t count, int64_t step) {
          for (int64_t i = 0; i < count; ++i) {
            add_span(plain + from, partial + i * step, to - from);
            add_span(weighted + from, partial + i * step + (to - from), to - from);
          }
        });
  }
  T* line = static_cast<T*>(scratch(static_cast<size_t>(cols * 5 + 1) * sizeof(T), 5));
  T *means = line, *inverses = line + cols, *a = line + 2 * cols, *b = line + 3 * cols, *h = line + 4 * cols;
  for (int64_t c = 0; c < cols; ++c) {
    double gain = exp(static_cast<double>(log_gamma[c])), factor = gain * inverse[c];
    means[c] = static_cast<T>(mean[c]);
    inverses[c] = static_cast<T>(inverse[c]);
    a[c] = static_cast<T>(factor);
    b[c] = static_cast<T>(training * factor * plain[c] / rows);
    h[c] = static_cast<T>(training * (factor * weighted[c] + inverse[c] * d_log_det) / rows);
    if (!call.out[1].absent()) call.out[1].as<T>()[c] = static_cast<T>(gain * weighted[c] + d_log_det);
    if (!call.out[2].absent()) call.out[2].as<T>()[c] = static_cast<T>(plain[c]);
  }
  if (dL_dx.absent()) return;
  using V = Vec<T>;
  using Row = RowOf<T, false>;
  T nothing = 0;
  parallel_rows(x.rows, cols * 3 * int64_t{sizeof(T)}, [&](int64_t first, int64_t last) {
    auto gradient = [](V value, V d, V m, V inverse_, V a_, V b_, V h_) FLOW_INLINE_LAMBDA {
      return batch_norm_gradient(value, d, m, inverse_, a_, b_, h_);
    };
    for (int64_t r = first; r < last; ++r) {
      T* target = dL_dx.as<T>() + r * dL_dx.ld;
      Row row{x.as<T>() + r * x.ld};
      if (dL_dy.absent())
        map_row(target, cols, gradient, row, RowOf<T, true>{&nothing}, Row{means}, Row{inverses}, Row{a}, Row{b}, Row{h});
      else
        map_row(target, cols, gradient, row, Row{dL_dy.as<T>() + r * dL_dy.ld}, Row{means}, Row{inverses}, Row{a},
                Row{b}, Row{h});
    }
  });
}

bool batch_norm_grad(const Call& call) {
  if (!check_batch_norm_grad(call)) return false;
  return with_float(call, call.in[0], "x", [&](auto zero) {
    run_type<decltype(zero)>(call);
    return true;
  });
}

}  // namespace

FLOW_DEFINE_OP(batch_norm_grad) = {"batch_norm_grad", batch_norm_grad, 6, 6, 3, 2};

}  // namespace flow::FLOW_ISA
