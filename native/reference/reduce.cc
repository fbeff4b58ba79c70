// reduce: sum, mean, max or logsumexp over the rows (axis 0), the columns (1) or all (2). Attributes: kind, axis, factor of the
// result.
#include <limits>

#include "reference/reference.h"

namespace flow::reference {
namespace {

enum ReduceKind { sum, mean, max, logsumexp };
constexpr int kinds = 4;

// Of the elements (i, j), i < n, j < m, that lie at x + i·step + j·jump; in float64.
template <class T>
double reduce_line(int64_t kind, const T* x, int64_t n, int64_t step, int64_t m, int64_t jump) {
  double total = 0, most = -std::numeric_limits<double>::infinity();
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j < m; ++j) {
      const double value = static_cast<double>(x[i * step + j * jump]);
      total += value;
      if (value > most || value != value) most = value;
    }
  }
  if (kind == sum) return total;
  if (kind == mean) return total / static_cast<double>(n * m);
  if (kind == max || !std::isfinite(most)) return most;
  double scaled = 0;
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = 0; j < m; ++j) scaled += std::exp(static_cast<double>(x[i * step + j * jump]) - most);
  return most + std::log(scaled);
}

}  // namespace

bool reduce(const Call& call) {
  const Operand &in = call.in[0], &out = call.out[0];
  FLOW_AGREE(call, call.attr[0] >= 0 && call.attr[0] < kinds && call.attr[1] >= 0 && call.attr[1] <= 2);
  const int64_t kind = call.int_attr(0), axis = call.int_attr(1);
  const int64_t count = axis == 0 ? in.cols : axis == 1 ? in.rows : 1;
  FLOW_AGREE(call, is_vector(out, count, out.dtype));
  return for_float(call, in.dtype, [&](auto from) {
    for_float(call, out.dtype, [&](auto to) {
      using To = decltype(to);
      const auto* x = in.as<decltype(from)>();
      const Vector<To> y(out);
      if (axis == 0) {
        for (int64_t c = 0; c < in.cols; ++c) y(c) = static_cast<To>(call.attr[2] * reduce_line(kind, x + c, in.rows, in.ld, 1, 0));
      } else if (axis == 1) {
        for (int64_t r = 0; r < in.rows; ++r)
          y(r) = static_cast<To>(call.attr[2] * reduce_line(kind, x + r * in.ld, in.cols, 1, 1, 0));
      } else {
        y(0) = static_cast<To>(call.attr[2] * reduce_line(kind, x, in.rows, in.ld, in.cols, 1));
      }
    });
  });
}

}  // namespace flow::reference
