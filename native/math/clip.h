// Gradients of a bounded norm.
#pragma once
#include "math/formula.h"

namespace flow::FLOW_ISA {

// min(1, max_norm/(norm + 1e-6)), as torch.nn.utils.clip_grad_norm_; a NaN stays.
FLOW_FORMULA double clip_factor(double norm, double max_norm) {
  const double factor = max_norm / (norm + 1e-6);
  return factor > 1 ? 1 : factor;
}

}  // namespace flow::FLOW_ISA
