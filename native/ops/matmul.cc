// matmul: c = op(a) · op(b), op the identity or the transpose.
// in: a, b; out: c; attributes: transpose a (0 or 1), transpose b.
#include "ops/linear.h"

namespace flow::FLOW_ISA {
namespace {

bool matmul(const Call& call) {
  const Operand& a = call.in[0];
  const Operand& b = call.in[1];
  const Operand& c = call.out[0];
  const bool ta = call.attr[0] != 0, tb = call.attr[1] != 0;
  const int64_t m = ta ? a.cols : a.rows, k = ta ? a.rows : a.cols;
  const int64_t kb = tb ? b.cols : b.rows, n = tb ? b.rows : b.cols;
  FLOW_CHECK(call, k == kb, "inner size: a has %lld, b has %lld", static_cast<long long>(k),
             static_cast<long long>(kb));
  FLOW_CHECK(call, b.dtype == a.dtype, "b: expected %s, got %s", name_of(a.dtype), name_of(b.dtype));
  if (!check_shape(call, c, "c", m, n, a.dtype)) return false;
  return with_float(call, a, "a", [&](auto zero) {
    using T = decltype(zero);
    gemm<T>(ta ? Trans::yes : Trans::no, tb ? Trans::yes : Trans::no, m, n, k, a.as<T>(), a.ld, b.as<T>(), b.ld,
            c.as<T>(), c.ld);
    return true;
  });
}

}  // namespace

FLOW_DEFINE_OP(matmul) = {"matmul", matmul, 2, 2, 1, 2};

}  // namespace flow::FLOW_ISA
