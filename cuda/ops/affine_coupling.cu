// affine_coupling: y = x·s + t on some columns or on a checkerboard, x elsewhere; logDet = Σ log s a sample, in float64; see
// math/affine_coupling.h. in: x, params [shift | raw], gain or absent; out: y, logDet; attributes: cuda/ops/affine_coupling.h.
#include "cuda/ops/affine_coupling.h"

namespace flow::cuda {

FLOW_DEFINE_OP(affine_coupling) = {"affine_coupling", run_affine_coupling<false>, 3, 3, 2, coupling_attributes};

}  // namespace flow::cuda
