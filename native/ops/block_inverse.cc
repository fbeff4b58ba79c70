// block_inverse: x of y = F(x) for a block autoregressive network F (math/block_network.h): dimension after dimension, every hidden unit
// computed once from the dimensions before, and the roots of a dimension found for all samples side by side. The cost is that of one
// forward pass, and of the roots.
// in: y [N, D], addend of the first layer [N, D·H1] or absent, gate γ [1], then W [D·units, D·units before] and bias [D·units] or absent of
// each layer: 1 to 16 of them, the first of one input a dimension, the last of one unit. Blocks above the diagonal are not read.
// out: x [N, D], logDet [N] float64 = log|det dx/dy|, iterations [N] int32, residual [N] float64, converged [N] int32 as
// monotone_inverse has them.
#include "ops/incremental.h"
#include "ops/made_network.h"
#include "ops/monotone_solve.h"
// These come after the functions that they call.
#include "math/block_network.h"
#include "ops/block_operands.h"

namespace flow::FLOW_ISA {
namespace {

template <class T>
void run_tile(const Call& call, const BlockNetwork<Vec<T>>& net, const SolveOutputs& report, int64_t lanes, int64_t row0, int64_t live) {
  using V = Vec<T>;
  const Operand &y = call.in[0], &addend = call.in[1], &x_out = call.out[0];
  const VectorView<double> log_det = vector_view<double>(call.out[1]);
  const int64_t features = y.cols, added = addend.absent() ? 0 : addend.cols;
  const BlockLayer<T>& last = net.layer[net.layers - 1];
  const V raw(*call.in[2].as<T>());
  const BlockGate<V> gate{sigmoid(raw), sigmoid(-raw)};
  const int64_t rows = features + last.first + net.work() + added;
  T* x = static_cast<T*>(scratch(static_cast<size_t>(rows * lanes) * sizeof(T) + kVectorBytes, 4));
  double* sums = static_cast<double*>(scratch(static_cast<size_t>(lanes) * sizeof(double), 5));
  T* values = x + features * lanes;
  T* work = values + last.first * lanes;
  T* addends = work + net.work() * lanes;
  transpose_block(y.as<T>() + row0 * y.ld, y.ld, live, features, x, lanes, lanes);
  if (added) transpose_block(addend.as<T>() + row0 * addend.ld, addend.ld, live, added, addends, lanes, lanes);
  for (int64_t k = 0; k < lanes; ++k) sums[k] = 0;

  for (int64_t i = 0; i < features; ++i) {
    T* base = work;
    for (int l = 0; l < net.layers; ++l) {
      const BlockLayer<T>& own = net.layer[l];
      const T* from = l == 0 ? x : values + net.layer[l - 1].first * lanes;
      for (int64_t u = 0; u < own.units; u += block_units) {
        const int64_t count = min_of(own.units - u, block_units), row = i * own.units + u;
        for (int64_t r = 0; r < count; ++r) {
          const V bias(own.bias ? own.bias[row + r] : T(0));
          for (int64_t k = 0; k < lanes; k += V::width)
            store(base + (u + r) * lanes + k,
                  l == 0 && added ? load<V>(addends + (row + r) * lanes + k) + bias : bias);
        }
        accumulate<1>(count, own.weight + row * own.ld, own.ld, i * net.before(l), from, lanes, base + u * lanes);
      }
      base += own.units * lanes;
    }
    for (int64_t k = 0; k < lanes; k += V::width) {
      const Root<V> root =
          net.solve(i, Rows<V>{work + k, lanes}, Rows<V>{values + k, lanes}, gate, load<V>(x + i * lanes + k));
      store(x + i * lanes + k, root.x);
      T logs[V::width], iterations[V::width], residual[V::width];
      store(logs, root.log_slope);
      store(iterations, root.iterations);
      store(residual, root.residual);
      for (int64_t n = 0; n < V::width && k + n < live; ++n) {
        sums[k + n] -= static_cast<double>(logs[n]);
        report.add(row0 + k + n, iterations[n], residual[n]);
      }
    }
  }
  transpose_block(x, lanes, features, live, x_out.as<T>() + row0 * x_out.ld, x_out.ld, features);
  for (int64_t n = 0; n < live; ++n) log_det[row0 + n] = sums[n];
}

bool block_inverse(const Call& call) {
  const Operand& y = call.in[0];
  const int64_t samples = y.rows;
  SolveOutputs report;
  if (!check_like(call, call.out[0], "x", y, y.cols) || !check_log_det(call, call.out[1], "logDet", samples) ||
      !read_report(call, 2, samples, report))
    return false;
  return with_float(call, y, "y", [&](auto zero) {
    using T = decltype(zero);
    BlockNetwork<Vec<T>> net;
    if (!read_blocks(call, net)) return false;
    for (int64_t n = 0; n < samples; ++n) report.start(n);
    const int64_t lanes = lanes_of<T>(samples);
    parallel(ceil_div(samples, lanes),
             [&](int64_t tile) { run_tile<T>(call, net, report, lanes, tile * lanes, min_of(lanes, samples - tile * lanes)); });
    return true;
  });
}

}  // namespace

FLOW_DEFINE_OP(block_inverse) = {"block_inverse", block_inverse, 5, 3 + 2 * most_block_layers, 5, 0};

}  // namespace flow::FLOW_ISA
