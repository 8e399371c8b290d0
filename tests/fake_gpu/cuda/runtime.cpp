// CUDA's runtime but for its memory: a card of given properties, streams that are always ready, kernels that are counted
// and not run.
#include <atomic>
#include <cstdio>
#include <cxxabi.h>

#include "driver_types.h"
#include "fake.h"

using namespace fake;

typedef void (*OnWait)(const char*);

namespace {
OnWait on_wait = nullptr;
}  // namespace

void fake::waited(const char* what) {
  static thread_local bool telling = false;
  note(what);
  if (on_wait && !telling) {
    telling = true;
    on_wait(what);
    telling = false;
  }
}
void* fake::new_handle() {
  static std::atomic<uintptr_t> next{0x10000};
  return (void*)(next += 16);
}

// ---- for watch.py
API void fakegpu_reset() { std::lock_guard<std::mutex> hold(lock); counts().clear(); products().clear(); }
API void fakegpu_on_wait(OnWait call) { on_wait = call; }
API void fakegpu_dump(const char* path) {
  std::lock_guard<std::mutex> hold(lock);
  FILE* file = fopen(path, "w");
  for (auto& entry : counts()) {
    std::string name = entry.first;
    if (name.rfind("kernel:", 0) == 0) {
      int status;
      char* plain = abi::__cxa_demangle(name.c_str() + 7, nullptr, nullptr, &status);
      if (plain) name = std::string("kernel:") + plain;
      free(plain);
    }
    fprintf(file, "%ld\t%s\n", entry.second, name.c_str());
  }
  for (auto& entry : products()) fprintf(file, "%ld\tproduct:%s\t%.0f\n", entry.second.calls, entry.first.c_str(), entry.second.flops);
  fclose(file);
}

// ---- the card
static int processors() { return capability() >= 90 ? 132 : 108; }
static int shared_memory() { return capability() >= 90 ? 232448 : capability() >= 80 ? 166912 : 65536; }

API cudaError_t cudaGetDeviceCount(int* count) { *count = device_count(); return cudaSuccess; }
API cudaError_t cudaGetDevice(int* device) { *device = current_device; return cudaSuccess; }
API cudaError_t cudaSetDevice(int device) { current_device = device; return cudaSuccess; }
API cudaError_t cudaDriverGetVersion(int* version) { *version = 13000; return cudaSuccess; }
API cudaError_t cudaRuntimeGetVersion(int* version) { *version = 13000; return cudaSuccess; }
API cudaError_t cudaGetDeviceProperties(cudaDeviceProp* card, int) {
  memset(card, 0, sizeof *card);
  snprintf(card->name, sizeof card->name, "FakeGPU sm_%d", capability());
  card->major = capability() / 10;
  card->minor = capability() % 10;
  card->totalGlobalMem = total_memory();
  card->multiProcessorCount = processors();
  card->sharedMemPerBlock = 49152;
  card->sharedMemPerBlockOptin = shared_memory();
  card->sharedMemPerMultiprocessor = 233472;
  card->reservedSharedMemPerBlock = 1024;
  card->regsPerBlock = card->regsPerMultiprocessor = 65536;
  card->warpSize = 32;
  card->maxThreadsPerBlock = 1024;
  card->maxThreadsPerMultiProcessor = 2048;
  card->maxThreadsDim[0] = card->maxThreadsDim[1] = 1024;
  card->maxThreadsDim[2] = 64;
  card->maxGridSize[0] = 2147483647;
  card->maxGridSize[1] = card->maxGridSize[2] = 65535;
  card->maxBlocksPerMultiProcessor = 32;
  card->totalConstMem = 65536;
  card->textureAlignment = 512;
  card->texturePitchAlignment = 32;
  card->memoryBusWidth = 5120;
  card->l2CacheSize = 50 << 20;
  card->asyncEngineCount = 3;
  card->pciBusID = 1;
  card->canMapHostMemory = card->concurrentKernels = card->unifiedAddressing = card->streamPrioritiesSupported = 1;
  card->managedMemory = card->computePreemptionSupported = card->cooperativeLaunch = card->hostRegisterSupported = 1;
  card->memoryPoolsSupported = 1;
  card->clusterLaunch = capability() >= 90;
  return cudaSuccess;
}
// Numbers of cudaDeviceAttr, which are the driver's too.
int card_attribute(int attribute) {
  switch (attribute) {
    case 1: case 2: case 3: case 111: return 1024;  // threads a block and its sides; reserved shared memory
    case 4: return 64;
    case 5: return 2147483647;
    case 6: case 7: return 65535;
    case 8: return 49152;
    case 9: case 12: case 82: return 65536;
    case 10: case 106: return 32;  // warp; blocks a processor
    case 13: return 1980000;
    case 16: return processors();
    case 36: return 2619000;
    case 37: return 5120;
    case 38: return 50 << 20;
    case 39: return 2048;
    case 41: case 83: case 95: case 99: case 115: return 1;
    case 75: return capability() / 10;
    case 76: return capability() % 10;
    case 81: return 233472;
    case 97: return shared_memory();
    case 120: return capability() >= 90;
    default: return 0;
  }
}
API cudaError_t cudaDeviceGetAttribute(int* value, int attribute, int) { *value = card_attribute(attribute); return cudaSuccess; }
API cudaError_t cudaDeviceGetStreamPriorityRange(int* least, int* most) { *least = 0; *most = -5; return cudaSuccess; }
API cudaError_t cudaDeviceGetPCIBusId(char* id, int room, int) { snprintf(id, room, "0000:01:00.0"); return cudaSuccess; }
API cudaError_t cudaDeviceCanAccessPeer(int* can, int, int) { *can = 1; return cudaSuccess; }
API const char* cudaGetErrorString(cudaError_t error) {
  return error == cudaErrorMemoryAllocation ? "out of memory" : error ? "fake error" : "no error";
}
API const char* cudaGetErrorName(cudaError_t error) { return error ? "cudaErrorFake" : "cudaSuccess"; }
API cudaError_t cudaGetLastError() { return cudaSuccess; }
API cudaError_t cudaPeekAtLastError() { return cudaSuccess; }

// ---- streams and events
API cudaError_t cudaStreamCreate(cudaStream_t* stream) { *stream = (cudaStream_t)new_handle(); return cudaSuccess; }
API cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) { return cudaStreamCreate(stream); }
API cudaError_t cudaStreamCreateWithPriority(cudaStream_t* stream, unsigned, int) { return cudaStreamCreate(stream); }
API cudaError_t cudaStreamGetPriority(cudaStream_t, int* priority) { *priority = 0; return cudaSuccess; }
API cudaError_t cudaStreamQuery(cudaStream_t) { return cudaSuccess; }
API cudaError_t cudaStreamSynchronize(cudaStream_t) { waited("cudaStreamSynchronize"); return cudaSuccess; }
API cudaError_t cudaDeviceSynchronize() { waited("cudaDeviceSynchronize"); return cudaSuccess; }
API cudaError_t cudaEventSynchronize(cudaEvent_t) { waited("cudaEventSynchronize"); return cudaSuccess; }
API cudaError_t cudaEventCreate(cudaEvent_t* event) { *event = (cudaEvent_t)new_handle(); return cudaSuccess; }
API cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) { return cudaEventCreate(event); }
API cudaError_t cudaEventQuery(cudaEvent_t) { return cudaSuccess; }
API cudaError_t cudaEventElapsedTime(float* ms, cudaEvent_t, cudaEvent_t) { *ms = 1.0f; return cudaSuccess; }

// ---- graphs: the kernels of a capture are counted as they are captured, a replay as one
static cudaStream_t capturing = nullptr;
static unsigned long long captures = 0;
static cudaError_t capture_info(cudaStream_t stream, cudaStreamCaptureStatus* status, unsigned long long* id) {
  bool now = stream && stream == capturing;
  *status = now ? cudaStreamCaptureStatusActive : cudaStreamCaptureStatusNone;
  if (id) *id = now ? captures : 0;
  return cudaSuccess;
}
API cudaError_t cudaStreamIsCapturing(cudaStream_t stream, cudaStreamCaptureStatus* status) { return capture_info(stream, status, nullptr); }
API cudaError_t cudaStreamGetCaptureInfo(cudaStream_t stream, cudaStreamCaptureStatus* status, unsigned long long* id, cudaGraph_t*,
                                         const cudaGraphNode_t**, const cudaGraphEdgeData**, size_t* count) {
  if (count) *count = 0;
  return capture_info(stream, status, id);
}
API cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode) {
  capturing = stream;
  ++captures;
  return cudaSuccess;
}
API cudaError_t cudaStreamEndCapture(cudaStream_t, cudaGraph_t* graph) {
  capturing = nullptr;
  *graph = (cudaGraph_t)new_handle();
  return cudaSuccess;
}
API cudaError_t cudaGraphInstantiate(cudaGraphExec_t* made, cudaGraph_t, unsigned long long) { *made = (cudaGraphExec_t)new_handle(); return cudaSuccess; }
API cudaError_t cudaGraphGetNodes(cudaGraph_t, cudaGraphNode_t*, size_t* count) { *count = 1; return cudaSuccess; }
API cudaError_t cudaGraphLaunch(cudaGraphExec_t, cudaStream_t) { launched("cudaGraphLaunch"); return cudaSuccess; }
API cudaError_t cudaThreadExchangeStreamCaptureMode(cudaStreamCaptureMode*) { return cudaSuccess; }

// ---- kernels
struct Size { unsigned x, y, z; };
static thread_local struct { Size grid, block; size_t shared; void* stream; } pushed;

API void** __cudaRegisterFatBinary(void*) { static void* handle[4]; return handle; }
API void __cudaRegisterFatBinaryEnd(void**) {}
API void __cudaUnregisterFatBinary(void**) {}
API void __cudaRegisterVar(void**, char*, char*, const char*, int, size_t, int, int) {}
API void __cudaRegisterFunction(void**, const char* host, char*, const char* name, int, void*, void*, void*, void*, int*) {
  std::lock_guard<std::mutex> hold(lock);
  kernel_names()[host] = name;
}
API char __cudaInitModule(void**) { return 1; }
API cudaError_t __cudaGetKernel(void** kernel, const void* function) { *kernel = (void*)function; return cudaSuccess; }
API unsigned __cudaPushCallConfiguration(Size grid, Size block, size_t shared, void* stream) { pushed = {grid, block, shared, stream}; return 0; }
API cudaError_t __cudaPopCallConfiguration(Size* grid, Size* block, size_t* shared, void* stream) {
  *grid = pushed.grid;
  *block = pushed.block;
  *shared = pushed.shared;
  *(void**)stream = pushed.stream;
  return cudaSuccess;
}
API cudaError_t __cudaLaunchKernel(void* kernel, Size, Size, void**, size_t, cudaStream_t) { launched(kernel); return cudaSuccess; }
API cudaError_t cudaLaunchKernel(const void* kernel, Size, Size, void**, size_t, cudaStream_t) { launched(kernel); return cudaSuccess; }
API cudaError_t cudaLaunchKernelExC(const void*, const void* kernel, void**) { launched(kernel); return cudaSuccess; }
API cudaError_t cudaLaunchCooperativeKernel(const void* kernel, Size, Size, void**, size_t, cudaStream_t) { launched(kernel); return cudaSuccess; }
API cudaError_t cudaFuncGetAttributes(cudaFuncAttributes* about, const void*) {
  memset(about, 0, sizeof *about);
  about->maxThreadsPerBlock = 1024;
  about->numRegs = 32;
  about->ptxVersion = about->binaryVersion = capability();
  about->maxDynamicSharedSizeBytes = 49152;
  return cudaSuccess;
}
API cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessor(int* count, const void*, int, size_t) { *count = 2; return cudaSuccess; }
API cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(int* count, const void*, int, size_t, unsigned) { *count = 2; return cudaSuccess; }
API int cuGetProcAddress_v2(const char* name, void** function, int, uint64_t, void* status);
API cudaError_t cudaGetDriverEntryPointByVersion(const char* name, void** function, unsigned, unsigned long long, void*) {
  cuGetProcAddress_v2(name, function, 0, 0, nullptr);
  return cudaSuccess;
}
