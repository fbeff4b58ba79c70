// Affine maps of rows, dense and masked by a staircase, and their gradients: what the linear ops and the networks of them share.
//
// A staircase: unit o of the weight sees the inputs i < extents[o]. The extents are data of the device, which the host must not wait
// for; so the tiles of core/product.h read them and leave out what none of their units sees. With sorted extents that is half of the
// work, in one launch. Large layers, where the host knows the extents since it wrote them, are strips of cuBLAS's: core/strips.h, which
// counts from which size on.
//
// A dense product without an epilogue is cuBLAS's. With one it is ours where it is small, since one launch costs less than two, and
// cuBLAS's with the epilogue in a pass of its own where it is large.
#pragma once
#include "cuda/core/blas.h"
#include "cuda/core/check.h"
#include "cuda/core/product.h"
#include "cuda/core/strip_products.h"

namespace flow::cuda {

/** Extents of a weight [units, inputs]. Their values are not looked at: kernels take those beyond 0 … inputs as 0 or inputs. */
inline bool check_extents(const Call& call, const Operand& extents, int64_t units, int64_t /* inputs */) {
  FLOW_CHECK(call, extents.dtype == DType::i32, "extents: expected int32, got %s", name_of(extents.dtype));
  FLOW_CHECK(call, extents.count() == units && extents.rows <= 1, "extents: expected shape [%lld], got %lld × %lld", ll(units),
             ll(extents.rows), ll(extents.cols));
  return true;
}

struct Least {
  __device__ int operator()(int a, int b) const { return a < b ? a : b; }
};
struct Most {
  __device__ int operator()(int a, int b) const { return a > b ? a : b; }
};

/** The most inputs that a unit from `first` on, of a tile, sees. */
__device__ __forceinline__ int most_seen(const int32_t* extents, int64_t first, int64_t units, int64_t inputs, void* shared) {
  const int64_t own = first + threadIdx.x;
  const int seen = threadIdx.x < tile_side && own < units ? extents[own] : 0;
  const int most = block_fold(seen, Most{}, static_cast<int*>(shared));
  return most < inputs ? most : static_cast<int>(inputs);
}

/** A weight by units: (o, i), zero where unit o does not see input i. */
template <class T>
struct MaskedUnits {
  static constexpr bool deep = true;
  struct Row {
    const T* p;
    int extent;
  };
  using Depth = int64_t;
  const T* weight;
  int64_t ld;
  const int32_t* extents;
  __device__ __forceinline__ Row row(int64_t, int64_t o) const { return {weight + o * ld, extents[o]}; }
  __device__ __forceinline__ Depth depth(int64_t i) const { return i; }
  __device__ __forceinline__ T load(const Row& row, Depth i) const { return i < row.extent ? row.p[i] : T(0); }
};
/** The same by inputs: (i, o). */
template <class T>
struct MaskedInputs {
  static constexpr bool deep = false;
  using Row = int64_t;
  struct Depth {
    const T* p;
    int extent;
  };
  const T* weight;
  int64_t ld;
  const int32_t* extents;
  __device__ __forceinline__ Row row(int64_t, int64_t i) const { return i; }
  __device__ __forceinline__ Depth depth(int64_t o) const { return {weight + o * ld, extents[o]}; }
  __device__ __forceinline__ T load(Row i, const Depth& depth) const { return i < depth.extent ? depth.p[i] : T(0); }
};

/** x·W': a tile needs the inputs that one of its units sees. */
struct SeenInputs {
  const int32_t* extents;
  int64_t units, inputs;
  __device__ __forceinline__ Span operator()(int64_t, int64_t, int64_t first_unit, void* shared) const {
    return {0, most_seen(extents, first_unit, units, inputs, shared)};
  }
};
/** dL_dy·W: a tile needs the units from the first to the last that see one of its inputs. */
struct SeeingUnits {
  const int32_t* extents;
  int64_t units;
  __device__ __forceinline__ Span operator()(int64_t, int64_t, int64_t first_input, void* shared) const {
    int first = static_cast<int>(units), last = 0;
    for (int o = static_cast<int>(threadIdx.x); o < units; o += block_threads) {
      if (extents[o] <= first_input) continue;
      first = first < o ? first : o;
      last = o + 1;
    }
    first = block_fold(first, Least{}, static_cast<int*>(shared));
    last = block_fold(last, Most{}, static_cast<int*>(shared));
    return {first, last};
  }
};
/** dL_dy'·x: a tile needs all rows, or none where its units see none of its inputs. */
struct SeenTiles {
  const int32_t* extents;
  int64_t units, inputs, rows;
  __device__ __forceinline__ Span operator()(int64_t, int64_t first_unit, int64_t first_input, void* shared) const {
    return {0, most_seen(extents, first_unit, units, inputs, shared) > first_input ? rows : 0};
  }
};

/** The same where rows are summed: the first tile of each has them all. */
struct WholeFirst {
  SeenTiles own;
  __device__ __forceinline__ Span operator()(int64_t batch, int64_t first_unit, int64_t first_input, void* shared) const {
    if (first_input == 0) return {0, own.rows};
    return own(batch, first_unit, first_input, shared);
  }
};

/** Zeros outside of the mask. */
template <class T>
struct MaskedOut {
  Epilogue<T> own;
  const int32_t* extents;
  __device__ __forceinline__ void operator()(int64_t batch, int64_t o, int64_t i, int live, T (&v)[4]) const {
    const int extent = extents[o];
#pragma unroll
    for (int c = 0; c < 4; ++c) v[c] = i + c < extent ? v[c] : T(0);
    own(batch, o, i, live, v);
  }
};

/** Multiply-adds up to which one launch of ours is taken for less than one of cuBLAS and an epilogue: a guess, not measured. */
inline constexpr int64_t small_product = int64_t{1} << 23;

/** epilogue(op(a)·op(b)), dense. `memory`: for its product, null: the workspace. */
template <class T>
bool dense_product(const Call& call, bool transpose_a, bool transpose_b, const ProductShape& shape, const Operand& a, const Operand& b,
                   const Epilogue<T>& epilogue, void* memory) {
  const T *pa = a.as<const T>(), *pb = b.as<const T>();
  if (epilogue.is_plain() || shape.m * shape.n * shape.k > small_product)
    return blas_gemm<T>(call, transpose_a, transpose_b, shape.m, shape.n, shape.k, pa, a.ld, pb, b.ld, epilogue.y, epilogue.ld) &&
           apply_epilogue(call, epilogue, shape.m, shape.n);
  const WholeDepth range{shape.k};
  // The rows of B here are its columns: b stored as [n, k] is read by rows.
  if (!transpose_a && transpose_b)
    return product<T>(call, shape, ByRows<T>{pa, a.ld}, ByRows<T>{pb, b.ld}, range, epilogue, {}, memory);
  if (!transpose_a) return product<T>(call, shape, ByRows<T>{pa, a.ld}, ByColumns<T>{pb, b.ld}, range, epilogue, {}, memory);
  return call.fail("a: no product of a transposed matrix has an epilogue");
}

/** epilogue(x·Wᵀ); `extents` null or absent: dense. */
template <class T>
bool linear_forward(const Call& call, const Operand& x, const Operand& weight, const Operand* extents, const Epilogue<T>& epilogue,
                    void* memory = nullptr) {
  const ProductShape shape{x.rows, weight.rows, weight.cols};
  if (!extents || extents->absent()) return dense_product<T>(call, false, true, shape, x, weight, epilogue, memory);
  const Strips strips = plan_strips(StripsOf::forward, *extents, shape.m, shape.n, shape.k, x.dtype, !epilogue.is_plain());
  if (strips.count > 0) return strips_forward<T>(call, strips, x, weight, *extents, epilogue, memory);
  const int32_t* extent = extents->as<const int32_t>();
  return product<T>(call, shape, ByRows<T>{x.as<const T>(), x.ld}, MaskedUnits<T>{weight.as<const T>(), weight.ld, extent},
                    SeenInputs{extent, weight.rows, weight.cols}, epilogue, {}, memory);
}

/** Calls f with the planned product epilogue(dL_dy·W) of ours. */
template <class T, class F>
bool with_grad_input(const Operand& dL_dy, const Operand& weight, const Operand* extents, const Epilogue<T>& epilogue, const F& f) {
  const ProductShape shape{dL_dy.rows, weight.cols, weight.rows};
  const ByRows<T> a{dL_dy.as<const T>(), dL_dy.ld};
  if (!extents || extents->absent())
    return f(plan_product<T>(shape, a, ByColumns<T>{weight.as<const T>(), weight.ld}, WholeDepth{shape.k}, epilogue));
  const int32_t* extent = extents->as<const int32_t>();
  return f(plan_product<T>(shape, a, MaskedInputs<T>{weight.as<const T>(), weight.ld, extent}, SeeingUnits{extent, weight.rows}, epilogue));
}

/** The strips of dL_dy·W, if it is by strips. */
inline Strips input_strips(const Operand& dL_dy, const Operand& weight, const Operand* extents, bool finished) {
  if (!extents || extents->absent()) return {};
  return plan_strips(StripsOf::grad_input, *extents, dL_dy.rows, weight.rows, weight.cols, dL_dy.dtype, finished);
}

/** epilogue(dL_dy·W). */
template <class T>
bool linear_grad_input(const Call& call, const Operand& dL_dy, const Operand& weight, const Operand* extents,
                       const Epilogue<T>& epilogue, void* memory = nullptr) {
  const ProductShape shape{dL_dy.rows, weight.cols, weight.rows};
  if (!extents || extents->absent()) return dense_product<T>(call, false, false, shape, dL_dy, weight, epilogue, memory);
  const Strips strips = input_strips(dL_dy, weight, extents, !epilogue.is_plain());
  if (strips.count > 0) return strips_grad_input<T>(call, strips, dL_dy, weight, *extents, epilogue, memory);
  return with_grad_input<T>(dL_dy, weight, extents, epilogue,
                            [&](const auto& planned) { return run_product(call, planned, memory); });
}

/** Calls f with the planned product dL_dW = dL_dyᵀ·x, zero outside of the mask; `Sums`: RowSums for a bias, NoRowSums. */
template <class T, class Sums, class F>
bool with_grad_weight(const Operand& dL_dy, const Operand& x, const Operand* extents, const Operand& dL_dW, const Sums& sums, const F& f) {
  const ProductShape shape{dL_dy.cols, x.cols, dL_dy.rows};
  const ByColumns<T> a{dL_dy.as<const T>(), dL_dy.ld}, b{x.as<const T>(), x.ld};
  Epilogue<T> own{dL_dW.as<T>(), dL_dW.ld};
  own.settle();
  // Not cuBLAS's without a bias: a gradient has the same bits whichever others are wanted.
  if (!extents || extents->absent()) return f(plan_product<T>(shape, a, b, WholeDepth{shape.k}, own, sums));
  const int32_t* extent = extents->as<const int32_t>();
  const MaskedOut<T> out{own, extent};
  const SeenTiles range{extent, shape.m, shape.n, shape.k};
  if constexpr (__is_empty(Sums)) return f(plan_product<T>(shape, a, b, range, out, sums));
  else return f(plan_product<T>(shape, a, b, WholeFirst{range}, out, sums));
}

inline constexpr int sum_columns_across = 32;

/** out[c] = Σ_r d[r, c], with the bits of RowSums where the rows are cut into `parts`; 32 columns a block. */
template <class T>
__global__ void __launch_bounds__(block_threads) sum_columns(const T* d, int64_t ld, int64_t rows, int64_t cols, int parts, T* out) {
  FLOW_SHARED(memory);
  double* sums = reinterpret_cast<double*>(memory);  // [parts][sum_columns_across]
  const int thread = static_cast<int>(threadIdx.x), across = thread % sum_columns_across;
  const int64_t c = static_cast<int64_t>(blockIdx.x) * sum_columns_across + across;
  const int64_t length = ((rows + tile_depth - 1) / tile_depth + parts - 1) / parts * tile_depth;
  for (int p = thread / sum_columns_across; p < parts; p += block_threads / sum_columns_across) {
    const int64_t end = (p + 1) * length < rows ? (p + 1) * length : rows;
    double sum = 0;
    for (int64_t r0 = p * length; r0 < end && c < cols; r0 += tile_depth) {
      T some = 0;
      for (int64_t r = r0; r < r0 + tile_depth && r < end; ++r) some += d[r * ld + c];
      sum += static_cast<double>(some);
    }
    sums[p * sum_columns_across + across] = sum;
  }
  __syncthreads();
  if (thread >= sum_columns_across || c >= cols) return;
  double total = 0;
  for (int p = 0; p < parts; ++p) total += sums[p * sum_columns_across + across];
  out[c] = static_cast<T>(total);
}

/** The gradient of a bias whose weight wants none: what the product of that shape would give beside it. */
template <class T>
bool column_sums(const Call& call, const Operand& d, const ProductShape& shape, T* out) {
  const int parts = static_cast<int>(ProductPlan<T>(shape, true).parts);
  FLOW_LAUNCH((sum_columns<T>), static_cast<unsigned>(max_of(1, ceil_div(d.cols, sum_columns_across))), block_threads,
              static_cast<size_t>(parts * sum_columns_across) * sizeof(double), d.as<const T>(), d.ld, d.rows, d.cols, parts, out);
  return launched(call);
}

/** The strips of dL_dyᵀ·x, if it is by strips. */
inline Strips weight_strips(const Operand& dL_dy, const Operand& x, const Operand* extents) {
  if (!extents || extents->absent()) return {};
  return plan_strips(StripsOf::grad_weight, *extents, x.rows, dL_dy.cols, x.cols, x.dtype, false);
}

/** dL_dW = dL_dyᵀ·x, zero outside of the mask, and with a bias the sums of dL_dy's columns: in the same launch where it is one. */
template <class T>
bool linear_grad_weight(const Call& call, const Operand& dL_dy, const Operand& x, const Operand* extents, const Operand& dL_dW,
                        T* dL_dbias = nullptr, void* memory = nullptr) {
  if (const Strips strips = weight_strips(dL_dy, x, extents); strips.count > 0)
    return strips_grad_weight<T>(call, strips, dL_dy, x, *extents, dL_dW) &&
           (!dL_dbias || column_sums<T>(call, dL_dy, {dL_dy.cols, x.cols, x.rows}, dL_dbias));
  const auto run = [&](const auto& planned) { return run_product(call, planned, memory); };
  if (!dL_dbias) return with_grad_weight<T>(dL_dy, x, extents, dL_dW, NoRowSums{}, run);
  return with_grad_weight<T>(dL_dy, x, extents, dL_dW, RowSums<T>{dL_dbias, nullptr}, run);
}

/** dL_dW = a·b over a range, and with a bias the sums of the rows of a. */
template <class T, class A, class B, class Range>
bool weight_product(const Call& call, const ProductShape& shape, const A& a, const B& b, const Range& range, const Operand& dL_dW,
                    T* dL_dbias, void* memory) {
  Epilogue<T> out{dL_dW.as<T>(), dL_dW.ld};
  out.settle();
  if (!dL_dbias) return product<T>(call, shape, a, b, range, out, NoRowSums{}, memory);
  return product<T>(call, shape, a, b, range, out, RowSums<T>{dL_dbias, nullptr}, memory);
}

/** Whether dL_dy·W is our own product, so that it can go with that of the weight's gradient. */
inline bool is_own_product(const Operand& dL_dy, const Operand& weight, const Operand* extents) {
  return (extents && !extents->absent()) || dL_dy.rows * weight.rows * weight.cols <= small_product;
}

/** Bytes for both gradients of a layer: for parts, or for a weight in strips. */
template <class T>
size_t grad_memory_bytes(int64_t rows, int64_t units, int64_t inputs, bool masked) {
  const size_t parts = ProductPlan<T>({rows, inputs, units}).bytes + ProductPlan<T>({units, inputs, rows}, true).bytes;
  const size_t strips = masked && may_be_strips(rows, units, inputs) ? masked_bytes<T>(units, inputs) : 0;
  return parts > strips ? parts : strips;
}

/**
 * All gradients of a layer: by the weight (absent: not wanted), by the bias (null: not wanted), and epilogue(dL_dy·W) where `epilogue` is
 * not null. In one launch where it is our own product, since neither needs the other. `memory` has grad_memory_bytes.
 */
template <class T>
bool linear_grads(const Call& call, const Operand& dL_dy, const Operand& x, const Operand& weight, const Operand* extents,
                  const Operand& dL_dW, T* dL_dbias, const Epilogue<T>* epilogue, void* memory) {
  const bool is_own = is_own_product(dL_dy, weight, extents);
  const bool by_strips = epilogue && (weight_strips(dL_dy, x, extents).count > 0 ||
                                      input_strips(dL_dy, weight, extents, !epilogue->is_plain()).count > 0);
  if (!by_strips && !dL_dW.absent() && dL_dbias && epilogue && is_own)
    return with_grad_weight<T>(dL_dy, x, extents, dL_dW, RowSums<T>{dL_dbias, nullptr}, [&](const auto& by_weight) {
      return with_grad_input<T>(dL_dy, weight, extents, *epilogue,
                                [&](const auto& by_input) { return run_pair(call, by_weight, by_input, memory); });
    });
  if (!dL_dW.absent()) {
    if (!linear_grad_weight<T>(call, dL_dy, x, extents, dL_dW, dL_dbias, memory)) return false;
  } else if (dL_dbias) {
    if (!column_sums<T>(call, dL_dy, {weight.rows, weight.cols, dL_dy.rows}, dL_dbias)) return false;
  }
  if (!epilogue) return true;
  // The same product of the two whichever gradients are wanted: the same bits.
  if (is_own && !by_strips)
    return with_grad_input<T>(dL_dy, weight, extents, *epilogue,
                              [&](const auto& planned) { return run_product(call, planned, memory); });
  return linear_grad_input<T>(call, dL_dy, weight, extents, *epilogue, memory);
}

/** to = from, of the same shape. */
template <class T>
void copy_rows(const Operand& from, const Operand& to) {
  if (from.count() == 0) return;
  cudaMemcpy2DAsync(to.data, static_cast<size_t>(to.ld) * sizeof(T), from.data, static_cast<size_t>(from.ld) * sizeof(T),
                    static_cast<size_t>(from.cols) * sizeof(T), static_cast<size_t>(from.rows), cudaMemcpyDeviceToDevice,
                    current_stream());
}

}  // namespace flow::cuda
