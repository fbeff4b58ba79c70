// wave_generate: for every sample a whole pass over all samples so far, in float64.
#include "reference/wave_stack.h"

namespace flow::reference {
namespace {

// Σ w·in + b.
template <class T>
std::vector<double> affine(const Operand& weight, const Operand& bias, const std::vector<double>& in) {
  const Matrix<T> w(weight);
  std::vector<double> out;
  for (int64_t o = 0; o < w.rows; ++o) {
    double sum = bias.absent() ? 0 : Vector<T>(bias)(o);
    for (int64_t i = 0; i < w.cols; ++i) sum += w(o, i) * in[static_cast<size_t>(i)];
    out.push_back(sum);
  }
  return out;
}

void relu(std::vector<double>& v) {
  for (double& x : v) x = x > 0 ? x : 0;
}

}  // namespace

bool wave_generate(const Call& call) {
  const Operand *in = call.in, &out = call.out[0];
  const int kind = static_cast<int>(call.int_attr(0)), k = kind == 1 ? 2 : 1;
  const int64_t levels = call.int_attr(1), length = call.int_attr(3), samples = out.rows;
  FLOW_AGREE(call, out.cols == length && is(in[0], samples, length * k, out.dtype));
  // The attributes and operands of a stack.
  Call stack = call;
  stack.attr = call.attr + 3;
  stack.n_attr = call.n_attr - 3;
  const int64_t channels = kind == 0 ? in[2].cols : in[2].rows;
  const Operand rows{nullptr, out.dtype, samples * length, channels, channels};
  Wave w{};
  if (!read_wave(stack, rows, in[1], 9, 4, 2, w)) return false;
  FLOW_AGREE(call, is(in[2], kind == 0 ? levels + 1 : w.R, kind == 0 ? w.R : 1, out.dtype) && in[4].cols == w.S);
  FLOW_AGREE(call, in[6].cols == in[4].rows && in[6].rows == (kind == 0 ? levels : kind == 1 ? in[6].rows : 2));
  FLOW_AGREE(call, in[8].absent() || (in[8].dtype == out.dtype && in[8].rows == samples && in[8].cols <= length));
  return for_float(call, out.dtype, [&](auto zero) {
    using T = decltype(zero);
    const Matrix<T> noise(in[0]), c(in[1]), first(in[2]), x(out);
    for (int64_t n = 0; n < samples; ++n)
      for (int64_t t = 0; t < length; ++t) {
        if (t < in[8].cols && !in[8].absent()) {
          x(n, t) = Matrix<T>(in[8])(n, t);
          continue;
        }
        WaveTable h(t + 1, w.R), skip(1, w.S);
        for (int64_t p = 0; p <= t; ++p)
          for (int64_t i = 0; i < w.R; ++i) {
            const double before = p > 0 ? static_cast<double>(x(n, p - 1)) : 0;
            const double value = kind == 1 && p > 0 ? 2 * before / static_cast<double>(levels - 1) - 1 : before;
            h(p, i) = kind == 0 ? first(p > 0 ? static_cast<int64_t>(before) : levels, i) : first(i, 0) * value + Vector<T>(in[3])(i);
          }
        for (int64_t l = 0; l < w.layers; ++l) {
          const Matrix<T> W(w.in(l, 0)), Wo(w.in(l, 2));
          const Vector<T> b(w.in(l, 1)), bo(w.in(l, 3));
          WaveTable next = h;
          for (int64_t p = 0; p <= t; ++p) {
            std::vector<double> z, g;
            for (int64_t o = 0; o < 2 * w.G; ++o) {
              double sum = b(o);
              for (int64_t i = 0; i < w.R; ++i) sum += W(o, w.R + i) * h(p, i);
              if (p >= w.dilation(l))
                for (int64_t i = 0; i < w.R; ++i) sum += W(o, i) * h(p - w.dilation(l), i);
              for (int64_t i = 0; i < w.C; ++i) sum += W(o, 2 * w.R + i) * c(n * length + p, i);
              z.push_back(sum);
            }
            for (int64_t i = 0; i < w.G; ++i)
              g.push_back(std::tanh(z[static_cast<size_t>(i)]) / (1 + std::exp(-z[static_cast<size_t>(w.G + i)])));
            for (int64_t o = 0; o < w.outputs(l); ++o) {
              double sum = bo(o);
              for (int64_t i = 0; i < w.G; ++i) sum += Wo(o, i) * g[static_cast<size_t>(i)];
              if (o >= w.S) next(p, o - w.S) += sum;
              else if (p == t) skip(0, o) += sum;
            }
          }
          h = next;
        }
        std::vector<double> row = skip.data;
        relu(row);
        row = affine<T>(in[4], in[5], row);
        relu(row);
        row = affine<T>(in[6], in[7], row);
        const double least = call.attr[2], u = noise(n, t * k);
        if (kind >= 2) {
          const double log_scale = std::fmax(least, row[1]);
          x(n, t) = static_cast<T>(kind == 2 ? row[0] + std::exp(log_scale) * u : (u - row[0]) * std::exp(-log_scale));
          continue;
        }
        // Of the logits of levels or of components, the first whose cumulated probability is above u.
        const int64_t count = kind == 0 ? levels : in[6].rows / 3;
        double most = -HUGE_VAL, total = 0, sum = 0;
        for (int64_t i = 0; i < count; ++i) most = std::fmax(most, row[static_cast<size_t>(i)]);
        for (int64_t i = 0; i < count; ++i) total += std::exp(row[static_cast<size_t>(i)] - most);
        int64_t drawn = 0;
        for (; drawn < count - 1; ++drawn) {
          sum += std::exp(row[static_cast<size_t>(drawn)] - most);
          if (sum > u * total) break;
        }
        if (kind == 0) {
          x(n, t) = static_cast<T>(drawn);
          continue;
        }
        const double uniform = noise(n, 2 * t + 1);
        const double scale = std::exp(std::fmax(least, row[static_cast<size_t>(2 * count + drawn)]));
        const double value = row[static_cast<size_t>(count + drawn)] + scale * (std::log(uniform) - std::log1p(-uniform));
        const double level = std::floor((value + 1) / 2 * static_cast<double>(levels - 1) + 0.5);
        x(n, t) = static_cast<T>(std::fmin(std::fmax(level, 0), static_cast<double>(levels - 1)));
      }
  });
}

}  // namespace flow::reference
