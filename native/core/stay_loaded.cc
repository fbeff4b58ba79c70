#include "core/stay_loaded.h"

#if defined(_WIN32)
#ifndef NOMINMAX
#define NOMINMAX
#endif
#define WIN32_LEAN_AND_MEAN
#include <windows.h>
#elif defined(__APPLE__)
#include <dlfcn.h>
#endif

namespace flow {

void stay_loaded() {
#if defined(_WIN32)
  HMODULE library = nullptr;
  GetModuleHandleExA(GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_PIN,
                     reinterpret_cast<LPCSTR>(&stay_loaded), &library);
#elif defined(__APPLE__)
  // One reference more, which nobody gives back.
  Dl_info library;
  if (dladdr(reinterpret_cast<const void*>(&stay_loaded), &library)) dlopen(library.dli_fname, RTLD_NOW | RTLD_NODELETE);
#else
  // Linux: the linker's flag -z nodelete says the same.
#endif
}

}  // namespace flow
