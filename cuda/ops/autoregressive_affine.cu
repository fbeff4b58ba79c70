// autoregressive_affine: y = (x − mu)·exp(−a), logDet = −Σ a in float64; see math/autoregressive_affine.h.
// in: x [N, D], params [N, 2·D] = (mu_0, raw_0, mu_1, raw_1, …); out: y, logDet [N]; attributes: scale map, bound.
#include "cuda/ops/autoregressive_affine.h"

namespace flow::cuda {

FLOW_DEFINE_OP(autoregressive_affine) = {"autoregressive_affine", run_autoregressive_affine<false>, 2, 2, 2, 2};

}  // namespace flow::cuda
