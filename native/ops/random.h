// The state of a random stream and the loop over its blocks.
//
// State: int32 [4] = seed low, seed high, calls low, calls high. A call fills its output with a function of the seed, the
// number of calls before it and the position of the element, then adds 1 to the number of calls in place.
#pragma once
#include "ops/elementwise.h"
#include "math/philox.h"

namespace flow::FLOW_ISA {

// Reads the key from out[1] and advances it. The output, out[0], must be contiguous.
inline bool next_key(const Call& call, PhiloxKey& key) {
  const Operand &out = call.out[0], &state = call.out[1];
  FLOW_CHECK(call, state.dtype == DType::i32 && state.count() == 4 && state.contiguous(),
             "state: expected int32 [4], got %s with %lld elements", name_of(state.dtype), ll(state.count()));
  FLOW_CHECK(call, out.contiguous(), "output: expected contiguous memory");
  uint32_t words[4];
  __builtin_memcpy(words, state.data, sizeof words);
  key = {words[0], words[1], words[2] | uint64_t{words[3]} << 32};
  uint64_t next = key.call + 1;
  words[2] = static_cast<uint32_t>(next);
  words[3] = static_cast<uint32_t>(next >> 32);
  __builtin_memcpy(state.data, words, sizeof words);
  return true;
}

// Blocks that are made side by side, word by word, so that the compiler puts them into registers.
inline constexpr int64_t philox_batch = 64;
struct Words {
  alignas(64) uint32_t word[4][philox_batch];
};

// Calls body(words, first_element, elements) for batches of philox_batch blocks of `per_block` elements each.
template <class F>
inline void random_batches(const PhiloxKey& key, int64_t count, int64_t per_block, const F& body) {
  int64_t batch = philox_batch * per_block;
  parallel_rows(ceil_div(count, batch), 16 * batch, [&](int64_t first, int64_t last) {
    Words words;
    for (int64_t i = first; i < last; ++i) {
      for (int64_t k = 0; k < philox_batch; ++k) {
        philox(key, static_cast<uint64_t>(i * philox_batch + k), words.word[0][k], words.word[1][k],
               words.word[2][k], words.word[3][k]);
      }
      body(words, i * batch, min_of(batch, count - i * batch));
    }
  });
}

// A batch's uniforms in [0, 1), in the order of the elements: float 4 a block, double 2 a block.
inline void uniforms(const Words& w, float* u) {
  for (int64_t k = 0; k < philox_batch; ++k)
    for (int j = 0; j < 4; ++j) u[4 * k + j] = uniform_of(w.word[j][k]);
}
inline void uniforms(const Words& w, double* u) {
  for (int64_t k = 0; k < philox_batch; ++k)
    for (int j = 0; j < 2; ++j) u[2 * k + j] = uniform_of(w.word[2 * j][k], w.word[2 * j + 1][k]);
}
template <class T>
inline constexpr int64_t uniforms_per_block = sizeof(T) == 4 ? 4 : 2;

// Fills out[0] by fill(words, T* target): the numbers of one batch. The last batch goes through a buffer of its own.
template <class F>
inline bool fill_random(const Call& call, const F& fill) {
  return with_float(call, call.out[0], "output", [&](auto zero) {
    using T = decltype(zero);
    PhiloxKey key;
    if (!next_key(call, key)) return false;
    T* out = call.out[0].as<T>();
    constexpr int64_t batch = philox_batch * uniforms_per_block<T>;
    random_batches(key, call.out[0].count(), uniforms_per_block<T>, [&](const Words& words, int64_t first, int64_t n) {
      if (n == batch) return fill(words, out + first);
      T values[batch];
      fill(words, values);
      for (int64_t i = 0; i < n; ++i) out[first + i] = values[i];
    });
    return true;
  });
}

}  // namespace flow::FLOW_ISA
