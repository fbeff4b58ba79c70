// Choice of the instruction set, once a process.
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <string>

#include "core/engine.h"

namespace flow {

#define FLOW_DECLARE(isa) \
  namespace isa {         \
  extern const OpTable op_table; \
  }
#if defined(FLOW_HAVE_SSE2)
FLOW_DECLARE(sse2)
#endif
#if defined(FLOW_HAVE_AVX2)
FLOW_DECLARE(avx2)
#endif
#if defined(FLOW_HAVE_AVX512)
FLOW_DECLARE(avx512)
#endif
#if defined(FLOW_HAVE_NEON)
FLOW_DECLARE(neon)
#endif

namespace {

struct Candidate {
  const OpTable* table;
  bool runs_here;
};

// Best first.
const Candidate* candidates(int& count) {
  static const Candidate list[] = {
#if defined(FLOW_HAVE_AVX512)
      {&avx512::op_table, __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                              __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")},
#endif
#if defined(FLOW_HAVE_AVX2)
      {&avx2::op_table, __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")},
#endif
#if defined(FLOW_HAVE_SSE2)
      {&sse2::op_table, true},
#endif
#if defined(FLOW_HAVE_NEON)
      {&neon::op_table, true},
#endif
  };
  count = static_cast<int>(sizeof list / sizeof list[0]);
  return list;
}

}  // namespace

const OpTable& choose_table() {
  int count = 0;
  const Candidate* list = candidates(count);
  const char* wanted = std::getenv("FLOW_KERNELS_ISA");
  std::string known;
  for (int i = 0; i < count; ++i) {
    const char* name = list[i].table->isa;
    if (wanted && *wanted ? std::strcmp(wanted, name) == 0 : list[i].runs_here) {
      if (list[i].runs_here) return *list[i].table;
      throw std::runtime_error(std::string("FLOW_KERNELS_ISA=") + name + ": this CPU does not have it");
    }
    known += (known.empty() ? "" : ", ") + std::string(name);
  }
  throw std::runtime_error(std::string("FLOW_KERNELS_ISA=") + (wanted ? wanted : "") + ": expected one of " + known);
}

}  // namespace flow
