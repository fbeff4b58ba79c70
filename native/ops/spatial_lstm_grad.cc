// spatial_lstm_grad: the gradient by the gates' inputs, through all steps backwards; those by the weight are products of it with
// the states, which conv2d_grad_weight makes. in: dL_dh, weight, the gates after their functions and the cells of spatial_lstm;
// out: dL_dgates [N·height·width, 4·hidden]. Attributes as of spatial_lstm.
#include "ops/spatial_lstm.h"

namespace flow::FLOW_ISA {
namespace {

template <class T>
bool run_type(const Call& call, const SpatialLstm& g) {
  using V = Vec<T>;
  const Operand &dL_dh = call.in[0], &weight = call.in[1], &kept = call.in[2], &cells = call.in[3], &out = call.out[0];
  const int64_t hidden = g.hidden, depth = g.taps * 4 * hidden, pixels = g.pixels(), images = dL_dh.rows / pixels;
  // B [(tap, gate), hidden]: the rows of the weight, tap after tap.
  T* packed = static_cast<T*>(scratch(static_cast<size_t>(packed_b_elements<T>(hidden, depth)) * sizeof(T), 4));
  for (int t = 0; t < g.taps; ++t)
    pack_b_depth(weight.as<T>() + t * hidden, weight.ld, hidden, depth, t * 4 * hidden, (t + 1) * 4 * hidden, packed);

  const int64_t together = images_together(images);
  parallel(ceil_div(images, together), [&](int64_t task) {
    const int64_t first = task * together, count = min_of(together, images - first);
    const int64_t most = count * max_of(g.width, g.height), map = count * pixels * hidden;
    T* work = static_cast<T*>(scratch(static_cast<size_t>(most * (depth + hidden) + map) * sizeof(T) + kVectorBytes, 5));
    T *columns = work, *sums = columns + most * depth, *d_cells = sums + most * hidden;
    __builtin_memset(d_cells, 0, static_cast<size_t>(map) * sizeof(T));
    T* d_gates = out.as<T>() + first * pixels * out.ld;
    if (g.shift) {  // the gates of the last row have no state
      for (int64_t n = 0; n < count; ++n)
        for (int64_t c = 0; c < g.width; ++c)
          __builtin_memset(d_gates + ((n + 1) * pixels - g.width + c) * out.ld, 0, static_cast<size_t>(4 * hidden) * sizeof(T));
    }
    for (int64_t s = g.steps() - 1; s >= 0; --s) {
      const int64_t of_image = g.count(s), rows = count * of_image;
      for (int64_t k = 0; k < rows; ++k) {
        int64_t r, c;
        g.pixel(s, k % of_image, r, c);
        for (int t = 0; t < g.taps; ++t) {
          // The pixel that this one is tap t of.
          const int64_t rr = r - g.dy(t), cc = c - g.dx(t);
          T* to = columns + k * depth + t * 4 * hidden;
          const size_t bytes = static_cast<size_t>(4 * hidden) * sizeof(T);
          if (g.inside(rr, cc))
            __builtin_memcpy(to, d_gates + (k / of_image * pixels + (rr - g.shift) * g.width + cc) * out.ld, bytes);
          else
            __builtin_memset(to, 0, bytes);
        }
      }
      PackedProduct<T> product;
      product.m = rows, product.n = hidden, product.k = depth;
      product.a = columns, product.lda = depth, product.b_packed = packed;
      product.c = sums, product.ldc = hidden;
      run_packed(product, 0, tiles_of(rows));
      for (int64_t k = 0; k < rows; ++k) {
        int64_t r, c;
        g.pixel(s, k % of_image, r, c);
        const int64_t image = k / of_image * pixels, at = image + r * g.width + c;
        const int64_t cr = r + g.dy(g.cell_tap()), cc = c + g.dx(g.cell_tap());
        const bool has_before = g.inside(cr, cc);
        const int64_t before_at = image + cr * g.width + cc;
        const T *z = kept.as<T>() + (first * pixels + at) * kept.ld, *cell = cells.as<T>() + (first * pixels + at) * cells.ld;
        const T* before = has_before ? cells.as<T>() + (first * pixels + before_at) * cells.ld : nullptr;
        const T *d = dL_dh.as<T>() + (first * pixels + at) * dL_dh.ld, *sum = sums + k * hidden, *dc = d_cells + at * hidden;
        T* to = d_gates + (at - g.shift * g.width) * out.ld;
        T* to_before = has_before ? d_cells + before_at * hidden : nullptr;
        for_lanes<V>(hidden, [&](int64_t j, int live) FLOW_INLINE_LAMBDA {
          const LstmGates<V> gates{load_live(z + j, live), load_live(z + hidden + j, live), load_live(z + 2 * hidden + j, live),
                                   load_live(z + 3 * hidden + j, live)};
          V d_before;
          const auto made = lstm_gradient(gates, load_live(cell + j, live), before ? load_live(before + j, live) : V(T(0)),
                                          load_live(d + j, live) + load_live(sum + j, live), load_live(dc + j, live), d_before);
          store_live(to + j, made.i, live);
          store_live(to + hidden + j, made.f, live);
          store_live(to + 2 * hidden + j, made.o, live);
          store_live(to + 3 * hidden + j, made.g, live);
          if (to_before) store_live(to_before + j, d_before, live);
        });
      }
    }
  });
  return true;
}

bool spatial_lstm_grad(const Call& call) {
  SpatialLstm g;
  if (!check_spatial_lstm_grad(call, g)) return false;
  return with_float(call, call.in[0], "dL_dh", [&](auto zero) { return run_type<decltype(zero)>(call, g); });
}

}  // namespace

FLOW_DEFINE_OP(spatial_lstm_grad) = {"spatial_lstm_grad", spatial_lstm_grad, 4, 4, 1, 3};

}  // namespace flow::FLOW_ISA
