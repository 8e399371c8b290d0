// CUDA's memory: address space, of which no more is given than the card has.
#include <sys/mman.h>

#include "driver_types.h"
#include "fake.h"

using namespace fake;

static const size_t BLOCK = 2 << 20;

API cudaError_t cudaMemGetInfo(size_t* free_bytes, size_t* total) {
  *total = total_memory();
  *free_bytes = *total - used;
  return cudaSuccess;
}
API cudaError_t cudaMalloc(void** pointer, size_t bytes) {
  size_t rounded = (bytes + BLOCK - 1) & ~(BLOCK - 1);
  std::lock_guard<std::mutex> hold(lock);
  if (used + rounded > total_memory()) return cudaErrorMemoryAllocation;
  void* raw = mmap(nullptr, rounded + BLOCK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (raw == MAP_FAILED) return cudaErrorMemoryAllocation;
  uintptr_t start = ((uintptr_t)raw + BLOCK - 1) & ~uintptr_t(BLOCK - 1);
  *pointer = (void*)start;
  used += rounded;
  device_blocks()[start] = rounded;
  return cudaSuccess;
}
API cudaError_t cudaFree(void* pointer) {
  std::lock_guard<std::mutex> hold(lock);
  auto found = device_blocks().find((uintptr_t)pointer);
  if (found == device_blocks().end()) return cudaSuccess;
  munmap(pointer, found->second);
  used -= found->second;
  device_blocks().erase(found);
  return cudaSuccess;
}
API cudaError_t cudaHostAlloc(void** pointer, size_t bytes, unsigned) {
  if (posix_memalign(pointer, 4096, bytes ? bytes : 1)) return cudaErrorMemoryAllocation;
  std::lock_guard<std::mutex> hold(lock);
  pinned_blocks()[(uintptr_t)*pointer] = bytes;
  return cudaSuccess;
}
API cudaError_t cudaHostUnregister(void* pointer) {
  std::lock_guard<std::mutex> hold(lock);
  pinned_blocks().erase((uintptr_t)pointer);
  return cudaSuccess;
}
API cudaError_t cudaFreeHost(void* pointer) { cudaHostUnregister(pointer); free(pointer); return cudaSuccess; }
API cudaError_t cudaHostRegister(void* pointer, size_t bytes, unsigned) {
  std::lock_guard<std::mutex> hold(lock);
  pinned_blocks()[(uintptr_t)pointer] = bytes;
  return cudaSuccess;
}
API cudaError_t cudaPointerGetAttributes(cudaPointerAttributes* about, const void* pointer) {
  memset(about, 0, sizeof *about);
  bool device = on_device(pointer), pinned = is_pinned(pointer);
  about->type = device ? cudaMemoryTypeDevice : pinned ? cudaMemoryTypeHost : cudaMemoryTypeUnregistered;
  about->device = device || pinned ? 0 : -1;
  about->devicePointer = device || pinned ? (void*)pointer : nullptr;
  about->hostPointer = device ? nullptr : (void*)pointer;
  return cudaSuccess;
}

// What the host wrote, up to 4 KiB, comes back to it from the same place in the same size, until a kernel is launched. All
// else would have been computed, and is zero.
void fake::move(void* to, const void* from, size_t bytes) {
  bool to_device = on_device(to), from_device = on_device(from);
  if (!to_device && !from_device) {
    memcpy(to, from, bytes);
    return;
  }
  std::lock_guard<std::mutex> hold(lock);
  if (to_device) written().erase((uintptr_t)to);
  if (!from_device) {
    if (bytes <= 4096) written()[(uintptr_t)to] = std::string((const char*)from, bytes);
    return;
  }
  auto found = written().find((uintptr_t)from);
  bool known = found != written().end() && found->second.size() == bytes;
  if (to_device && known) {
    std::string data = found->second;
    written()[(uintptr_t)to] = data;
  } else if (!to_device && known) {
    memcpy(to, found->second.data(), bytes);
  } else if (!to_device) {
    memset(to, 0, bytes);
  }
}
API cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind, cudaStream_t) {
  bool to_device = on_device(to), from_device = on_device(from);
  std::string what = to_device ? (from_device ? "copy on the device" : "copy to the device, ")
                               : (from_device ? "copy to the host, " : "copy on the host");
  if (to_device != from_device) what += is_pinned(to_device ? from : to) ? "pinned" : "pageable";
  note(what);
  move(to, from, bytes);
  return cudaSuccess;
}
API cudaError_t cudaMemcpy(void* to, const void* from, size_t bytes, cudaMemcpyKind) {
  waited("cudaMemcpy");
  move(to, from, bytes);
  return cudaSuccess;
}
API cudaError_t cudaMemcpyPeerAsync(void*, int, const void*, int, size_t, cudaStream_t) { note("copy between cards"); return cudaSuccess; }
static const size_t SMALL = 1 << 20;  // more would take real memory
API cudaError_t cudaMemset(void* to, int value, size_t bytes) { if (bytes <= SMALL) memset(to, value, bytes); return cudaSuccess; }
API cudaError_t cudaMemsetAsync(void* to, int value, size_t bytes, cudaStream_t) { note("memset"); return cudaMemset(to, value, bytes); }
API cudaError_t cudaGetSymbolAddress(void** address, const void*) { static char space[1 << 16]; *address = space; return cudaSuccess; }
