// autoregressive_affine: y = (x − mu)·exp(−a), logDet = −Σ a. Attributes: scale map, bound.
#include "reference/autoregressive_affine.h"

namespace flow::reference {

bool autoregressive_affine(const Call& call) { return affine_loops(call, false); }

}  // namespace flow::reference
