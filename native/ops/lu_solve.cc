// lu_solve: rows x with W·x = y − bias, or W'·x = y, W by its triangles (ops/lu.h).
//
// Two ways to the same: substitution with both triangles, right-hand sides side by side in registers (W⁻¹ is never
// formed); or, for few channels, W⁻¹ by substitution in float64 and one product. Attribute `method`: 0 chooses.
// in: y [N, C], or absent: the identity, factors [C, C], log_scale [C] and sign [C] (both or neither), rows [C] int32 or
// absent, bias [C] or absent; out: x [N, C]; attributes: form, transpose, method (0 choose, 1 substitution, 2 inverse).
// The type of y may differ from that of factors.
#include "ops/lu_triangles.h"

namespace flow::FLOW_ISA {
namespace {

// T: type of y and x; S: of the triangles.
template <class T, class S>
bool solve(const Call& call, const LuFactors& lu, const int32_t* place, bool transpose, int method) {
  const Operand &y = call.in[0], &bias = call.in[5], &x = call.out[0];
  const int64_t n = lu.n;
  const bool by_inverse = method == 2 || (method == 0 && n <= inverse_channels && !y.absent());
  if (!by_inverse) {
    Triangles<T> triangles(static_cast<T*>(scratch(static_cast<size_t>(Triangles<T>::size(n)) * sizeof(T), 4)), n);
    if (!pack_triangles<T, S>(call, lu, transpose, triangles)) return false;
    const T* from = y.absent() ? identity<T>(n, 6) : y.as<T>();
    substitute<T>(triangles, n, transpose, place, bias.as<T>(), from, y.absent() ? n : y.ld, x.rows, x.as<T>(), x.ld);
    return true;
  }
  const double* inverse = invert_lu<S>(call, lu, place, transpose);
  if (!inverse) return false;
  T* rounded = static_cast<T*>(scratch(static_cast<size_t>((n + 1) * n) * sizeof(T), 4));
  T* shift = rounded + n * n;
  for (int64_t i = 0; i < n * n; ++i) rounded[i] = static_cast<T>(inverse[i]);
  Epilogue<T> epilogue;
  if (!bias.absent()) {
    for (int64_t c = 0; c < n; ++c) {
      double sum = 0;
      for (int64_t i = 0; i < n; ++i) sum -= static_cast<double>(bias.as<T>()[i]) * inverse[i * n + c];
      shift[c] = static_cast<T>(sum);
    }
    epilogue.bias = shift;
  }
  const T* from = y.absent() ? identity<T>(n, 6) : y.as<T>();
  gemm<T>(Trans::no, Trans::no, x.rows, n, n, from, y.absent() ? n : y.ld, rounded, n, x.as<T>(), x.ld, epilogue);
  return true;
}

bool lu_solve(const Call& call) {
  LuFactors lu;
  bool transpose = false;
  int method = 0;
  int32_t* place = nullptr;
  if (!read_lu_solve(call, lu, transpose, method) || !invert_rows(call, lu, place)) return false;
  const bool narrow = lu.factors->dtype == DType::f32;
  return with_float(call, call.out[0], "x", [&](auto zero) {
    using T = decltype(zero);
    return narrow ? solve<T, float>(call, lu, place, transpose, method)
                  : solve<T, double>(call, lu, place, transpose, method);
  });
}

}  // namespace

FLOW_DEFINE_OP(lu_solve) = {"lu_solve", lu_solve, 6, 6, 1, 3};

}  // namespace flow::FLOW_ISA
