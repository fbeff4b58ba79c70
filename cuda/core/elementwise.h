// One loop for all ops by element: out[r, c] = f(in[r, c] …), where an input may be one row, one column or one number.
//
// Floor: the bytes of every operand, once. Where all operands lie side by side, a thread loads and stores 16 bytes at a time; the few
// elements before the end go one by one. f is a functor of values in registers, so the compiler sees the whole loop.
#pragma once
#include "cuda/core/check.h"
#include "cuda/core/launch.h"

namespace flow::cuda {

/** An operand in a kernel: the element (r, c) is p[r·row + c·col]; a step of 0 repeats. */
template <class T>
struct Strided {
  T* p;
  int64_t row;
  int64_t col;
};

template <class T>
Strided<const T> input_of(const Operand& in, const Operand& out) {
  return {in.as<const T>(), in.rows == 1 && out.rows != 1 ? 0 : in.ld, in.cols == 1 && out.cols != 1 ? 0 : 1};
}

/** 16 bytes of T, moved by one instruction. */
template <class T>
struct alignas(16) Pack {
  static constexpr int count = 16 / sizeof(T);
  T lane[count];
};

inline bool aligned(const Operand& operand) { return reinterpret_cast<uintptr_t>(operand.data) % 16 == 0; }

// Two blocks a multiprocessor at least: as many registers as any f needs. Told nothing, ptxas would rather spill than leave threads out.

template <class To, class F, class... In>
__global__ void __launch_bounds__(block_threads, 2) map_flat(To* out, int64_t count, F f, const In*... in) {
  constexpr int width = Pack<To>::count;
  const int64_t stride = static_cast<int64_t>(gridDim.x) * blockDim.x;
  const int64_t thread = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  const int64_t packs = count / width;
  for (int64_t i = thread; i < packs; i += stride) {
    Pack<To> result;
    // Loads of all inputs first, then arithmetic. By value: through references to memory the compiler loads lane after lane.
    [&](Pack<In>... loaded) {
#pragma unroll
      for (int k = 0; k < width; ++k) result.lane[k] = f(loaded.lane[k]...);
    }(reinterpret_cast<const Pack<In>*>(in)[i]...);
    reinterpret_cast<Pack<To>*>(out)[i] = result;
  }
  for (int64_t i = packs * width + thread; i < count; i += stride) out[i] = f(in[i]...);
}

template <class To, class F, class... In>
__global__ void __launch_bounds__(block_threads, 2) map_rows(Strided<To> out, int64_t rows, int64_t cols, F f,
                                                          Strided<const In>... in) {
  const int64_t stride = static_cast<int64_t>(gridDim.x) * blockDim.x;
  const int64_t count = rows * cols;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += stride) {
    const int64_t r = i / cols, c = i % cols;
    out.p[r * out.row + c] = f(in.p[r * in.row + c * in.col]...);
  }
}

/** out = f(in …), element by element; the types of the operands are given. */
template <class To, class... In, class F, class... Operands>
bool map(const Call& call, const Operand& out, const F& f, const Operands&... in) {
  static_assert(sizeof...(In) == sizeof...(Operands));
  const int64_t count = out.count();
  if (count == 0) return true;
  constexpr bool one_width = ((sizeof(In) == sizeof(To)) && ...);
  if constexpr (one_width) {
    const bool flat = out.contiguous() && aligned(out) && ((same_shape(in, out) && in.contiguous() && aligned(in)) && ...);
    if (flat) {
      FLOW_LAUNCH((map_flat<To, F, In...>), blocks_for(count, block_threads * Pack<To>::count), block_threads, 0,
                  out.as<To>(), count, f, in.template as<const In>()...);
      return launched(call);
    }
  }
  FLOW_LAUNCH((map_rows<To, F, In...>), blocks_for(count), block_threads, 0, Strided<To>{out.as<To>(), out.ld, 1},
              out.rows, out.cols, f, input_of<In>(in, out)...);
  return launched(call);
}

}  // namespace flow::cuda
