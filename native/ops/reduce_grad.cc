// reduce_grad: dL_dx of the kinds max and logsumexp of `reduce`. Inputs: x, y, dL_dy. Attributes: kind (2 max,
// 3 logsumexp), axis. The gradient of a maximum goes to the first element that has it.
#include "ops/reduce.h"
#include "simd/math.h"

namespace flow::FLOW_ISA {
namespace {

constexpr int64_t kind_max = 2;

// The value of element (r, c) of the reduction's result.
struct Result {
  const Operand& y;
  int64_t axis;
  double at(int64_t r, int64_t c) const {
    int64_t i = axis == 0 ? c : axis == 1 ? r : 0;
    return y.dtype == DType::f32 ? static_cast<double>(y.as<float>()[i]) : y.as<double>()[i];
  }
};

template <class T>
void max_grad(const Operand& x, const Operand& dL_dy, const Operand& dL_dx, int64_t axis) {
  auto value = [&](int64_t r, int64_t c) { return x.as<T>()[r * x.ld + c]; };
  auto better = [](T a, T b) { return a > b || (a != a && b == b); };
  parallel_rows(x.rows, x.cols * 2 * int64_t{sizeof(T)}, [&](int64_t first, int64_t last) {
    for (int64_t r = first; r < last; ++r)
      for (int64_t c = 0; c < x.cols; ++c) dL_dx.as<T>()[r * dL_dx.ld + c] = 0;
  });
  Result d{dL_dy, axis};
  auto give = [&](int64_t r, int64_t c) { dL_dx.as<T>()[r * dL_dx.ld + c] = static_cast<T>(d.at(r, c)); };
  if (x.count() == 0) return;
  if (axis == 0) {
    parallel_rows(x.cols, x.rows * int64_t{sizeof(T)}, [&](int64_t first, int64_t last) {
      for (int64_t c = first; c < last; ++c) {
        int64_t best = 0;
        for (int64_t r = 1; r < x.rows; ++r) best = better(value(r, c), value(best, c)) ? r : best;
        give(best, c);
      }
    });
  } else if (axis == 1) {
    parallel_rows(x.rows, x.cols * int64_t{sizeof(T)}, [&](int64_t first, int64_t last) {
      for (int64_t r = first; r < last; ++r) {
        int64_t best = 0;
        for (int64_t c = 1; c < x.cols; ++c) best = better(value(r, c), value(r, best)) ? c : best;
        give(r, best);
      }
    });
  } else {
    int64_t row = 0, col = 0;
    for (int64_t r = 0; r < x.rows; ++r)
      for (int64_t c = 0; c < x.cols; ++c)
        if (better(value(r, c), value(row, col))) row = r, col = c;
    give(row, col);
  }
}

// dL_dx = dL_dy · exp(x − y)
template <class T>
void logsumexp_grad(const Operand& x, const Operand& y, const Operand& dL_dy, const Operand& dL_dx, int64_t axis) {
  Result result{y, axis}, d{dL_dy, axis};
  constexpr int w = Vec<T>::width;
  parallel_rows(x.rows, x.cols * 2 * int64_t{sizeof(T)}, [&](int64_t first, int64_t last) {
    for (int64_t r = first; r < last; ++r) {
      const T* row = x.as<T>() + r * x.ld;
      T* target = dL_dx.as<T>() + r * dL_dx.ld;
      for (int64_t c = 0; c < x.cols; c += w) {
        int count = static_cast<int>(min_of(w, x.cols - c));
        T most[w] = {}, factor[w] = {};
        for (int k = 0; k < count; ++k) {
          most[k] = static_cast<T>(result.at(r, c + k));
          factor[k] = static_cast<T>(d.at(r, c + k));
        }
        Vec<T> value = exp(load_partial<Vec<T>>(row + c, count) - load<Vec<T>>(most)) * load<Vec<T>>(factor);
        store_partial(target + c, value, count);
      }
    }
  });
}

bool reduce_grad(const Call& call) {
  const Operand &x = call.in[0], &y = call.in[1], &dL_dy = call.in[2], &dL_dx = call.out[0];
  FLOW_CHECK_SAME_SHAPE(call, x, dL_dx, "x");
  FLOW_CHECK_SAME_DTYPE(call, x, dL_dx, "x");
  int64_t kind = call.int_attr(0), axis = call.int_attr(1);
  FLOW_CHECK(call, (kind == 2 || kind == 3) && axis >= 0 && axis <= 2, "kind, axis: got %lld, %lld", ll(kind), ll(axis));
  int64_t wanted = axis == 0 ? x.cols : axis == 1 ? x.rows : 1;
  for (int i = 1; i < 3; ++i) {
    const Operand& in = call.in[i];
    FLOW_CHECK(call, in.count() == wanted && in.contiguous(), "input %d: expected %lld values side by side, got %lld × %lld",
               i, ll(wanted), ll(in.rows), ll(in.cols));
    FLOW_CHECK(call, in.dtype == DType::f32 || in.dtype == DType::f64, "input %d: expected a float type, got %s", i,
               name_of(in.dtype));
  }
  return with_float(call, x, "x", [&](auto zero) {
    using T = decltype(zero);
    if (kind == kind_max) max_grad<T>(x, dL_dy, dL_dx, axis);
    else logsumexp_grad<T>(x, y, dL_dy, dL_dx, axis);
    return true;
  });
}

}  // namespace

FLOW_DEFINE_OP(reduce_grad) = {"reduce_grad", reduce_grad, 3, 3, 1, 2};

}  // namespace flow::FLOW_ISA
