// Checks of index operands: an index from a user's array must end in a sentence, never in a wild access.
#pragma once
#include "ops/elementwise.h"

namespace flow::FLOW_ISA {

// indices: a contiguous int32 vector with values in [0, extent).
inline bool check_indices(const Call& call, const Operand& indices, int64_t extent, const char* what) {
  FLOW_CHECK(call, indices.dtype == DType::i32, "indices: expected int32, got %s", name_of(indices.dtype));
  FLOW_CHECK(call, indices.contiguous() || indices.cols == 1, "indices: expected a vector, got a strided matrix");
  FLOW_CHECK(call, indices.contiguous(), "indices: expected contiguous memory, got a strided column: copy it first");
  const int32_t* index = indices.as<int32_t>();
  int64_t count = indices.count();
  uint32_t worst = 0;  // a negative index is a large unsigned number
  for (int64_t i = 0; i < count; ++i) worst = static_cast<uint32_t>(index[i]) > worst ? static_cast<uint32_t>(index[i]) : worst;
  if (count == 0 || static_cast<int64_t>(worst) < extent) return true;
  int64_t at = 0;
  while (index[at] >= 0 && index[at] < extent) ++at;
  return call.fail("indices: expected a %s from 0 to %lld, got %d at position %lld: check what made the indices", what,
                   ll(extent - 1), index[at], ll(at));
}

}  // namespace flow::FLOW_ISA
