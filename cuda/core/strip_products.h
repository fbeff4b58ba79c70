// The products of a masked layer by strips of its staircase, which core/strips.h has chosen: cuBLAS's, between a kernel that sets what is outside of
// the mask to zero and the epilogue.
#pragma once
#include "cuda/core/blas.h"
#include "cuda/core/check.h"
#include "cuda/core/context.h"
#include "cuda/core/epilogue.h"
#include "cuda/core/strips.h"

namespace flow::cuda {

/** A weight without what its mask removes: rows that begin at multiples of 16 bytes. */
inline int64_t masked_ld(int64_t inputs) { return ceil_div(inputs, 4) * 4; }
template <class T>
size_t masked_bytes(int64_t units, int64_t inputs) {
  return static_cast<size_t>(units * masked_ld(inputs)) * sizeof(T);
}

/** The first input that no strip has for the unit. */
__device__ __forceinline__ int covered(const Strips& strips, int64_t unit) {
  int limit = 0;
  for (int s = 0; s < strips.count; ++s) {
    const Strip& own = strips.strip[s];
    if (unit >= own.u0 && unit < own.u1 && own.i0 <= limit && own.i1 > limit) limit = own.i1;
  }
  return limit;
}

/**
 * to = from inside of the mask, zero outside; `from` null: only the zeros are written. Floor: what is seen of `from`, and what is written. A
 * warp takes a row, four columns a lane. What is seen beyond the strips is NaN, and with it the row of `from`.
 */
template <class T>
__global__ void __launch_bounds__(block_threads)
    mask_strips(const T* from, int64_t from_ld, bool wide_from, const int32_t* extents, Strips strips, int64_t units, int64_t inputs,
                T* to, int64_t to_ld, bool wide_to) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int64_t stride = static_cast<int64_t>(gridDim.x) * (block_threads / 32);
  for (int64_t o = static_cast<int64_t>(blockIdx.x) * (block_threads / 32) + threadIdx.x / 32; o < units; o += stride) {
    const int extent = extents[o] < inputs ? extents[o] : static_cast<int>(inputs), limit = covered(strips, o);
    const bool lost = extent > limit;
    const int kept = lost ? limit : extent;  // of `to` where `from` is null
    for (int64_t j = from ? 4 * lane : (kept > 0 ? kept : 0) / 4 * 4 + 4 * lane; j < inputs; j += 4 * 32) {
      const int live = inputs - j < 4 ? static_cast<int>(inputs - j) : 4;
      T v[4] = {};
      if (from && j < extent) Epilogue<T>::read(v, from + o * from_ld + j, live, wide_from && live == 4);
#pragma unroll
      for (int c = 0; c < 4; ++c) {
        if (j + c >= extent) v[c] = T(0);
        else if (lost) v[c] = static_cast<T>(NAN);
      }
      T* own = to + o * to_ld + j;
      if (wide_to && (from || (live == 4 && j >= kept))) {  // rows that come from `from` have room for whole fours
        store<4>(own, v);
        continue;
      }
#pragma unroll
      for (int c = 0; c < 4; ++c)
        if (c < live && (from || j + c >= kept)) own[c] = v[c];
    }
  }
}

template <class T>
bool is_wide(const T* p, int64_t ld) {
  return reinterpret_cast<uintptr_t>(p) % (4 * sizeof(T)) == 0 && ld % 4 == 0;
}

/** The weight without what its mask removes, in `memory` of masked_bytes (null: the workspace). Null after failing. */
template <class T>
T* masked_weight(const Call& call, const Strips& strips, const Operand& weight, const Operand& extents, void* memory) {
  const size_t bytes = masked_bytes<T>(weight.rows, weight.cols);
  T* to = static_cast<T*>(memory ? memory : workspace(bytes));
  if (!to) {
    call.fail("the GPU has no memory for the strips of a weight, %lld bytes", ll(static_cast<int64_t>(bytes)));
    return nullptr;
  }
  const T* from = weight.as<const T>();
  FLOW_LAUNCH((mask_strips<T>), blocks_for(weight.rows, block_threads / 32), block_threads, 0, from, weight.ld, is_wide(from, weight.ld),
              extents.as<const int32_t>(), strips, weight.rows, weight.cols, to, masked_ld(weight.cols), true);
  return launched(call) ? to : nullptr;
}

/** product(strip, masked weight, ld) of each strip, then the epilogue. */
template <class T, class F>
bool multiply_strips(const Call& call, const Strips& strips, const Operand& weight, const Operand& extents, const Epilogue<T>& epilogue,
                     int64_t rows, int64_t cols, void* memory, const F& product) {
  const T* masked = masked_weight<T>(call, strips, weight, extents, memory);
  if (!masked) return false;
  for (int s = 0; s < strips.count; ++s)
    if (!product(strips.strip[s], masked, masked_ld(weight.cols))) return false;
  return apply_epilogue(call, epilogue, rows, cols);
}

/** epilogue(x·W'), a product a strip of units. */
template <class T>
bool strips_forward(const Call& call, const Strips& strips, const Operand& x, const Operand& weight, const Operand& extents,
                    const Epilogue<T>& epilogue, void* memory) {
  return multiply_strips<T>(call, strips, weight, extents, epilogue, x.rows, weight.rows, memory,
                            [&](const Strip& own, const T* masked, int64_t ld) {
                              return blas_gemm<T>(call, false, true, x.rows, own.u1 - own.u0, own.i1, x.as<const T>(), x.ld,
                                                  masked + own.u0 * ld, ld, epilogue.y + own.u0, epilogue.ld);
                            });
}

/** epilogue(dL_dy·W), a product a strip of inputs. */
template <class T>
bool strips_grad_input(const Call& call, const Strips& strips, const Operand& dL_dy, const Operand& weight, const Operand& extents,
                       const Epilogue<T>& epilogue, void* memory) {
  return multiply_strips<T>(call, strips, weight, extents, epilogue, dL_dy.rows, weight.cols, memory,
                            [&](const Strip& own, const T* masked, int64_t ld) {
                              return blas_gemm<T>(call, false, false, dL_dy.rows, own.i1 - own.i0, own.u1 - own.u0,
                                                  dL_dy.as<const T>() + own.u0, dL_dy.ld, masked + own.u0 * ld + own.i0, ld,
                                                  epilogue.y + own.i0, epilogue.ld);
                            });
}

/** dL_dW = dL_dyᵀ·x, a product a strip of units, and then zeros outside of the mask. */
template <class T>
bool strips_grad_weight(const Call& call, const Strips& strips, const Operand& dL_dy, const Operand& x, const Operand& extents,
                        const Operand& dL_dW) {
  T* to = dL_dW.as<T>();
  for (int s = 0; s < strips.count; ++s) {
    const Strip& own = strips.strip[s];
    if (!blas_gemm<T>(call, true, false, own.u1 - own.u0, own.i1, dL_dy.rows, dL_dy.as<const T>() + own.u0, dL_dy.ld, x.as<const T>(),
                      x.ld, to + own.u0 * dL_dW.ld, dL_dW.ld))
      return false;
  }
  FLOW_LAUNCH((mask_strips<T>), blocks_for(dL_dW.rows, block_threads / 32), block_threads, 0, static_cast<const T*>(nullptr),
              int64_t{0}, false, extents.as<const int32_t>(), strips, dL_dW.rows, dL_dW.cols, to, dL_dW.ld, is_wide(to, dL_dW.ld));
  return launched(call);
}

}  // namespace flow::cuda
