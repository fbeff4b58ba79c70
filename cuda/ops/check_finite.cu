// check_finite: the position of the first tensor of a list that holds a NaN or an infinity, or −1.
// in: n tensors, each float32 or float64; out: one int32.
//
// Floor: the tensors, once. A block a chunk, then one block for what the chunks found.
#include "cuda/core/tensor_list.h"

namespace flow::cuda {
namespace {

struct Smaller {
  __device__ __forceinline__ double operator()(double a, double b) const { return b < a ? b : a; }
};

struct FirstBad {
  using Fold = Smaller;
  int32_t* out;

  __device__ __forceinline__ static double zero() { return static_cast<double>(INFINITY); }
  /** x − x is 0 for a finite x only. */
  __device__ __forceinline__ double term(double x, int position) const { return x - x == 0 ? zero() : position; }
  __device__ __forceinline__ void put(double first) const { *out = first == zero() ? -1 : static_cast<int32_t>(first); }
};

bool check_finite(const Call& call) {
  if (!check_float_list(call, "tensors", call.in, call.n_in)) return false;
  const Operand& out = call.out[0];
  FLOW_CHECK(call, out.dtype == DType::i32 && out.count() == 1, "out: expected one int32, got %s %lld × %lld",
             name_of(out.dtype), ll(out.rows), ll(out.cols));
  return fold_tensors(call, call.in, call.n_in, FirstBad{out.as<int32_t>()});
}

}  // namespace

FLOW_DEFINE_OP(check_finite) = {"check_finite", check_finite, 0, 4096, 1, 0};

}  // namespace flow::cuda
