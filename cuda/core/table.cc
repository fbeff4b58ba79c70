// The plug-in's op table, in the order of native/ops/registry.def. An op without a file in cuda/ops is null, and
// test/ops/completeness.test.ts names it.
#include "core/plugin.h"

namespace flow::cuda {

#define FLOW_OP(name) extern const Op op_##name __attribute__((weak));
#include "ops/registry.def"
#undef FLOW_OP

namespace {
const Op* const rows[] = {
#define FLOW_OP(name) &op_##name,
#include "ops/registry.def"
#undef FLOW_OP
};
const char* const names[] = {
#define FLOW_OP(name) #name,
#include "ops/registry.def"
#undef FLOW_OP
};
}  // namespace

uint64_t registry_fingerprint() {
  Fingerprint registry;
  for (const char* name : names) registry.add(name);
  return registry.value();
}

extern const OpTable op_table;
const OpTable op_table = {"cuda", rows, static_cast<int>(sizeof rows / sizeof rows[0]), nullptr};

}  // namespace flow::cuda
