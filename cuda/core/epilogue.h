// What happens to the values of a product before they are written, in this order:
//   z = value (+ addend) (+ bias of the column);  y = act(z) (⊙ act'(·) written in the gate).
// Four columns a thread; where rows start at multiples of four they are moved together.
#pragma once
#include "cuda/core/activation.h"
#include "cuda/core/pack.h"

namespace flow::cuda {

template <class T>
struct Epilogue {
  T* y;
  int64_t ld;
  int64_t batch_step = 0;
  const T* bias = nullptr;
  const T* addend = nullptr;
  int64_t addend_ld = 0;
  Activation act = Activation::none;
  T act_param = 0;
  const T* gate = nullptr;  // outputs of gate_act
  int64_t gate_ld = 0;
  Activation gate_act = Activation::none;
  T gate_param = 0;
  bool wide = false;  // every row of y, addend and gate starts at a multiple of four numbers

  bool is_plain() const { return !bias && !addend && act == Activation::none && !gate; }
  Epilogue& settle() {
    const auto whole = [](const T* p, int64_t step) {
      return reinterpret_cast<uintptr_t>(p) % (4 * sizeof(T)) == 0 && step % 4 == 0;
    };
    wide = whole(y, ld) && batch_step % 4 == 0 && (!addend || whole(addend, addend_ld)) && (!gate || whole(gate, gate_ld));
    return *this;
  }

  static __device__ __forceinline__ void read(T (&to)[4], const T* from, int live, bool together) {
    if (together) return load<4>(to, from);
#pragma unroll
    for (int c = 0; c < 4; ++c) to[c] = c < live ? from[c] : T(0);
  }

  /** The columns j … j + live − 1, live ≤ 4, j a multiple of 4, of row i. */
  __device__ __forceinline__ void operator()(int64_t batch, int64_t i, int64_t j, int live, T (&v)[4]) const {
    const bool together = wide && live == 4;
    T other[4];
    if (addend) {
      read(other, addend + i * addend_ld + j, live, together);
#pragma unroll
      for (int c = 0; c < 4; ++c) v[c] += other[c];
    }
    if (bias) {
#pragma unroll
      for (int c = 0; c < 4; ++c) v[c] += c < live ? bias[j + c] : T(0);
    }
    with_activation(act, [&](auto tag) {
#pragma unroll
      for (int c = 0; c < 4; ++c) v[c] = activate<decltype(tag)::value>(v[c], act_param);
    });
    if (gate) {
      read(other, gate + i * gate_ld + j, live, together);
      with_activation(gate_act, [&](auto tag) {
#pragma unroll
        for (int c = 0; c < 4; ++c) v[c] = gated<decltype(tag)::value>(v[c], other[c], gate_param);
      });
    }
    T* to = y + batch * batch_step + i * ld + j;
    if (together) return store<4>(to, v);
#pragma unroll
    for (int c = 0; c < 4; ++c)
      if (c < live) to[c] = v[c];
  }
};

/** y = act(value + bias + addend); bias and addend may be absent. */
template <class T>
Epilogue<T> affine_epilogue(const Operand& y, const Operand& bias, const Operand* addend, Activation act, double param) {
  Epilogue<T> epilogue{y.as<T>(), y.ld};
  epilogue.bias = bias.as<const T>();
  if (addend) {
    epilogue.addend = addend->as<const T>();
    epilogue.addend_ld = addend->ld;
  }
  epilogue.act = act;
  epilogue.act_param = static_cast<T>(param);
  return epilogue.settle();
}

/** The epilogue of a product that is in y already. Floor: y read and written once. */
template <class T>
__global__ void __launch_bounds__(block_threads) finish_product(Epilogue<T> epilogue, int64_t rows, int64_t cols) {
  const int64_t groups = (cols + 3) / 4, stride = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t g = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; g < rows * groups; g += stride) {
    const int64_t i = g / groups, j = g % groups * 4;
    const int live = cols - j < 4 ? static_cast<int>(cols - j) : 4;
    T v[4];
    Epilogue<T>::read(v, epilogue.y + i * epilogue.ld + j, live, epilogue.wide && live == 4);
    epilogue(0, i, j, live, v);
  }
}

template <class T>
bool apply_epilogue(const Call& call, const Epilogue<T>& epilogue, int64_t rows, int64_t cols) {
  if (epilogue.is_plain() || rows <= 0 || cols <= 0) return true;
  FLOW_LAUNCH((finish_product<T>), blocks_for(rows * ceil_div(cols, 4)), block_threads, 0, epilogue, rows, cols);
  return launched(call);
}

}  // namespace flow::cuda
