// conv_stack_grad: the layers from the last to the first, the gradients between them in float64.
#include "reference/conv_stack.h"

namespace flow::reference {
namespace {

// A matrix of doubles of its own.
struct Table {
  std::vector<double> data;
  int64_t rows, cols;

  Table(int64_t r, int64_t c) : data(static_cast<size_t>(r * c)), rows(r), cols(c) {}
  double& operator()(int64_t r, int64_t c) const {
    return const_cast<double&>(data[static_cast<size_t>(r * cols + c)]);
  }
};

}  // namespace

bool conv_stack_grad(const Call& call) {
  const Operand &dL_dy = call.in[0], &x = call.in[1], &dL_dx = call.out[0], &dL_daddend = call.out[1];
  std::vector<Stacked> layers;
  FLOW_AGREE(call, read_layers(call, x, layers) && call.n_out == static_cast<int>(2 + 2 * layers.size()));
  const size_t last = layers.size() - 1;
  for (size_t k = 0; k <= last; ++k) {
    const Operand &w = call.in[2 + 2 * k], &y = call.in[3 + 2 * k];
    const Operand &dL_dW = call.out[2 + 2 * k], &dL_db = call.out[3 + 2 * k];
    FLOW_AGREE(call, y.absent() ? (k == last && layers[k].act == Activation::none) || x.rows == 0
                                : is(y, x.rows, w.rows, x.dtype));
    FLOW_AGREE(call, (dL_dW.absent() || like(dL_dW, w)) && (dL_db.absent() || is(dL_db, 1, w.rows, x.dtype)));
  }
  FLOW_AGREE(call, is(dL_dy, x.rows, call.in[2 + 2 * last].rows, x.dtype));
  FLOW_AGREE(call, dL_dx.absent() || like(dL_dx, x));
  FLOW_AGREE(call, dL_daddend.absent() || is(dL_daddend, x.rows, call.in[2].rows, x.dtype));
  return for_float(call, x.dtype, [&](auto zero) {
    using T = decltype(zero);
    const Stacked& end = layers[last];
    Table d(dL_dy.rows, dL_dy.cols);
    for (int64_t p = 0; p < d.rows; ++p)
      for (int64_t o = 0; o < d.cols; ++o) {
        const double value = Matrix<T>(dL_dy)(p, o);
        const Operand& y = call.in[3 + 2 * last];
        d(p, o) = end.act == Activation::none ? value : through(end.act, value, Matrix<T>(y)(p, o), end.param);
      }
    for (size_t k = last + 1; k-- > 0;) {
      const Operand &w = call.in[2 + 2 * k], &input = k == 0 ? x : call.in[1 + 2 * k];
      correlate(layers[k].image, d, Matrix<T>(input), call.out[2 + 2 * k], call.out[3 + 2 * k]);
      if (k == 0) break;
      Table below(x.rows, input.cols);
      convolve_back(layers[k].image, d, Matrix<T>(w), layers[k - 1].act, layers[k - 1].param, input, below);
      d = below;
    }
    if (!dL_daddend.absent()) {
      const Matrix<T> out(dL_daddend);
      for (int64_t p = 0; p < d.rows; ++p)
        for (int64_t o = 0; o < d.cols; ++o) out(p, o) = static_cast<T>(d(p, o));
    }
    if (!dL_dx.absent())
      convolve_back(layers[0].image, d, Matrix<T>(call.in[2]), Activation::none, 0, nothing(), Matrix<T>(dL_dx));
  });
}

}  // namespace flow::reference
