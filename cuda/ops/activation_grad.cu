// activation_grad: dL_dz = dL_dy ⊙ act'(z), with act' written in the output y = act(z), and its column sums (the gradient
// of a bias) in the same pass.
// in: dL_dy, y (absent: act is the identity); out: dL_dz and dL_dbias as the last attribute says (1: dL_dz, 2: dL_dbias,
// 3: both); attributes: activation, its parameter, order (1: act' as above; n: its derivative
// of order n − 1 by y in its place), outputs.
//
// Floor: dL_dy, y and dL_dz, once, 16 bytes at a time where they are aligned. Sums are taken in float64 while the products are in
// registers; one launch for up to a thousand rows, two for more.
#include "cuda/core/activation.h"
#include "cuda/core/columns.h"

namespace flow::cuda {
namespace {

/** The derivative of order n − 1 ≥ 1, by y, of act'(z) written in y; 0 where it is constant. */
template <Activation act, class T>
__device__ __forceinline__ T higher_factor([[maybe_unused]] T y, [[maybe_unused]] int order) {
  if constexpr (act == Activation::tanh) return order == 2 ? T(-2) * y : T(order == 3 ? -2 : 0);
  if constexpr (act == Activation::sigmoid) return order == 2 ? T(1) - T(2) * y : T(order == 3 ? -2 : 0);
  if constexpr (act == Activation::elu) return y > T(0) ? T(0) : T(order == 2 ? 1 : 0);
  if constexpr (act == Activation::softplus) return order % 2 == 0 ? exp(-y) : -exp(-y);
  return T(0);
}

template <int W, Activation act, bool first, class T>
struct Pass {
  Matrix<const T> dL_dy, y;
  Matrix<T> dL_dz;  // null: not wanted
  T param;
  int order;

  __device__ __forceinline__ Nothing column(int64_t) const { return {}; }
  __device__ __forceinline__ void products(int64_t row, int64_t unit, T (&d)[W]) const {
    load<W>(d, dL_dy.at(row, unit * W));
    if constexpr (act != Activation::none) {
      T out[W];
      load<W>(out, y.at(row, unit * W));
#pragma unroll
      for (int k = 0; k < W; ++k) {
        if constexpr (first) d[k] = gated<act>(d[k], out[k], param);
        else d[k] *= higher_factor<act>(out[k], order);
      }
    }
    if (dL_dz.p) store<W>(dL_dz.at(row, unit * W), d);
  }
  __device__ __forceinline__ void operator()(Nothing, int64_t row, int64_t unit) const {
    T d[W];
    products(row, unit, d);
  }
  __device__ __forceinline__ void operator()(Nothing, int64_t row, int64_t unit, double (&sums)[1][W]) const {
    T d[W];
    products(row, unit, d);
#pragma unroll
    for (int k = 0; k < W; ++k) sums[0][k] += static_cast<double>(d[k]);
  }
};

template <class T>
struct PutSum : FinishAlone {
  T* out;

  explicit PutSum(T* to) : out(to) {}
  __device__ __forceinline__ void operator()(Nothing, int64_t column, const double (&sum)[1]) const { out[column] = static_cast<T>(sum[0]); }
};

template <Activation act, bool first, class T>
bool run_all(const Call& call, const Operand& dL_dy, const Operand& y, const Operand* dL_dz, const Operand* dL_dbias) {
  Width<T> width;
  width.of(dL_dy).of(y).columns(dL_dy.cols);
  if (dL_dz) width.of(*dL_dz);
  return width.choose([&](auto tag) {
    constexpr int W = decltype(tag)::value;
    const Pass<W, act, first, T> pass{matrix<const T>(dL_dy), matrix<const T>(y), dL_dz ? matrix<T>(*dL_dz) : Matrix<T>{nullptr, 0},
                                      static_cast<T>(call.attr[1]), static_cast<int>(call.int_attr(2))};
    const int64_t units = dL_dy.cols / W;
    if (dL_dbias) return fold_columns<1, W>(call, dL_dy.rows, units, pass, PutSum<T>(dL_dbias->as<T>()));
    return walk_columns(call, dL_dy.rows, units, pass);
  });
}

bool check_shape(const Call& call, const Operand& operand, const char* what, int64_t rows, int64_t cols, DType dtype) {
  FLOW_CHECK(call, operand.dtype == dtype, "%s: expected %s, got %s", what, name_of(dtype), name_of(operand.dtype));
  FLOW_CHECK(call, operand.rows == rows && operand.cols == cols, "%s: expected %lld × %lld, got %lld × %lld", what, ll(rows),
             ll(cols), ll(operand.rows), ll(operand.cols));
  return true;
}

bool activation_grad(const Call& call) {
  Activation act = Activation::none;
  double param = 0;
  if (!read_activation(call, 0, act, param)) return false;
  const Operand& dL_dy = call.in[0];
  const Operand& y = call.in[1];
  const int64_t order = call.int_attr(2), wanted = call.int_attr(3);
  FLOW_CHECK(call, order >= 1 && order <= 1000 && wanted >= 1 && wanted <= 3,
             "attributes: order is 1 to 1000, outputs 1, 2 or 3");
  FLOW_CHECK(call, call.n_out == (wanted == 3 ? 2 : 1), "outputs: expected %d, got %d", wanted == 3 ? 2 : 1, call.n_out);
  FLOW_CHECK(call, !y.absent() || act == Activation::none || dL_dy.count() == 0, "y: expected the output, got none");
  FLOW_CHECK(call, act != Activation::gelu, "activation: the derivative of gelu is no function of its output");
  const Operand* dL_dz = wanted & 1 ? &call.out[0] : nullptr;
  const Operand* dL_dbias = wanted & 2 ? &call.out[call.n_out - 1] : nullptr;
  if (!y.absent() && !check_shape(call, y, "y", dL_dy.rows, dL_dy.cols, dL_dy.dtype)) return false;
  if (dL_dz && !check_shape(call, *dL_dz, "dL_dz", dL_dy.rows, dL_dy.cols, dL_dy.dtype)) return false;
  if (dL_dbias && !check_shape(call, *dL_dbias, "dL_dbias", 1, dL_dy.cols, dL_dy.dtype)) return false;
  return with_float(call, dL_dy, "dL_dy", [&](auto zero) {
    using T = decltype(zero);
    switch (act) {
#define FLOW_CASE(a)                                                                                         \
  case Activation::a:                                                                                        \
    return order == 1 ? run_all<Activation::a, true, T>(call, dL_dy, y, dL_dz, dL_dbias)                     \
                      : run_all<Activation::a, false, T>(call, dL_dy, y, dL_dz, dL_dbias);
      case Activation::gelu:
      case Activation::none: break;
      FLOW_CASE(relu)
      FLOW_CASE(tanh)
      FLOW_CASE(sigmoid)
      FLOW_CASE(elu)
      FLOW_CASE(leaky_relu)
      FLOW_CASE(softplus)
#undef FLOW_CASE
    }
    return run_all<Activation::none, true, T>(call, dL_dy, y, dL_dz, dL_dbias);
  });
}

}  // namespace

FLOW_DEFINE_OP(activation_grad) = {"activation_grad", activation_grad, 2, 2, -1, 4};

}  // namespace flow::cuda
