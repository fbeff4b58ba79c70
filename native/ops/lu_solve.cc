// lu_solve: rows x with W·x = y − bias, or W'·x = y, W by its triangles (ops/lu.h).
//
// Two ways to the same: substitution with both triangles, right-hand sides side by side in registers (W⁻¹ is never
// formed); or, for few channels, W⁻¹ by substitution in float64 and one product. Attribute `method`: 0 chooses.
// in: y [N, C], or absent: the identity, factors [C, C], log_scale [C] and sign [C] (both or neither), rows [C] int32 or
// absent, bias [C] or absent; out: x [N, C]; attributes: form, transpose, method (0 choose, 1 substitution, 2 inverse).
// The type of y may differ from that of factors.
#include "ops/lu.h"

namespace flow::FLOW_ISA {
namespace {

// Channels up to which the product with W⁻¹ is the faster way (bench lu:).
constexpr int64_t inverse_channels = 64;

// The two triangles in the order in which they are solved with: forward substitution, then backward.
template <class T>
struct Triangles {
  PackedTriangle<T> first, second;
  bool has_first, has_second;

  static int64_t size(int64_t n) { return 2 * PackedTriangle<T>::size(n); }
  Triangles(T* memory, int64_t n)
      : first(memory, n), second(memory + PackedTriangle<T>::size(n), n), has_first(true), has_second(true) {}

  void solve(T* panel, int64_t lanes) const {
    if (has_first) solve_panel(first, false, panel, lanes);
    if (has_second) solve_panel(second, true, panel, lanes);
  }
};

template <class T, class S>
bool pack_triangles(const Call& call, const LuOperands& lu, bool transpose, Triangles<T>& triangles) {
  const int64_t n = lu.n;
  // Of x·Ũ'·L' = y the forward one is L', of x·L'… turned it is Ũ.
  PackedTriangle<T>& lower = transpose ? triangles.second : triangles.first;
  PackedTriangle<T>& upper = transpose ? triangles.first : triangles.second;
  (transpose ? triangles.has_second : triangles.has_first) = lu.has_lower();
  (transpose ? triangles.has_first : triangles.has_second) = lu.has_upper();
  const bool lower_backward = transpose, upper_backward = !transpose;
  const auto set = [&](PackedTriangle<T>& triangle, bool backward) {
    const int64_t zero = triangle.set_diagonal([&](int64_t j) { return lu.diagonal(backward ? n - 1 - j : j); });
    if (zero < 0) return true;
    return call.fail("diagonal: expected no zero, got 0 at [%lld]: the matrix is singular",
                     static_cast<long long>(backward ? n - 1 - zero : zero));
  };
  if (lu.form == LuForm::lu)
    lower.set_unit_diagonal();
  else if (lu.has_lower() && !set(lower, lower_backward))
    return false;
  if (lu.has_upper() && !set(upper, upper_backward)) return false;
  const int64_t blocks = lower.block_count();
  parallel_rows(2 * blocks, n * triangle_units * int64_t{sizeof(T)}, [&](int64_t from, int64_t to) {
    bool ignored = false;
    for (int64_t i = from; i < to; ++i) {
      const bool is_lower = i < blocks;
      if (!(is_lower ? lu.has_lower() : lu.has_upper())) continue;
      const TriangleView<S> view =
          triangle_view<S>(lu.factors->as<S>(), lu.factors->ld, n, is_lower, !transpose, ignored);
      (is_lower ? lower : upper).pack_block(view, i % blocks);
    }
  });
  return true;
}

template <class T>
void substitute(const Triangles<T>& triangles, int64_t n, bool transpose, const int32_t* place, const T* bias, const T* y,
                int64_t y_ld, int64_t rows, T* x, int64_t x_ld) {
  parallel_panels<T>(rows, n, [&](int64_t first, int64_t last) {
    T* panel = static_cast<T*>(scratch(static_cast<size_t>(n * triangle_lanes<T>) * sizeof(T), 5));
    const int64_t lanes = lanes_for<T>(last - first);
    load_panel(y + first * y_ld, y_ld, last - first, n, transpose ? nullptr : place, bias, panel, lanes);
    triangles.solve(panel, lanes);
    store_panel(panel, lanes, last - first, n, transpose ? place : nullptr, x + first * x_ld, x_ld);
  });
}

template <class T>
T* identity(int64_t n, int slot) {
  T* unit = static_cast<T*>(scratch(static_cast<size_t>(n * n) * sizeof(T), slot));
  for (int64_t i = 0; i < n * n; ++i) unit[i] = T(0);
  for (int64_t i = 0; i < n; ++i) unit[i * (n + 1)] = T(1);
  return unit;
}

// T: type of y and x; S: of the triangles.
template <class T, class S>
bool solve(const Call& call, const LuOperands& lu, const int32_t* place, bool transpose, int method) {
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
  Triangles<double> triangles(static_cast<double*>(scratch(static_cast<size_t>(Triangles<double>::size(n)) * sizeof(double), 4)), n);
  if (!pack_triangles<double, S>(call, lu, transpose, triangles)) return false;
  // Row i of the inverse is what the i-th row of the identity gives.
  double* inverse = identity<double>(n, 6);
  substitute<double>(triangles, n, transpose, place, nullptr, inverse, n, n, inverse, n);
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
  LuOperands lu;
  int32_t* place = nullptr;
  if (!read_lu(call, 1, lu, place)) return false;
  const Operand &y = call.in[0], &bias = call.in[5], &x = call.out[0];
  const bool transpose = call.attr[1] != 0;
  FLOW_CHECK(call, call.attr[2] == 0 || call.attr[2] == 1 || call.attr[2] == 2, "method: expected 0, 1 or 2, got %g", call.attr[2]);
  if (!check_shape(call, x, "x", y.absent() ? lu.n : y.rows, lu.n, x.dtype)) return false;
  if (!y.absent() && !check_shape(call, y, "y", x.rows, lu.n, x.dtype)) return false;
  FLOW_CHECK(call, bias.absent() || !transpose, "bias: expected none with the transpose");
  if (!bias.absent() && !check_vector(call, bias, "bias", lu.n, x.dtype)) return false;
  const int method = static_cast<int>(call.attr[2]);
  const bool narrow = lu.factors->dtype == DType::f32;
  return with_float(call, x, "x", [&](auto zero) {
    using T = decltype(zero);
    return narrow ? solve<T, float>(call, lu, place, transpose, method)
                  : solve<T, double>(call, lu, place, transpose, method);
  });
}

}  // namespace

FLOW_DEFINE_OP(lu_solve) = {"lu_solve", lu_solve, 6, 6, 1, 3};

}  // namespace flow::FLOW_ISA
