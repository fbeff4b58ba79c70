{
  # Sources: scripts/sources.cjs. Flags are explained in native/README.md; CMakeLists.txt has the same.
  "variables": {
    "flow_sse2%": 0,
    "flow_avx2%": 0,
    "flow_avx512%": 0,
    "flow_neon%": 0,
    "flow_werror": "<!(node -p \"process.env.FLOW_WERROR === '1' ? 1 : 0\")",
    "flow_isa_flags": [
      "-std=c++20", "-O3", "-ffp-contract=fast", "-fno-math-errno", "-fno-trapping-math",
      "-fno-exceptions", "-fno-rtti", "-fvisibility=hidden", "-Wall", "-Wextra"
    ],
    "flow_core_flags": [
      "-std=c++20", "-O3", "-ffp-contract=fast", "-fno-math-errno", "-fno-trapping-math",
      "-fexceptions", "-fno-rtti", "-fvisibility=hidden", "-Wall", "-Wextra"
    ]
  }
}
