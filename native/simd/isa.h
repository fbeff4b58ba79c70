// The instruction set that a file is compiled for.
//
// Every file of native/simd and native/ops is compiled once per instruction set, with -DFLOW_ISA=sse2,
// avx2, avx512 or neon, and puts all it defines into `namespace flow::FLOW_ISA`. For the same reason
// these files include no standard C++ header: an inline function of std that was compiled for AVX-512
// may be the copy that the linker keeps, and would then run on a machine that has not got AVX-512.
#pragma once

#include <stddef.h>
#include <stdint.h>

#if defined(__x86_64__) || defined(_M_X64) || defined(__i386__)
#define FLOW_X86 1
#if defined(__AVX__)
#include <immintrin.h>
#else
#include <emmintrin.h>  // SSE2 and no more: all that immintrin.h has takes g++ 0.2 s a file
#endif
#elif defined(__aarch64__) || defined(_M_ARM64)
#define FLOW_ARM 1
#include <arm_neon.h>
#endif

#ifndef FLOW_ISA
#if defined(__AVX512F__)
#define FLOW_ISA avx512
#elif defined(__AVX2__)
#define FLOW_ISA avx2
#elif defined(FLOW_X86)
#define FLOW_ISA sse2
#else
#define FLOW_ISA neon
#endif
#endif

// Loops over registers must be unrolled whole, or the compiler keeps the registers in memory.
#if defined(__clang__)
#define FLOW_UNROLL _Pragma("clang loop unroll(full)")
#else
#define FLOW_UNROLL _Pragma("GCC unroll 64")
#endif

#define FLOW_INLINE inline __attribute__((always_inline))
#define FLOW_NOINLINE __attribute__((noinline))
#define FLOW_INLINE_LAMBDA __attribute__((always_inline))

namespace flow::FLOW_ISA {

#if defined(__AVX512F__)
inline constexpr int kVectorBytes = 64;
#elif defined(__AVX2__)
inline constexpr int kVectorBytes = 32;
#else
inline constexpr int kVectorBytes = 16;
#endif

}  // namespace flow::FLOW_ISA
