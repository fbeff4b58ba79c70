// The Node-API surface: handles, memory and `run`; bytes in and out: transfers.cc, the GPU: cuda.cc. Adding an op changes nothing here.
#include "addon.h"

#include <memory>
#include <new>

#include "core/cuda_device.h"
#include "core/thread_pool.h"
#include "reference/table.h"

namespace {

using flow::DType;
using flow::Engine;
using flow::Handle;

// V8 hears of native bytes in steps: a call a tensor would cost more than the tensor.
constexpr int64_t report_step = int64_t{4} << 20;

void report_memory(napi_env env, Addon& addon) {
  int64_t live = static_cast<int64_t>(addon.engine.pool().live_bytes());
  int64_t change = live - addon.reported_bytes;
  if (change < report_step && change > -report_step) return;
  int64_t total;
  napi_adjust_external_memory(env, change, &total);
  addon.reported_bytes = live;
}

Napi::Value bind(const Napi::CallbackInfo& info) {
  require_arguments(info, 1);
  Addon& addon = addon_of(info.Env());
  auto words = info[0].As<Napi::Float64Array>();
  addon.words = Napi::Persistent(words);
  addon.words_data = words.Data();
  addon.words_length = words.ElementLength();
  return info.Env().Undefined();
}

napi_value run_words(napi_env env, Addon& addon, double* words, int64_t count) {
  flow::Status status = addon.engine.run(words, count, addon.failure);
  report_memory(env, addon);
  napi_value result;
  napi_create_int32(env, static_cast<int32_t>(status), &result);
  return result;
}

// run(count): the first `count` of the bound words. Raw Node-API: this is the hot call.
napi_value run(napi_env env, napi_callback_info info) {
  size_t argc = 1;
  napi_value argument = nullptr;
  napi_get_cb_info(env, info, &argc, &argument, nullptr, nullptr);
  int32_t count = 0;
  Addon& addon = addon_of(env);
  if (argc < 1 || napi_get_value_int32(env, argument, &count) != napi_ok || count < 0 ||
      static_cast<size_t>(count) > addon.words_length) {
    napi_throw_range_error(env, nullptr, "flow-kernels native: run(count) is outside of the bound words");
    return nullptr;
  }
  return run_words(env, addon, addon.words_data, count);
}

// runProgram(words, threads?): every instruction of a recorded program, on at most so many threads; 0 or left out: on all.
Napi::Value run_program(const Napi::CallbackInfo& info) {
  require_arguments(info, 1);
  const flow::ThreadLimit limit(info.Length() > 1 ? info[1].As<Napi::Number>().Int32Value() : 0);
  auto words = info[0].As<Napi::Float64Array>();
  return Napi::Value(info.Env(), run_words(info.Env(), addon_of(info.Env()), words.Data(),
                                           static_cast<int64_t>(words.ElementLength())));
}

// runReference(words): the same by the plain loops of native/reference.
Napi::Value run_reference(const Napi::CallbackInfo& info) {
  require_arguments(info, 1);
  Engine& engine = addon_of(info.Env()).engine;
  auto words = info[0].As<Napi::Float64Array>();
  flow::Status status = engine.run_by(flow::reference::reference_table(engine.table()), words.Data(),
                                      static_cast<int64_t>(words.ElementLength()), addon_of(info.Env()).failure);
  return Napi::Number::New(info.Env(), static_cast<int32_t>(status));
}

// measurePeak(kind, bytes): see core/peak.h.
Napi::Value measure_peak(const Napi::CallbackInfo& info) {
  require_arguments(info, 2);
  int32_t kind = info[0].As<Napi::Number>().Int32Value();
  double bytes = info[1].As<Napi::Number>().DoubleValue();
  if (kind < 0 || kind >= flow::peak_kind_count || !(bytes >= 0 && bytes <= 1e11))
    throw Napi::RangeError::New(info.Env(), "flow-kernels native: measurePeak(kind, bytes) is out of range");
  try {
    return Napi::Number::New(info.Env(),
                             flow::measure_peak(*addon_of(info.Env()).engine.table().peak,
                                                static_cast<flow::PeakKind>(kind), static_cast<int64_t>(bytes)));
  } catch (const std::bad_alloc&) {
    throw Napi::Error::New(info.Env(), "flow-kernels native: no memory for measurePeak");
  }
}

Napi::Value last_error(const Napi::CallbackInfo& info) {
  return Napi::String::New(info.Env(), addon_of(info.Env()).failure.message);
}

// alloc(dtype, elements) → handle, 0 when there is no memory.
Napi::Value alloc(const Napi::CallbackInfo& info) {
  require_arguments(info, 2);
  Addon& addon = addon_of(info.Env());
  int32_t dtype = info[0].As<Napi::Number>().Int32Value();
  double elements = info[1].As<Napi::Number>().DoubleValue();
  int32_t device = info.Length() > 2 ? info[2].As<Napi::Number>().Int32Value() : 0;
  if (device < 0 || device >= flow::device_count || dtype < 0 || dtype >= flow::dtype_count || !(elements >= 0 && elements <= 1e15))
    throw Napi::RangeError::New(info.Env(), "flow-kernels native: alloc(dtype, elements) is out of range");
  try {
    Handle handle = addon.engine.allocate(static_cast<DType>(dtype), static_cast<int64_t>(elements),
                                          static_cast<flow::DeviceKind>(device));
    report_memory(info.Env(), addon);
    return Napi::Number::New(info.Env(), handle);
  } catch (const std::exception&) {
    return Napi::Number::New(info.Env(), 0);
  }
}

// free(handle) → false when it is stale.
Napi::Value free_buffer(const Napi::CallbackInfo& info) {
  require_arguments(info, 1);
  Addon& addon = addon_of(info.Env());
  bool found = addon.engine.release(info[0].As<Napi::Number>().DoubleValue());
  report_memory(info.Env(), addon);
  return Napi::Boolean::New(info.Env(), found);
}

// memory() → [live buffers, live bytes, cached bytes, peak bytes, instructions run, live bytes of the GPU, its cached bytes]
Napi::Value memory(const Napi::CallbackInfo& info) {
  Engine& engine = addon_of(info.Env()).engine;
  const double values[] = {static_cast<double>(engine.live_buffers()), static_cast<double>(engine.pool().live_bytes()),
                           static_cast<double>(engine.pool().cached_bytes()),
                           static_cast<double>(engine.pool().peak_bytes()),
                           static_cast<double>(engine.instructions()),
                           engine.cuda() ? static_cast<double>(engine.cuda()->pool().live_bytes()) : 0,
                           engine.cuda() ? static_cast<double>(engine.cuda()->pool().cached_bytes()) : 0};
  constexpr uint32_t count = sizeof values / sizeof values[0];
  auto result = Napi::Array::New(info.Env(), count);
  for (uint32_t i = 0; i < count; ++i) result.Set(i, values[i]);
  return result;
}

Napi::Value trim(const Napi::CallbackInfo& info) {
  Engine& engine = addon_of(info.Env()).engine;
  engine.pool().trim();
  engine.pool().reset_peak();
  if (engine.cuda()) engine.cuda()->pool().trim();
  return info.Env().Undefined();
}

Napi::Value set_threads(const Napi::CallbackInfo& info) {
  require_arguments(info, 1);
  flow::set_thread_count(info[0].As<Napi::Number>().Int32Value());
  return info.Env().Undefined();
}

Napi::Value threads(const Napi::CallbackInfo& info) { return Napi::Number::New(info.Env(), flow::thread_count()); }

Napi::Object init(Napi::Env env, Napi::Object exports) {
  std::unique_ptr<Addon> addon;
  try {
    addon = std::make_unique<Addon>(flow::choose_table());
  } catch (const std::exception& error) {
    throw Napi::Error::New(env, error.what());
  }
  const flow::OpTable& table = addon->engine.table();
  auto ops = Napi::Array::New(env, static_cast<size_t>(table.count));
  for (int i = 0; i < table.count; ++i) ops.Set(static_cast<uint32_t>(i), table.ops[i]->name);
  exports.Set("ops", ops);
  exports.Set("isa", table.isa);
  env.SetInstanceData(addon.release());

  napi_value run_function;
  napi_create_function(env, "run", NAPI_AUTO_LENGTH, run, nullptr, &run_function);
  exports.Set("run", Napi::Value(env, run_function));
  exports.Set("bind", Napi::Function::New<bind>(env));
  exports.Set("runProgram", Napi::Function::New<run_program>(env));
  exports.Set("runReference", Napi::Function::New<run_reference>(env));
  exports.Set("measurePeak", Napi::Function::New<measure_peak>(env));
  exports.Set("lastError", Napi::Function::New<last_error>(env));
  exports.Set("alloc", Napi::Function::New<alloc>(env));
  exports.Set("free", Napi::Function::New<free_buffer>(env));
  export_transfers(env, exports);
  export_cuda(env, exports);
  exports.Set("memory", Napi::Function::New<memory>(env));
  exports.Set("trim", Napi::Function::New<trim>(env));
  exports.Set("setThreads", Napi::Function::New<set_threads>(env));
  exports.Set("threads", Napi::Function::New<threads>(env));
  return exports;
}

}  // namespace

NODE_API_MODULE(flow_kernels, init)
