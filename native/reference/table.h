// The table of the plain loops.
#pragma once
#include "core/op.h"

namespace flow::reference {

// A table "reference" of the ops of `kernels`, in their order and with their operand counts; null where an op has no
// reference. Made at the first call.
const OpTable& reference_table(const OpTable& kernels);

}  // namespace flow::reference
