// What the files of the Node-API surface share: the state of an environment, and how failures become exceptions.
#pragma once
#include <napi.h>

#include "core/engine.h"

// One an environment: found through instance data, freed with the environment.
struct Addon {
  explicit Addon(const flow::OpTable& table) : engine(table) {}

  flow::Engine engine;
  Napi::Reference<Napi::Float64Array> words;
  double* words_data = nullptr;
  size_t words_length = 0;
  flow::Failure failure{};
  int64_t reported_bytes = 0;
};

inline Addon& addon_of(napi_env env) { return *Napi::Env(env).GetInstanceData<Addon>(); }

inline void require_arguments(const Napi::CallbackInfo& info, size_t count) {
  if (info.Length() < count) throw Napi::TypeError::New(info.Env(), "flow-kernels native: missing arguments");
}

// An operation of the device that failed: its sentence as an exception.
inline void require(const Napi::CallbackInfo& info, bool done) {
  if (!done) throw Napi::Error::New(info.Env(), addon_of(info.Env()).failure.message);
}

// Each puts its functions into the exports.
void export_transfers(Napi::Env env, Napi::Object exports);
void export_cuda(Napi::Env env, Napi::Object exports);
