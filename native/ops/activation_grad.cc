// activation_grad: dL_dz = dL_dy ⊙ act'(z), with act' written in the output y = act(z), and its column sums (the gradient
// of a bias) in the same pass.
// in: dL_dy, y (absent: act is the identity); out: dL_dz and dL_dbias as the last attribute says (1: dL_dz, 2: dL_dbias,
// 3: both); attributes: activation, its parameter, order (1: act' as above; n: its derivative
// of order n − 1 by y in its place), outputs.
// Blocks of row_block rows are summed in the element type, the blocks in float64, in order.
#include "ops/linear.h"
#include "simd/gemm_epilogue.h"

namespace flow::FLOW_ISA {
namespace {

constexpr int64_t row_block = 32;
constexpr int strip_registers = 8;

// The derivative of order n − 1 ≥ 1, by y, of act'(z) written in y; 0 where it is constant.
template <Activation act, class V>
FLOW_INLINE V higher_factor(V y, int64_t order) {
  if constexpr (act == Activation::tanh) return order == 2 ? V(-2) * y : V(order == 3 ? -2 : 0);
  if constexpr (act == Activation::sigmoid) return order == 2 ? V(1) - V(2) * y : V(order == 3 ? -2 : 0);
  if constexpr (act == Activation::elu) return select(y > V(0), V(0), V(order == 2 ? 1 : 0));
  if constexpr (act == Activation::softplus) return order % 2 == 0 ? exp(-y) : -exp(-y);
  return V(0);
}

// A strip of S registers of columns, down the rows of a block, their sums to `sums`: whole rows of lines, which are asked for in time.
// Only a strip of one register may be narrower than its registers.
template <Activation act, bool first, int S, class T>
FLOW_INLINE void pass(int64_t rows, int live, const T* dL_dy, int64_t dy_ld, const T* y, int64_t y_ld, T* dL_dz, int64_t dz_ld,
                      T param, int64_t order, T* sums) {
  using V = Vec<T>;
  constexpr int w = V::width;
  const auto get = [&](const T* p) { return S > 1 || live == w ? load<V>(p) : load_partial<V>(p, live); };
  const auto put = [&](T* p, V x) { S > 1 || live == w ? store(p, x) : store_partial(p, x, live); };
  V sum[S];
  for (int i = 0; i < S; ++i) sum[i] = V(T(0));
  for (int64_t r = 0; r < rows; ++r) {
    FLOW_UNROLL
    for (int i = 0; i < S; ++i) {
      V d = get(dL_dy + r * dy_ld + i * w), factor(T(1));
      if constexpr (act != Activation::none) {
        const V out = get(y + r * y_ld + i * w);
        if constexpr (!first)
          factor = higher_factor<act>(out, order);
        else if constexpr (act == Activation::relu)
          d = select(out > V(0), d, V(0));  // a choice: 0·inf would be NaN
        else
          factor = gate_factor(act, out, param);
      }
      if (dL_dz) put(dL_dz + r * dz_ld + i * w, d * factor);
      sum[i] = fma(d, factor, sum[i]);  // else the compiler would choose, by whether the product is stored, too
    }
  }
  for (int i = 0; i < S; ++i) put(sums + i * w, sum[i]);
}

template <Activation act, bool first, class T>
void run_all(const Call& call, const Operand& dL_dy, const Operand& y, const Operand* dL_dz, const Operand* dL_dbias) {
  constexpr int64_t w = Vec<T>::width;
  const int64_t rows = dL_dy.rows, cols = dL_dy.cols;
  const T param = static_cast<T>(call.attr[1]);
  const int64_t order = call.int_attr(2);
  const int64_t blocks = ceil_div(rows, row_block);
  T* partial = static_cast<T*>(scratch(static_cast<size_t>(max_of(1, blocks * cols)) * sizeof(T), 4));
  auto block_of = [&](int64_t block) {
    const int64_t r0 = block * row_block, n = min_of(row_block, rows - r0);
    const auto strip = [&]<int S>(int64_t c) {
      pass<act, first, S>(n, static_cast<int>(min_of(w, cols - c)), dL_dy.as<T>() + r0 * dL_dy.ld + c, dL_dy.ld,
                          y.absent() ? nullptr : y.as<T>() + r0 * y.ld + c, y.ld,
                          dL_dz ? dL_dz->as<T>() + r0 * dL_dz->ld + c : nullptr, dL_dz ? dL_dz->ld : 0, param, order,
                          partial + block * cols + c);
    };
    int64_t c = 0;
    for (; c + strip_registers * w <= cols; c += strip_registers * w) strip.template operator()<strip_registers>(c);
    for (; c < cols; c += w) strip.template operator()<1>(c);
  };
  if (rows * cols < 8192) {
    for (int64_t block = 0; block < blocks; ++block) block_of(block);
  } else {
    parallel(blocks, block_of);
  }
  if (!dL_dbias) return;
  T* bias = dL_dbias->as<T>();
  double total[64];
  for (int64_t c0 = 0; c0 < cols; c0 += 64) {
    const int64_t n = min_of(64, cols - c0);
    for (int64_t c = 0; c < n; ++c) total[c] = 0;
    for (int64_t block = 0; block < blocks; ++block)
      for (int64_t c = 0; c < n; ++c) total[c] += static_cast<double>(partial[block * cols + c0 + c]);
    for (int64_t c = 0; c < n; ++c) bias[c0 + c] = static_cast<T>(total[c]);
  }
}

bool activation_grad(const Call& call) {
  Activation act = Activation::none;
  double param = 0;
  if (!read_activation(call, 0, act, param)) return false;
  const Operand& dL_dy = call.in[0];
  const Operand& y = call.in[1];
  const int64_t order = call.int_attr(2), wanted = call.int_attr(3);
  FLOW_CHECK(call, order >= 1 && order <= 1000 && wanted >= 1 && wanted <= 3,
             "attributes: order is 1 to 1000, outputs 1, 2 or 3");
  FLOW_CHECK(call, call.n_out == (wanted == 3 ? 2 : 1), "outputs: expected %d, got %d", wanted == 3 ? 2 : 1, call.n_out);
  FLOW_CHECK(call, !y.absent() || act == Activation::none || dL_dy.count() == 0, "y: expected the output, got none");
  FLOW_CHECK(call, act != Activation::gelu, "activation: the derivative of gelu is no function of its output");
  const Operand* dL_dz = wanted & 1 ? &call.out[0] : nullptr;
  const Operand* dL_dbias = wanted & 2 ? &call.out[call.n_out - 1] : nullptr;
  if (!y.absent() && !check_shape(call, y, "y", dL_dy.rows, dL_dy.cols, dL_dy.dtype)) return false;
  if (dL_dz && !check_shape(call, *dL_dz, "dL_dz", dL_dy.rows, dL_dy.cols, dL_dy.dtype)) return false;
  if (dL_dbias && !check_shape(call, *dL_dbias, "dL_dbias", 1, dL_dy.cols, dL_dy.dtype)) return false;
  return with_float(call, dL_dy, "dL_dy", [&](auto zero) {
    using T = decltype(zero);
    switch (act) {
#define FLOW_CASE(a)                                                     \
  case Activation::a:                                                    \
    if (order == 1)                                                      \
      run_all<Activation::a, true, T>(call, dL_dy, y, dL_dz, dL_dbias);  \
    else                                                                 \
      run_all<Activation::a, false, T>(call, dL_dy, y, dL_dz, dL_dbias); \
    break;
      case Activation::gelu:
      case Activation::none: run_all<Activation::none, true, T>(call, dL_dy, y, dL_dz, dL_dbias); break;
      FLOW_CASE(relu)
      FLOW_CASE(tanh)
      FLOW_CASE(sigmoid)
      FLOW_CASE(elu)
      FLOW_CASE(leaky_relu)
      FLOW_CASE(softplus)
#undef FLOW_CASE
    }
    return true;
  });
}

}  // namespace

FLOW_DEFINE_OP(activation_grad) = {"activation_grad", activation_grad, 2, 2, -1, 4};

}  // namespace flow::FLOW_ISA
