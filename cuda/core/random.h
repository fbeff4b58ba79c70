// Random numbers on the device: the numbers of native/ops/random.h, at the same positions of the same streams.
//
// State: int32 [4] = seed low, seed high, calls low, calls high, in device memory, so that a captured step goes on with new numbers. The
// kernel that draws reads it; the one after it adds 1 to the number of calls.
//
// Floor: the numbers, written once: a block of Philox is 16 bytes of them, and one store.
#pragma once
#include "cuda/core/pack.h"
#include "math/philox.h"

namespace flow::cuda {

template <class T>
inline constexpr int numbers_per_block = 16 / static_cast<int>(sizeof(T));

/** f(a, b, c, d, first, numbers): what one block of the stream becomes, from the position `first` on. */
template <class F, class T>
__global__ void __launch_bounds__(block_threads) draw_blocks(F f, const uint32_t* state, T* out, int64_t count) {
  constexpr int n = numbers_per_block<T>;
  const PhiloxKey key{state[0], state[1], state[2] | static_cast<uint64_t>(state[3]) << 32};
  const int64_t blocks = (count + n - 1) / n, stride = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t block = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; block < blocks; block += stride) {
    uint32_t a, b, c, d;
    philox(key, static_cast<uint64_t>(block), a, b, c, d);
    const int64_t first = block * n;
    T numbers[n];
    f(a, b, c, d, first, count, numbers);
    if (first + n <= count) {
      store<n>(out + first, numbers);
    } else {
#pragma unroll
      for (int k = 0; k < n; ++k)
        if (first + k < count) out[first + k] = numbers[k];
    }
  }
}

static __global__ void advance_stream(uint32_t* state) {
  const uint64_t calls = (state[2] | static_cast<uint64_t>(state[3]) << 32) + 1;
  state[2] = static_cast<uint32_t>(calls);
  state[3] = static_cast<uint32_t>(calls >> 32);
}

/** The uniforms in [0, 1) of a block, in the order of the elements: float 4, double 2. */
__device__ __forceinline__ void uniforms(uint32_t a, uint32_t b, uint32_t c, uint32_t d, float (&u)[4]) {
  u[0] = uniform_of(a);
  u[1] = uniform_of(b);
  u[2] = uniform_of(c);
  u[3] = uniform_of(d);
}
__device__ __forceinline__ void uniforms(uint32_t a, uint32_t b, uint32_t c, uint32_t d, double (&u)[2]) {
  u[0] = uniform_of(a, b);
  u[1] = uniform_of(c, d);
}

/** Fills out[0] of type T by f, and advances out[1], the state. Memory of tensors is aligned to 16 bytes; a view that is not fails. */
template <class T, class F>
bool draw(const Call& call, const F& f) {
  const Operand &out = call.out[0], &state = call.out[1];
  FLOW_CHECK(call, state.dtype == DType::i32 && state.count() == 4 && state.contiguous(),
             "state: expected int32 [4], got %s with %lld elements", name_of(state.dtype), ll(state.count()));
  FLOW_CHECK(call, out.contiguous(), "output: expected contiguous memory");
  FLOW_CHECK(call, reinterpret_cast<uintptr_t>(out.data) % 16 == 0, "output: expected memory that is aligned to 16 bytes");
  const int64_t blocks = ceil_div(out.count(), numbers_per_block<T>);
  if (blocks > 0)
    FLOW_LAUNCH((draw_blocks<F, T>), blocks_for(blocks), block_threads, 0, f, state.as<const uint32_t>(), out.as<T>(), out.count());
  FLOW_LAUNCH(advance_stream, 1, 1, 0, state.as<uint32_t>());
  return launched(call);
}

}  // namespace flow::cuda
