// autoregressive_affine_inverse: x = y·exp(a) + mu, logDet = Σ a in float64; see math/autoregressive_affine.h.
// in: y [N, D], params [N, 2·D] = (mu_0, raw_0, mu_1, raw_1, …); out: x, logDet [N]; attributes: scale map, bound.
#include "cuda/ops/autoregressive_affine.h"

namespace flow::cuda {

FLOW_DEFINE_OP(autoregressive_affine_inverse) = {"autoregressive_affine_inverse", run_autoregressive_affine<true>, 2, 2, 2, 2};

}  // namespace flow::cuda
