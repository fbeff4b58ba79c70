#include "core/op.h"

#include <cstdarg>
#include <cstdio>

namespace flow {

bool Call::fail(const char* format, ...) const {
  int used = std::snprintf(failure->message, sizeof failure->message, "[%s] ", op);
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(failure->message + used, sizeof failure->message - static_cast<size_t>(used), format, arguments);
  va_end(arguments);
  return false;
}

}  // namespace flow
