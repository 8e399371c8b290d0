// CUDA's driver, as Triton, Inductor and torch's lazily loaded parts call it.
#include <cstdio>
#include <dlfcn.h>

#include "fake.h"

using namespace fake;

int card_attribute(int attribute);  // runtime.cpp

API int cuInit(unsigned) { return 0; }
API int cuDriverGetVersion(int* version) { *version = 13000; return 0; }
API int cuDeviceGet(int* device, int number) { *device = number; return 0; }
API int cuDeviceGetCount(int* count) { *count = device_count(); return 0; }
API int cuDeviceGetName(char* name, int room, int) { snprintf(name, room, "FakeGPU"); return 0; }
API int cuDeviceTotalMem_v2(size_t* bytes, int) { *bytes = total_memory(); return 0; }
API int cuDeviceGetAttribute(int* value, int attribute, int) { *value = card_attribute(attribute); return 0; }
API int cuCtxGetCurrent(void** context) { *context = (void*)0x100; return 0; }
API int cuCtxGetDevice(int* device) { *device = current_device; return 0; }
API int cuDevicePrimaryCtxRetain(void** context, int) { *context = (void*)0x100; return 0; }
API int cuDevicePrimaryCtxGetState(int, unsigned* flags, int* active) {
  if (flags) *flags = 0;
  *active = 1;
  return 0;
}
API int cuGetErrorString(int, const char** words) { *words = "fake"; return 0; }

API int cuModuleLoadData(void** module, const void*) { *module = new_handle(); return 0; }
API int cuModuleLoadDataEx(void** module, const void*, unsigned, void*, void**) { *module = new_handle(); return 0; }
API int cuModuleLoad(void** module, const char*) { *module = new_handle(); return 0; }
API int cuModuleGetFunction(void** function, void*, const char* name) {
  *function = new_handle();
  std::lock_guard<std::mutex> hold(lock);
  kernel_names()[*function] = std::string("triton ") + name;
  return 0;
}
API int cuFuncGetAttribute(int* value, int attribute, void*) {
  *value = attribute == 0 ? 1024 : attribute == 4 ? 32 : 0;  // threads a block; registers
  return 0;
}
API int cuLaunchKernel(void* function, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, void*, void**,
                       void**) {
  launched(function);
  return 0;
}
API int cuLaunchKernelEx(const void*, void* function, void**, void**) { launched(function); return 0; }
API int cuLaunchCooperativeKernel(void* function, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, void*,
                                  void**) {
  launched(function);
  return 0;
}
API int cuOccupancyMaxActiveBlocksPerMultiprocessor(int* count, void*, int, size_t) { *count = 2; return 0; }
API int cuOccupancyMaxActiveClusters(int* count, void*, const void*) { *count = 66; return 0; }

API int cuPointerGetAttribute(void* value, int attribute, uint64_t pointer) {
  switch (attribute) {
    case 2: *(unsigned*)value = on_device((void*)pointer) ? 2 : 1; break;  // kind of memory
    case 3: *(uint64_t*)value = pointer; break;                            // the address there
    case 9: *(int*)value = 0; break;                                       // which device
  }
  return 0;
}
API int cuGetProcAddress_v2(const char* name, void** function, int, uint64_t, void* status) {
  *function = dlsym(RTLD_DEFAULT, name);
  if (!*function) *function = dlsym(RTLD_DEFAULT, (std::string(name) + "_v2").c_str());
  if (status) *(int*)status = 0;
  return 0;
}
