// affine_coupling_inverse: x = (y − t)/s on the transformed elements, logDet = −Σ log s a sample.
#include "reference/affine_coupling.h"

namespace flow::reference {

bool affine_coupling_inverse(const Call& call) { return coupling_loops(call, true); }

}  // namespace flow::reference
