#include "cuda/core/blas.h"

#include <dlfcn.h>
#include <glob.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "cuda/core/context.h"
#include "cuda/core/launch.h"

// The part of cublas_api.h that is used. Enumerations are ints in its interface.
using cublasHandle_t = struct cublasContext*;
using cublasStatus_t = int;  // 0: success
namespace {
constexpr int op_none = 0, op_transpose = 1;                        // cublasOperation_t
constexpr int side_left = 0, side_right = 1;                        // cublasSideMode_t
constexpr int fill_lower = 0, fill_upper = 1;                       // cublasFillMode_t
constexpr int diagonal_stored = 0, diagonal_unit = 1;               // cublasDiagType_t
constexpr int math_default = 0, math_tf32 = 3;                      // cublasMath_t
constexpr int pointers_of_host = 0;                                 // cublasPointerMode_t
}  // namespace

// name, arguments after the handle
#define FLOW_BLAS_TYPED(T, letter, ROW)                                                                                        \
  ROW(cublas##letter##gemm_v2_64, int, int, int64_t, int64_t, int64_t, const T*, const T*, int64_t, const T*, int64_t, const T*, \
      T*, int64_t)                                                                                                             \
  ROW(cublas##letter##gemmStridedBatched_64, int, int, int64_t, int64_t, int64_t, const T*, const T*, int64_t, long long,      \
      const T*, int64_t, long long, const T*, T*, int64_t, long long, int64_t)                                                 \
  ROW(cublas##letter##trsm_v2_64, int, int, int, int, int64_t, int64_t, const T*, const T*, int64_t, T*, int64_t)
#define FLOW_BLAS_TABLE(ROW)                    \
  ROW(cublasDestroy_v2)                         \
  ROW(cublasGetVersion_v2, int*)                \
  ROW(cublasSetStream_v2, cudaStream_t)         \
  ROW(cublasSetWorkspace_v2, void*, size_t)     \
  ROW(cublasSetPointerMode_v2, int)             \
  ROW(cublasSetMathMode, int)                   \
  FLOW_BLAS_TYPED(float, S, ROW)                \
  FLOW_BLAS_TYPED(double, D, ROW)

#if defined(FLOW_CUDA_EMULATION)
// test/cuda/emulation/cublas.cc
extern "C" cublasStatus_t cublasCreate_v2(cublasHandle_t*);
#define FLOW_ROW(name, ...) extern "C" cublasStatus_t name(cublasHandle_t __VA_OPT__(, ) __VA_ARGS__);
FLOW_BLAS_TABLE(FLOW_ROW)
#undef FLOW_ROW
#endif

namespace flow::cuda {

struct Blas {
  cublasStatus_t (*create)(cublasHandle_t*);
#define FLOW_ROW(name, ...) cublasStatus_t (*name)(cublasHandle_t __VA_OPT__(, ) __VA_ARGS__);
  FLOW_BLAS_TABLE(FLOW_ROW)
#undef FLOW_ROW
  cublasHandle_t handle;
  void* workspace;
  int version;
  bool tf32;
};

namespace {

constexpr const char* names[] = {"libcublas.so.13", "libcublas.so.12"};

std::string folder_of(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : path.substr(0, slash);
}

/** Files to try, in this order. */
std::vector<std::string> candidates() {
  std::vector<std::string> paths;
  const auto add_folder = [&](const std::string& folder) {
    for (const char* name : names) paths.push_back(folder + "/" + name);
  };
  if (const char* wanted = std::getenv("FLOW_KERNELS_CUBLAS"); wanted && *wanted) {
    struct stat status;
    if (stat(wanted, &status) == 0 && S_ISDIR(status.st_mode)) add_folder(wanted);
    else paths.push_back(wanted);
    return paths;  // who names one gets that one, or the reason
  }
  Dl_info own;
  if (dladdr(reinterpret_cast<const void*>(&open_blas), &own) && own.dli_fname) add_folder(folder_of(own.dli_fname));
  for (const char* name : names) paths.push_back(name);
  add_folder("/usr/local/cuda/lib64");
  for (const char* variable : {"VIRTUAL_ENV", "CONDA_PREFIX"}) {
    const char* prefix = std::getenv(variable);
    if (!prefix || !*prefix) continue;
    add_folder(std::string(prefix) + "/lib");
    glob_t found;
    const std::string pattern = std::string(prefix) + "/lib/python3*/site-packages/nvidia/*/lib/libcublas.so.1[23]";
    if (glob(pattern.c_str(), 0, nullptr, &found) == 0)
      for (size_t i = found.gl_pathc; i > 0; --i) paths.push_back(found.gl_pathv[i - 1]);
    globfree(&found);
  }
  return paths;
}

/** What cuBLAS needs beside itself, where the folder is not one of the loader's; stays loaded. */
void open_companion(const std::string& path) {
  const size_t number = path.rfind(".so.");
  if (path.find('/') == std::string::npos || number == std::string::npos) return;
  dlopen((folder_of(path) + "/libcublasLt" + path.substr(number)).c_str(), RTLD_NOW | RTLD_LOCAL);
  dlerror();
}

bool fail(Failure* failure, const char* what, const std::string& why) {
  std::snprintf(failure->message, sizeof failure->message, "[cuda] cuBLAS: %s (%s)", what, why.c_str());
  return false;
}

/** Finds the functions in a library and makes a handle; why not otherwise. */
[[maybe_unused]] std::string try_library(void* library, Blas& blas) {
  const char* missing = nullptr;
  const auto find = [&](auto& function, const char* name) {
    void* symbol = dlsym(library, name);
    if (!symbol) missing = name;
    function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(symbol);
  };
  find(blas.create, "cublasCreate_v2");
#define FLOW_ROW(name, ...) find(blas.name, #name);
  FLOW_BLAS_TABLE(FLOW_ROW)
#undef FLOW_ROW
  if (missing) return std::string("12.0 or later is needed: it has no ") + missing;
  const cublasStatus_t status = blas.create(&blas.handle);
  if (status == 0) return {};
  blas.handle = nullptr;
  cudaGetLastError();
  return "status " + std::to_string(status);
}

/** Opens a library, finds the functions and makes a handle. */
bool load(Blas& blas, Failure* failure) {
#if defined(FLOW_CUDA_EMULATION)
  if (const char* wanted = std::getenv("FLOW_KERNELS_CUBLAS"); !wanted || !*wanted) {
    blas.create = ::cublasCreate_v2;
#define FLOW_ROW(name, ...) blas.name = ::name;
    FLOW_BLAS_TABLE(FLOW_ROW)
#undef FLOW_ROW
    return blas.create(&blas.handle) == 0 || fail(failure, "it cannot be opened", "emulation");
  }
#endif
  std::string first_reason, refused;
  for (const std::string& path : candidates()) {
    open_companion(path);
    void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);  // stays loaded
    if (!library) {
      const char* reason = dlerror();
      if (first_reason.empty() || path == names[0]) first_reason = reason ? reason : path;
      continue;
    }
    const std::string reason = try_library(library, blas);
    if (reason.empty()) return true;
    if (refused.empty()) refused = path + ": " + reason;
  }
  if (refused.empty())
    return fail(failure,
                "it was not found: install the CUDA toolkit or the wheel nvidia-cublas, and name the library or its folder in "
                "FLOW_KERNELS_CUBLAS",
                first_reason);
  return fail(failure, "no library that was found can be used", refused);
}

int op(bool transpose) { return transpose ? op_transpose : op_none; }
int64_t leading(int64_t ld, int64_t columns) { return max_of(max_of(ld, columns), 1); }

/** c ← 0: a product over nothing. */
template <class T>
bool clear(const Call& call, int64_t m, int64_t n, T* c, int64_t c_ld) {
  count_launch();
  cudaMemset2DAsync(c, static_cast<size_t>(leading(c_ld, n)) * sizeof(T), 0, static_cast<size_t>(n) * sizeof(T),
                    static_cast<size_t>(m), current_stream());
  return launched(call);
}

bool succeeded(const Call& call, cublasStatus_t status) {
  count_launch();
  if (status == 0) return launched(call);
  return call.fail("cuBLAS refused the work: status %d", status);
}

Blas& own() { return *current_blas(); }
auto gemm_of(float) { return own().cublasSgemm_v2_64; }
auto gemm_of(double) { return own().cublasDgemm_v2_64; }
auto batched_of(float) { return own().cublasSgemmStridedBatched_64; }
auto batched_of(double) { return own().cublasDgemmStridedBatched_64; }
auto trsm_of(float) { return own().cublasStrsm_v2_64; }
auto trsm_of(double) { return own().cublasDtrsm_v2_64; }

}  // namespace

Blas* open_blas(cudaStream_t stream, int compute_major, Failure* failure) {
  auto blas = std::make_unique<Blas>();
  if (!load(*blas, failure)) return nullptr;
  // What NVIDIA recommends: more on Hopper and later.
  const size_t bytes = size_t{compute_major >= 9 ? 32u : 8u} << 20;
  cublasStatus_t status = blas->cublasGetVersion_v2(blas->handle, &blas->version);
  if (status == 0) status = blas->cublasSetStream_v2(blas->handle, stream);
  if (status == 0) status = blas->cublasSetPointerMode_v2(blas->handle, pointers_of_host);
  if (status == 0) status = blas->cublasSetMathMode(blas->handle, math_default);
  if (status == 0 && cudaMalloc(&blas->workspace, bytes) != cudaSuccess) {
    cudaGetLastError();
    fail(failure, "the GPU has no memory for its workspace", std::to_string(bytes >> 20) + " MiB");
    close_blas(blas.release());
    return nullptr;
  }
  // After the stream, which sets it back.
  if (status == 0) status = blas->cublasSetWorkspace_v2(blas->handle, blas->workspace, bytes);
  if (status == 0) return blas.release();
  fail(failure, "it cannot be opened", "status " + std::to_string(status));
  close_blas(blas.release());
  return nullptr;
}

void close_blas(Blas* blas) {
  if (!blas) return;
  if (blas->handle) blas->cublasDestroy_v2(blas->handle);
  if (blas->workspace) cudaFree(blas->workspace);
  delete blas;
}

int blas_version(const Blas* blas) { return blas->version; }

void set_tf32(Blas* blas, bool allowed) {
  blas->tf32 = blas->cublasSetMathMode(blas->handle, allowed ? math_tf32 : math_default) == 0 && allowed;
}
bool allows_tf32(const Blas* blas) { return blas->tf32; }

// cuBLAS counts columns first: what it sees of a row-major matrix is the transpose, so c' = op(b)'·op(a)'.
template <class T>
bool blas_gemm(const Call& call, bool transpose_a, bool transpose_b, int64_t m, int64_t n, int64_t k, const T* a, int64_t a_ld,
               const T* b, int64_t b_ld, T* c, int64_t c_ld, T alpha, T beta) {
  if (m <= 0 || n <= 0) return true;
  if (k == 0 && beta == 0) return clear(call, m, n, c, c_ld);
  return succeeded(call, gemm_of(T{})(own().handle, op(transpose_b), op(transpose_a), n, m, k, &alpha, b,
                                      leading(b_ld, transpose_b ? k : n), a, leading(a_ld, transpose_a ? m : k), &beta, c,
                                      leading(c_ld, n)));
}

template <class T>
bool blas_gemm_batched(const Call& call, bool transpose_a, bool transpose_b, int64_t m, int64_t n, int64_t k, const T* a, int64_t a_ld,
                       int64_t a_step, const T* b, int64_t b_ld, int64_t b_step, T* c, int64_t c_ld, int64_t c_step, int64_t count,
                       T alpha, T beta) {
  if (m <= 0 || n <= 0 || count <= 0) return true;
  if (k == 0 && beta == 0) {
    for (int64_t i = 0; i < count; ++i)
      if (!clear(call, m, n, c + i * c_step, c_ld)) return false;
    return true;
  }
  return succeeded(call, batched_of(T{})(own().handle, op(transpose_b), op(transpose_a), n, m, k, &alpha, b,
                                         leading(b_ld, transpose_b ? k : n), b_step, a, leading(a_ld, transpose_a ? m : k), a_step,
                                         &beta, c, leading(c_ld, n), c_step, count));
}

template <class T>
bool blas_trsm(const Call& call, bool left, Triangle form, int64_t n, int64_t sides, const T* t, int64_t t_ld, T* x, int64_t x_ld) {
  if (n <= 0 || sides <= 0) return true;
  const T one = 1;
  return succeeded(call, trsm_of(T{})(own().handle, left ? side_right : side_left, form.lower ? fill_upper : fill_lower,
                                      op(form.transpose), form.unit ? diagonal_unit : diagonal_stored, left ? sides : n,
                                      left ? n : sides, &one, t, leading(t_ld, n), x, leading(x_ld, left ? sides : n)));
}

#define FLOW_INSTANCES(T)                                                                                                       \
  template bool blas_gemm<T>(const Call&, bool, bool, int64_t, int64_t, int64_t, const T*, int64_t, const T*, int64_t, T*,     \
                             int64_t, T, T);                                                                                    \
  template bool blas_gemm_batched<T>(const Call&, bool, bool, int64_t, int64_t, int64_t, const T*, int64_t, int64_t, const T*, \
                                     int64_t, int64_t, T*, int64_t, int64_t, int64_t, T, T);                                    \
  template bool blas_trsm<T>(const Call&, bool, Triangle, int64_t, int64_t, const T*, int64_t, T*, int64_t);
FLOW_INSTANCES(float)
FLOW_INSTANCES(double)
#undef FLOW_INSTANCES

}  // namespace flow::cuda
