#include "reference/table.h"

#include <cstring>
#include <vector>

#include "reference/reference.h"

namespace flow::reference {
namespace {

struct Row {
  const char* name;
  Kernel run;
};

constexpr Row references[] = {
#define FLOW_REFERENCE(name) {#name, name},
#include "reference/registry.def"
#undef FLOW_REFERENCE
};

struct Table {
  std::vector<Op> ops;
  std::vector<const Op*> rows;
  OpTable table;

  explicit Table(const OpTable& kernels) {
    ops.reserve(static_cast<size_t>(kernels.count));  // rows point into it
    for (int i = 0; i < kernels.count; ++i) {
      const Op& kernel = *kernels.ops[i];
      const Op* op = nullptr;
      for (const Row& row : references) {
        if (std::strcmp(row.name, kernel.name) != 0) continue;
        ops.push_back(kernel);
        ops.back().run = row.run;
        op = &ops.back();
      }
      rows.push_back(op);
    }
    table = {"reference", rows.data(), kernels.count, nullptr};
  }
};

}  // namespace

const OpTable& reference_table(const OpTable& kernels) {
  // Never freed: worker threads may still run when static objects are destroyed.
  static const Table* table = new Table(kernels);
  return table->table;
}

}  // namespace flow::reference
