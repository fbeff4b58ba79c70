// reduce: sum, mean, max or logsumexp of a matrix by rows, by columns or whole. Attributes: kind, axis, factor of the result.
//   axis 0: over the rows (out: cols values) · 1: over the columns (out: rows values) · 2: over all (out: one value)
// Sums are taken in float64. max is NaN where an element is. The max and logsumexp of nothing is −inf, the mean NaN.
#include "ops/reduce.h"
#include "simd/math.h"

namespace flow::FLOW_ISA {
namespace {

// Mirrored by lib/ops/reduce.ts.
enum class Kind : int { sum, mean, max, logsumexp };

constexpr double infinity = __builtin_inf();

template <class V>
FLOW_INLINE V max_nan(V a, V x) {
  return select((x > a) | (x != x), x, a);
}

template <class T>
double max_row(const T* x, int64_t n) {
  using V = Vec<T>;
  constexpr int w = V::width;
  V most[2] = {V(static_cast<T>(-infinity)), V(static_cast<T>(-infinity))};
  int64_t i = 0;
  for (; i + 2 * w <= n; i += 2 * w) {
    most[0] = max_nan(most[0], load<V>(x + i));
    most[1] = max_nan(most[1], load<V>(x + i + w));
  }
  T lane[2 * w];
  store(lane, most[0]);
  store(lane + w, most[1]);
  T best = static_cast<T>(-infinity);
  for (int k = 0; k < 2 * w; ++k) best = lane[k] > best || lane[k] != lane[k] ? lane[k] : best;
  for (; i < n; ++i) best = x[i] > best || x[i] != x[i] ? x[i] : best;
  return static_cast<double>(best);
}

// Σ exp(x − shift): in the type of x, summed in float64.
template <class T>
double sum_exp_row(const T* x, int64_t n, double shift) {
  const Vec<T> s(static_cast<T>(shift));
  return sum_terms<T>(n, [s](Vec<T> v) FLOW_INLINE_LAMBDA { return exp(v - s); }, x);
}

// log Σ exp given the maximum, which may be infinite or NaN: then it is the result.
double finish_logsumexp(double most, double sum) { return most - most == 0 ? most + log(sum) : most; }

// The whole of n elements that lie side by side (part of a row or of the matrix) to up to two doubles.
template <class T>
FLOW_INLINE void reduce_span(Kind kind, const T* x, int64_t n, double* partial) {
  switch (kind) {
    case Kind::sum:
    case Kind::mean: partial[0] = sum_row(x, n, [](auto v) FLOW_INLINE_LAMBDA { return v; }); return;
    case Kind::max: partial[0] = max_row(x, n); return;
    case Kind::logsumexp:
      partial[0] = max_row(x, n);
      partial[1] = partial[0] - partial[0] == 0 ? sum_exp_row(x, n, partial[0]) : 0;
      return;
  }
}

// Combines `count` partials of one result in their order: its sums or maxima, and its sums of exponentials, `step` apart.
double combine(Kind kind, const double* partial, const double* exponentials, int64_t count, int64_t step,
               int64_t elements) {
  if (kind == Kind::sum || kind == Kind::mean) {
    double total = 0;
    for (int64_t i = 0; i < count; ++i) total += partial[i * step];
    return kind == Kind::sum ? total : total / static_cast<double>(elements);
  }
  double most = -infinity;
  for (int64_t i = 0; i < count; ++i) most = max_nan(most, partial[i * step]);
  if (kind == Kind::max || most - most != 0) return most;
  double total = 0;
  for (int64_t i = 0; i < count; ++i)
    if (partial[i * step] != -infinity) total += exp(partial[i * step] - most) * exponentials[i * step];
  return finish_logsumexp(most, total);
}

template <class To, class T>
void over_columns(Kind kind, double factor, const Operand& x, To* out) {
  parallel_rows(x.rows, x.cols * int64_t{sizeof(T)}, [&](int64_t first, int64_t last) {
    for (int64_t r = first; r < last; ++r) {
      double partial[2] = {};
      reduce_span(kind, x.as<T>() + r * x.ld, x.cols, partial);
      out[r] = static_cast<To>(factor * combine(kind, partial, partial + 1, 1, 2, x.cols));
    }
  });
}

template <class To, class T>
void over_all(Kind kind, double factor, const Operand& x, To* out) {
  // A contiguous matrix is one long row; of another, each row is cut into spans.
  int64_t rows = x.contiguous() ? 1 : x.rows, cols = x.contiguous() ? x.count() : x.cols;
  int64_t spans = ceil_div(cols, reduce_block), count = rows * spans;
  double* partials = static_cast<double*>(scratch(static_cast<size_t>(max_of(1, count)) * 2 * sizeof(double), 4));
  int64_t group = max_of(1, reduce_block / max_of(1, cols));  // short rows share a task
  parallel(ceil_div(count, group), [&](int64_t task) {
    for (int64_t i = task * group; i < min_of(count, (task + 1) * group); ++i) {
      int64_t r = i / spans, first = (i % spans) * reduce_block;
      reduce_span(kind, x.as<T>() + r * x.ld + first, min_of(reduce_block, cols - first), partials + 2 * i);
    }
  });
  out[0] = static_cast<To>(factor * combine(kind, partials, partials + 1, count, 2, x.count()));
}

// A block of rows into its partials: n sums or maxima, then n sums of exponentials.
template <class T>
void reduce_columns(Kind kind, const Operand& x, double* partial, int64_t first, int64_t last, int64_t from,
                    int64_t n) {
  const T* corner = x.as<T>() + first * x.ld + from;
  int64_t ld = x.ld;
  double* line = partial + n;
  if (kind == Kind::sum || kind == Kind::mean) {
    fold_columns<1>(last - first, n, {partial},
                    [=](Vec<double>* total, int64_t r, int64_t c, auto lanes) FLOW_INLINE_LAMBDA {
                      total[0] += load_double(corner + r * ld + c, lanes);
                    });
    return;
  }
  constexpr int w = Vec<T>::width;
  T most[block_columns + w], terms[block_columns + w];
  for (int64_t c = 0; c < n; ++c) most[c] = static_cast<T>(-infinity);
  for (int64_t r = 0; r < last - first; ++r) {
    const T* row = corner + r * ld;
    for (int64_t c = 0; c < n; ++c) most[c] = row[c] > most[c] || row[c] != row[c] ? row[c] : most[c];
  }
  for (int64_t c = 0; c < n; ++c) {
    partial[c] = static_cast<double>(most[c]);
    line[c] = 0;
    most[c] = most[c] - most[c] == 0 ? most[c] : 0;
  }
  for (int64_t r = 0; kind == Kind::logsumexp && r < last - first; ++r) {
    for (int64_t c = 0; c < n; c += w) {
      int count = static_cast<int>(min_of(w, n - c));
      store(terms + c, exp(load_partial<Vec<T>>(corner + r * ld + c, count) - load_partial<Vec<T>>(most + c, count)));
    }
    for (int64_t c = 0; c < n; ++c) line[c] += static_cast<double>(terms[c]);
  }
}

template <class To, class T>
void over_rows(Kind kind, double factor, const Operand& x, To* out) {
  int64_t blocks = ceil_div(x.rows, rows_of_block(x.cols));
  double* partials =
      static_cast<double*>(scratch(static_cast<size_t>(max_of(1, blocks * x.cols)) * 2 * sizeof(double), 4));
  reduce_rows(
      x.rows, x.cols, partials, 2,
      [&](double* partial, int64_t first, int64_t last, int64_t from, int64_t to) {
        reduce_columns<T>(kind, x, partial, first, last, from, to - from);
      },
      [&](int64_t from, int64_t to, const double* partial, int64_t count, int64_t step) {
        int64_t n = to - from;
        if (kind == Kind::sum || kind == Kind::mean) {
          // Block after block, as they lie in memory; the order of the sum is the same.
          double total[block_columns];
          double divisor = kind == Kind::sum ? 1 : static_cast<double>(x.rows);
          for (int64_t c = 0; c < n; ++c) total[c] = 0;
          for (int64_t i = 0; i < count; ++i) add_span(total, partial + i * step, n);
          for (int64_t c = 0; c < n; ++c) out[from + c] = static_cast<To>(factor * (total[c] / divisor));
          return;
        }
        for (int64_t c = 0; c < n; ++c)
          out[from + c] = static_cast<To>(factor * combine(kind, partial + c, partial + n + c, count, step, x.rows));
      });
}

bool reduce(const Call& call) {
  const Operand &x = call.in[0], &out = call.out[0];
  FLOW_CHECK(call, call.attr[0] >= 0 && call.attr[0] <= 3, "kind: expected 0 to 3, got %g", call.attr[0]);
  FLOW_CHECK(call, call.attr[1] >= 0 && call.attr[1] <= 2, "axis: expected 0, 1 or 2, got %g", call.attr[1]);
  Kind kind = static_cast<Kind>(call.int_attr(0));
  int64_t axis = call.int_attr(1);
  int64_t wanted = axis == 0 ? x.cols : axis == 1 ? x.rows : 1;
  FLOW_CHECK(call, out.count() == wanted && out.contiguous(), "output: expected %lld values side by side, got %lld × %lld",
             ll(wanted), ll(out.rows), ll(out.cols));
  return with_float(call, x, "x", [&](auto from) {
    return with_float(call, out, "output", [&](auto to) {
      using T = decltype(from);
      using To = decltype(to);
      if (axis == 0) over_rows<To, T>(kind, call.attr[2], x, out.as<To>());
      else if (axis == 1) over_columns<To, T>(kind, call.attr[2], x, out.as<To>());
      else over_all<To, T>(kind, call.attr[2], x, out.as<To>());
      return true;
    });
  });
}

}  // namespace

FLOW_DEFINE_OP(reduce) = {"reduce", reduce, 1, 1, 1, 3};

}  // namespace flow::FLOW_ISA
