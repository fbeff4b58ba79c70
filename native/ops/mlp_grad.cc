// mlp_grad: backward of mlp. Each task takes a block of rows from the last layer to the first, the gate of the activation in the
// epilogue of each input gradient. The weight gradients, one of two ways by the sizes: where weights are few, each block's
// part of them at once, out of the thread's own cache, and the parts are added last; else each task packs what they read,
// and they come last, by tiles.
// in: dL_dy, x, a gradient that dL_dx is added to or absent, (weight, extents or absent) a layer, the values of each layer but the
// last; out, each present or absent: dL_dx, dL_daddend, then (dL_dweight, dL_dbias) a layer; attributes: activation, its parameter.
// A bias' gradient: 32 rows are summed in the element type, the rest in float64, in order.
#include "ops/mlp.h"
#include "ops/lanes.h"
#include "simd/prefetch.h"

namespace flow::FLOW_ISA {
namespace {

constexpr int64_t summed_rows = 32;

// sums[c] ← sums of the columns of d [rows, cols].
template <class T>
void sum_columns(const T* d, int64_t ld, int64_t rows, int64_t cols, double* sums) {
  using V = Vec<T>;
  constexpr int w = V::width, side = 4;  // registers that are summed side by side
  for (int64_t c = 0; c < cols; ++c) sums[c] = 0;
  for (int64_t r0 = 0; r0 < rows; r0 += summed_rows) {
    const int64_t r1 = min_of(rows, r0 + summed_rows);
    const auto add = [&](int64_t c, V sum, int live) FLOW_INLINE_LAMBDA {
      T lanes[w];
      store(lanes, sum);
      for (int i = 0; i < live; ++i) sums[c + i] += static_cast<double>(lanes[i]);
    };
    int64_t c = 0;
    for (; c + side * w <= cols; c += side * w) {
      V sum[side] = {V(T(0)), V(T(0)), V(T(0)), V(T(0))};
      for (int64_t r = r0; r < r1; ++r) {
        FLOW_UNROLL
        for (int i = 0; i < side; ++i) sum[i] += load<V>(d + r * ld + c + i * w);
      }
      for (int i = 0; i < side; ++i) add(c + i * w, sum[i], w);
    }
    for_lanes<V>(cols - c, [&](int64_t i, int live) FLOW_INLINE_LAMBDA {
      V sum(T(0));
      for (int64_t r = r0; r < r1; ++r) sum += load_live(d + r * ld + c + i, live);
      add(c + i, sum, live);
    });
  }
}

// to ← to + from.
template <class T>
void add_row(T* to, const T* from, int64_t n) {
  for_lanes<Vec<T>>(n, [&](int64_t i, int live) FLOW_INLINE_LAMBDA {
    store_live(to + i, load_live(to + i, live) + load_live(from + i, live), live);
  });
}

template <class T>
struct Backward {
  const Call& call;
  const MlpNetwork& net;
  const Operand& dL_dy;
  const Operand& x;
  const Operand* values;  // of the layers but the last
  RowBlocks blocks;
  bool wants_input;
  // Whether weight gradients are summed of parts, a block each.
  bool in_parts;
  int64_t widest = 0;
  T* memory = nullptr;
  int64_t part_size = 0;
  double* sums = nullptr;
  uint64_t stamp = next_stamp();
  Pieces<T> own{};  // packed weights of a thread
  // Where in `own` the weights, in memory for the weight gradients dL_dz in tiles and the layer's inputs in panels, and in a
  // part the layer's.
  int64_t weights[max_layers] = {}, tiles[max_layers] = {}, panels[max_layers] = {}, part_at[max_layers + 1] = {};
  int64_t sums_at[max_layers + 1] = {};  // in sums, a row a block

  const Operand& d_weight(int64_t l) const { return call.out[2 + 2 * l]; }
  const Operand& d_bias(int64_t l) const { return call.out[3 + 2 * l]; }
  const Operand& d_addend() const { return call.out[1]; }

  void plan() {
    Pieces<T> pieces, part;
    for (int64_t l = 0; l < net.layers; ++l) {
      const MlpLayer& layer = net.layer[l];
      widest = max_of(widest, max_of(layer.units, layer.inputs));
      weights[l] = l > 0 || wants_input ? own.take(packed_b_elements<T>(layer.inputs, layer.units)) : 0;
      if (in_parts) {
        part_at[l] = d_weight(l).absent() ? 0 : part.take(layer.units * layer.inputs);
      } else if (!d_weight(l).absent()) {
        tiles[l] = pieces.take(layer.units * net.rows);
        panels[l] = pieces.take(packed_b_elements<T>(layer.inputs, net.rows));
      }
      sums_at[l + 1] = sums_at[l] + (d_bias(l).absent() ? 0 : layer.units);
    }
    if (in_parts) {
      part_size = part.size();
      for (int64_t block = 0; block < blocks.count; ++block) pieces.take(part_size);
    }
    memory = pieces.get(7);
    sums = static_cast<double*>(scratch(static_cast<size_t>(max_of(1, blocks.count * sums_at[net.layers])) * sizeof(double), 6));
  }

  void run_block(int64_t block) const {
    const T* packed = thread_weights<T>(net, wants_input ? 0 : 1, true, own, weights, stamp);
    T* part = memory + block * part_size;
    const int64_t r0 = blocks.start(block), rows = blocks.start(block + 1) - r0;
    // Two layers' worth of gradients, used in turn.
    T* d_hidden = static_cast<T*>(scratch(static_cast<size_t>(2 * rows * widest + 64) * sizeof(T), 5));
    const T* dz = dL_dy.as<T>() + r0 * dL_dy.ld;
    int64_t dz_ld = dL_dy.ld;
    for (int64_t l = net.layers - 1; l >= 0; --l) {
      const MlpLayer& layer = net.layer[l];
      const Operand& input = l == 0 ? x : values[l - 1];
      const T* from = input.as<T>() + r0 * input.ld;
      if (!d_bias(l).absent())
        sum_columns(dz, dz_ld, rows, layer.units, sums + block * sums_at[net.layers] + sums_at[l]);
      if (!d_weight(l).absent() && in_parts) {
        prefetch_to_write(part + part_at[l], layer.units * layer.inputs);
        outer_product<T>(layer.units, layer.inputs, rows, dz, dz_ld, from, input.ld, layer.extent(), part + part_at[l],
                         layer.inputs);
      } else if (!d_weight(l).absent()) {
        pack_a_depth<T>(dz, dz_ld, layer.units, net.rows, r0, r0 + rows, memory + tiles[l]);
        pack_b_depth<T>(from, input.ld, layer.inputs, net.rows, r0, r0 + rows, memory + panels[l]);
      }
      if (l == 0 && !d_addend().absent()) {
        T* to = d_addend().template as<T>() + r0 * d_addend().ld;
        for (int64_t r = 0; r < rows; ++r)
          __builtin_memcpy(to + r * d_addend().ld, dz + r * dz_ld, static_cast<size_t>(layer.units) * sizeof(T));
      }
      if (l == 0 && !wants_input) return;
      PackedProduct<T> p;
      p.m = rows, p.n = layer.inputs, p.k = layer.units;
      p.a = dz, p.lda = dz_ld;
      p.b_packed = packed + weights[l];
      p.mask = layer.extents ? MaskKind::depth : MaskKind::none;
      p.extent = layer.extent();
      if (l == 0) {
        p.c = call.out[0].as<T>() + r0 * call.out[0].ld;
        p.ldc = call.out[0].ld;
      } else {
        p.c = d_hidden + (l & 1) * rows * widest;
        p.ldc = layer.inputs;
        if (net.act != Activation::none) {
          p.epilogue.gate = from;
          p.epilogue.gate_ld = input.ld;
          p.epilogue.gate_act = net.act;
          p.epilogue.gate_param = net.act_param;
        }
      }
      run_packed<T>(p, 0, tiles_of(rows));
      if (const Operand& so_far = call.in[2]; l == 0 && !so_far.absent())
        for (int64_t r = 0; r < rows; ++r) add_row(p.c + r * p.ldc, so_far.as<T>() + (r0 + r) * so_far.ld, layer.inputs);
      dz = p.c, dz_ld = p.ldc;
    }
  }

  void weight_gradients(bool serial) const {
    constexpr int64_t tiles_of_task = 2;
    int64_t first[max_layers + 1] = {0};
    for (int64_t l = 0; l < net.layers; ++l)
      first[l + 1] = first[l] + (d_weight(l).absent() ? 0 : ceil_div(tiles_of(net.layer[l].units), tiles_of_task));
    run_mlp_tasks(first[net.layers], serial, [&](int64_t task) {
      int64_t l = 0;
      while (task >= first[l + 1]) ++l;
      const MlpLayer& layer = net.layer[l];
      PackedProduct<T> p;
      p.m = layer.units, p.n = layer.inputs, p.k = net.rows;
      p.a_packed = memory + tiles[l];
      p.b_packed = memory + panels[l];
      p.mask = layer.extents ? MaskKind::rows : MaskKind::none;
      p.extent = layer.extent();
      p.c = d_weight(l).template as<T>();
      p.ldc = d_weight(l).ld;
      const int64_t tile = (task - first[l]) * tiles_of_task;
      run_packed<T>(p, tile, min_of(tile + tiles_of_task, tiles_of(layer.units)));
    });
  }

  // Sums of the parts, in the order of the blocks.
  void add_parts(bool serial) const {
    constexpr int64_t elements_of_task = 4 << 10;
    int64_t first[max_layers + 1] = {0};
    const auto tasks_of = [&](const MlpLayer& layer) {
      return min_of(layer.units, ceil_div(layer.units * layer.inputs, elements_of_task));
    };
    for (int64_t l = 0; l < net.layers; ++l) first[l + 1] = first[l] + (d_weight(l).absent() ? 0 : tasks_of(net.layer[l]));
    run_mlp_tasks(first[net.layers], serial, [&](int64_t task) {
      int64_t l = 0;
      while (task >= first[l + 1]) ++l;
      using V = Vec<T>;
      const MlpLayer& layer = net.layer[l];
      const int64_t tasks = first[l + 1] - first[l], k = task - first[l];
      for (int64_t unit = k * layer.units / tasks; unit < (k + 1) * layer.units / tasks; ++unit) {
        const T* from = memory + part_at[l] + unit * layer.inputs;
        T* to = d_weight(l).template as<T>() + unit * d_weight(l).ld;
        if (unit + 2 < layer.units) prefetch_to_write(to + 2 * d_weight(l).ld, layer.inputs);
        for_lanes<V>(layer.inputs, [&](int64_t i, int live) FLOW_INLINE_LAMBDA {
          V sum = load_live(from + i, live);
          for (int64_t block = 1; block < blocks.count; ++block) sum += load_live(from + block * part_size + i, live);
          store_live(to + i, sum, live);
        });
      }
    });
  }

  void bias_gradients() const {
    for (int64_t l = 0; l < net.layers; ++l) {
      if (d_bias(l).absent()) continue;
      T* to = d_bias(l).template as<T>();
      for (int64_t c = 0; c < net.layer[l].units; ++c) {
        double total = 0;
        for (int64_t block = 0; block < blocks.count; ++block)
          total += sums[block * sums_at[net.layers] + sums_at[l] + c];
        to[c] = static_cast<T>(total);
      }
    }
  }
};

// Of about 128 rows: enough depth for each product, and few parts to add.
int64_t parts_of(const MlpNetwork& net) { return max_of(2, min_of(8, net.rows / 128)); }

// Parts cost a write and a read of the weights each; tiles and panels cost as much for the values of all layers, a good part
// of it out of the other cores' caches.
bool pays_in_parts(const MlpNetwork& net) {
  int64_t weights = 0, values = 0;
  for (int64_t l = 0; l < net.layers; ++l) {
    weights += net.layer[l].units * net.layer[l].inputs;
    values += net.rows * (net.layer[l].units + net.layer[l].inputs);
  }
  return parts_of(net) * weights <= values;
}

bool mlp_grad(const Call& call) {
  const Operand &dL_dy = call.in[0], &x = call.in[1], &d_x = call.out[0];
  MlpNetwork net{};
  const Operand* values = nullptr;
  if (!read_mlp_grad(call, net, values)) return false;
  return with_float(call, x, "x", [&](auto zero) {
    using T = decltype(zero);
    const bool in_parts = pays_in_parts(net), serial = is_small(net);
    const RowBlocks blocks = in_parts ? RowBlocks(net.rows, parts_of(net)) : RowBlocks(net.rows);
    Backward<T> backward{call, net, dL_dy, x, values, blocks, !d_x.absent(), in_parts};
    backward.plan();
    run_mlp_tasks(backward.blocks.count, serial, [&](int64_t block) { backward.run_block(block); });
    if (in_parts) {
      backward.add_parts(serial);
    } else {
      backward.weight_gradients(serial);
    }
    backward.bias_gradients();
    return true;
  });
}

}  // namespace

FLOW_DEFINE_OP(mlp_grad) = {"mlp_grad", mlp_grad, 5, 2 + 3 * max_layers, -1, 2};

}  // namespace flow::FLOW_ISA
