// What the parts of the stand-in for CUDA share: counters, device memory that is address space only, answers of the card.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <string>

#define API extern "C" __attribute__((visibility("default")))

namespace fake {

struct Product { double flops; long calls; };

inline std::mutex lock;
// Never destroyed: torch calls in while the process ends.
inline std::map<std::string, long>& counts() { static auto* all = new std::map<std::string, long>; return *all; }
inline std::map<std::string, Product>& products() { static auto* all = new std::map<std::string, Product>; return *all; }
inline std::map<const void*, std::string>& kernel_names() { static auto* all = new std::map<const void*, std::string>; return *all; }
inline std::map<uintptr_t, size_t>& device_blocks() { static auto* all = new std::map<uintptr_t, size_t>; return *all; }
inline std::map<uintptr_t, size_t>& pinned_blocks() { static auto* all = new std::map<uintptr_t, size_t>; return *all; }
inline std::map<uintptr_t, std::string>& written() { static auto* all = new std::map<uintptr_t, std::string>; return *all; }
inline size_t used = 0;
inline int current_device = 0;

inline const char* setting(const char* name, const char* otherwise) {
  const char* given = getenv(name);
  return given ? given : otherwise;
}
inline int capability() { return atoi(setting("FAKEGPU_CC", "90")); }
inline int device_count() { return atoi(setting("FAKEGPU_COUNT", "1")); }
inline size_t total_memory() { return size_t(atof(setting("FAKEGPU_GIB", "79.1")) * (1ull << 30)); }

inline void note(const std::string& what, long times = 1) { std::lock_guard<std::mutex> hold(lock); counts()[what] += times; }

inline void launched(const void* kernel) {
  std::lock_guard<std::mutex> hold(lock);
  written().clear();  // the kernel may have changed any of it
  auto found = kernel_names().find(kernel);
  counts()["kernel:" + (found == kernel_names().end() ? std::string("?") : found->second)]++;
}

inline bool lies_in(const std::map<uintptr_t, size_t>& blocks, const void* pointer) {
  std::lock_guard<std::mutex> hold(lock);
  auto found = blocks.upper_bound((uintptr_t)pointer);
  if (found == blocks.begin()) return false;
  --found;
  return (uintptr_t)pointer < found->first + found->second;
}
inline bool on_device(const void* pointer) { return lies_in(device_blocks(), pointer); }
inline bool is_pinned(const void* pointer) { return lies_in(pinned_blocks(), pointer); }

// A handle of a stream, an event, a module: any number that was not given before.
void* new_handle();
// The host waits for the card here: counted, and told to watch.py.
void waited(const char* what);
// Copy between host and device; see memory.cpp for what is remembered.
void move(void* to, const void* from, size_t bytes);

}  // namespace fake
