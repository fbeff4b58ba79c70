// The Node-API surface: handles, bytes in and out, and `run`. Adding an op changes nothing here.
#include <napi.h>

#include <chrono>
#include <cmath>
#include <cstring>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include "core/cuda_device.h"
#include "core/engine.h"
#include "core/thread_pool.h"
#include "reference/table.h"

namespace {

using flow::Buffer;
using flow::DType;
using flow::Engine;
using flow::Handle;

// One an environment: found through instance data, freed with the environment.
struct Addon {
  explicit Addon(const flow::OpTable& table) : engine(table) {}

  Engine engine;
  Napi::Reference<Napi::Float64Array> words;
  double* words_data = nullptr;
  size_t words_length = 0;
  flow::Failure failure{};
  int64_t reported_bytes = 0;
};

// V8 hears of native bytes in steps: a call a tensor would cost more than the tensor.
constexpr int64_t report_step = int64_t{4} << 20;

Addon& addon_of(napi_env env) { return *Napi::Env(env).GetInstanceData<Addon>(); }

void report_memory(napi_env env, Addon& addon) {
  int64_t live = static_cast<int64_t>(addon.engine.pool().live_bytes());
  int64_t change = live - addon.reported_bytes;
  if (change < report_step && change > -report_step) return;
  int64_t total;
  napi_adjust_external_memory(env, change, &total);
  addon.reported_bytes = live;
}

void require_arguments(const Napi::CallbackInfo& info, size_t count) {
  if (info.Length() < count) throw Napi::TypeError::New(info.Env(), "flow-kernels native: missing arguments");
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

struct Transfer {
  const Buffer* buffer;
  size_t offset_bytes;
  void* script;
  size_t bytes;
};

// The array's elements against buffer[offset …), of the same element size.
Transfer transfer_of(Napi::Env env, const Napi::Value& handle, const Napi::Value& start, const Napi::Value& target) {
  const Buffer* buffer = addon_of(env).engine.find(handle.As<Napi::Number>().DoubleValue());
  if (!buffer) throw Napi::Error::New(env, "flow-kernels native: the tensor was disposed");
  double offset = start.As<Napi::Number>().DoubleValue();
  auto array = target.As<Napi::TypedArray>();
  if (array.ElementSize() != flow::size_of(buffer->dtype))
    throw Napi::TypeError::New(env, "flow-kernels native: the array's element size is not the buffer's");
  double length = static_cast<double>(array.ElementLength());
  if (!(offset >= 0) || offset != std::floor(offset) || offset + length > static_cast<double>(buffer->elements))
    throw Napi::RangeError::New(env, "flow-kernels native: transfer outside of the buffer");
  return {buffer, static_cast<size_t>(offset) * array.ElementSize(),
          static_cast<char*>(array.ArrayBuffer().Data()) + array.ByteOffset(), array.ByteLength()};
}
Transfer transfer_of(const Napi::CallbackInfo& info) {
  require_arguments(info, 3);
  return transfer_of(info.Env(), info[0], info[1], info[2]);
}

// An operation of the device that failed: its sentence as an exception.
void require(const Napi::CallbackInfo& info, bool done) {
  if (!done) throw Napi::Error::New(info.Env(), addon_of(info.Env()).failure.message);
}

Napi::Value write(const Napi::CallbackInfo& info) {
  Addon& addon = addon_of(info.Env());
  Transfer transfer = transfer_of(info);
  require(info, addon.engine.write(*transfer.buffer, transfer.offset_bytes, transfer.script, transfer.bytes, addon.failure));
  return info.Env().Undefined();
}

Napi::Value read(const Napi::CallbackInfo& info) {
  Addon& addon = addon_of(info.Env());
  Transfer transfer = transfer_of(info);
  require(info, addon.engine.read(*transfer.buffer, transfer.offset_bytes, transfer.script, transfer.bytes, addon.failure));
  return info.Env().Undefined();
}

// Reads of the GPU that are under way: a worker waits for them.
class Reads final : public Napi::AsyncWorker {
 public:
  explicit Reads(Napi::Env env)
      : Napi::AsyncWorker(env, "flow-kernels read"), device_(*addon_of(env).engine.cuda()), deferred_(Napi::Promise::Deferred::New(env)) {}

  // False after filling in the failure.
  bool add(const Transfer& transfer, const Napi::Object& array, flow::Failure& failure) {
    void* read = device_.begin_read(static_cast<const char*>(transfer.buffer->data) + transfer.offset_bytes, transfer.bytes, failure);
    if (!read) return false;
    reads_.push_back({read, transfer.script});
    arrays_.push_back(Napi::Persistent(array));
    return true;
  }
  // Whether all is there within so many seconds.
  bool arrives_within(double seconds) const {
    using Clock = std::chrono::steady_clock;
    const auto end = Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
    do {
      // The last of them: the stream keeps their order.
      if (reads_.empty() || device_.has_arrived(reads_.back().read)) return true;
    } while (Clock::now() < end);
    return false;
  }
  bool finish(flow::Failure& failure) const {
    for (const Read& each : reads_)
      if (!device_.finish_read(each.read, each.to, failure)) return false;
    return true;
  }
  void drop() {
    for (const Read& each : reads_) device_.drop_read(each.read);
    reads_.clear();
  }
  Napi::Promise promise() const { return deferred_.Promise(); }

 private:
  struct Read {
    void* read;
    void* to;  // in an array that is held
  };
  void Execute() override {
    flow::Failure failure{};
    if (!finish(failure)) SetError(failure.message);
  }
  void OnOK() override {
    drop();
    deferred_.Resolve(Env().Undefined());
  }
  void OnError(const Napi::Error& error) override {
    drop();
    deferred_.Reject(error.Value());
  }

  flow::CudaDevice& device_;
  Napi::Promise::Deferred deferred_;
  std::vector<Read> reads_;
  std::vector<Napi::ObjectReference> arrays_;
};

// readAsync(handles, offsets, arrays, seconds) → undefined where everything came within these seconds, else a promise.
Napi::Value read_async(const Napi::CallbackInfo& info) {
  require_arguments(info, 4);
  Addon& addon = addon_of(info.Env());
  if (!addon.engine.cuda()) throw Napi::Error::New(info.Env(), "flow-kernels native: no GPU was opened");
  const auto handles = info[0].As<Napi::Array>(), offsets = info[1].As<Napi::Array>(), arrays = info[2].As<Napi::Array>();
  auto reads = std::make_unique<Reads>(info.Env());
  const auto need = [&](bool done) {
    if (done) return;
    // Nothing may still be written to memory that is let go.
    flow::Failure second;
    addon.engine.cuda()->wait(second);
    reads->drop();
    throw Napi::Error::New(info.Env(), addon.failure.message);
  };
  for (uint32_t i = 0; i < handles.Length(); ++i) {
    const Transfer transfer = transfer_of(info.Env(), handles.Get(i), offsets.Get(i), arrays.Get(i));
    if (transfer.buffer->device != flow::DeviceKind::cuda)
      throw Napi::TypeError::New(info.Env(), "flow-kernels native: readAsync is for tensors of the GPU");
    need(transfer.bytes == 0 || reads->add(transfer, arrays.Get(i).As<Napi::Object>(), addon.failure));
  }
  if (reads->arrives_within(info[3].As<Napi::Number>().DoubleValue())) {
    need(reads->finish(addon.failure));
    reads->drop();
    return info.Env().Undefined();
  }
  Napi::Promise promise = reads->promise();
  reads.release()->Queue();  // deletes itself
  return promise;
}

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
  exports.Set("write", Napi::Function::New<write>(env));
  exports.Set("read", Napi::Function::New<read>(env));
  exports.Set("readAsync", Napi::Function::New<read_async>(env));
  exports.Set("openCuda", Napi::Function::New<open_cuda>(env));
  exports.Set("cudaOps", Napi::Function::New<cuda_ops>(env));
  exports.Set("captureProgram", Napi::Function::New<capture_program>(env));
  exports.Set("runGraph", Napi::Function::New<run_graph>(env));
  exports.Set("dropGraph", Napi::Function::New<drop_graph>(env));
  exports.Set("cudaGet", Napi::Function::New<cuda_get>(env));
  exports.Set("cudaSet", Napi::Function::New<cuda_set>(env));
  exports.Set("memory", Napi::Function::New<memory>(env));
  exports.Set("trim", Napi::Function::New<trim>(env));
  exports.Set("setThreads", Napi::Function::New<set_threads>(env));
  exports.Set("threads", Napi::Function::New<threads>(env));
  return exports;
}

}  // namespace

NODE_API_MODULE(flow_kernels, init)
