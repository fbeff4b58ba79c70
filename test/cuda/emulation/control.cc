#include "emulation_control.h"

#include <cstring>

#include "emulation.h"

namespace emulation {

bool get(const char* name, double& value) {
  const Turn turn;
  const auto is = [name](const char* other) { return strcmp(name, other) == 0; };
  const Counters& all = counters();
  if (is("launches")) value = static_cast<double>(all.launches);
  else if (is("graphLaunches")) value = static_cast<double>(all.graph_launches);
  else if (is("captured")) value = static_cast<double>(all.captured);
  else if (is("waits")) value = static_cast<double>(all.waits);
  else if (is("loaded")) value = static_cast<double>(all.loaded);
  else if (is("stored")) value = static_cast<double>(all.stored);
  else if (is("wide")) value = static_cast<double>(all.wide);
  else if (is("accesses")) value = static_cast<double>(all.accesses);
  else if (is("deviceBytes")) value = static_cast<double>(device_bytes());
  else return false;
  return true;
}

bool set(const char* name, double value) {
  const Turn turn;
  const auto is = [name](const char* other) { return strcmp(name, other) == 0; };
  Settings& own = settings();
  if (is("order")) own.order = static_cast<Order>(static_cast<int>(value));
  else if (is("seed")) own.seed = static_cast<uint64_t>(value);
  else if (is("failAllocation")) own.fail_allocation = static_cast<int64_t>(value);
  else if (is("failLaunch")) own.fail_launch = static_cast<int64_t>(value);
  else if (is("memory")) own.memory = static_cast<size_t>(value);
  else if (is("devices")) own.devices = static_cast<int>(value);
  else if (is("multiprocessors")) own.multiprocessors = static_cast<int>(value);
  else if (is("sharedBytes")) own.shared_bytes = static_cast<size_t>(value);
  else if (is("races")) own.races = value != 0;
  else if (is("clearCounters")) counters() = {}, counters_of_kernels().clear();
  else if (is("fault")) report(cudaErrorLaunchFailure, "planted");
  else if (is("clearError")) clear_error();
  else return false;
  return true;
}

}  // namespace emulation
