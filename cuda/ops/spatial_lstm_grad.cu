// spatial_lstm_grad: the gradient by the gates' inputs, through all steps backwards. in: dL_dh, weight, the gates after their functions and
// the cells of spatial_lstm; out: dL_dgates [N·height·width, 4·hidden]. Attributes as of spatial_lstm.
//
// Floor and way as of spatial_lstm: a block an image, a thread a unit of a pixel; what later states give comes from their dL_dgates.
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
__global__ void __launch_bounds__(block_threads) scan_back(SpatialLstm g, Matrix<const T> dL_dh, Matrix<const T> weight,
                                                           Matrix<const T> kept, Matrix<const T> cells, Matrix<T> d_cells, Matrix<T> out) {
  const int64_t image = blockIdx.x * g.pixels();
  const int threads = static_cast<int>(blockDim.x);
  for (int64_t i = threadIdx.x; i < g.pixels() * g.hidden; i += threads) *d_cells.at(image + i / g.hidden, i % g.hidden) = T(0);
  // The gates of the last row have no state.
  for (int64_t i = threadIdx.x; i < g.shift * g.width * 4 * g.hidden; i += threads)
    *out.at(image + g.pixels() - g.width + i / (4 * g.hidden), i % (4 * g.hidden)) = T(0);
  __syncthreads();
  for (int64_t s = g.steps() - 1; s >= 0; --s) {
    const int64_t items = g.count(s) * g.hidden;
    for (int64_t item = threadIdx.x; item < items; item += threads) {
      int64_t r, c;
      g.pixel(s, item / g.hidden, r, c);
      const int64_t j = item % g.hidden, at = image + r * g.width + c;
      T dh = *dL_dh.at(at, j);
      for (int t = 0; t < g.taps; ++t) {
        // The pixel that this one is tap t of.
        const int64_t rr = r - g.dy(t), cc = c - g.dx(t);
        if (!g.inside(rr, cc)) continue;
        const T* d = out.at(image + (rr - g.shift) * g.width + cc, 0);
        for (int64_t o = 0; o < 4 * g.hidden; ++o) dh = fma(*weight.at(o, t * g.hidden + j), d[o], dh);
      }
      const int64_t br = r + g.dy(g.cell_tap()), bc = c + g.dx(g.cell_tap());
      const bool has_before = g.inside(br, bc);
      const T before = has_before ? *cells.at(image + br * g.width + bc, j) : T(0);
      const LstmGates<T> now{*kept.at(at, j), *kept.at(at, g.hidden + j), *kept.at(at, 2 * g.hidden + j), *kept.at(at, 3 * g.hidden + j)};
      T d_before;
      const LstmGates<T> made = lstm_gradient(now, *cells.at(at, j), before, dh, *d_cells.at(at, j), d_before);
      const int64_t gate_row = at - g.shift * g.width;
      *out.at(gate_row, j) = made.i;
      *out.at(gate_row, g.hidden + j) = made.f;
      *out.at(gate_row, 2 * g.hidden + j) = made.o;
      *out.at(gate_row, 3 * g.hidden + j) = made.g;
      if (has_before) *d_cells.at(image + br * g.width + bc, j) = d_before;
    }
    __syncthreads();
  }
}

bool spatial_lstm_grad(const Call& call) {
  const Operand &dL_dh = call.in[0], &weight = call.in[1];
  SpatialLstm g;
  if (!check_spatial_lstm_grad(call, g)) return false;
  const int64_t rows = dL_dh.rows;
  return with_float(call, dL_dh, "dL_dh", [&](auto zero) {
    using T = decltype(zero);
    const int64_t images = rows / g.pixels();
    if (images == 0) return true;
    const Matrix<T> d_cells{static_cast<T*>(workspace(static_cast<size_t>(rows * g.hidden) * sizeof(T))), g.hidden};
    if (!d_cells.p) return call.fail("no memory for %lld cells", ll(rows * g.hidden));
    FLOW_LAUNCH(scan_back<T>, static_cast<unsigned>(images), block_threads, 0, g, matrix<const T>(dL_dh), matrix<const T>(weight),
                matrix<const T>(call.in[2]), matrix<const T>(call.in[3]), d_cells, matrix<T>(call.out[0]));
    return launched(call);
  });
}

}  // namespace

FLOW_DEFINE_OP(spatial_lstm_grad) = {"spatial_lstm_grad", spatial_lstm_grad, 4, 4, 1, 3};

}  // namespace flow::cuda
