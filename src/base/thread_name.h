#pragma once

#include <pthread.h>

namespace galen {

// What `top -H` and debuggers call the calling thread; 15 characters at most.
inline void NameThread(const char* name) { ::pthread_setname_np(::pthread_self(), name); }

}  // namespace galen
