// affine_coupling_inverse: x = (y − t)/s on some columns or on a checkerboard, y elsewhere; logDet = −Σ log s a sample, in
// float64. in: y, params [shift | raw], gain or absent; out: x, logDet; attributes: cuda/ops/affine_coupling.h.
#include "cuda/ops/affine_coupling.h"

namespace flow::cuda {

FLOW_DEFINE_OP(affine_coupling_inverse) = {"affine_coupling_inverse", run_affine_coupling<true>, 3, 3, 2, coupling_attributes};

}  // namespace flow::cuda
