// check_finite: the position of the first tensor of a list that holds a NaN or an infinity, or −1.
#include "reference/tensor_list.h"

namespace flow::reference {

bool check_finite(const Call& call) {
  FLOW_AGREE(call, is_vector(call.out[0], 1, DType::i32));
  int32_t bad = -1;
  for (int i = call.n_in - 1; i >= 0; --i) {
    FLOW_AGREE(call, is_float(call.in[i]));
    for_elements(call.in[i], nullptr, [&](auto zero, int64_t r, int64_t c) {
      if (!std::isfinite(Matrix<decltype(zero)>(call.in[i])(r, c))) bad = i;
    });
  }
  *call.out[0].as<int32_t>() = bad;
  return true;
}

}  // namespace flow::reference
