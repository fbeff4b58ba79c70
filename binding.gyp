# The CPU addon by node-gyp. Sources and flags: scripts/sources.cjs, shared with CMakeLists.txt.
# gyp has no flags for single files: so one static library an instruction set.
{
  # What is built of the instruction sets: all, or the names of some (GYP_DEFINES=flow_sets=avx512).
  "variables": {"flow_sets%": "all"},
  "target_defaults": {
    "defines": ["NAPI_VERSION=9", "NODE_ADDON_API_CPP_EXCEPTIONS", "NODE_ADDON_API_DISABLE_DEPRECATED"],
    "include_dirs": ["native"],
    # Node's own defaults, which ours replace.
    "cflags!": ["-fno-exceptions", "-fno-omit-frame-pointer"],
    "cflags_cc!": ["-fno-exceptions", "-std=gnu++17", "-std=gnu++20"],
    "configurations": {
      "Release": {
        "cflags": ["-O3", "-fomit-frame-pointer"],
        "xcode_settings": {"GCC_OPTIMIZATION_LEVEL": "3"},
        "msvs_settings": {"VCCLCompilerTool": {"AdditionalOptions": ["/clang:-O3"]}}
      },
      "Debug": {
        "cflags": ["-Og", "-g"]
      }
    },
    # Not plain keys of target_defaults: those of node-gyp and of Node's headers would be taken in their place.
    "target_conditions": [
      ["OS=='mac'", {
        "xcode_settings": {
          "CLANG_CXX_LANGUAGE_STANDARD": "c++20",
          "GCC_SYMBOLS_PRIVATE_EXTERN": "YES",
          "MACOSX_DEPLOYMENT_TARGET": "11.0"
        }
      }],
      ["OS=='win'", {
        "msbuild_toolset": "ClangCL",
        "msvs_settings": {
          "VCCLCompilerTool": {
            "WholeProgramOptimization": "false",
            "AdditionalOptions!": ["-std:c++17", "-std:c++20"]
          },
          # llvm-lib takes /LTCG:INCREMENTAL, which node-gyp gives it, for the name of a file.
          "VCLibrarianTool": {"AdditionalOptions!": ["/LTCG:INCREMENTAL"]},
          "VCLinkerTool": {"AdditionalOptions!": ["/LTCG:INCREMENTAL"]}
        }
      }]
    ]
  },
  "targets": [
    {
      "target_name": "flow_kernels",
      "sources": ["<!@(node scripts/sources.cjs core)"],
      "include_dirs": ["<!(node -p \"require('node-addon-api').include_dir\")"],
      "cflags_cc": ["<!@(node scripts/sources.cjs flags core)"],
      "xcode_settings": {
        "GCC_ENABLE_CPP_EXCEPTIONS": "YES",
        "OTHER_CPLUSPLUSFLAGS": ["<!@(node scripts/sources.cjs flags core)"]
      },
      "msvs_settings": {
        "VCCLCompilerTool": {
          "ExceptionHandling": 1,
          "AdditionalOptions": ["<!@(node scripts/sources.cjs flags core)"]
        }
      },
      "conditions": [
        # The thread pool outlives the environment: the library must never be unmapped.
        ["OS=='linux'", {"ldflags": ["-Wl,-z,nodelete"]}],
        ["target_arch=='x64' and (flow_sets=='all' or 'sse2' in flow_sets)", {
          "defines": ["FLOW_HAVE_SSE2"],
          "dependencies": ["flow_sse2"]
        }],
        ["target_arch=='x64' and (flow_sets=='all' or 'avx2' in flow_sets)", {
          "defines": ["FLOW_HAVE_AVX2"],
          "dependencies": ["flow_avx2"]
        }],
        ["target_arch=='x64' and (flow_sets=='all' or 'avx512' in flow_sets)", {
          "defines": ["FLOW_HAVE_AVX512"],
          "dependencies": ["flow_avx512"]
        }],
        ["target_arch=='arm64'", {
          "defines": ["FLOW_HAVE_NEON"],
          "dependencies": ["flow_neon"]
        }]
      ]
    }
  ],
  "conditions": [
    ["target_arch=='x64' and (flow_sets=='all' or 'sse2' in flow_sets)", {
      "targets": [
        {
          "target_name": "flow_sse2",
          "type": "static_library",
          "win_delay_load_hook": "false",
          "sources": ["<!@(node scripts/sources.cjs isa)"],
          "cflags_cc": ["<!@(node scripts/sources.cjs flags sse2)"],
          "xcode_settings": {"OTHER_CPLUSPLUSFLAGS": ["<!@(node scripts/sources.cjs flags sse2)"]},
          "msvs_settings": {
            "VCCLCompilerTool": {"AdditionalOptions": ["<!@(node scripts/sources.cjs flags sse2)"]}
          }
        }
      ]
    }],
    ["target_arch=='x64' and (flow_sets=='all' or 'avx2' in flow_sets)", {
      "targets": [
        {
          "target_name": "flow_avx2",
          "type": "static_library",
          "win_delay_load_hook": "false",
          "sources": ["<!@(node scripts/sources.cjs isa)"],
          "cflags_cc": ["<!@(node scripts/sources.cjs flags avx2)"],
          "xcode_settings": {"OTHER_CPLUSPLUSFLAGS": ["<!@(node scripts/sources.cjs flags avx2)"]},
          "msvs_settings": {
            "VCCLCompilerTool": {"AdditionalOptions": ["<!@(node scripts/sources.cjs flags avx2)"]}
          }
        }
      ]
    }],
    ["target_arch=='x64' and (flow_sets=='all' or 'avx512' in flow_sets)", {
      "targets": [
        {
          "target_name": "flow_avx512",
          "type": "static_library",
          "win_delay_load_hook": "false",
          "sources": ["<!@(node scripts/sources.cjs isa)"],
          "cflags_cc": ["<!@(node scripts/sources.cjs flags avx512)"],
          "xcode_settings": {"OTHER_CPLUSPLUSFLAGS": ["<!@(node scripts/sources.cjs flags avx512)"]},
          "msvs_settings": {
            "VCCLCompilerTool": {"AdditionalOptions": ["<!@(node scripts/sources.cjs flags avx512)"]}
          }
        }
      ]
    }],
    ["target_arch=='arm64'", {
      "targets": [
        {
          "target_name": "flow_neon",
          "type": "static_library",
          "win_delay_load_hook": "false",
          "sources": ["<!@(node scripts/sources.cjs isa)"],
          "cflags_cc": ["<!@(node scripts/sources.cjs flags neon)"],
          "xcode_settings": {"OTHER_CPLUSPLUSFLAGS": ["<!@(node scripts/sources.cjs flags neon)"]},
          "msvs_settings": {
            "VCCLCompilerTool": {"AdditionalOptions": ["<!@(node scripts/sources.cjs flags neon)"]}
          }
        }
      ]
    }]
  ]
}
