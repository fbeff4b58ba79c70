// block_inverse: x of y = F(x) for a block autoregressive network F (math/block_network.h): dimension after dimension, every hidden unit
// computed once from the dimensions before, and the roots of a dimension found for all samples side by side.
// in: y [N, D], addend of the first layer [N, D·H1] or absent, gate γ [1], then W [D·units, D·units before] and bias [D·units] or absent of
// each layer: 1 to 16 of them, the first of one input a dimension, the last of one unit. Blocks above the diagonal are not read.
// out: x [N, D], logDet [N] float64 = log|det dx/dy|, iterations [N] int32, residual [N] float64, converged [N] int32 as
// monotone_inverse has them.
//
// Floor: the blocks on and below the diagonal once a sample, and those on it once an evaluation, some ten. One launch, a thread a sample: its
// values stand in a column of the workspace, so that neighbours read side by side, and all of a warp ask for one weight.
#include "cuda/core/linear.h"
#include "cuda/core/monotone.h"
// These come after the functions that they call.
#include "math/block_network.h"
#include "ops/block_operands.h"

namespace flow::cuda {
namespace {

template <class T>
struct Operands {
  Matrix<const T> y, addend;
  const T* gate;
  Matrix<T> x;
  Vector<double> log_det;
  Vector<int32_t> iterations;
  Vector<double> residual;
  Vector<int32_t> converged;
  int64_t samples, features;
};

template <class T>
__global__ void __launch_bounds__(block_threads, 1) invert_blocks(BlockNetwork<T> net, Operands<T> on, T* memory) {
  const Rows<T> x = own_rows(memory), values = x.from(on.features);
  const Rows<T> work = values.from(net.layer[net.layers - 1].first);
  const T raw = *on.gate;
  const BlockGate<T> gate{T(1) / (T(1) + exp(-raw)), T(1) / (T(1) + exp(raw))};
  for (int64_t n = static_cast<int64_t>(blockIdx.x) * block_threads + threadIdx.x; n < on.samples;
       n += static_cast<int64_t>(gridDim.x) * block_threads) {
    double log_det = 0, worst = 0;
    int most = 0;
    for (int64_t i = 0; i < on.features; ++i) {
      Rows<T> base = work;
      for (int l = 0; l < net.layers; ++l) {
        const BlockLayer<T>& own = net.layer[l];
        const Rows<T> from = l == 0 ? x : values.from(net.layer[l - 1].first);
        const int64_t depth = i * net.before(l);
        for (int64_t u = 0; u < own.units; ++u) {
          const int64_t row = i * own.units + u;
          const T* const w = own.weight + row * own.ld;
          T sum = own.bias ? own.bias[row] : T(0);
          if (l == 0 && on.addend.p) sum += *on.addend.at(n, row);
          for (int64_t k = 0; k < depth; ++k) sum += w[k] * from[k];
          base.set(u, sum);
        }
        base = base.from(own.units);
      }
      const Root<T> root = net.solve(i, work, values, gate, *on.y.at(n, i));
      x.set(i, root.x);
      *on.x.at(n, i) = root.x;
      log_det -= static_cast<double>(root.log_slope);
      const int steps = static_cast<int>(root.iterations);
      most = steps > most ? steps : most;
      worst = MaxNan{}(worst, static_cast<double>(root.residual));
    }
    *on.log_det.at(n) = log_det;
    *on.iterations.at(n) = most;
    *on.residual.at(n) = worst;
    *on.converged.at(n) = worst <= static_cast<double>(solved_to<T>) ? 1 : 0;
  }
}

bool block_inverse(const Call& call) {
  const Operand &y = call.in[0], &x = call.out[0];
  if (!check_like(call, x, "x", y, y.cols) || !check_log_det(call, call.out[1], "logDet", y.rows) || !check_report(call, 2, y.rows))
    return false;
  return with_float(call, y, "y", [&](auto zero) {
    using T = decltype(zero);
    BlockNetwork<T> net;
    if (!read_blocks(call, net)) return false;
    if (y.rows == 0) return true;
    MonotoneSpace<T> space;
    if (!space.make(call, y.cols + net.layer[net.layers - 1].first + net.work(), y.rows, 0)) return false;
    const Operands<T> on{matrix<const T>(y), matrix<const T>(call.in[1]), call.in[2].as<const T>(), matrix<T>(x),
                         vector<double>(call.out[1]), vector<int32_t>(call.out[2]), vector<double>(call.out[3]),
                         vector<int32_t>(call.out[4]), y.rows, y.cols};
    FLOW_LAUNCH((invert_blocks<T>), space.blocks, block_threads, 0, net, on, space.work);
    return launched(call);
  });
}

}  // namespace

FLOW_DEFINE_OP(block_inverse) = {"block_inverse", block_inverse, 5, 3 + 2 * most_block_layers, 5, 0};

}  // namespace flow::cuda
