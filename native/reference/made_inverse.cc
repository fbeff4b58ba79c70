// made_inverse: x of y = (x − mu(x))·exp(−a(x)) the way that needs nothing but the network: D passes, the pass i giving
// (mu, a) of dimension i from the dimensions before it. See native/ops/made_inverse.cc for the operands.
#include <vector>

#include "reference/activation.h"
#include "reference/autoregressive_affine.h"

namespace flow::reference {
namespace {

template <class T>
struct Network {
  const Call& call;
  int layers;
  Activation act;
  double act_param;
  bool residual;

  explicit Network(const Call& c)
      : call(c), layers((c.n_in - 3) / 3), act(static_cast<Activation>(c.int_attr(0))), act_param(c.attr[1]),
        residual(c.attr[4] != 0) {}

  // W·in + bias (+ addend of the first layer), the sums over i < extents[unit].
  std::vector<double> layer(int l, int64_t row, const std::vector<double>& in) const {
    const Matrix<T> weight(call.in[3 + 3 * l]), addend(call.in[1]);
    const Operand& bias = call.in[4 + 3 * l];
    const Vector<int32_t> extent(call.in[5 + 3 * l]);
    std::vector<double> out(static_cast<size_t>(weight.rows));
    for (int64_t u = 0; u < weight.rows; ++u) {
      double sum = bias.absent() ? 0 : Vector<T>(bias)(u);
      if (l == 0 && !call.in[1].absent()) sum += addend(row, u);
      for (int64_t i = 0; i < weight.cols; ++i)
        if (i < extent(u)) sum += static_cast<double>(weight(u, i)) * in[static_cast<size_t>(i)];
      out[static_cast<size_t>(u)] = sum;
    }
    return out;
  }

  void activated(std::vector<double>& h) const {
    for (double& value : h) value = activate(act, value, act_param);
  }

  // The 2·D outputs for one row of inputs.
  std::vector<double> outputs(int64_t row, const std::vector<double>& x) const {
    std::vector<double> h = x;
    const int hidden = layers - 1;
    if (residual && hidden > 0) {
      std::vector<double> stream = layer(0, row, x);
      for (int l = 1; l < hidden; l += 2) {
        std::vector<double> branch = stream;
        activated(branch);
        branch = layer(l, row, branch);
        activated(branch);
        branch = layer(l + 1, row, branch);
        for (size_t u = 0; u < stream.size(); ++u) stream[u] += branch[u];
      }
      activated(stream);
      h = stream;
    } else {
      for (int l = 0; l < hidden; ++l) {
        h = layer(l, row, h);
        activated(h);
      }
    }
    std::vector<double> out = layer(hidden, row, h);
    if (!call.in[2].absent()) {
      const Matrix<T> direct(call.in[2]);
      for (int64_t r = 0; r < direct.rows; ++r)
        for (int64_t i = 0; i < direct.cols; ++i)
          if (i < r / 2) out[static_cast<size_t>(r)] += static_cast<double>(direct(r, i)) * x[static_cast<size_t>(i)];
    }
    return out;
  }
};

}  // namespace

bool made_inverse(const Call& call) {
  const Operand &y = call.in[0], &addend = call.in[1], &direct = call.in[2], &x = call.out[0];
  FLOW_AGREE(call, call.n_in >= 6 && call.n_in % 3 == 0 && like(x, y) && is_vector(call.out[1], y.rows, DType::f64));
  FLOW_AGREE(call, is_activation(call.attr[0]) && is_scale_map(call, 2));
  const int hidden = call.n_in / 3 - 2;
  int64_t inputs = y.cols;
  for (int l = 0; l <= hidden; ++l) {
    const Operand &weight = call.in[3 + 3 * l], &bias = call.in[4 + 3 * l];
    FLOW_AGREE(call, is(weight, weight.rows, inputs, y.dtype) && are_indices(call.in[5 + 3 * l], weight.rows, inputs));
    FLOW_AGREE(call, bias.absent() || is(bias, 1, weight.rows, y.dtype));
    FLOW_AGREE(call, call.attr[4] == 0 || l == hidden || weight.rows == call.in[3].rows);
    inputs = weight.rows;
  }
  FLOW_AGREE(call, inputs == 2 * y.cols && (call.attr[4] == 0 || hidden == 0 || hidden % 2 == 1));
  FLOW_AGREE(call, addend.absent() || (hidden > 0 && is(addend, y.rows, call.in[3].rows, y.dtype)));
  FLOW_AGREE(call, direct.absent() || is(direct, 2 * y.cols, y.cols, y.dtype));
  const ScaleMap map = static_cast<ScaleMap>(call.int_attr(2));
  return for_float(call, y.dtype, [&](auto zero) {
    using T = decltype(zero);
    const Network<T> network(call);
    const Matrix<T> in(y), out(x);
    const Vector<double> log_det(call.out[1]);
    for (int64_t r = 0; r < in.rows; ++r) {
      std::vector<double> known(static_cast<size_t>(in.cols), 0.0);
      double sum = 0;
      for (int64_t i = 0; i < in.cols; ++i) {
        const std::vector<double> params = network.outputs(r, known);
        const double mu = params[static_cast<size_t>(2 * i)];
        const double a = log_scale(map, params[static_cast<size_t>(2 * i + 1)], call.attr[3]);
        known[static_cast<size_t>(i)] = affine_inverse(map, in(r, i), mu, a);
        sum += a;
      }
      for (int64_t i = 0; i < in.cols; ++i) out(r, i) = static_cast<T>(known[static_cast<size_t>(i)]);
      log_det(r) = sum;
    }
  });
}

}  // namespace flow::reference
