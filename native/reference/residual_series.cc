// residual_series: w ← Jᵀw from v on, term by term, layer by layer; see native/ops/residual_series.cc for the operands.
#include <vector>

#include "reference/conv2d.h"

namespace flow::reference {

bool residual_series(const Call& call) {
  const Operand &probes = call.in[0], &q = call.in[1], &weighted = call.out[0], &series = call.out[1];
  const int64_t layers = (call.n_in - 2) / 2, positions = call.int_attr(0);
  FLOW_AGREE(call, layers >= 1 && call.n_in == 2 + 2 * layers && positions >= 1 && probes.rows % positions == 0);
  const int64_t rows = probes.rows, samples = rows / positions;
  FLOW_AGREE(call, q.dtype == DType::f64 && (q.rows == 1 || q.rows == samples));
  FLOW_AGREE(call, is_vector(series, samples, DType::f64) && (weighted.absent() || like(weighted, probes)));
  std::vector<int64_t> live(static_cast<size_t>(layers)), at(static_cast<size_t>(layers));
  int64_t next = 1, inputs = probes.cols;
  for (int64_t l = 0; l < layers; ++l) {
    const Operand &weight = call.in[2 + 2 * l], &slopes = call.in[3 + 2 * l];
    FLOW_AGREE(call, next < call.n_attr && weight.dtype == probes.dtype);
    FLOW_AGREE(call, slopes.absent() || is(slopes, rows, inputs, probes.dtype));
    live[static_cast<size_t>(l)] = call.int_attr(static_cast<int>(next));
    at[static_cast<size_t>(l)] = ++next;
    const int64_t taps = live[static_cast<size_t>(l)];
    if (taps > 0) {
      FLOW_AGREE(call, next + 5 + 3 * taps <= call.n_attr);
      const Image image(call.attr + next, taps);
      FLOW_AGREE(call, image.fits(rows, weight.cols) && weight.cols == image.blocks * inputs);
      next += 5 + 3 * taps;
    } else {
      FLOW_AGREE(call, weight.cols == inputs);
    }
    inputs = weight.rows;
  }
  FLOW_AGREE(call, inputs == probes.cols);
  return for_float(call, probes.dtype, [&](auto zero) {
    using T = decltype(zero);
    const Matrix<T> v(probes);
    const Vector<double> sums(series);
    const Matrix<double> chances(q);
    const int64_t cols = probes.cols;
    std::vector<T> w(static_cast<size_t>(rows * cols));
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t c = 0; c < cols; ++c) {
        w[static_cast<size_t>(r * cols + c)] = v(r, c);
        if (!weighted.absent()) Matrix<T>{weighted}(r, c) = 0;
      }
    for (int64_t n = 0; n < samples; ++n) sums(n) = 0;
    for (int64_t k = 1; k <= q.cols; ++k) {
      const auto factor = [&](int64_t r) { return (k % 2 == 1 ? 1 : -1) * chances(q.rows == 1 ? 0 : r / positions, k - 1); };
      bool counts = false;
      for (int64_t j = k; j <= q.cols; ++j)
        for (int64_t n = 0; n < q.rows; ++n) counts |= chances(n, j - 1) != 0;
      if (!counts) break;
      // A sample of q_k = 0 gets nothing: its w may be infinite.
      for (int64_t r = 0; r < rows && !weighted.absent(); ++r)
        for (int64_t c = 0; c < cols && factor(r) != 0; ++c)
          Matrix<T>{weighted}(r, c) += static_cast<T>(factor(r) * static_cast<double>(w[static_cast<size_t>(r * cols + c)]));
      for (int64_t l = layers - 1; l >= 0; --l) {
        const Operand &weight = call.in[2 + 2 * l], &slopes = call.in[3 + 2 * l];
        const Matrix<T> a(weight);
        const double self[] = {0, 0, 0};
        const double plain[] = {1, 1, 1, 0, 0, self[0], self[1], self[2]};
        const int64_t taps = live[static_cast<size_t>(l)];
        const Image image(taps > 0 ? call.attr + at[static_cast<size_t>(l)] : plain, taps > 0 ? taps : 1);
        const int64_t units = weight.rows, width = weight.cols / image.blocks;
        std::vector<T> out(static_cast<size_t>(rows * width));
        const Matrix<T> from(Operand{w.data(), probes.dtype, rows, units, units}), to(Operand{out.data(), probes.dtype, rows, width, width});
        convolve_back(image, from, a, Activation::none, 0, nothing(), to);
        for (int64_t r = 0; r < rows && !slopes.absent(); ++r)
          for (int64_t c = 0; c < width; ++c) to(r, c) *= Matrix<T>(slopes)(r, c);
        w = out;
      }
      for (int64_t r = 0; r < rows; ++r)
        for (int64_t c = 0; c < cols && factor(r) != 0; ++c)
          sums(r / positions) += factor(r) / static_cast<double>(k) * static_cast<double>(w[static_cast<size_t>(r * cols + c)]) *
                                 static_cast<double>(v(r, c));
    }
  });
}

}  // namespace flow::reference
