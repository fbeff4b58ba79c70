// check_finite: the position of the first tensor of a list that holds a NaN or an infinity, or −1.
// in: n tensors, each float32 or float64; out: one int32.
#include "ops/tensor_list.h"

namespace flow::FLOW_ISA {
namespace {

bool check_finite(const Call& call) {
  if (!check_float_list(call, "tensors", call.in, call.n_in)) return false;
  const Operand& out = call.out[0];
  FLOW_CHECK(call, out.dtype == DType::i32 && out.count() == 1, "out: expected one int32, got %s %lld × %lld",
             name_of(out.dtype), ll(out.rows), ll(out.cols));
  const TensorList list(call.in, call.n_in, nullptr);
  int32_t* bad = static_cast<int32_t*>(scratch(static_cast<size_t>(list.tasks() + 1) * sizeof(int32_t), 5));
  for (int64_t task = 0; task < list.tasks(); ++task) bad[task] = -1;
  list.run([&](int64_t task, int i, int64_t row, int64_t col, int64_t count) {
    const auto go = [&](auto zero) FLOW_INLINE_LAMBDA {
      using V = Vec<decltype(zero)>;
      const decltype(zero)* x = call.in[i].as<decltype(zero)>() + row * call.in[i].ld + col;
      V sum(0);  // x − x is 0 for a finite x and NaN for all others
      for_lanes<V>(count, [&](int64_t k, int live) FLOW_INLINE_LAMBDA {
        const V v = load_live(x + k, live);
        sum += v - v;
      });
      if (any(sum != sum)) bad[task] = i;
    };
    if (call.in[i].dtype == DType::f32)
      go(float{});
    else
      go(double{});
  });
  int32_t first = -1;
  for (int64_t task = 0; task < list.tasks() && first < 0; ++task) first = bad[task];
  *out.as<int32_t>() = first;
  return true;
}

}  // namespace

FLOW_DEFINE_OP(check_finite) = {"check_finite", check_finite, 0, 4096, 1, 0};

}  // namespace flow::FLOW_ISA
