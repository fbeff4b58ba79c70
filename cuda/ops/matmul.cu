// matmul: c = op(a) · op(b), op the identity or the transpose.
// in: a, b; out: c; attributes: transpose a (0 or 1), transpose b.
//
// Floor: 2·m·n·k operations. cuBLAS's gemm, nothing around it.
#include "cuda/core/linear.h"

namespace flow::cuda {
namespace {

bool matmul(const Call& call) {
  const Operand &a = call.in[0], &b = call.in[1], &c = call.out[0];
  const bool ta = call.attr[0] != 0, tb = call.attr[1] != 0;
  const int64_t m = ta ? a.cols : a.rows, k = ta ? a.rows : a.cols;
  const int64_t kb = tb ? b.cols : b.rows, n = tb ? b.rows : b.cols;
  FLOW_CHECK(call, k == kb, "inner size: a has %lld, b has %lld", ll(k), ll(kb));
  FLOW_CHECK_SAME_DTYPE(call, b, a, "b");
  if (!check_shape(call, c, "c", m, n, a.dtype)) return false;
  return with_float(call, a, "a", [&](auto zero) {
    using T = decltype(zero);
    return blas_gemm<T>(call, ta, tb, m, n, k, a.as<T>(), a.ld, b.as<T>(), b.ld, c.as<T>(), c.ld);
  });
}

}  // namespace

FLOW_DEFINE_OP(matmul) = {"matmul", matmul, 2, 2, 1, 2};

}  // namespace flow::cuda
