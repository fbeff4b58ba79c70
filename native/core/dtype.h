// Element types of buffers. The numbers travel in instructions and are mirrored by lib/dtype.ts.
#pragma once
#include <stddef.h>
#include <stdint.h>

namespace flow {

enum class DType : int32_t { f32 = 0, f64 = 1, i32 = 2, u8 = 3 };

inline constexpr int32_t dtype_count = 4;

constexpr size_t size_of(DType dtype) {
  constexpr size_t sizes[dtype_count] = {4, 8, 4, 1};
  return sizes[static_cast<int32_t>(dtype)];
}

constexpr const char* name_of(DType dtype) {
  constexpr const char* names[dtype_count] = {"float32", "float64", "int32", "uint8"};
  return names[static_cast<int32_t>(dtype)];
}

}  // namespace flow
