# The plug-in: every .cu of cuda/ops and the host side of cuda/core in one shared library, with the CUDA runtime inside. cuBLAS is not
# linked: core/blas.cc finds it at run time and says so where it is missing.
#   FLOW_CUDA_SUFFIX=_sm90   of the file, flow_kernels_cuda13_sm90.so: beside the one for all architectures
set(CMAKE_CUDA_ARCHITECTURES ${FLOW_CUDA_ARCHITECTURES})
enable_language(CUDA)
find_package(CUDAToolkit REQUIRED)
set(FLOW_CUDA_SUFFIX "" CACHE STRING "behind the toolkit's number in the name of the plug-in")

# What it has kernels for, as core/score.h reads it.
set(FLOW_CUDA_WORDS ${FLOW_CUDA_ARCHITECTURES})
if(FLOW_CUDA_WORDS STREQUAL "native")
  set(FLOW_CUDA_WORDS ${CMAKE_CUDA_ARCHITECTURES_NATIVE})
elseif(FLOW_CUDA_WORDS MATCHES "^all(-major)?$")
  message(FATAL_ERROR "FLOW_CUDA_ARCHITECTURES: name them, as 80-real;90-real;120, or native")
endif()
string(REPLACE ";" "," FLOW_CUDA_WORDS "${FLOW_CUDA_WORDS}")

file(GLOB FLOW_CUDA_SOURCES CONFIGURE_DEPENDS cuda/ops/*.cu cuda/core/*.cc)
add_library(flow_kernels_cuda SHARED ${FLOW_CUDA_SOURCES} native/core/op.cc)
set_target_properties(flow_kernels_cuda PROPERTIES
  PREFIX "" SUFFIX ".so" OUTPUT_NAME flow_kernels_cuda${CUDAToolkit_VERSION_MAJOR}${FLOW_CUDA_SUFFIX}
  LIBRARY_OUTPUT_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR}/build/cuda/Release CXX_STANDARD 20 CUDA_RUNTIME_LIBRARY Static
  CXX_VISIBILITY_PRESET hidden CUDA_VISIBILITY_PRESET hidden)
target_compile_definitions(flow_kernels_cuda PRIVATE FLOW_ISA=cuda)
set_source_files_properties(cuda/core/plugin.cc PROPERTIES COMPILE_DEFINITIONS "FLOW_CUDA_ARCHITECTURES=\"${FLOW_CUDA_WORDS}\"")
target_include_directories(flow_kernels_cuda PRIVATE . native)
target_include_directories(flow_kernels_cuda SYSTEM PRIVATE ${CUDAToolkit_INCLUDE_DIRS} ${FLOW_CUBLAS_INCLUDE})
set(FLOW_HOST_WARNINGS -Wall,-Wextra)
if(DEFINED ENV{FLOW_WERROR})
  set(FLOW_HOST_WARNINGS ${FLOW_HOST_WARNINGS},-Werror)
  set(FLOW_CUDA_WERROR -Werror all-warnings)
endif()
target_compile_options(flow_kernels_cuda PRIVATE
  $<$<COMPILE_LANGUAGE:CUDA>:-std=c++20 -O3 ${FLOW_CUDA_WERROR} -Xcompiler=${FLOW_HOST_WARNINGS}>
  $<$<COMPILE_LANGUAGE:CXX>:-O2 -Wall -Wextra>)
target_link_options(flow_kernels_cuda PRIVATE -Wl,-z,nodelete -Wl,--no-undefined)
target_link_libraries(flow_kernels_cuda PRIVATE dl pthread rt)
