// The op table of one instruction set, from the registry.
#include "core/op.h"
#include "simd/peak.h"

#define FLOW_TEXT_(x) #x
#define FLOW_TEXT(x) FLOW_TEXT_(x)

namespace flow::FLOW_ISA {

#define FLOW_OP(name) extern const Op op_##name;
#include "ops/registry.def"
#undef FLOW_OP

namespace {
// Pointers first: the order in which static objects of several files are initialised is not fixed, constants are.
const Op* const rows[] = {
#define FLOW_OP(name) &op_##name,
#include "ops/registry.def"
#undef FLOW_OP
};
}  // namespace

extern const OpTable op_table;
const OpTable op_table = {FLOW_TEXT(FLOW_ISA), rows, static_cast<int>(sizeof rows / sizeof rows[0]), &peak_loops};

}  // namespace flow::FLOW_ISA
