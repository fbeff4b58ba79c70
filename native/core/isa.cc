// Choice of the instruction set, once a process.
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <string>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

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

#if defined(__x86_64__)
struct Cpu {
  bool avx2 = false, avx512 = false;
};

// Not __builtin_cpu_supports: what it calls is in clang's run-time library, which no linker on Windows is told of.
Cpu this_cpu() {
  Cpu cpu;
  unsigned eax, ebx, ecx, edx;
  if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx)) return cpu;
  constexpr unsigned needed = 1u << 12 | 1u << 27 | 1u << 28 | 1u << 29;  // FMA, XGETBV allowed, AVX, F16C
  if ((ecx & needed) != needed) return cpu;
  // Which registers the operating system saves.
  unsigned saved, above;
  asm volatile("xgetbv" : "=a"(saved), "=d"(above) : "c"(0));
  constexpr unsigned ymm = 0x06;
  if ((saved & ymm) != ymm || !__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx)) return cpu;
  cpu.avx2 = ebx >> 5 & 1;
  constexpr unsigned avx512 = 1u << 16 | 1u << 17 | 1u << 30 | 1u << 31;  // F, DQ, BW, VL
#if defined(__APPLE__)
  const bool saves_zmm = true;  // macOS says so of a process only after its first use
#else
  constexpr unsigned zmm = 0xe6;
  const bool saves_zmm = (saved & zmm) == zmm;
#endif
  cpu.avx512 = cpu.avx2 && saves_zmm && (ebx & avx512) == avx512;
  return cpu;
}
#endif

struct Candidate {
  const OpTable* table;
  bool runs_here;
};

// Best first.
const Candidate* candidates(int& count) {
#if defined(__x86_64__)
  static const Cpu cpu = this_cpu();
#endif
  static const Candidate list[] = {
#if defined(FLOW_HAVE_AVX512)
      {&avx512::op_table, cpu.avx512},
#endif
#if defined(FLOW_HAVE_AVX2)
      {&avx2::op_table, cpu.avx2},
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
