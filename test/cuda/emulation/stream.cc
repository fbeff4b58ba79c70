// Streams, events, copies and graphs. Work is queued and runs when somebody waits for it: so a host that does not wait reads old
// numbers here, too.
#include "emulation.h"

#include <chrono>
#include <cstring>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

namespace emulation {

struct Graph {
  std::vector<Task> tasks;
};

struct Stream {
  std::deque<Task> queue;
  Graph* capture = nullptr;
  bool lost = false;  // the capture
  std::thread::id maker = std::this_thread::get_id();
  int64_t put_count = 0, done_count = 0;

  void put(Task task) {
    if (capture) capture->tasks.push_back(std::move(task));
    else queue.push_back(std::move(task)), ++put_count;
  }
  /** Runs the queue up to the task of this number. */
  void drain_to(int64_t number) {
    if (done_count >= number) return;
    if (std::this_thread::get_id() == maker) ++counters().waits;
    open_device(true);
    while (done_count < number) {
      Task task = std::move(queue.front());
      queue.pop_front();
      ++done_count;
      task();
    }
    open_device(false);
  }
  void drain() { drain_to(put_count); }
};

struct Event {
  Stream* stream = nullptr;
  int64_t number = 0;
  bool timed = false;
  bool captured = false;  // it stands in a graph: nobody can wait for it
  double ms = 0;
};

namespace {

std::recursive_mutex& mutex() {
  static auto* instance = new std::recursive_mutex;
  return *instance;
}
/** The stream that this thread captures. */
thread_local Stream* captured_here = nullptr;

}  // namespace
Turn::Turn() { mutex().lock(); }
Turn::~Turn() { mutex().unlock(); }

bool is_capturing(cudaStream_t stream) { return stream->capture != nullptr; }

bool ends_capture(const char* call) {
  if (!captured_here) return false;
  captured_here->lost = true;
  say(std::string(cudaGetErrorName(cudaErrorStreamCaptureUnsupported)) + ": " + call + " while a stream is captured");
  return true;
}

void put(cudaStream_t stream, Task task, bool counts) {
  if (counts) ++(stream->capture ? counters().captured : counters().launches);
  stream->put(std::move(task));
}

bool enqueue(const char* name, cudaStream_t stream, std::function<void()> work) {
  const Turn turn;
  if (settings().fail_launch == 0) {
    settings().fail_launch = -1;
    return false;
  }
  if (settings().fail_launch > 0) --settings().fail_launch;
  put(
      stream,
      [name, work = std::move(work)] {
        if (failed()) return;
        open_device(true);
        work();
        open_device(false);
        ++counters_of_kernels()[name].launches;
      },
      true);
  return true;
}

}  // namespace emulation

using namespace emulation;

// --- Copies ---

cudaError_t cudaMemcpy2DAsync(void* to, size_t to_pitch, const void* from, size_t from_pitch, size_t width, size_t height,
                              cudaMemcpyKind kind, cudaStream_t stream) {
  const Turn turn;
  if (failed()) return note(pending_error());
  if (width == 0 || height == 0) return cudaSuccess;
  const size_t to_bytes = to_pitch * (height - 1) + width, from_bytes = from_pitch * (height - 1) + width;
  const bool to_device = kind == cudaMemcpyHostToDevice || kind == cudaMemcpyDeviceToDevice;
  const bool from_device = kind == cudaMemcpyDeviceToHost || kind == cudaMemcpyDeviceToDevice;
  if (on_device(to, to_bytes) != to_device || on_device(from, from_bytes) != from_device || to_pitch < width ||
      from_pitch < width)
    return note(cudaErrorInvalidValue);
  // CUDA would take it, and read or write at each run of the graph what stands there then: never what is meant here.
  if (kind != cudaMemcpyDeviceToDevice && is_capturing(stream)) {
    ends_capture("a copy from or to the host");
    return note(cudaErrorStreamCaptureUnsupported);
  }
  // Pageable memory is staged before the call returns; pinned memory is read, or written, when the stream comes to it.
  const bool reads_pinned = kind == cudaMemcpyHostToDevice && is_pinned(from, from_bytes);
  const bool writes_pinned = kind == cudaMemcpyDeviceToHost && is_pinned(to, to_bytes);
  std::vector<char> staged;
  if (kind == cudaMemcpyHostToDevice && !reads_pinned)
    staged.assign(static_cast<const char*>(from), static_cast<const char*>(from) + from_bytes);
  put(
      stream,
      [=, staged = std::move(staged)] {
        if (failed()) return;
        if ((reads_pinned && !is_pinned(from, from_bytes)) || (writes_pinned && !is_pinned(to, to_bytes))) {
          report(cudaErrorIllegalAddress, "pinned memory was freed before the copy that uses it");
          return;
        }
        if ((to_device && !on_device(to, to_bytes)) || (from_device && !on_device(from, from_bytes))) {
          report(cudaErrorIllegalAddress, "memory of the device was freed before the copy that uses it");
          return;
        }
        open_device(true);
        const char* source = staged.empty() ? static_cast<const char*>(from) : staged.data();
        for (size_t row = 0; row < height; ++row)
          memmove(static_cast<char*>(to) + row * to_pitch, source + row * from_pitch, width);
        open_device(false);
      },
      false);
  return cudaSuccess;
}
cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind kind, cudaStream_t stream) {
  const Turn turn;
  return cudaMemcpy2DAsync(to, bytes, from, bytes, bytes, 1, kind, stream);
}
cudaError_t cudaMemset2DAsync(void* to, size_t pitch, int value, size_t width, size_t height, cudaStream_t stream) {
  const Turn turn;
  if (failed()) return note(pending_error());
  if (width == 0 || height == 0) return cudaSuccess;
  const size_t bytes = pitch * (height - 1) + width;
  if (pitch < width || !on_device(to, bytes)) return note(cudaErrorInvalidValue);
  put(
      stream,
      [=] {
        if (failed()) return;
        if (!on_device(to, bytes)) {
          report(cudaErrorIllegalAddress, "memory of the device was freed before it was set");
          return;
        }
        open_device(true);
        for (size_t row = 0; row < height; ++row) memset(static_cast<char*>(to) + row * pitch, value, width);
        open_device(false);
      },
      false);
  return cudaSuccess;
}
cudaError_t cudaMemsetAsync(void* to, int value, size_t bytes, cudaStream_t stream) {
  const Turn turn;
  return cudaMemset2DAsync(to, bytes, value, bytes, 1, stream);
}

// --- Streams ---

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) {
  const Turn turn;
  make_context("cudaStreamCreate");
  if (opens_with(cudaErrorMemoryAllocation)) return note(cudaErrorMemoryAllocation);
  *stream = new Stream;
  return cudaSuccess;
}
cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  const Turn turn;
  if (ends_capture("cudaStreamDestroy")) return note(cudaErrorStreamCaptureUnsupported);
  stream->drain();
  delete stream;
  return cudaSuccess;
}
cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  const Turn turn;
  if (ends_capture("cudaStreamSynchronize")) return note(cudaErrorStreamCaptureUnsupported);
  stream->drain();
  return note(pending_error());
}
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned) {
  const Turn turn;
  // The work before the event is in its stream's queue: it runs before anything that comes after here.
  if (event->stream && event->stream != stream)
    put(stream, [other = event->stream, number = event->number] { other->drain_to(number); }, false);
  return cudaSuccess;
}

// --- Events ---

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
  event->captured = is_capturing(stream);
  if (event->timed)
    put(
        stream,
        [event] {
          using Milliseconds = std::chrono::duration<double, std::milli>;
          event->ms = Milliseconds(std::chrono::steady_clock::now().time_since_epoch()).count();
        },
        false);
  event->number = stream->put_count;
  return cudaSuccess;
}
cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  const Turn turn;
  if (event->captured) return note(cudaErrorCapturedEvent);
  if (ends_capture("cudaEventSynchronize")) return note(cudaErrorStreamCaptureUnsupported);
  if (!event->stream) return cudaSuccess;
  event->stream->drain_to(event->number);
  return note(pending_error());
}
cudaError_t cudaEventElapsedTime(float* ms, cudaEvent_t start, cudaEvent_t stop) {
  const Turn turn;
  *ms = static_cast<float>(stop->ms - start->ms);
  return note(pending_error());
}
cudaError_t cudaEventQuery(cudaEvent_t event) {
  const Turn turn;
  if (event->captured) return note(cudaErrorCapturedEvent);
  if (ends_capture("cudaEventQuery")) return note(cudaErrorStreamCaptureUnsupported);
  if (!event->stream || event->stream->done_count >= event->number) return note(pending_error());
  return note(cudaErrorNotReady);
}

// --- Graphs ---

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode) {
  const Turn turn;
  if (captured_here || stream->capture) return note(cudaErrorInvalidValue);
  stream->capture = new Graph;
  stream->lost = false;
  captured_here = stream;
  return cudaSuccess;
}
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
  const Turn turn;
  *graph = nullptr;
  if (!stream->capture) return note(cudaErrorInvalidValue);
  Graph* captured = stream->capture;
  stream->capture = nullptr;
  captured_here = nullptr;
  if (stream->lost) {
    delete captured;
    return note(cudaErrorStreamCaptureInvalidated);
  }
  *graph = captured;
  return cudaSuccess;
}
cudaError_t cudaGraphInstantiate(cudaGraphExec_t* executable, cudaGraph_t graph, unsigned long long) {
  const Turn turn;
  *executable = new Graph(*graph);
  return cudaSuccess;
}
cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t stream) {
  const Turn turn;
  if (ends_capture("cudaGraphLaunch")) return note(cudaErrorStreamCaptureUnsupported);
  ++counters().graph_launches;
  for (const Task& task : executable->tasks) stream->put(task);
  return note(pending_error());
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
