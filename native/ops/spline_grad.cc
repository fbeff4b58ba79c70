// spline_grad: backward of spline, either direction, by its output and logDet together; see math/spline.h.
// in: x [N, D] (the input of the map, the output of its inverse), params [N, D·P] or one row, dL_dout [N, D] or absent,
// dL_dlogDet [N] float64 or absent; out: dL_din [N, D], dL_dparams [N, D·P], a row a sample. attributes: those of spline.
#include "ops/spline.h"

namespace flow::FLOW_ISA {
namespace {

template <SplineKind kind, bool inverse, class T>
void run_rows(const Call& call, const SplineShape& s, int64_t first_row, int64_t last_row) {
  using V = Vec<T>;
  constexpr int64_t w = V::width;
  const Operand &in = call.in[0], &d_out = call.in[2], &d_log_det = call.in[3];
  const int64_t features = in.cols, count = s.count(kind);
  const ElementTiles<T> params{call.in[1], features, count}, from{in, features, 1}, given{d_out, features, 1};
  const ElementTiles<T> to{call.out[0], features, 1}, to_params{call.out[1], features, count};
  const int64_t elements = (last_row - first_row) * features;
  T* rest = nullptr;
  const int64_t numbers = (spline_arrays * (s.bins + 1) + 2 * count) * w;
  const SplineRows<LaneRows<T>> rows =
      spline_rows(static_cast<T*>(scratch(static_cast<size_t>(numbers) * sizeof(T) + kVectorBytes, 4)), s.bins, rest);
  const LaneRows<T> p{rest}, dp{rest + count * w};
  for (int64_t e = 0; e < elements; e += w) {
    const int64_t element = first_row * features + e, live = min_of(w, elements - e);
    T x[w], d[w] = {}, d_log[w] = {};
    from.gather(element, live, x);
    params.gather(element, live, p.p);
    if (!d_out.absent()) given.gather(element, live, d);
    if (!d_log_det.absent())
      for (int64_t i = 0; i < live; ++i)
        d_log[i] = static_cast<T>(vector_view<double>(d_log_det)[(element + i) / features]);
    spline_knots<kind, V>(s, p, rows);
    store(d, spline_backward<kind, inverse>(s, p, rows, load<V>(x), load<V>(d), load<V>(d_log), dp));
    to.scatter(d, element, live);
    to_params.scatter(dp.p, element, live);
  }
}

bool spline_grad(const Call& call) {
  const Operand& in = call.in[0];
  return with_spline(call, 0, [&](auto tag, const SplineShape& shape) {
    constexpr SplineKind kind = decltype(tag)::value;
    const int64_t count = shape.count(kind);
    if (!check_spline_grad(call, count)) return false;
    return with_float(call, in, "x", [&](auto zero) {
      using T = decltype(zero);
      const bool inverse = call.attr[8] != 0;
      parallel_rows(in.rows, in.cols * count * int64_t{6 * sizeof(T)}, [&](int64_t first, int64_t last) {
        inverse ? run_rows<kind, true, T>(call, shape, first, last) : run_rows<kind, false, T>(call, shape, first, last);
      });
      return true;
    });
  });
}

}  // namespace

FLOW_DEFINE_OP(spline_grad) = {"spline_grad", spline_grad, 4, 4, 2, spline_attributes};

}  // namespace flow::FLOW_ISA
