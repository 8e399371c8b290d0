// cuBLAS: products are counted, with their precision and arithmetic. NCCL: nothing is exchanged, calls are counted.
#include "fake.h"

using namespace fake;

namespace {
const char* precision_of(int type) {
  switch (type) {
    case 0: return "fp32";
    case 1: return "fp64";
    case 2: return "fp16";
    case 3: return "int8";
    case 10: return "int32";
    case 14: return "bf16";
    default: return "other";
  }
}
void product(const char* how, int type, double m, double n, double k, double batch) {
  std::lock_guard<std::mutex> hold(lock);
  Product& sum = products()[std::string(precision_of(type)) + " " + how];
  sum.calls++;
  sum.flops += 2 * m * n * k * batch;
  counts()["kernel:cublas"]++;
}
struct Layout { int type; uint64_t rows, columns; int64_t stride; int batch; };
size_t bytes_of(int nccl_type) {
  switch (nccl_type) {
    case 2: case 3: case 7: return 4;
    case 4: case 5: case 8: return 8;
    case 6: case 9: return 2;
    default: return 1;
  }
}
}  // namespace

API int cublasCreate_v2(void** handle) { *handle = new_handle(); return 0; }
API int cublasSgemm_v2(void*, int, int, int m, int n, int k, ...) { product("gemm", 0, m, n, k, 1); return 0; }
API int cublasDgemm_v2(void*, int, int, int m, int n, int k, ...) { product("gemm", 1, m, n, k, 1); return 0; }
API int cublasGemmEx(void*, int, int, int m, int n, int k, const void*, const void*, int type, int, const void*, int, int,
                     const void*, void*, int, int, int, int) {
  product("gemm", type, m, n, k, 1);
  return 0;
}
API int cublasSgemmStridedBatched(void*, int, int, int m, int n, int k, const float*, const float*, int, long long,
                                  const float*, int, long long, const float*, float*, int, long long, int batch) {
  product("bmm", 0, m, n, k, batch);
  return 0;
}
API int cublasGemmStridedBatchedEx(void*, int, int, int m, int n, int k, const void*, const void*, int type, int, long long,
                                   const void*, int, int, long long, const void*, void*, int, int, long long, int batch, int,
                                   int) {
  product("bmm", type, m, n, k, batch);
  return 0;
}

API int cublasLtCreate(void** handle) { *handle = new_handle(); return 0; }
API int cublasLtMatrixLayoutCreate(void** layout, int type, uint64_t rows, uint64_t columns, int64_t stride) {
  *layout = new Layout{type, rows, columns, stride, 1};
  return 0;
}
API int cublasLtMatrixLayoutDestroy(void* layout) { delete (Layout*)layout; return 0; }
API int cublasLtMatrixLayoutSetAttribute(void* layout, int attribute, const void* value, size_t) {
  if (attribute == 5) ((Layout*)layout)->batch = *(const int32_t*)value;
  return 0;
}
API int cublasLtMatmulDescCreate(void** description, int, int) { *description = new_handle(); return 0; }
API int cublasLtMatmulDescDestroy(void*) { return 0; }
API int cublasLtMatmulPreferenceCreate(void** preference) { *preference = new_handle(); return 0; }
API int cublasLtMatmulPreferenceDestroy(void*) { return 0; }
API int cublasLtMatmulAlgoGetHeuristic(void*, void*, void*, void*, void*, void*, void*, int, void* results, int* found) {
  memset(results, 0, 64);
  *found = 1;
  return 0;
}
API int cublasLtMatmul(void*, void*, const void*, const void*, const Layout* a, const void*, const Layout*, const void*,
                       const void*, const Layout*, void*, const Layout* d, const void*, void*, size_t, void*) {
  double m = d->rows, n = d->columns, k = double(a->rows) * a->columns / m;
  product("lt", a->type, m, n, k, d->batch);
  return 0;
}

API int cudnnCreate(void** handle) { *handle = new_handle(); return 0; }
API int cusolverDnCreate(void** handle) { *handle = new_handle(); return 0; }
API int cusparseCreate(void** handle) { *handle = new_handle(); return 0; }

struct Id { char bytes[128]; };
API int ncclGetUniqueId(void* id) { memset(id, 7, sizeof(Id)); return 0; }
API int ncclCommInitRank(void** communicator, int, Id, int) { *communicator = new_handle(); return 0; }
API int ncclCommInitRankConfig(void** communicator, int, Id, int, void*) { *communicator = new_handle(); return 0; }
API int ncclCommInitRankScalable(void** communicator, int, int, int, void*, void*) { *communicator = new_handle(); return 0; }
API int ncclCommSplit(void*, int, int, void** communicator, void*) { *communicator = new_handle(); return 0; }
API int ncclCommGetAsyncError(void*, int* error) { *error = 0; return 0; }
API const char* ncclGetLastError(void*) { return "fake"; }
API int ncclAllReduce(const void*, void*, size_t, int, int, void*, void*) { note("nccl all_reduce"); return 0; }
API int ncclBroadcast(const void*, void*, size_t, int, int, void*, void*) { note("nccl broadcast"); return 0; }
API int ncclReduceScatter(const void*, void*, size_t, int, int, void*, void*) { note("nccl reduce_scatter"); return 0; }
API int ncclAllGather(const void* from, void* to, size_t count, int type, void*, void*) {
  size_t bytes = count * bytes_of(type);
  if (bytes <= 4096)  // every rank finds its own values in place of the others': sizes and flags agree
    for (int rank = 0; rank < device_count(); rank++) move((char*)to + rank * bytes, from, bytes);
  note("nccl all_gather");
  return 0;
}
