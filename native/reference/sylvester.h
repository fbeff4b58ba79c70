// The two triangles of a Sylvester flow's middle map in one matrix F, and what is made of them.
#pragma once
#include "reference/reference.h"

namespace flow::reference {

inline bool is_sylvester(const Operand& v, const Operand& params) {
  return v.cols >= 1 && params.dtype == v.dtype && params.cols == v.cols * v.cols + 3 * v.cols &&
         (params.rows == v.rows || params.rows == 1);
}

// The parameters of a sample: F [M·M], r [M], s [M], b [M].
template <class T>
struct SylvesterParams {
  const T* p;
  int64_t m;

  SylvesterParams(const Operand& params, int64_t sample, int64_t size)
      : p(params.as<T>() + (params.rows == 1 ? 0 : sample * params.ld)), m(size) {}
  // R_ij, S_ij and b_i.
  double upper(int64_t i, int64_t j) const { return i == j ? p[m * m + i] : i < j ? p[i * m + j] : T(0); }
  double second(int64_t i, int64_t j) const { return i == j ? p[m * m + m + i] : i < j ? p[j * m + i] : T(0); }
  double offset(int64_t i) const { return p[m * m + 2 * m + i]; }
  // a_i at v.
  template <class F>
  double inner(int64_t i, const F& v) const {
    double sum = offset(i);
    for (int64_t j = i; j < m; ++j) sum += second(i, j) * v(j);
    return sum;
  }
  // r_i s_i (1 − tanh² a_i)
  template <class F>
  double slope(int64_t i, const F& v) const {
    const double c = std::cosh(inner(i, v));
    return upper(i, i) * second(i, i) / (c * c);
  }
};

}  // namespace flow::reference
