// Substitution with a triangular matrix for many right-hand sides side by side: each lies in a lane of a register, an
// unknown is a row of `lanes` numbers, and an entry of the matrix is broadcast over the lanes.
//
// The unknowns are counted in the order of computation, whichever way the matrix points:
//   x_j = (b_j − Σ_{k < j} M(j, k)·x_k) / M(j, j)
// They are worked off in blocks of triangle_units: a block first takes in all the unknowns before it, which is a product
// with triangle_units × triangle_registers accumulators and nearly all of the work, then its own triangle. Each sum runs
// over k in order, so what a right-hand side gives does not depend on its neighbours.
#pragma once
#include "ops/kernel.h"
#include "ops/lanes.h"
#include "simd/shuffle.h"

namespace flow::FLOW_ISA {

// Accumulators, a row of x and one entry of the matrix have to fit the register file.
#if defined(__AVX512F__) || defined(FLOW_ARM)
inline constexpr int triangle_units = 8;
#else
inline constexpr int triangle_units = 4;
#endif
inline constexpr int triangle_registers = 3;

template <class T>
inline constexpr int64_t triangle_lanes = triangle_registers * Vec<T>::width;

// M(j, k) = base[j·step_j + k·step_k].
template <class S>
struct TriangleView {
  const S* base;
  int64_t step_j, step_k;
};

// The canonical matrix of X·op(t) = B, t [n, n] lower or upper. (Left: op(t)·X = B is X'·op(t)' = B'.)
// `backward`: unknown j is column n − 1 − j.
template <class S>
TriangleView<S> triangle_view(const S* t, int64_t ld, int64_t n, bool lower, bool transpose, bool& backward) {
  backward = lower != transpose;
  const int64_t step_j = transpose ? ld : 1, step_k = transpose ? 1 : ld;
  if (!backward) return {t, step_j, step_k};
  return {t + (n - 1) * (ld + 1), -step_j, -step_k};
}

// A triangle as the kernel reads it: for each block of units the entries [k][unit], negated, the block's own triangle
// behind them; and the reciprocals of the diagonal. Where one of those overflows, the diagonal itself.
template <class T>
struct PackedTriangle {
  T* blocks;
  T* diagonal;
  int64_t n;
  bool divides;

  static int64_t offset(int64_t j0) { return j0 * (j0 + triangle_units) / 2; }
  // Elements of memory for n unknowns.
  static int64_t size(int64_t n) { return offset(ceil_div(n, triangle_units) * triangle_units) + n; }

  PackedTriangle(T* memory, int64_t unknowns)
      : blocks(memory), diagonal(memory + size(unknowns) - unknowns), n(unknowns), divides(false) {}

  int64_t block_count() const { return ceil_div(n, triangle_units); }

  template <class S>
  void pack_block(const TriangleView<S>& m, int64_t block) const {
    const int64_t j0 = block * triangle_units, units = min_of(triangle_units, n - j0);
    T* out = blocks + offset(j0);
    const S* from = m.base + j0 * m.step_j;
    if (m.step_j == 1 || m.step_j == -1) {
      for (int64_t k = 0; k < j0; ++k)
        for (int64_t u = 0; u < units; ++u) out[k * units + u] = static_cast<T>(-from[u * m.step_j + k * m.step_k]);
    } else {
      for (int64_t u = 0; u < units; ++u)
        for (int64_t k = 0; k < j0; ++k) out[k * units + u] = static_cast<T>(-from[u * m.step_j + k * m.step_k]);
    }
    for (int64_t k = j0; k < j0 + units; ++k)
      for (int64_t u = 0; u < units; ++u)
        out[k * units + u] = k < j0 + u ? static_cast<T>(-from[u * m.step_j + k * m.step_k]) : T(0);
  }

  // entry(j): the j-th of the diagonal. Returns the j of the first zero, or −1.
  template <class F>
  int64_t set_diagonal(const F& entry) {
    int64_t zero = -1;
    bool overflows = false;
    for (int64_t j = n - 1; j >= 0; --j) {
      const T d = static_cast<T>(entry(j));
      if (d == T(0)) zero = j;
      diagonal[j] = T(1) / d;
      overflows |= !(diagonal[j] - diagonal[j] == T(0));
    }
    divides = overflows;
    if (divides)
      for (int64_t j = 0; j < n; ++j) diagonal[j] = static_cast<T>(entry(j));
    return zero;
  }
  void set_unit_diagonal() {
    for (int64_t j = 0; j < n; ++j) diagonal[j] = T(1);
  }
};

// The unknowns depth … depth + U − 1 in NV registers of lanes; x holds what is known and, from row `depth` on, b.
template <class T, int U, int NV>
FLOW_NOINLINE void solve_units(const T* block, int64_t depth, const T* diagonal, bool divides, T* x, int64_t row) {
  using V = Vec<T>;
  constexpr int w = V::width;
  T* const out = x + depth * row;
  V sum[U][NV];
  FLOW_UNROLL
  for (int u = 0; u < U; ++u) {
    FLOW_UNROLL
    for (int v = 0; v < NV; ++v) sum[u][v] = load<V>(out + u * row + v * w);
  }
  for (int64_t k = 0; k < depth; ++k, x += row, block += U) {
    V in[NV];
    FLOW_UNROLL
    for (int v = 0; v < NV; ++v) in[v] = load<V>(x + v * w);
    FLOW_UNROLL
    for (int u = 0; u < U; ++u) {
      const V entry(block[u]);
      FLOW_UNROLL
      for (int v = 0; v < NV; ++v) sum[u][v] = fma(entry, in[v], sum[u][v]);
    }
  }
  FLOW_UNROLL
  for (int u = 0; u < U; ++u, block += U) {
    const V pivot(diagonal[u]);
    FLOW_UNROLL
    for (int v = 0; v < NV; ++v) {
      sum[u][v] = divides ? sum[u][v] / pivot : sum[u][v] * pivot;
      store(out + u * row + v * w, sum[u][v]);
    }
    FLOW_UNROLL
    for (int next = u + 1; next < U; ++next) {
      const V entry(block[next]);
      FLOW_UNROLL
      for (int v = 0; v < NV; ++v) sum[next][v] = fma(entry, sum[u][v], sum[next][v]);
    }
  }
}

// Solves for NV registers of lanes; `row` from an unknown to the next (negative for a panel that is counted from its end).
template <class T, int NV>
void solve_registers(const PackedTriangle<T>& m, T* x, int64_t row) {
  using F = void (*)(const T*, int64_t, const T*, bool, T*, int64_t);
#if defined(__AVX512F__) || defined(FLOW_ARM)
  static constexpr F table[triangle_units] = {solve_units<T, 1, NV>, solve_units<T, 2, NV>, solve_units<T, 3, NV>,
                                              solve_units<T, 4, NV>, solve_units<T, 5, NV>, solve_units<T, 6, NV>,
                                              solve_units<T, 7, NV>, solve_units<T, 8, NV>};
#else
  static constexpr F table[triangle_units] = {solve_units<T, 1, NV>, solve_units<T, 2, NV>, solve_units<T, 3, NV>,
                                              solve_units<T, 4, NV>};
#endif
  for (int64_t j0 = 0; j0 < m.n; j0 += triangle_units)
    table[min_of(triangle_units, m.n - j0) - 1](m.blocks + m.offset(j0), j0, m.diagonal + j0, m.divides, x, row);
}

// The lanes of a panel for so many right-hand sides: whole registers, at most triangle_lanes.
template <class T>
int64_t lanes_for(int64_t sides) {
  return min_of(triangle_registers, ceil_div(sides, Vec<T>::width)) * Vec<T>::width;
}

// Solves a panel [n][lanes], its rows in the order of the columns of the matrix.
template <class T>
void solve_panel(const PackedTriangle<T>& m, bool backward, T* panel, int64_t lanes) {
  T* x = backward ? panel + (m.n - 1) * lanes : panel;
  const int64_t row = backward ? -lanes : lanes;
  switch (lanes / Vec<T>::width) {
    case 1: return solve_registers<T, 1>(m, x, row);
    case 2: return solve_registers<T, 2>(m, x, row);
    default: return solve_registers<T, 3>(m, x, row);
  }
}

// ---- between rows of right-hand sides and panels ---------------------------------------------------------------

// panel[place[c]][r] = in[r][c] − bias[c] for rows × cols elements; zeros in the lanes beyond `rows`.
// place: where a column stands in the panel, or null: there; bias or null.
template <class T>
void load_panel(const T* in, int64_t in_ld, int64_t rows, int64_t cols, const int32_t* place, const T* bias, T* panel,
                int64_t lanes) {
  using V = Vec<T>;
  constexpr int w = V::width;
  for (int64_t r = 0; r < lanes; r += w) {
    const int height = static_cast<int>(max_of(0, min_of(w, rows - r)));
    for (int64_t c = 0; c < cols; c += w) {
      const int live = static_cast<int>(min_of(w, cols - c));
      const T* from = in + r * in_ld + c;
      V square[w];
      if (height == w && live == w) {
        FLOW_UNROLL
        for (int i = 0; i < w; ++i) square[i] = load<V>(from + i * in_ld);
      } else {
        for (int i = 0; i < w; ++i) square[i] = i < height ? load_live(from + i * in_ld, live) : V(T(0));
      }
      if (bias) {
        const V shift = load_live(bias + c, live);
        for (int i = 0; i < w; ++i) square[i] = square[i] - shift;
      }
      transpose(square);
      if (place) {
        for (int i = 0; i < live; ++i) store(panel + place[c + i] * lanes + r, square[i]);
      } else if (live == w) {
        FLOW_UNROLL
        for (int i = 0; i < w; ++i) store(panel + (c + i) * lanes + r, square[i]);
      } else {
        for (int i = 0; i < live; ++i) store(panel + (c + i) * lanes + r, square[i]);
      }
    }
  }
}

// The inverse: out[r][c] = panel[place[c]][r].
template <class T>
void store_panel(const T* panel, int64_t lanes, int64_t rows, int64_t cols, const int32_t* place, T* out,
                 int64_t out_ld) {
  using V = Vec<T>;
  constexpr int w = V::width;
  for (int64_t r = 0; r < rows; r += w) {
    const int height = static_cast<int>(min_of(w, rows - r));
    for (int64_t c = 0; c < cols; c += w) {
      const int live = static_cast<int>(min_of(w, cols - c));
      V square[w];
      if (place || live < w) {
        for (int i = 0; i < w; ++i)
          square[i] = i < live ? load<V>(panel + (place ? place[c + i] : c + i) * lanes + r) : V(T(0));
      } else {
        FLOW_UNROLL
        for (int i = 0; i < w; ++i) square[i] = load<V>(panel + (c + i) * lanes + r);
      }
      transpose(square);
      T* to = out + r * out_ld + c;
      if (height == w && live == w) {
        FLOW_UNROLL
        for (int i = 0; i < w; ++i) store(to + i * out_ld, square[i]);
      } else {
        for (int i = 0; i < height; ++i) store_live(to + i * out_ld, square[i], live);
      }
    }
  }
}

// Right-hand sides as columns: panel[j][c] = in[j][c].
template <class T>
void load_columns(const T* in, int64_t in_ld, int64_t unknowns, int64_t cols, T* panel, int64_t lanes) {
  for (int64_t j = 0; j < unknowns; ++j) {
    const T* from = in + j * in_ld;
    T* to = panel + j * lanes;
    for (int64_t c = 0; c < lanes; c += Vec<T>::width)
      store(to + c, load_partial<Vec<T>>(from + c, static_cast<int>(max_of(0, min_of(Vec<T>::width, cols - c)))));
  }
}
template <class T>
void store_columns(const T* panel, int64_t lanes, int64_t unknowns, int64_t cols, T* out, int64_t out_ld) {
  for (int64_t j = 0; j < unknowns; ++j)
    for_lanes<Vec<T>>(cols, [&](int64_t c, int live) FLOW_INLINE_LAMBDA {
      store_live(out + j * out_ld + c, load<Vec<T>>(panel + j * lanes + c), live);
    });
}

// Runs body(first, last) over the right-hand sides, in whole panels of lanes, tasks of about task_bytes.
template <class T, class F>
void parallel_panels(int64_t sides, int64_t unknowns, const F& body) {
  const int64_t panels = ceil_div(sides, triangle_lanes<T>);
  const int64_t bytes = triangle_lanes<T> * unknowns * static_cast<int64_t>(sizeof(T));
  parallel_rows(panels, bytes, [&](int64_t first, int64_t last) {
    for (int64_t panel = first; panel < last; ++panel)
      body(panel * triangle_lanes<T>, min_of(sides, (panel + 1) * triangle_lanes<T>));
  });
}

}  // namespace flow::FLOW_ISA
