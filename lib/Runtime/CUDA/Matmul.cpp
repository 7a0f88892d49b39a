//===- Matmul.cpp - Products of matrices by cuBLASLt ----------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The library is asked once for each product in each context how to compute it.
// The answer depends on the product, the device and the library alone: not on
// addresses, of which it is told what all calls keep to, and not on time. Sums
// that are cut into parts are added in a step of its own, in the type of the
// sum, so that results are the same in every run.
//
//===----------------------------------------------------------------------===//

#include "CublasLt.h"
#include "Library.h"
#include "Runtime.h"
#include <algorithm>
#include <map>
#include <memory>
#include <mutex>

using namespace memrev::cuda;

static bool load(CublasLt &functions, std::string &error) {
  const std::string title = "cuBLASLt";
  void *library = openLibrary({"libcublasLt.so.13", "libcublasLt.so.12"},
                              {"cublas", "cu13"}, title, error);
  auto find = [&](const char *name, auto &function) {
    return findFunction(library, title, name, function, error);
  };
  return library && find("cublasLtGetStatusName", functions.getStatusName) &&
         find("cublasLtCreate", functions.create) &&
         find("cublasLtMatmulDescCreate", functions.descCreate) &&
         find("cublasLtMatmulDescSetAttribute", functions.descSet) &&
         find("cublasLtMatmulDescDestroy", functions.descDestroy) &&
         find("cublasLtMatrixLayoutCreate", functions.layoutCreate) &&
         find("cublasLtMatrixLayoutSetAttribute", functions.layoutSet) &&
         find("cublasLtMatrixLayoutDestroy", functions.layoutDestroy) &&
         find("cublasLtMatmulPreferenceCreate", functions.preferenceCreate) &&
         find("cublasLtMatmulPreferenceSetAttribute",
              functions.preferenceSet) &&
         find("cublasLtMatmulPreferenceDestroy", functions.preferenceDestroy) &&
         find("cublasLtMatmulAlgoGetHeuristic", functions.getHeuristic) &&
         find("cublasLtMatmul", functions.matmul);
}

static bool check(const CublasLt &library, CublasStatus status,
                  const std::string &action) {
  return checkStatus("cuBLASLt", status, library.getStatusName(status), action);
}

namespace {
/// How the library computes a product. Never destroyed, but if it fails.
struct Plan {
  MatmulDesc operation = nullptr;
  MatrixLayout a = nullptr, b = nullptr, c = nullptr, d = nullptr;
  MatmulHeuristic choice = {};
};

/// The library in one context.
struct Products {
  CublasLtHandle handle = nullptr;
  std::map<MemrevCudaMatmul, Plan, IsBefore<MemrevCudaMatmul>> plans;
};

struct AllProducts {
  std::mutex mutex;
  std::map<Context, Products> inContext;
};
} // namespace

static AllProducts &getAllProducts() {
  static AllProducts &products = *new AllProducts();
  return products;
}

/// Returns the bytes of an element of a cudaDataType.
static int64_t getBytes(int64_t type) {
  return type == kReal64 ? 8 : type == kReal32 ? 4 : 2;
}

/// Describes `product` for messages.
static std::string describe(const MemrevCudaMatmul &product) {
  std::string text = "multiply " + std::to_string(product.rows) + " x " +
                     std::to_string(product.depth) + " by " +
                     std::to_string(product.depth) + " x " +
                     std::to_string(product.columns) + " elements";
  if (product.batch != 1)
    text += ", " + std::to_string(product.batch) + " times";
  return text;
}

/// Makes the layout of a matrix in memory.
static bool makeLayout(const CublasLt &library, int64_t type, int64_t rows,
                       int64_t columns, int64_t leading, int64_t batch,
                       int64_t stride, MatrixLayout &layout) {
  int32_t count = static_cast<int32_t>(batch);
  return check(library,
               library.layoutCreate(&layout, static_cast<int>(type), rows,
                                    columns, leading),
               "describe a matrix") &&
         check(library,
               library.layoutSet(layout, kLayoutBatchCount, &count,
                                 sizeof(count)),
               "describe a batch of matrices") &&
         check(library,
               library.layoutSet(layout, kLayoutBatchStride, &stride,
                                 sizeof(stride)),
               "describe the stride of a batch");
}

static bool describeOperation(const CublasLt &library,
                              const MemrevCudaMatmul &p, Plan &plan) {
  int scaleType = p.factorType == kReal64 ? kReal64 : kReal32;
  if (!check(library,
             library.descCreate(&plan.operation,
                                static_cast<int>(p.computeType), scaleType),
             "describe a product"))
    return false;
  int64_t transposes[] = {p.transposeA, p.transposeB};
  int attributes[] = {kDescTransposeA, kDescTransposeB};
  for (int i = 0; i < 2; ++i)
    if (transposes[i] &&
        !check(library,
               library.descSet(plan.operation, attributes[i], &kTransposed,
                               sizeof(kTransposed)),
               "describe a transposed matrix"))
      return false;
  int64_t rowsA = p.rows, columnsA = p.depth;
  int64_t rowsB = p.depth, columnsB = p.columns;
  if (p.transposeA)
    std::swap(rowsA, columnsA);
  if (p.transposeB)
    std::swap(rowsB, columnsB);
  return makeLayout(library, p.factorType, rowsA, columnsA, p.leadingA, p.batch,
                    p.strideA, plan.a) &&
         makeLayout(library, p.factorType, rowsB, columnsB, p.leadingB, p.batch,
                    p.strideB, plan.b) &&
         makeLayout(library, p.resultType, p.rows, p.columns, p.leadingC,
                    p.batch, p.strideC, plan.c) &&
         makeLayout(library, p.resultType, p.rows, p.columns, p.leadingD,
                    p.batch, p.strideD, plan.d);
}

static bool chooseAlgorithm(const CublasLt &library, CublasLtHandle handle,
                            const MemrevCudaMatmul &p, Plan &plan) {
  MatmulPreference preference = nullptr;
  if (!check(library, library.preferenceCreate(&preference),
             "describe a choice"))
    return false;
  uint64_t workspace = static_cast<uint64_t>(p.workspaceBytes);
  bool isSet = check(library,
                     library.preferenceSet(preference, kPreferWorkspaceBytes,
                                           &workspace, sizeof(workspace)),
                     "limit its workspace") &&
               check(library,
                     library.preferenceSet(preference, kPreferReductions,
                                           &kReduceInComputeType,
                                           sizeof(kReduceInComputeType)),
                     "choose how it adds");
  const std::pair<int, int64_t> alignments[] = {
      {kPreferAlignmentA, p.alignmentA},
      {kPreferAlignmentB, p.alignmentB},
      {kPreferAlignmentC, p.alignmentC},
      {kPreferAlignmentD, p.alignmentD}};
  for (auto [attribute, bytes] : alignments) {
    uint32_t alignment = static_cast<uint32_t>(bytes);
    isSet = isSet && check(library,
                           library.preferenceSet(preference, attribute,
                                                 &alignment, sizeof(alignment)),
                           "say how matrices are aligned");
  }
  int found = 0;
  bool isChosen =
      isSet && check(library,
                     library.getHeuristic(handle, plan.operation, plan.a,
                                          plan.b, plan.c, plan.d, preference,
                                          /*count=*/1, &plan.choice, &found),
                     describe(p));
  library.preferenceDestroy(preference);
  if (isChosen && found == 0)
    return fail("cuBLASLt cannot " + describe(p) +
                ": it has no algorithm for this device");
  return isChosen && check(library, plan.choice.status, describe(p));
}

static void destroy(const CublasLt &library, const Plan &plan) {
  if (plan.operation)
    library.descDestroy(plan.operation);
  for (MatrixLayout layout : {plan.a, plan.b, plan.c, plan.d})
    if (layout)
      library.layoutDestroy(layout);
}

/// Returns the library in the current `context`; a null pointer after an error.
/// `all` is locked.
static Products *getProducts(const Driver &driver, const CublasLt &library,
                             AllProducts &all, Context context) {
  Products &products = all.inContext[context];
  if (products.handle)
    return &products;
  OutsideOfRecordings outside(driver);
  return check(library, library.create(&products.handle), "be used on a device")
             ? &products
             : nullptr;
}

void memrevCudaPrepareMatmul(void) {
  const Driver *driver;
  Context context;
  const CublasLt *library = enterLibrary(load, driver, context);
  if (!library)
    return;
  AllProducts &all = getAllProducts();
  std::lock_guard<std::mutex> lock(all.mutex);
  getProducts(*driver, *library, all, context);
}

void memrevCudaMatmul(const MemrevCudaMatmul *product, const void *a,
                      const void *b, const void *c, void *d, void *workspace,
                      void *stream) {
  const Driver *driver;
  Context context;
  const CublasLt *library = enterLibrary(load, driver, context);
  if (!library)
    return;
  OutsideOfRecordings outside(*driver);
  CublasLtHandle handle = nullptr;
  const Plan *plan = nullptr;
  {
    AllProducts &all = getAllProducts();
    std::lock_guard<std::mutex> lock(all.mutex);
    Products *products = getProducts(*driver, *library, all, context);
    if (!products)
      return;
    auto [entry, isNew] = products->plans.try_emplace(*product);
    if (isNew && (!describeOperation(*library, *product, entry->second) ||
                  !chooseAlgorithm(*library, products->handle, *product,
                                   entry->second))) {
      destroy(*library, entry->second);
      products->plans.erase(entry);
      return;
    }
    handle = products->handle;
    plan = &entry->second;
  }
  union Scale {
    float single;
    double whole;
  } one, added;
  if (product->factorType == kReal64) {
    one.whole = 1;
    added.whole = product->accumulates ? 1 : 0;
  } else {
    one.single = 1;
    added.single = product->accumulates ? 1 : 0;
  }
  auto get = [](const void *matrix, int64_t elements, int64_t type) {
    return static_cast<const char *>(matrix) + elements * getBytes(type);
  };
  for (int64_t call = 0; call < product->calls; ++call) {
    CublasStatus status = library->matmul(
        handle, plan->operation, &one,
        get(a, call * product->stepA, product->factorType), plan->a,
        get(b, call * product->stepB, product->factorType), plan->b, &added,
        get(c, call * product->stepC, product->resultType), plan->c,
        static_cast<char *>(d) +
            call * product->stepD * getBytes(product->resultType),
        plan->d, &plan->choice.algorithm, alignWorkspace(workspace),
        plan->choice.workspaceBytes, static_cast<Stream>(stream));
    if (!check(*library, status, describe(*product)))
      return;
  }
}
