// Streams, events, copies and graphs. Work is queued and runs when somebody waits for it: so a host that does not wait reads old
// numbers here, too.
#include "emulation.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

namespace emulation {

/** An entry of a queue. */
using Task = std::function<void()>;

struct Graph {
  std::vector<Task> tasks;
};

struct Stream {
  std::deque<Task> queue;
  Graph* capture = nullptr;
  std::thread::id maker = std::this_thread::get_id();
  int64_t put_count = 0, done_count = 0;

  void put(Task task) {
    if (capture) capture->tasks.push_back(std::move(task));
    else queue.push_back(std::move(task)), ++put_count;
  }
  /** Runs the queue up to the task of this number. */
  void drain_to(int64_t number) {
    if (done_count < number && std::this_thread::get_id() == maker) ++counters().waits;
    while (done_count < number) {
      Task task = std::move(queue.front());
      queue.pop_front();
      ++done_count;
      task();
    }
  }
  void drain() { drain_to(put_count); }
};

struct Event {
  Stream* stream = nullptr;
  int64_t number = 0;
  bool timed = false;
  double ms = 0;
};

namespace {
cudaError_t pending = cudaSuccess;
cudaError_t last = cudaSuccess;
std::string sentence;
std::map<const char*, size_t> pinned;  // start → bytes

constexpr size_t usual_shared_bytes = size_t{48} << 10, most_shared_bytes = size_t{163} << 10;
std::map<const void*, size_t> allowed_shared;  // kernel → bytes

/** What a kernel may ask for. */
size_t shared_limit(const void* kernel) {
  const auto found = allowed_shared.find(kernel);
  return found == allowed_shared.end() ? usual_shared_bytes : found->second;
}

cudaError_t note(cudaError_t error) {
  if (error != cudaSuccess) last = error;
  return error;
}
}  // namespace

namespace {
std::recursive_mutex& mutex() {
  static auto* instance = new std::recursive_mutex;
  return *instance;
}
}  // namespace
Turn::Turn() { mutex().lock(); }
Turn::~Turn() { mutex().unlock(); }

Settings& settings() {
  static Settings instance;
  return instance;
}
Counters counted;
std::map<std::string, Counters>& counters_of_kernels() {
  static auto* instance = new std::map<std::string, Counters>;
  return *instance;
}

void report(cudaError_t error, const std::string& what) {
  if (pending != cudaSuccess) return;
  pending = error;
  sentence = what;
}
bool failed() { return pending != cudaSuccess; }
cudaError_t pending_error() { return pending; }
const std::string& error_sentence() { return sentence; }
void clear_error() {
  pending = cudaSuccess;
  last = cudaSuccess;
  sentence.clear();
}

void launch(const char* kernel, dim3 grid, dim3 block, size_t shared, cudaStream_t stream, Work work) {
  const Turn turn;
  const uint64_t threads = uint64_t{block.x} * block.y * block.z;
  const bool fits = threads >= 1 && threads <= 1024 && block.z <= 64 && grid.x >= 1 && grid.y >= 1 && grid.z >= 1 &&
                    grid.x <= 0x7fffffffu && grid.y <= 65535 && grid.z <= 65535;
  if (!fits) {
    note(cudaErrorInvalidConfiguration);
    return;
  }
  if (shared > shared_limit(work.kernel)) {
    note(cudaErrorInvalidValue);
    return;
  }
  if (settings().fail_launch == 0) {
    settings().fail_launch = -1;
    note(cudaErrorLaunchFailure);
    return;
  }
  if (settings().fail_launch > 0) --settings().fail_launch;
  if (stream->capture) ++counters().captured;
  else ++counters().launches;
  stream->put([launch = Launch{kernel, grid, block, shared, std::move(work)}] {
    if (failed()) return;
    const Counters before = counters();
    open_device(true);
    run_grid(launch);
    open_device(false);
    const Counters& after = counters();
    Counters& own = counters_of_kernels()[launch.kernel];
    ++own.launches;
    own.loaded += after.loaded - before.loaded;
    own.stored += after.stored - before.stored;
    own.wide += after.wide - before.wide;
    own.accesses += after.accesses - before.accesses;
    if (failed()) sentence = launch.kernel + ": " + sentence;
  });
}

bool enqueue(const char* name, cudaStream_t stream, std::function<void()> work) {
  const Turn turn;
  if (settings().fail_launch == 0) {
    settings().fail_launch = -1;
    return false;
  }
  if (settings().fail_launch > 0) --settings().fail_launch;
  if (stream->capture) ++counters().captured;
  else ++counters().launches;
  stream->put([name, work = std::move(work)] {
    if (failed()) return;
    open_device(true);
    work();
    open_device(false);
    ++counters_of_kernels()[name].launches;
  });
  return true;
}

}  // namespace emulation

using namespace emulation;

/** What opening the device comes to, by the name of an error in FLOW_EMULATION_OPEN. */
static bool opens_with(cudaError_t error) {
  const char* wanted = getenv("FLOW_EMULATION_OPEN");
  return wanted && strcmp(wanted, cudaGetErrorName(error)) == 0;
}

cudaError_t emulation::allow_shared(const void* kernel, int bytes) {
  const Turn turn;
  if (bytes < 0 || static_cast<size_t>(bytes) > most_shared_bytes) return note(cudaErrorInvalidValue);
  allowed_shared[kernel] = static_cast<size_t>(bytes);
  return cudaSuccess;
}
cudaError_t emulation::attributes_of(const void* kernel, cudaFuncAttributes& attributes) {
  const Turn turn;
  if (opens_with(cudaErrorNoKernelImageForDevice)) return note(cudaErrorNoKernelImageForDevice);
  attributes = {static_cast<int>(shared_limit(kernel))};
  return cudaSuccess;
}

cudaError_t cudaGetDeviceCount(int* count) {
  const Turn turn;
  if (opens_with(cudaErrorInsufficientDriver)) return note(cudaErrorInsufficientDriver);
  if (opens_with(cudaErrorNoDevice)) settings().devices = 0;
  *count = settings().devices;
  return note(*count > 0 ? cudaSuccess : cudaErrorNoDevice);
}
cudaError_t cudaSetDevice(int device) {
  const Turn turn;
  return note(device >= 0 && device < settings().devices ? cudaSuccess : cudaErrorInvalidValue);
}
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int) {
  const Turn turn;
  *properties = {};
  snprintf(properties->name, sizeof properties->name, "host emulation");
  const char* capability = getenv("FLOW_EMULATION_CAPABILITY");  // 75: 7.5
  const int both = capability ? atoi(capability) : 80;
  properties->major = both / 10;
  properties->minor = both % 10;
  properties->multiProcessorCount = 4;
  properties->totalGlobalMem = settings().memory;
  properties->sharedMemPerBlockOptin = most_shared_bytes;
  return cudaSuccess;
}
cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int) {
  const Turn turn;
  *value = attribute == cudaDevAttrMultiProcessorCount ? 4 : 163 << 10;
  return cudaSuccess;
}
cudaError_t cudaDriverGetVersion(int* version) {
  const Turn turn;
  const char* driver = getenv("FLOW_EMULATION_DRIVER");  // 0: there is none
  *version = driver ? atoi(driver) : 13000;
  return cudaSuccess;
}
cudaError_t cudaRuntimeGetVersion(int* version) {
  const Turn turn;
  *version = 13000;
  return cudaSuccess;
}
cudaError_t cudaMemGetInfo(size_t* free, size_t* total) {
  const Turn turn;
  *total = settings().memory;
  *free = *total - device_bytes();
  return cudaSuccess;
}

cudaError_t cudaMalloc(void** pointer, size_t bytes) {
  const Turn turn;
  if (failed()) return note(pending);
  *pointer = allocate_device(bytes);
  return note(*pointer ? cudaSuccess : cudaErrorMemoryAllocation);
}
cudaError_t cudaFree(void* pointer) {
  const Turn turn;
  if (!pointer) return cudaSuccess;
  return note(release_device(pointer) ? cudaSuccess : cudaErrorInvalidValue);
}
cudaError_t cudaMallocHost(void** pointer, size_t bytes) {
  const Turn turn;
  *pointer = malloc(bytes ? bytes : 1);
  if (*pointer) pinned[static_cast<char*>(*pointer)] = bytes;
  return note(*pointer ? cudaSuccess : cudaErrorMemoryAllocation);
}
cudaError_t cudaFreeHost(void* pointer) {
  const Turn turn;
  if (pinned.erase(static_cast<char*>(pointer)) == 0) return note(cudaErrorInvalidValue);
  free(pointer);
  return cudaSuccess;
}

cudaError_t cudaMemcpy2DAsync(void* to, size_t to_pitch, const void* from, size_t from_pitch, size_t width, size_t height,
                              cudaMemcpyKind kind, cudaStream_t stream) {
  const Turn turn;
  if (failed()) return note(pending);
  if (width == 0 || height == 0) return cudaSuccess;
  const size_t to_bytes = to_pitch * (height - 1) + width, from_bytes = from_pitch * (height - 1) + width;
  const bool to_device = kind == cudaMemcpyHostToDevice || kind == cudaMemcpyDeviceToDevice;
  const bool from_device = kind == cudaMemcpyDeviceToHost || kind == cudaMemcpyDeviceToDevice;
  if (on_device(to, to_bytes) != to_device || on_device(from, from_bytes) != from_device || to_pitch < width ||
      from_pitch < width)
    return note(cudaErrorInvalidValue);
  // Pageable memory is staged before the call returns; pinned memory is read when the stream comes to it.
  std::vector<char> staged;
  if (kind == cudaMemcpyHostToDevice) {
    const char* start = static_cast<const char*>(from);
    auto holder = pinned.upper_bound(start);
    const bool is_pinned = holder != pinned.begin() && start + from_bytes <= std::prev(holder)->first + std::prev(holder)->second;
    if (!is_pinned) staged.assign(static_cast<const char*>(from), static_cast<const char*>(from) + from_bytes);
  }
  stream->put([=, staged = std::move(staged)] {
    if (failed()) return;
    open_device(true);
    const char* source = staged.empty() ? static_cast<const char*>(from) : staged.data();
    for (size_t row = 0; row < height; ++row)
      memmove(static_cast<char*>(to) + row * to_pitch, source + row * from_pitch, width);
    open_device(false);
  });
  return cudaSuccess;
}
cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind kind, cudaStream_t stream) {
  const Turn turn;
  return cudaMemcpy2DAsync(to, bytes, from, bytes, bytes, 1, kind, stream);
}
cudaError_t cudaMemset2DAsync(void* to, size_t pitch, int value, size_t width, size_t height, cudaStream_t stream) {
  const Turn turn;
  if (failed()) return note(pending);
  if (width == 0 || height == 0) return cudaSuccess;
  if (pitch < width || !on_device(to, pitch * (height - 1) + width)) return note(cudaErrorInvalidValue);
  stream->put([=] {
    if (failed()) return;
    open_device(true);
    for (size_t row = 0; row < height; ++row) memset(static_cast<char*>(to) + row * pitch, value, width);
    open_device(false);
  });
  return cudaSuccess;
}
cudaError_t cudaMemsetAsync(void* to, int value, size_t bytes, cudaStream_t stream) {
  const Turn turn;
  return cudaMemset2DAsync(to, bytes, value, bytes, 1, stream);
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) {
  const Turn turn;
  if (opens_with(cudaErrorMemoryAllocation)) return note(cudaErrorMemoryAllocation);
  *stream = new Stream;
  return cudaSuccess;
}
cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  const Turn turn;
  stream->drain();
  delete stream;
  return cudaSuccess;
}
cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  const Turn turn;
  if (stream->capture) return note(cudaErrorStreamCaptureUnsupported);
  stream->drain();
  return note(pending);
}
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned) {
  const Turn turn;
  // The work before the event is in its stream's queue: it runs before anything that comes after here.
  if (event->stream && event->stream != stream) stream->put([other = event->stream, number = event->number] { other->drain_to(number); });
  return cudaSuccess;
}
cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned flags) {
  const Turn turn;
  *event = new Event;
  (*event)->timed = (flags & cudaEventDisableTiming) == 0;
  return cudaSuccess;
}
cudaError_t cudaEventDestroy(cudaEvent_t event) {
  const Turn turn;
  delete event;
  return cudaSuccess;
}
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  const Turn turn;
  event->stream = stream;
  if (event->timed)
    stream->put([event] {
      using Milliseconds = std::chrono::duration<double, std::milli>;
      event->ms = Milliseconds(std::chrono::steady_clock::now().time_since_epoch()).count();
    });
  event->number = stream->put_count;
  return cudaSuccess;
}
cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  const Turn turn;
  if (!event->stream) return cudaSuccess;
  event->stream->drain_to(event->number);
  return note(pending);
}
cudaError_t cudaEventElapsedTime(float* ms, cudaEvent_t start, cudaEvent_t stop) {
  const Turn turn;
  *ms = static_cast<float>(stop->ms - start->ms);
  return note(pending);
}
cudaError_t cudaEventQuery(cudaEvent_t event) {
  const Turn turn;
  if (!event->stream || event->stream->done_count >= event->number) return note(pending);
  return note(cudaErrorNotReady);
}

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode) {
  const Turn turn;
  stream->capture = new Graph;
  return cudaSuccess;
}
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
  const Turn turn;
  *graph = stream->capture;
  stream->capture = nullptr;
  return note(*graph ? cudaSuccess : cudaErrorInvalidValue);
}
cudaError_t cudaGraphInstantiate(cudaGraphExec_t* executable, cudaGraph_t graph, unsigned long long) {
  const Turn turn;
  *executable = new Graph(*graph);
  return cudaSuccess;
}
cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t stream) {
  const Turn turn;
  ++counters().graph_launches;
  for (const Task& task : executable->tasks) stream->put(task);
  return note(pending);
}
cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  const Turn turn;
  delete graph;
  return cudaSuccess;
}
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t executable) {
  const Turn turn;
  delete executable;
  return cudaSuccess;
}

cudaError_t cudaGetLastError() {
  const Turn turn;
  const cudaError_t error = last;
  if (pending == cudaSuccess) last = cudaSuccess;
  return error;
}
cudaError_t cudaPeekAtLastError() { return last; }

const char* cudaGetErrorName(cudaError_t error) {
  switch (error) {
    case cudaSuccess: return "cudaSuccess";
    case cudaErrorInvalidValue: return "cudaErrorInvalidValue";
    case cudaErrorMemoryAllocation: return "cudaErrorMemoryAllocation";
    case cudaErrorInvalidConfiguration: return "cudaErrorInvalidConfiguration";
    case cudaErrorInsufficientDriver: return "cudaErrorInsufficientDriver";
    case cudaErrorNoDevice: return "cudaErrorNoDevice";
    case cudaErrorNoKernelImageForDevice: return "cudaErrorNoKernelImageForDevice";
    case cudaErrorNotReady: return "cudaErrorNotReady";
    case cudaErrorIllegalAddress: return "cudaErrorIllegalAddress";
    case cudaErrorLaunchFailure: return "cudaErrorLaunchFailure";
    case cudaErrorStreamCaptureUnsupported: return "cudaErrorStreamCaptureUnsupported";
  }
  return "unknown";
}
const char* cudaGetErrorString(cudaError_t error) {
  if (error == pending && !sentence.empty()) return sentence.c_str();
  return cudaGetErrorName(error);
}
