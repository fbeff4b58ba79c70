// spatial_lstm: the states of an LSTM over images (math/spatial_lstm.h). in: gates, weight; out: h [N·height·width, hidden], and, or
// left out both, the gates after their functions [.., 4·hidden] and the cells [.., hidden], where the states stand.
#include "ops/spatial_lstm.h"

namespace flow::FLOW_ISA {
namespace {

template <class T>
bool run_type(const Call& call, const SpatialLstm& g) {
  const Operand &gates = call.in[0], &weight = call.in[1], &h = call.out[0], &kept = call.out[1], &cells = call.out[2];
  const int64_t hidden = g.hidden, depth = g.taps * hidden, pixels = g.pixels(), images = gates.rows / pixels;
  T* packed = static_cast<T*>(scratch(static_cast<size_t>(packed_b_elements<T>(4 * hidden, depth)) * sizeof(T), 4));
  const PackSource<T> source{weight.as<T>(), weight.ld, true, MaskKind::none, nullptr};
  for (int64_t panel = 0; panel < packed_panels<T>(4 * hidden); ++panel) pack_b_panel(source, 4 * hidden, depth, panel, packed);

  const int64_t together = images_together(images);
  parallel(ceil_div(images, together), [&](int64_t task) {
    const int64_t first = task * together, count = min_of(together, images - first);
    const int64_t most = count * max_of(g.width, g.height);
    const int64_t own_cells = kept.absent() ? count * pixels * hidden : 0;
    T* work = static_cast<T*>(scratch(static_cast<size_t>(most * (depth + 4 * hidden) + own_cells) * sizeof(T) + kVectorBytes, 5));
    T *columns = work, *sums = columns + most * depth, *cell_map = sums + most * 4 * hidden;
    const int64_t cell_ld = kept.absent() ? hidden : cells.ld;
    T* cell_of = kept.absent() ? cell_map : cells.as<T>() + first * pixels * cells.ld;
    T* h_of = h.as<T>() + first * pixels * h.ld;
    const T* z_of = gates.as<T>() + first * pixels * gates.ld;
    if (g.shift) {  // the row above all states
      for (int64_t n = 0; n < count; ++n)
        for (int64_t c = 0; c < g.width; ++c) {
          __builtin_memset(h_of + (n * pixels + c) * h.ld, 0, static_cast<size_t>(hidden) * sizeof(T));
          if (kept.absent()) continue;
          __builtin_memset(cell_of + (n * pixels + c) * cell_ld, 0, static_cast<size_t>(hidden) * sizeof(T));
          __builtin_memset(kept.as<T>() + ((first + n) * pixels + c) * kept.ld, 0, static_cast<size_t>(4 * hidden) * sizeof(T));
        }
    }
    for (int64_t s = 0; s < g.steps(); ++s) {
      const int64_t of_image = g.count(s), rows = count * of_image;
      for (int64_t k = 0; k < rows; ++k) {
        int64_t r, c;
        g.pixel(s, k % of_image, r, c);
        for (int t = 0; t < g.taps; ++t) {
          const int64_t rr = r + g.dy(t), cc = c + g.dx(t);
          T* to = columns + k * depth + t * hidden;
          if (g.inside(rr, cc))
            __builtin_memcpy(to, h_of + (k / of_image * pixels + rr * g.width + cc) * h.ld, static_cast<size_t>(hidden) * sizeof(T));
          else
            __builtin_memset(to, 0, static_cast<size_t>(hidden) * sizeof(T));
        }
      }
      PackedProduct<T> product;
      product.m = rows, product.n = 4 * hidden, product.k = depth;
      product.a = columns, product.lda = depth, product.b_packed = packed;
      product.c = sums, product.ldc = 4 * hidden;
      run_packed(product, 0, tiles_of(rows));
      for (int64_t k = 0; k < rows; ++k) {
        int64_t r, c;
        g.pixel(s, k % of_image, r, c);
        const int64_t image = k / of_image * pixels, at = image + r * g.width + c;
        const int64_t cr = r + g.dy(g.cell_tap()), cc = c + g.dx(g.cell_tap());
        lstm_row(hidden, hidden, z_of + (at - g.shift * g.width) * gates.ld, sums + k * 4 * hidden,
                 g.inside(cr, cc) ? cell_of + (image + cr * g.width + cc) * cell_ld : nullptr,
                 kept.absent() ? nullptr : kept.as<T>() + (first * pixels + at) * kept.ld, cell_of + at * cell_ld,
                 h_of + at * h.ld);
      }
    }
  });
  return true;
}

bool spatial_lstm(const Call& call) {
  SpatialLstm g;
  if (!check_spatial_lstm(call, g)) return false;
  return with_float(call, call.in[0], "gates", [&](auto zero) { return run_type<decltype(zero)>(call, g); });
}

}  // namespace

FLOW_DEFINE_OP(spatial_lstm) = {"spatial_lstm", spatial_lstm, 2, 2, 3, 3};

}  // namespace flow::FLOW_ISA
