// affine_coupling: y = x·s + t on the transformed elements, logDet = Σ log s a sample.
#include "reference/affine_coupling.h"

namespace flow::reference {

bool affine_coupling(const Call& call) { return coupling_loops(call, false); }

}  // namespace flow::reference
