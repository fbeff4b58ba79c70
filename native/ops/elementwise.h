// Loops of the element-wise ops, written once with the formula as a lambda over V. The end of a row goes through a
// partial register, so that the value of an element does not depend on where in a row, or in a view, it stands.
#pragma once
#include "ops/kernel.h"
#include "simd/vec.h"

namespace flow::FLOW_ISA {

// Cuts `count` elements into tasks of about task_bytes and runs body(first, last).
template <class F>
inline void parallel_elements(int64_t count, int64_t bytes_per_element, const F& body) {
  constexpr int64_t block = 256;  // a multiple of every register width
  parallel_rows(ceil_div(count, block), block * bytes_per_element,
                [&](int64_t first, int64_t last) { body(first * block, min_of(count, last * block)); });
}

// One input of a row: a register at a time, or the same value in all columns.
template <class T, bool Across>
struct RowOf;
template <class T>
struct RowOf<T, false> {
  const T* p;
  FLOW_INLINE Vec<T> at(int64_t i) const { return load<Vec<T>>(p + i); }
  FLOW_INLINE Vec<T> tail(int64_t i, int n) const { return load_partial<Vec<T>>(p + i, n); }
};
template <class T>
struct RowOf<T, true> {
  const T* p;
  FLOW_INLINE Vec<T> at(int64_t) const { return Vec<T>(*p); }
  FLOW_INLINE Vec<T> tail(int64_t, int) const { return Vec<T>(*p); }
};

// y[i] = f(inputs[i] …) for i in [0, n).
template <class T, class F, class... In>
FLOW_INLINE void map_row(T* y, int64_t n, const F& f, const In&... in) {
  constexpr int w = Vec<T>::width;
  int64_t i = 0;
  for (; i + w <= n; i += w) store(y + i, f(in.at(i)...));
  if (i < n) {
    int rest = static_cast<int>(n - i);
    store_partial(y + i, f(in.tail(i, rest)...), rest);
  }
}

// out = f(a), same shape.
template <class T, class F>
inline void map(const Operand& out, const Operand& a, const F& f) {
  T* y = out.as<T>();
  const T* x = a.as<T>();
  if (out.contiguous() && a.contiguous()) {
    parallel_elements(out.count(), 2 * sizeof(T), [&](int64_t first, int64_t last) {
      map_row(y + first, last - first, f, RowOf<T, false>{x + first});
    });
    return;
  }
  parallel_rows(out.rows, out.cols * 2 * int64_t{sizeof(T)}, [&](int64_t first, int64_t last) {
    for (int64_t r = first; r < last; ++r) map_row(y + r * out.ld, out.cols, f, RowOf<T, false>{x + r * a.ld});
  });
}

inline bool across(const Operand& in, const Operand& out) { return in.cols == 1 && out.cols != 1; }
inline int64_t row_step(const Operand& in, const Operand& out) { return in.rows == 1 && out.rows != 1 ? 0 : in.ld; }
inline bool flat(const Operand& in, const Operand& out) {
  return in.count() == 1 || (same_shape(in, out) && in.contiguous());
}

template <class T, bool AcrossA, bool AcrossB, class F>
inline void zip_rows(const Operand& out, const Operand& a, const Operand& b, const F& f) {
  T* y = out.as<T>();
  const T* x = a.as<T>();
  const T* z = b.as<T>();
  // Everything side by side is one long row.
  if (out.contiguous() && flat(a, out) && flat(b, out)) {
    parallel_elements(out.count(), 3 * sizeof(T), [&](int64_t first, int64_t last) {
      map_row(y + first, last - first, f, RowOf<T, AcrossA>{AcrossA ? x : x + first},
              RowOf<T, AcrossB>{AcrossB ? z : z + first});
    });
    return;
  }
  int64_t step_a = row_step(a, out), step_b = row_step(b, out);
  parallel_rows(out.rows, out.cols * 3 * int64_t{sizeof(T)}, [&](int64_t first, int64_t last) {
    for (int64_t r = first; r < last; ++r)
      map_row(y + r * out.ld, out.cols, f, RowOf<T, AcrossA>{x + r * step_a}, RowOf<T, AcrossB>{z + r * step_b});
  });
}

// out = f(a, b), where a and b may broadcast.
template <class T, class F>
inline void zip(const Operand& out, const Operand& a, const Operand& b, const F& f) {
  bool single_a = across(a, out) || (a.count() == 1 && out.count() != 1);
  bool single_b = across(b, out) || (b.count() == 1 && out.count() != 1);
  if (single_a && single_b) return zip_rows<T, true, true>(out, a, b, f);
  if (single_a) return zip_rows<T, true, false>(out, a, b, f);
  if (single_b) return zip_rows<T, false, true>(out, a, b, f);
  zip_rows<T, false, false>(out, a, b, f);
}

// The same where both have the shape of `out`.
template <class T, class F>
inline void zip_alike(const Operand& out, const Operand& a, const Operand& b, const F& f) {
  zip_rows<T, false, false>(out, a, b, f);
}

}  // namespace flow::FLOW_ISA
