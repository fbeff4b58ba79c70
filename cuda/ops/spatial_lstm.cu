// spatial_lstm: the states of an LSTM over images. in: gates, weight; out: h [N·height·width, hidden], and, or left out both, the gates
// after their functions [.., 4·hidden] and the cells [.., hidden]. Attributes: height, width, direction (native/math/spatial_lstm.h).
//
// Floor: the steps depend on each other, so their number times the way to memory and back; 8·taps·hidden² operations a pixel. One
// launch: a block takes an image through all steps with a barrier between two, a thread a unit of a pixel. States come back from the
// first-level cache or L2, where the weight stays too.
#include "cuda/core/check.h"
#include "cuda/core/context.h"
#include "cuda/core/pack.h"
#include "cuda/core/scalar.h"
// After the checks and functions that they call.
#include "math/lstm_cell.h"
#include "ops/spatial_lstm_operands.h"

namespace flow::cuda {
namespace {

template <class T>
__global__ void __launch_bounds__(block_threads) scan_states(SpatialLstm g, Matrix<const T> gates, Matrix<const T> weight, Matrix<T> h,
                                                             Matrix<T> kept, Matrix<T> cells) {
  const int64_t image = blockIdx.x * g.pixels();
  const int threads = static_cast<int>(blockDim.x);
  // The row above all states.
  for (int64_t i = threadIdx.x; i < g.shift * g.width * g.hidden; i += threads) {
    const int64_t at = image + i / g.hidden, j = i % g.hidden;
    *h.at(at, j) = T(0);
    *cells.at(at, j) = T(0);
    if (!kept.p) continue;
    for (int q = 0; q < 4; ++q) *kept.at(at, q * g.hidden + j) = T(0);
  }
  __syncthreads();
  for (int64_t s = 0; s < g.steps(); ++s) {
    const int64_t items = g.count(s) * g.hidden;
    for (int64_t item = threadIdx.x; item < items; item += threads) {
      int64_t r, c;
      g.pixel(s, item / g.hidden, r, c);
      const int64_t j = item % g.hidden, at = image + r * g.width + c;
      T sum[4] = {};
      for (int t = 0; t < g.taps; ++t) {
        const int64_t rr = r + g.dy(t), cc = c + g.dx(t);
        if (!g.inside(rr, cc)) continue;
        const T* state = h.at(image + rr * g.width + cc, 0);
        for (int64_t u = 0; u < g.hidden; ++u) {
#pragma unroll
          for (int q = 0; q < 4; ++q) sum[q] = fma(*weight.at(q * g.hidden + j, t * g.hidden + u), state[u], sum[q]);
        }
      }
      const T* z = gates.at(at - g.shift * g.width, 0);
      const LstmGates<T> now = lstm_gates(z[j] + sum[0], z[g.hidden + j] + sum[1], z[2 * g.hidden + j] + sum[2],
                                          z[3 * g.hidden + j] + sum[3]);
      const int64_t br = r + g.dy(g.cell_tap()), bc = c + g.dx(g.cell_tap());
      const T cell = lstm_cell(now, g.inside(br, bc) ? *cells.at(image + br * g.width + bc, j) : T(0));
      *cells.at(at, j) = cell;
      *h.at(at, j) = lstm_hidden(now, cell);
      if (!kept.p) continue;
      *kept.at(at, j) = now.i;
      *kept.at(at, g.hidden + j) = now.f;
      *kept.at(at, 2 * g.hidden + j) = now.o;
      *kept.at(at, 3 * g.hidden + j) = now.g;
    }
    __syncthreads();
  }
}

bool spatial_lstm(const Call& call) {
  const Operand &gates = call.in[0], &weight = call.in[1], &h = call.out[0], &kept = call.out[1], &cells = call.out[2];
  SpatialLstm g;
  if (!check_spatial_lstm(call, g)) return false;
  const int64_t rows = gates.rows;
  return with_float(call, gates, "gates", [&](auto zero) {
    using T = decltype(zero);
    const int64_t images = rows / g.pixels();
    if (images == 0) return true;
    Matrix<T> cell_map = matrix<T>(cells);
    if (cells.absent()) {
      cell_map = {static_cast<T*>(workspace(static_cast<size_t>(rows * g.hidden) * sizeof(T))), g.hidden};
      if (!cell_map.p) return call.fail("no memory for %lld cells", ll(rows * g.hidden));
    }
    FLOW_LAUNCH(scan_states<T>, static_cast<unsigned>(images), block_threads, 0, g, matrix<const T>(gates), matrix<const T>(weight),
                matrix<T>(h), matrix<T>(kept), cell_map);
    return launched(call);
  });
}

}  // namespace

FLOW_DEFINE_OP(spatial_lstm) = {"spatial_lstm", spatial_lstm, 2, 2, 3, 3};

}  // namespace flow::cuda
