// made_inverse_grad: backward of made_inverse, by D + 1 backward passes: with the gradients by (mu_j, a_j) of all j > i, a
// pass through the network gives what they send to x_i, and so lambda_i, the whole gradient by x_i; then
//   dL_dmu_i = lambda_i, dL_da_i = lambda_i·(x_i − mu_i) + dL_dlogDet, dL_dy_i = lambda_i·exp(a_i).
// The last pass gives the gradients of the hidden layers. See native/ops/made_inverse_grad.cc for the operands.
#include <vector>

#include "reference/activation.h"
#include "reference/autoregressive_affine.h"

namespace flow::reference {
namespace {

using Row = std::vector<double>;

template <class T>
struct Backward {
  const Call& call;
  int layers;
  Activation act;
  double act_param;
  bool residual;

  explicit Backward(const Call& c)
      : call(c), layers((c.n_in - 4) / 4), act(static_cast<Activation>(c.int_attr(0))), act_param(c.attr[1]),
        residual(c.attr[4] != 0) {}

  // dzᵀ·W, where output u saw the inputs i < extents[u].
  Row through(int l, const Row& dz) const {
    const Matrix<T> weight(call.in[5 + 3 * l]);
    const Vector<int32_t> extent(call.in[7 + 3 * l]);
    Row d(static_cast<size_t>(weight.cols), 0.0);
    for (int64_t u = 0; u < weight.rows; ++u)
      for (int64_t i = 0; i < weight.cols; ++i)
        if (i < extent(u)) d[static_cast<size_t>(i)] += dz[static_cast<size_t>(u)] * static_cast<double>(weight(u, i));
    return d;
  }

  // dz of every hidden layer (in a residual network of the stream after layers 0, 2, …), and what comes back at x.
  std::vector<Row> pass(int64_t row, const Row& d_params, Row& d_x) const {
    std::vector<Row> dz(static_cast<size_t>(layers - 1));
    for (int l = layers - 2; l >= 0; --l) {
      const size_t at = static_cast<size_t>(l);
      Row d = through(l + 1, l + 2 == layers ? d_params : dz[at + 1]);
      const Matrix<T> value(call.in[5 + 3 * layers + l]);
      for (size_t u = 0; u < d.size(); ++u) {
        d[u] *= slope_of(act, value(row, static_cast<int64_t>(u)), act_param);
        if (residual && l % 2 == 0 && l + 2 < layers - 1) d[u] += dz[at + 2][u];
      }
      dz[at] = d;
    }
    d_x = through(0, layers == 1 ? d_params : dz[0]);
    if (!call.in[4].absent()) {
      const Matrix<T> direct(call.in[4]);
      for (int64_t r = 0; r < direct.rows; ++r)
        for (int64_t i = 0; i < r / 2; ++i)
          d_x[static_cast<size_t>(i)] += d_params[static_cast<size_t>(r)] * static_cast<double>(direct(r, i));
    }
    return dz;
  }
};

bool fits(const Call& call) {
  const Operand &x = call.in[0], &direct = call.in[4];
  const int layers = (call.n_in - 4) / 4;
  FLOW_AGREE(call, layers >= 1 && call.n_in == 4 + 4 * layers && call.n_out == 1 + layers);
  FLOW_AGREE(call, is_activation(call.attr[0]) && is_scale_map(call, 2));
  FLOW_AGREE(call, is(call.in[1], x.rows, 2 * x.cols, x.dtype) && like(call.out[0], x) && like(call.out[1], call.in[1]));
  FLOW_AGREE(call, call.in[2].absent() || like(call.in[2], x));
  FLOW_AGREE(call, call.in[3].absent() || is_vector(call.in[3], x.rows, DType::f64));
  FLOW_AGREE(call, direct.absent() || is(direct, 2 * x.cols, x.cols, x.dtype));
  int64_t inputs = x.cols;
  for (int l = 0; l < layers; ++l) {
    const Operand& weight = call.in[5 + 3 * l];
    FLOW_AGREE(call, is(weight, weight.rows, inputs, x.dtype) && are_indices(call.in[7 + 3 * l], weight.rows, inputs));
    inputs = weight.rows;
    if (l + 1 == layers) continue;
    FLOW_AGREE(call, is(call.in[5 + 3 * layers + l], x.rows, inputs, x.dtype) && is(call.out[2 + l], x.rows, inputs, x.dtype));
    FLOW_AGREE(call, call.attr[4] == 0 || inputs == call.in[5].rows);
  }
  FLOW_AGREE(call, inputs == 2 * x.cols);
  return true;
}

}  // namespace

bool made_inverse_grad(const Call& call) {
  if (!fits(call)) return false;
  const Operand &d_out = call.in[2], &d_log_det = call.in[3];
  const ScaleMap map = static_cast<ScaleMap>(call.int_attr(2));
  return for_float(call, call.in[0].dtype, [&](auto zero) {
    using T = decltype(zero);
    const Backward<T> network(call);
    const Matrix<T> x(call.in[0]), params(call.in[1]), dL_dx(d_out), dL_dy(call.out[0]), dL_dparams(call.out[1]);
    for (int64_t r = 0; r < x.rows; ++r) {
      Row d_params(static_cast<size_t>(2 * x.cols), 0.0), sent;
      for (int64_t i = x.cols - 1; i >= 0; --i) {
        network.pass(r, d_params, sent);
        const double lambda = (d_out.absent() ? 0 : dL_dx(r, i)) + sent[static_cast<size_t>(i)];
        const double mu = params(r, 2 * i), raw = params(r, 2 * i + 1), a = log_scale(map, raw, call.attr[3]);
        const double d_a = lambda * (x(r, i) - mu) + (d_log_det.absent() ? 0 : Vector<double>(d_log_det)(r));
        const double d_y = lambda * std::exp(a);
        d_params[static_cast<size_t>(2 * i)] = map == ScaleMap::gate ? lambda - d_y : lambda;
        d_params[static_cast<size_t>(2 * i + 1)] = d_a * log_scale_slope(map, raw, call.attr[3]);
        dL_dy(r, i) = static_cast<T>(d_y);
      }
      const std::vector<Row> dz = network.pass(r, d_params, sent);
      for (int64_t i = 0; i < 2 * x.cols; ++i) dL_dparams(r, i) = static_cast<T>(d_params[static_cast<size_t>(i)]);
      for (size_t l = 0; l < dz.size(); ++l) {
        const Matrix<T> out(call.out[2 + static_cast<int>(l)]);
        for (int64_t u = 0; u < out.cols; ++u) out(r, u) = static_cast<T>(dz[l][static_cast<size_t>(u)]);
      }
    }
  });
}

}  // namespace flow::reference
