// The GPU from JavaScript: openCuda, the graphs of recorded programs, counters and switches of the plug-in.
#include "addon.h"

#include <cmath>
#include <string>
#include <vector>

#include "core/cuda_device.h"

namespace {

// openCuda(paths) → a description of the GPU; throws the reason why there is none.
Napi::Value open_cuda(const Napi::CallbackInfo& info) {
  require_arguments(info, 1);
  Addon& addon = addon_of(info.Env());
  const auto files = info[0].As<Napi::Array>();
  std::vector<std::string> paths;
  for (uint32_t i = 0; i < files.Length(); ++i) paths.push_back(files.Get(i).As<Napi::String>().Utf8Value());
  std::string reason;
  if (!addon.engine.open_cuda(paths, reason)) throw Napi::Error::New(info.Env(), reason);
  return Napi::String::New(info.Env(), addon.engine.cuda()->describe());
}

// cudaOps() → the names of the ops that the plug-in has.
Napi::Value cuda_ops(const Napi::CallbackInfo& info) {
  Addon& addon = addon_of(info.Env());
  auto names = Napi::Array::New(info.Env());
  if (!addon.engine.cuda()) return names;
  const flow::OpTable& table = addon.engine.cuda()->table();
  for (int i = 0; i < table.count; ++i)
    if (table.ops[i]) names.Set(names.Length(), table.ops[i]->name);
  return names;
}

// captureProgram(words) → the number of a graph; all of its instructions are the GPU's.
Napi::Value capture_program(const Napi::CallbackInfo& info) {
  require_arguments(info, 1);
  Addon& addon = addon_of(info.Env());
  auto words = info[0].As<Napi::Float64Array>();
  if (!addon.engine.cuda()) throw Napi::Error::New(info.Env(), "flow-kernels native: no GPU was opened");
  const int graph = addon.engine.cuda()->capture(addon.failure, [&] {
    return addon.engine.run(words.Data(), static_cast<int64_t>(words.ElementLength()), addon.failure) == flow::Status::ok;
  });
  require(info, graph >= 0);
  return Napi::Number::New(info.Env(), graph);
}

Napi::Value run_graph(const Napi::CallbackInfo& info) {
  require_arguments(info, 1);
  Addon& addon = addon_of(info.Env());
  flow::CudaDevice* device = addon.engine.cuda();
  require(info, device && device->run_graph(info[0].As<Napi::Number>().Uint32Value(), addon.failure));
  return info.Env().Undefined();
}

Napi::Value drop_graph(const Napi::CallbackInfo& info) {
  require_arguments(info, 1);
  if (flow::CudaDevice* device = addon_of(info.Env()).engine.cuda())
    device->drop_graph(info[0].As<Napi::Number>().Uint32Value());
  return info.Env().Undefined();
}

// cudaGet(name) → a counter of the plug-in, NaN for an unknown one.
Napi::Value cuda_get(const Napi::CallbackInfo& info) {
  require_arguments(info, 1);
  flow::CudaDevice* device = addon_of(info.Env()).engine.cuda();
  const double value = device ? device->get(info[0].As<Napi::String>().Utf8Value().c_str()) : std::nan("");
  return Napi::Number::New(info.Env(), value);
}

// cudaSet(name, value) → false where the plug-in has no such switch.
Napi::Value cuda_set(const Napi::CallbackInfo& info) {
  require_arguments(info, 2);
  flow::CudaDevice* device = addon_of(info.Env()).engine.cuda();
  return Napi::Boolean::New(info.Env(), device && device->set(info[0].As<Napi::String>().Utf8Value().c_str(),
                                                              info[1].As<Napi::Number>().DoubleValue()));
}

}  // namespace

void export_cuda(Napi::Env env, Napi::Object exports) {
  exports.Set("openCuda", Napi::Function::New<open_cuda>(env));
  exports.Set("cudaOps", Napi::Function::New<cuda_ops>(env));
  exports.Set("captureProgram", Napi::Function::New<capture_program>(env));
  exports.Set("runGraph", Napi::Function::New<run_graph>(env));
  exports.Set("dropGraph", Napi::Function::New<drop_graph>(env));
  exports.Set("cudaGet", Napi::Function::New<cuda_get>(env));
  exports.Set("cudaSet", Napi::Function::New<cuda_set>(env));
}
