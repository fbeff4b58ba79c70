// spline: a monotone spline of each element; see math/spline.h. in: x [N, D] (inverse: y), params [N, D·P], the P numbers of a
// feature side by side, or one row for all; out: y (inverse: x), logDet [N] float64 of the direction.
// attributes: kind, tails, bins, left, right, least width, height and slope (fractions of the box; slope absolute), inverse.
#include "ops/spline.h"

namespace flow::FLOW_ISA {
namespace {

template <SplineKind kind, bool inverse, class T>
void run_rows(const Call& call, const SplineShape& s, int64_t first_row, int64_t last_row) {
  using V = Vec<T>;
  constexpr int64_t w = V::width;
  const Operand& in = call.in[0];
  const int64_t features = in.cols, count = s.count(kind);
  const ElementTiles<T> params{call.in[1], features, count}, from{in, features, 1}, to{call.out[0], features, 1};
  const int64_t elements = (last_row - first_row) * features;
  const int64_t numbers = (spline_arrays * (s.bins + 1) + count) * w + ceil_div(elements, w) * w;
  T* rest = nullptr;
  const SplineRows<LaneRows<T>> rows =
      spline_rows(static_cast<T*>(scratch(static_cast<size_t>(numbers) * sizeof(T) + kVectorBytes, 4)), s.bins, rest);
  const LaneRows<T> p{rest};
  T* logs = rest + count * w;  // of the elements of the task
  for (int64_t e = 0; e < elements; e += w) {
    const int64_t element = first_row * features + e, live = min_of(w, elements - e);
    T lanes[w];
    from.gather(element, live, lanes);
    params.gather(element, live, p.p);
    spline_knots<kind, V>(s, p, rows);
    V out, log_slope;
    spline_element<kind, inverse>(s, rows, load<V>(lanes), out, log_slope);
    store(lanes, out);
    to.scatter(lanes, element, live);
    store(logs + e, log_slope);
  }
  const VectorView<double> sums = vector_view<double>(call.out[1]);
  for (int64_t r = first_row; r < last_row; ++r) {
    const T* own = logs + (r - first_row) * features;
    LogDetSum sum;
    for_lanes<V>(features, [&](int64_t i, int live) { sum.add(load_live(own + i, live)); });
    sums[r] = sum.total();
  }
}

bool spline(const Call& call) {
  const Operand& in = call.in[0];
  return with_spline(call, 0, [&](auto tag, const SplineShape& shape) {
    constexpr SplineKind kind = decltype(tag)::value;
    const int64_t count = shape.count(kind);
    if (!check_spline(call, count)) return false;
    return with_float(call, in, "x", [&](auto zero) {
      using T = decltype(zero);
      const bool inverse = call.attr[8] != 0;
      // An exp or two of each number.
      parallel_rows(in.rows, in.cols * count * int64_t{4 * sizeof(T)}, [&](int64_t first, int64_t last) {
        inverse ? run_rows<kind, true, T>(call, shape, first, last) : run_rows<kind, false, T>(call, shape, first, last);
      });
      return true;
    });
  });
}

}  // namespace

FLOW_DEFINE_OP(spline) = {"spline", spline, 2, 2, 2, spline_attributes};

}  // namespace flow::FLOW_ISA
