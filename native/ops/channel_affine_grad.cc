// channel_affine_grad: the gradients of channel_affine. With a = exp(±log_scale) (+ forward, − inverse), P positions, the
// input v (x forward, y inverse), its offset o (0 forward, shift inverse), d = dL_dout and D = Σ_n dL_dlogDet[n]:
//
//   dL_dv = d·a      forward:  dL_dshift = Σ d      dL_dlogScale = a·Σ d·v + P·D
//                    inverse:  dL_dshift = −a·Σ d   dL_dlogScale = −a·Σ d·(v − o) − P·D
//
// The sums are over all rows, in float64. Inputs: v; log_scale, shift; d or left out (zero); dL_dlogDet [N] or left out.
// Outputs, each may be left out: dL_dv, dL_dlogScale, dL_dshift (of the types of their inputs). Attributes: inverse, positions.
#include "ops/channel_affine.h"
#include "ops/reduce.h"
#include "simd/math.h"

namespace flow::FLOW_ISA {
namespace {

struct Sums {
  double* plain;     // Σ d
  double* weighted;  // Σ d·(v − offset)
};

// The sums by column of `rows` rows of `cols` joined columns.
template <class T>
void sum_columns(const Operand& v, const Operand& d, const double* offsets, int64_t rows, int64_t cols, int64_t step_v,
                 int64_t step_d, double* partials, Sums sums) {
  reduce_rows(
      rows, cols, partials, 2,
      [&](double* partial, int64_t first, int64_t last, int64_t from, int64_t to) {
        const T *row = v.as<T>() + first * step_v + from, *gradient = d.as<T>() + first * step_d + from;
        const double* offset = offsets + from;
        const int64_t n = to - from, ld_v = step_v, ld_d = step_d;
        fold_columns<2>(last - first, n, {partial, partial + n},
                        [=](Vec<double>* total, int64_t r, int64_t c, auto lanes) FLOW_INLINE_LAMBDA {
                          const Vec<double> g = load_double(gradient + r * ld_d + c, lanes);
                          total[0] += g;
                          total[1] += g * (load_double(row + r * ld_v + c, lanes) - load_double(offset + c, lanes));
                        });
      },
      [&](int64_t from, int64_t to, const double* partial, int64_t count, int64_t step) {
        for (int64_t i = 0; i < count; ++i) {
          add_span(sums.plain + from, partial + i * step, to - from);
          add_span(sums.weighted + from, partial + i * step + (to - from), to - from);
        }
      });
}

inline void put(const Operand& out, int64_t i, double value) {
  if (out.absent()) return;
  if (out.dtype == DType::f32) out.as<float>()[i] = static_cast<float>(value);
  else out.as<double>()[i] = value;
}

template <class T>
void run_type(const Call& call) {
  const Operand &v = call.in[0], &log_scale = call.in[1], &shift = call.in[2], &d = call.in[3], &dL_dlogDet = call.in[4];
  const Operand &dL_dv = call.out[0], &dL_dlogScale = call.out[1], &dL_dshift = call.out[2];
  const bool inverse = call.attr[0] == 1, has_d = !d.absent();
  const bool whole = v.contiguous() && (!has_d || d.contiguous()) && (dL_dv.absent() || dL_dv.contiguous());
  const int64_t joined = whole ? joined_rows(v.rows, v.cols) : 1;
  const int64_t cols = v.cols * joined, rows = v.rows / joined, blocks = ceil_div(rows, rows_of_block(cols));

  double* line = static_cast<double*>(scratch(static_cast<size_t>((2 * blocks + 3) * cols + 1) * sizeof(double), 4));
  double *plain = line, *weighted = line + cols, *offsets = line + 2 * cols, *partials = line + 3 * cols;
  for (int64_t c = 0; c < cols; ++c) {
    plain[c] = weighted[c] = 0;
    offsets[c] = inverse ? number_at(shift, c % v.cols) : 0;
  }
  if (has_d && !(dL_dlogScale.absent() && dL_dshift.absent()))
    sum_columns<T>(v, d, offsets, rows, cols, joined == 1 ? v.ld : cols, joined == 1 ? d.ld : cols, partials,
                   {plain, weighted});
  double total = 0;
  if (!dL_dlogDet.absent())
    for (int64_t n = 0; n < dL_dlogDet.count(); ++n) total += dL_dlogDet.as<double>()[n];
  total *= call.attr[1];

  T* factors = static_cast<T*>(scratch(static_cast<size_t>(cols + 1) * sizeof(T), 5));
  for (int64_t c = 0; c < v.cols; ++c) {
    const double s = number_at(log_scale, c), a = exp(inverse ? -s : s);
    double d_shift = 0, d_scale = 0;
    for (int64_t k = 0; k < joined; ++k) {
      factors[k * v.cols + c] = static_cast<T>(a);
      d_shift += plain[k * v.cols + c];
      d_scale += weighted[k * v.cols + c];
    }
    put(dL_dlogScale, c, inverse ? -a * d_scale - total : a * d_scale + total);
    put(dL_dshift, c, inverse ? -a * d_shift : d_shift);
  }
  if (dL_dv.absent()) return;
  using V = Vec<T>;
  using Row = RowOf<T, false>;
  const int64_t step_d = joined == 1 ? d.ld : cols, step_out = joined == 1 ? dL_dv.ld : cols;
  parallel_rows(rows, cols * 2 * int64_t{sizeof(T)}, [&](int64_t first, int64_t last) {
    for (int64_t r = first; r < last; ++r) {
      T* target = dL_dv.as<T>() + r * step_out;
      if (has_d)
        map_row(target, cols, [](V g, V a) FLOW_INLINE_LAMBDA { return g * a; }, Row{d.as<T>() + r * step_d}, Row{factors});
      else
        map_row(target, cols, [](V) FLOW_INLINE_LAMBDA { return V(0); }, Row{factors});
    }
  });
}

bool channel_affine_grad(const Call& call) {
  if (!check_channel_affine_grad(call)) return false;
  return with_float(call, call.in[0], "input", [&](auto zero) {
    run_type<decltype(zero)>(call);
    return true;
  });
}

}  // namespace

FLOW_DEFINE_OP(channel_affine_grad) = {"channel_affine_grad", channel_affine_grad, 5, 5, 3, 2};

}  // namespace flow::FLOW_ISA
