// Equations with W by its triangles (ops/lu.h): what lu_solve and lu_inverse share.
#pragma once
#include "ops/lu.h"

namespace flow::FLOW_ISA {

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
bool pack_triangles(const Call& call, const LuFactors& lu, bool transpose, Triangles<T>& triangles) {
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
                     ll(backward ? n - 1 - zero : zero));
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

// W⁻¹ [n, n], or with `transpose` not set its transpose, in float64: row i is what substitution gives for the i-th row of the identity.
// Null after call.fail(). Scratch slots 4 to 6; the result lies in slot 6.
template <class S>
double* invert_lu(const Call& call, const LuFactors& lu, const int32_t* place, bool transpose) {
  const int64_t n = lu.n;
  Triangles<double> triangles(static_cast<double*>(scratch(static_cast<size_t>(Triangles<double>::size(n)) * sizeof(double), 4)), n);
  if (!pack_triangles<double, S>(call, lu, transpose, triangles)) return nullptr;
  double* inverse = identity<double>(n, 6);
  substitute<double>(triangles, n, transpose, place, nullptr, inverse, n, n, inverse, n);
  return inverse;
}

}  // namespace flow::FLOW_ISA
