// where: y = mask ≠ 0 ? a : b by element; an element that is not taken is not looked at. The mask is uint8 or of the type
// of a; mask, a and b are of the shape of y, or one row, one column or one number of it.
#include "ops/elementwise.h"

namespace flow::FLOW_ISA {
namespace {

// Both sides are loaded and one is taken: no branch. Everything by value: what a lambda holds by reference would be read
// again for each element.
template <int mask_step, int a_step, int b_step, class M, class T>
inline void choose_row(T* __restrict out, const M* m, const T* a, const T* b, int64_t n) {
  for (int64_t c = 0; c < n; ++c) {
    T u = a[c * a_step], v = b[c * b_step];
    out[c] = m[c * mask_step] != 0 ? u : v;
  }
}

template <class M, class T>
void choose(const Operand& y, const Operand& mask, const Operand& a, const Operand& b) {
  int64_t mask_step = across(mask, y) ? 0 : 1, a_step = across(a, y) ? 0 : 1, b_step = across(b, y) ? 0 : 1;
  int64_t mask_row = row_step(mask, y), a_row = row_step(a, y), b_row = row_step(b, y);
  bool plain = mask_step && a_step && b_step;
  int64_t cols = y.cols;
  parallel_rows(y.rows, y.cols * int64_t{3 * sizeof(T) + sizeof(M)}, [&](int64_t first, int64_t last) {
    for (int64_t r = first; r < last; ++r) {
      const M* m = mask.as<M>() + r * mask_row;
      const T* u = a.as<T>() + r * a_row;
      const T* v = b.as<T>() + r * b_row;
      T* out = y.as<T>() + r * y.ld;
      if (plain) choose_row<1, 1, 1>(out, m, u, v, cols);
      else if (mask_step && a_step) choose_row<1, 1, 0>(out, m, u, v, cols);
      else if (mask_step && b_step) choose_row<1, 0, 1>(out, m, u, v, cols);
      else if (mask_step) choose_row<1, 0, 0>(out, m, u, v, cols);
      else for (int64_t c = 0; c < cols; ++c) out[c] = *m != 0 ? u[c * a_step] : v[c * b_step];
    }
  });
}

bool where(const Call& call) {
  const Operand &mask = call.in[0], &a = call.in[1], &b = call.in[2], &y = call.out[0];
  for (int i = 0; i < 3; ++i) FLOW_CHECK_BROADCAST(call, call.in[i], y, "input");
  FLOW_CHECK_SAME_DTYPE(call, a, y, "a");
  FLOW_CHECK_SAME_DTYPE(call, b, y, "b");
  FLOW_CHECK(call, mask.dtype == DType::u8 || mask.dtype == y.dtype, "mask: expected uint8 or %s, got %s",
             name_of(y.dtype), name_of(mask.dtype));
  return with_float(call, y, "out", [&](auto zero) {
    using T = decltype(zero);
    if (mask.dtype == DType::u8) choose<uint8_t, T>(y, mask, a, b);
    else choose<T, T>(y, mask, a, b);
    return true;
  });
}

}  // namespace

FLOW_DEFINE_OP(where) = {"where", where, 3, 3, 1, 0};

}  // namespace flow::FLOW_ISA
