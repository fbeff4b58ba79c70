// expand: out = scale·in, where `in` is of the shape of out, or one row, one column or one number of it; from float32 or
// float64 to either. It is the gradient of a sum. Attribute: scale.
#include "ops/elementwise.h"

namespace flow::FLOW_ISA {
namespace {

// Everything by value: what a lambda holds by reference would be read again for each element.
template <class To, class From>
inline void expand_row(To* target, const From* source, int64_t n, double scale, bool single) {
  if (single) {
    To value = static_cast<To>(scale * static_cast<double>(*source));
    for (int64_t c = 0; c < n; ++c) target[c] = value;
  } else {
    for (int64_t c = 0; c < n; ++c) target[c] = static_cast<To>(scale * static_cast<double>(source[c]));
  }
}

template <class To, class From>
void expand_as(const Operand& out, const Operand& in, double scale) {
  const From* x = in.as<From>();
  To* y = out.as<To>();
  bool single = across(in, out);
  int64_t step = row_step(in, out), cols = out.cols;
  parallel_rows(out.rows, cols * int64_t{sizeof(To)}, [&](int64_t first, int64_t last) {
    for (int64_t r = first; r < last; ++r) {
      const From* source = x + r * step;
      To* target = y + r * out.ld;
      expand_row(target, source, cols, scale, single);
    }
  });
}

bool expand(const Call& call) {
  FLOW_CHECK_BROADCAST(call, call.in[0], call.out[0], "input");
  return with_float(call, call.in[0], "input", [&](auto from) {
    return with_float(call, call.out[0], "output", [&](auto to) {
      expand_as<decltype(to), decltype(from)>(call.out[0], call.in[0], call.attr[0]);
      return true;
    });
  });
}

}  // namespace

FLOW_DEFINE_OP(expand) = {"expand", expand, 1, 1, 1, 1};

}  // namespace flow::FLOW_ISA
