// channel_affine_grad: the gradients of channel_affine. With a = exp(±log_scale) (+ forward, − inverse), P positions, the
// input v (x forward, y inverse), its offset o (0 forward, shift inverse), d = dL_dout and D = Σ_n dL_dlogDet[n]:
//
//   dL_dv = d·a      forward:  dL_dshift = Σ d      dL_dlogScale = a·Σ d·v + P·D
//                    inverse:  dL_dshift = −a·Σ d   dL_dlogScale = −a·Σ d·(v − o) − P·D
//
// The sums are over all rows, in float64. Inputs: v; log_scale, shift; d or left out (zero); dL_dlogDet [N] or left out.
// Outputs, each may be left out: dL_dv, dL_dlogScale, dL_dshift (of the types of their inputs). Attributes: inverse, positions.
//
// Floor: v, d and dL_dv, once: the sums are taken on the way.
#include "cuda/ops/channel_affine.h"

namespace flow::cuda {
namespace {

template <int W, class T>
struct Gradient {
  struct Columns {
    T factor[W];
    double offset[W];
  };
  Matrix<const T> v;
  Numbers log_scale, shift;
  Matrix<const T> d;
  Matrix<T> dL_dv;
  int64_t cols;
  bool inverse;

  __device__ __forceinline__ Columns column(int64_t unit) const {
    Columns own;
#pragma unroll
    for (int k = 0; k < W; ++k) {
      const int64_t c = (unit * W + k) % cols;
      own.factor[k] = channel_factor<T>(log_scale.at(c), inverse);
      own.offset[k] = inverse ? shift.at(c) : 0;
    }
    return own;
  }
  __device__ __forceinline__ void pass_on(const Columns& own, int64_t row, int64_t unit, T (&g)[W]) const {
    if (d.p) load<W>(g, d.at(row, unit * W));
    if (!dL_dv.p) return;
    T out[W];
#pragma unroll
    for (int k = 0; k < W; ++k) out[k] = d.p ? g[k] * own.factor[k] : T(0);
    store<W>(dL_dv.at(row, unit * W), out);
  }
  __device__ __forceinline__ void operator()(const Columns& own, int64_t row, int64_t unit) const {
    T g[W] = {};
    pass_on(own, row, unit, g);
  }
  __device__ __forceinline__ void operator()(const Columns& own, int64_t row, int64_t unit, double (&sums)[2][W]) const {
    T g[W] = {}, value[W];
    pass_on(own, row, unit, g);
    if (!d.p) return;
    load<W>(value, v.at(row, unit * W));
#pragma unroll
    for (int k = 0; k < W; ++k) {
      const double of = static_cast<double>(g[k]);
      sums[0][k] += of;
      sums[1][k] = fma(of, static_cast<double>(value[k]) - own.offset[k], sums[1][k]);
    }
  }
};

/** dL_dlogScale and dL_dshift of a channel. */
struct PutGradients {
  Numbers log_scale;
  const double* dL_dlogDet;  // or null
  int64_t samples;
  double positions;
  bool inverse;
  Operand dL_dlogScale, dL_dshift;

  __device__ __forceinline__ static void put(const Operand& out, int64_t i, double value) {
    if (!out.data) return;
    if (out.dtype == DType::f32) static_cast<float*>(out.data)[i] = static_cast<float>(value);
    else static_cast<double*>(out.data)[i] = value;
  }
  __device__ __forceinline__ double prepare(double* shared) const {
    return dL_dlogDet ? positions * block_sum(dL_dlogDet, samples, shared) : 0;
  }
  __device__ __forceinline__ void operator()(double total, int64_t c, const double (&sums)[2]) const {
    const double a = exp(inverse ? -log_scale.at(c) : log_scale.at(c));
    put(dL_dlogScale, c, inverse ? -a * sums[1] - total : a * sums[1] + total);
    put(dL_dshift, c, inverse ? -a * sums[0] : sums[0]);
  }
};

template <class T>
bool run_type(const Call& call) {
  const Operand &v = call.in[0], &d = call.in[3], &dL_dlogDet = call.in[4];
  const Operand &dL_dv = call.out[0], &dL_dlogScale = call.out[1], &dL_dshift = call.out[2];
  const bool inverse = call.attr[0] == 1;
  const Numbers log_scale(call.in[1]), shift(call.in[2]);
  const auto pass_of = [&](auto tag, Matrix<T> out, Matrix<const T> from, Matrix<const T> value) {
    return Gradient<decltype(tag)::value, T>{value, log_scale, shift, from, out, v.cols, inverse};
  };
  if (dL_dlogScale.absent() && dL_dshift.absent()) {
    if (dL_dv.absent()) return true;
    const Joined<T> joined(v.rows, v.cols, {&v, &d, &dL_dv});
    return joined.width.choose([&](auto tag) {
      return walk_columns(call, joined.rows, joined.cols / decltype(tag)::value,
                          pass_of(tag, joined.template matrix<T>(dL_dv), joined.template matrix<const T>(d),
                                  joined.template matrix<const T>(v)));
    });
  }
  const PutGradients put{log_scale, dL_dlogDet.as<const double>(), dL_dlogDet.absent() ? 0 : dL_dlogDet.count(),
                         call.attr[1], inverse, dL_dlogScale, dL_dshift};
  return Width<T>().of(v).of(d).of(dL_dv).columns(v.cols).choose([&](auto tag) {
    constexpr int W = decltype(tag)::value;
    const int64_t rows = d.absent() && dL_dv.absent() ? 0 : v.rows;
    return fold_columns<2, W>(call, rows, v.cols / W, pass_of(tag, matrix<T>(dL_dv), matrix<const T>(d), matrix<const T>(v)), put);
  });
}

bool channel_affine_grad(const Call& call) {
  if (!check_channel_affine_grad(call)) return false;
  return with_float(call, call.in[0], "input", [&](auto zero) { return run_type<decltype(zero)>(call); });
}

}  // namespace

FLOW_DEFINE_OP(channel_affine_grad) = {"channel_affine_grad", channel_affine_grad, 5, 5, 3, 2};

}  // namespace flow::cuda
