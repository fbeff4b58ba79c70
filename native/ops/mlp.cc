// mlp: a whole network of linear layers, block of rows by block; see ops/mlp_operands.h.
// in: x, addend or absent, then (weight, bias or absent, extents or absent) a layer; out: the values of each layer, first to
// last; attributes: activation, its parameter.
#include "ops/mlp.h"

namespace flow::FLOW_ISA {
namespace {

bool mlp(const Call& call) {
  const Operand &x = call.in[0], &addend = call.in[1];
  MlpNetwork net{};
  if (!read_mlp(call, net)) return false;
  return with_float(call, x, "x", [&](auto zero) {
    using T = decltype(zero);
    Pieces<T> pieces;
    int64_t at[max_layers];
    for (int64_t l = 0; l < net.layers; ++l) at[l] = pieces.take(packed_b_elements<T>(net.layer[l].units, net.layer[l].inputs));
    const uint64_t stamp = next_stamp();
    const RowBlocks blocks(net.rows);
    run_mlp_tasks(blocks.count, is_small(net), [&](int64_t block) {
      const T* packed = thread_weights<T>(net, 0, false, pieces, at, stamp);
      const int64_t r0 = blocks.start(block), rows = blocks.start(block + 1) - r0;
      const T* from = x.as<T>() + r0 * x.ld;
      int64_t ld = x.ld;
      for (int64_t l = 0; l < net.layers; ++l) {
        const MlpLayer& layer = net.layer[l];
        const Operand& out = call.out[l];
        PackedProduct<T> p;
        p.m = rows, p.n = layer.units, p.k = layer.inputs;
        p.a = from, p.lda = ld;
        p.b_packed = packed + at[l];
        p.mask = layer.extents ? MaskKind::columns : MaskKind::none;
        p.extent = layer.extent();
        p.c = out.as<T>() + r0 * out.ld;
        p.ldc = out.ld;
        p.epilogue.bias = call.in[3 + 3 * l].as<T>();
        if (l + 1 < net.layers) p.epilogue.act = net.act, p.epilogue.act_param = net.act_param;
        if (l == 0 && !addend.absent()) {
          p.epilogue.accumulate = true;
          for (int64_t r = 0; r < rows; ++r)
            __builtin_memcpy(p.c + r * p.ldc, addend.as<T>() + (r0 + r) * addend.ld, static_cast<size_t>(p.n) * sizeof(T));
        }
        run_packed<T>(p, 0, tiles_of(rows));
        from = p.c, ld = p.ldc;
      }
    });
    return true;
  });
}

}  // namespace

FLOW_DEFINE_OP(mlp) = {"mlp", mlp, 5, 2 + 3 * max_layers, -1, 2};

}  // namespace flow::FLOW_ISA
