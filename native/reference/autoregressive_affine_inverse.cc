// autoregressive_affine_inverse: x = y·exp(a) + mu, logDet = Σ a. Attributes: scale map, bound.
#include "reference/autoregressive_affine.h"

namespace flow::reference {

bool autoregressive_affine_inverse(const Call& call) { return affine_loops(call, true); }

}  // namespace flow::reference
