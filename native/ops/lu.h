// A matrix by its triangles (ops/lu_operands.h): what the lu ops share.
#pragma once
#include "ops/linear.h"
#include "ops/lu_operands.h"
#include "ops/triangular.h"
#include "simd/math.h"

namespace flow::FLOW_ISA {

struct LuFactors : LuOperands {
  double diagonal(int64_t i) const {
    if (log_scale->absent())
      return factors->dtype == DType::f32 ? static_cast<double>(factors->as<float>()[i * (factors->ld + 1)])
                                          : factors->as<double>()[i * (factors->ld + 1)];
    return log_scale->dtype == DType::f32
               ? static_cast<double>(sign->as<float>()[i]) * exp(static_cast<double>(log_scale->as<float>()[i]))
               : sign->as<double>()[i] * exp(log_scale->as<double>()[i]);
  }
  int64_t row(int64_t i) const { return rows->absent() ? i : rows->as<int32_t>()[i]; }
};

// That rows are a permutation; `place` (scratch slot 7) becomes its inverse, or null where they are left out.
inline bool invert_rows(const Call& call, const LuFactors& lu, int32_t*& place) {
  place = nullptr;
  if (lu.rows->absent()) return true;
  const int64_t n = lu.n;
  place = static_cast<int32_t*>(scratch(static_cast<size_t>(n) * sizeof(int32_t), 7));
  for (int64_t i = 0; i < n; ++i) place[i] = -1;
  for (int64_t i = 0; i < n; ++i) {
    const int64_t row = lu.row(i);
    FLOW_CHECK(call, row >= 0 && row < n && place[row] < 0, "rows: expected each of 0 … %lld once, got %lld at %lld", ll(n - 1),
               ll(row), ll(i));
    place[row] = static_cast<int32_t>(i);
  }
  return true;
}
// Of the matrices in[per_in·k].
inline bool check_permutations(const Call& call, int per_in) {
  for (int k = 0; k < call.n_attr; ++k) {
    LuFactors lu;
    int32_t* place = nullptr;
    if (!read_lu(call, per_in * k, call.attr[k], lu) || !invert_rows(call, lu, place)) return false;
  }
  return true;
}

inline void write_lu_log_det(const LuOperands& lu, const Operand& log_det) {
  if (log_det.absent()) return;
  double sum = 0;
  for (int64_t i = 0; i < lu.n; ++i)
    sum += lu.log_scale->dtype == DType::f32 ? static_cast<double>(lu.log_scale->as<float>()[i]) : lu.log_scale->as<double>()[i];
  *log_det.as<double>() = sum;
}

// Matrices up to this side go to a thread each where together they are worth it; larger ones are cut by their products.
inline constexpr int64_t lu_whole = 64;
inline constexpr int64_t lu_worth = 1 << 17;  // Σ C³

// work(k, lu) for the matrices in[per_in·k], which were checked.
template <class F>
void for_matrices(const Call& call, int per_in, const F& work) {
  const auto side = [&](int64_t k) { return call.in[per_in * k].cols; };
  int64_t together = 0;
  for (int k = 0; k < call.n_attr; ++k) together += side(k) <= lu_whole ? side(k) * side(k) * side(k) : 0;
  const auto go = [&](int k) {
    LuFactors lu;
    if (read_lu(call, per_in * k, call.attr[k], lu)) work(k, lu);
  };
  const bool apart = call.n_attr > 1 && together >= lu_worth;
  if (apart)
    parallel(call.n_attr, [&](int64_t k) {
      if (side(k) <= lu_whole) go(static_cast<int>(k));
    });
  for (int k = 0; k < call.n_attr; ++k)
    if (!apart || side(k) > lu_whole) go(k);
}

// Rows of triangles that one product takes at once: what is beyond a diagonal block is left out.
inline constexpr int64_t lu_block = 64;

// lower [n, n] = L with its ones and zeros, upper = U + diag(s) with its zeros; row by row, `n` elements apart.
template <class T>
void unpack_lu(const LuFactors& lu, T* lower, T* upper) {
  const int64_t n = lu.n;
  for (int64_t i = 0; i < n; ++i) {
    const T* from = lu.factors->as<T>() + i * lu.factors->ld;
    T* l = lower + i * n;
    T* u = upper + i * n;
    for_lanes<Vec<T>>(i, [&](int64_t c, int live) FLOW_INLINE_LAMBDA { store_live(l + c, load_live(from + c, live), live); });
    l[i] = T(1);
    for (int64_t c = i + 1; c < n; ++c) l[c] = T(0);
    for (int64_t c = 0; c < i; ++c) u[c] = T(0);
    u[i] = static_cast<T>(lu.diagonal(i));
    for_lanes<Vec<T>>(n - i - 1, [&](int64_t c, int live) FLOW_INLINE_LAMBDA {
      store_live(u + i + 1 + c, load_live(from + i + 1 + c, live), live);
    });
  }
}

}  // namespace flow::FLOW_ISA
