//===- CublasLt.cpp - cuBLASLt without a GPU ------------------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What of cuBLASLt's binary interface memrev's runtime calls, on the emulator's
// memory and in the order of its streams. It is stricter than the library: what
// is wrong is an error status, with a line on stderr that says why. The numbers
// are those of NVIDIA's documentation, written down here once more, so that a
// wrong one in the runtime is found.
//
// A product writes all of the workspace that it is given. With the environment
// variable MEMREV_VENDOR_TRACE each product prints a line.
//
//===----------------------------------------------------------------------===//

#include "Driver.h"
#include "Numbers.h"
#include <cstdarg>
#include <cstdio>
#include <cstdlib>

using namespace memrev::vendor;

namespace {

enum Status {
  kSuccess = 0,
  kNotInitialized = 1,
  kInvalidValue = 7,
  kExecutionFailed = 13,
  kNotSupported = 15
};

/// Says why a call fails.
__attribute__((format(printf, 2, 3))) Status reject(Status status,
                                                    const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  std::fputs("memrev-vendor: ", stderr);
  std::vfprintf(stderr, format, arguments);
  std::fputc('\n', stderr);
  va_end(arguments);
  return status;
}

//===----------------------------------------------------------------------===//
// Descriptors
//===----------------------------------------------------------------------===//

enum ComputeType { kCompute32 = 68, kCompute64 = 70, kComputeTF32 = 77 };

struct Handle {
  void *context = nullptr;
};

struct Operation {
  int compute = 0, scale = 0;
  int32_t transposeA = 0, transposeB = 0;
};

struct Layout {
  int type = 0;
  uint64_t rows = 0, columns = 0;
  int64_t leading = 0;
  int32_t batch = 1;
  int64_t stride = 0;

  /// Elements from the first to behind the last.
  uint64_t getSpan() const {
    return (batch - 1) * stride + (columns - 1) * leading + rows;
  }
  uint64_t getSpanBytes() const { return getSpan() * getBytes(type); }
};

struct Preference {
  uint64_t workspaceBytes = 0;
  /// All schemes, as the library has it.
  uint32_t reductions = 7;
  uint32_t alignments[4] = {256, 256, 256, 256};
};

Registry<Handle> &getHandles() {
  static auto &handles = *new Registry<Handle>();
  return handles;
}
Registry<Operation> &getOperations() {
  static auto &operations = *new Registry<Operation>();
  return operations;
}
Registry<Layout> &getLayouts() {
  static auto &layouts = *new Registry<Layout>();
  return layouts;
}
Registry<Preference> &getPreferences() {
  static auto &preferences = *new Registry<Preference>();
  return preferences;
}

template <typename T>
Status setMember(T &member, const void *value, size_t bytes) {
  if (bytes != sizeof(T))
    return reject(kInvalidValue, "an attribute of %zu bytes is set with %zu",
                  sizeof(T), bytes);
  std::memcpy(&member, value, bytes);
  return kSuccess;
}

//===----------------------------------------------------------------------===//
// Algorithms
//===----------------------------------------------------------------------===//

/// What the library's 64 bytes hold here.
struct Algorithm {
  uint64_t magic = 0;
  uint64_t workspaceBytes = 0;
  uint32_t alignments[4] = {};
  /// Of the problem that it was chosen for.
  uint64_t problem = 0;
  uint64_t unused[3] = {};
};
static_assert(sizeof(Algorithm) == 64);

constexpr uint64_t kMagic = 0x6d656d726576u;

struct Heuristic {
  Algorithm algorithm;
  size_t workspaceBytes;
  int status;
  float waves;
  int reserved[4];
};

/// A product and its matrices.
struct Problem {
  Operation operation;
  Layout a, b, c, d;

  uint64_t hash() const {
    uint64_t result = 1469598103934665603u;
    auto add = [&](uint64_t value) {
      result = (result ^ value) * 1099511628211u;
    };
    for (int value : {operation.compute, operation.scale, operation.transposeA,
                      operation.transposeB})
      add(value);
    for (const Layout *layout : {&a, &b, &c, &d}) {
      for (uint64_t value : {uint64_t(layout->type), layout->rows,
                             layout->columns, uint64_t(layout->leading),
                             uint64_t(layout->batch), uint64_t(layout->stride)})
        add(value);
    }
    return result;
  }
};

Status check(const Layout &layout, const char *name) {
  if (layout.type != kR32 && layout.type != kR64 && layout.type != kR16 &&
      layout.type != kB16)
    return reject(kNotSupported, "matrix %s has type %d", name, layout.type);
  if (layout.rows == 0 || layout.columns == 0 || layout.batch < 1)
    return reject(kInvalidValue, "matrix %s is empty", name);
  if (layout.leading < static_cast<int64_t>(layout.rows))
    return reject(kInvalidValue, "matrix %s has a leading dimension below %llu",
                  name, static_cast<unsigned long long>(layout.rows));
  return kSuccess;
}

Status check(const Problem &p) {
  const Layout *layouts[] = {&p.a, &p.b, &p.c, &p.d};
  const char *names[] = {"A", "B", "C", "D"};
  for (int i = 0; i < 4; ++i) {
    if (Status status = check(*layouts[i], names[i]))
      return status;
    if (layouts[i]->batch != p.d.batch)
      return reject(kInvalidValue, "the batches differ");
  }
  uint64_t rowsA = p.a.rows, depthA = p.a.columns;
  uint64_t depthB = p.b.rows, columnsB = p.b.columns;
  if (p.operation.transposeA)
    std::swap(rowsA, depthA);
  if (p.operation.transposeB)
    std::swap(depthB, columnsB);
  if (rowsA != p.d.rows || columnsB != p.d.columns || depthA != depthB ||
      p.c.rows != p.d.rows || p.c.columns != p.d.columns)
    return reject(kInvalidValue, "the sizes of the matrices do not match");
  if (p.d.batch > 1 && p.d.stride < static_cast<int64_t>(p.d.rows) &&
      p.d.stride != 0 && p.d.stride < p.d.leading)
    return reject(kInvalidValue, "the matrices D overlap");
  bool isHalf = p.a.type == kR16 || p.a.type == kB16;
  bool areTypesRight = p.a.type == p.b.type && p.c.type == p.d.type &&
                       (isHalf ? p.d.type == p.a.type || p.d.type == kR32
                               : p.d.type == p.a.type);
  bool isComputeRight =
      p.a.type == kR64
          ? p.operation.compute == kCompute64 && p.operation.scale == kR64
          : p.operation.scale == kR32 &&
                (p.operation.compute == kCompute32 ||
                 (p.operation.compute == kComputeTF32 && p.a.type == kR32));
  if (!areTypesRight || !isComputeRight)
    return reject(kNotSupported, "no algorithm computes types %d and %d by %d",
                  p.a.type, p.d.type, p.operation.compute);
  return kSuccess;
}

//===----------------------------------------------------------------------===//
// Computing
//===----------------------------------------------------------------------===//

/// A product with its operands, as it is submitted.
struct Submission {
  Problem problem;
  double alpha, beta;
  const char *a, *b, *c;
  char *d, *workspace;
  size_t workspaceBytes;

  void run() const {
    std::memset(workspace, 0xab, workspaceBytes);
    const Problem &p = problem;
    bool isTransposedA = p.operation.transposeA != 0;
    bool isTransposedB = p.operation.transposeB != 0;
    uint64_t depth = isTransposedA ? p.a.rows : p.a.columns;
    bool isTF32 = p.operation.compute == kComputeTF32;
    bool isDouble = p.a.type == kR64;
    auto at = [&](const char *base, const Layout &layout, int64_t matrix,
                  uint64_t row, uint64_t column) {
      double value =
          load(base, matrix * layout.stride + column * layout.leading + row,
               layout.type);
      return isTF32 ? roundToTF32(static_cast<float>(value)) : value;
    };
    for (int64_t matrix = 0; matrix < p.d.batch; ++matrix)
      for (uint64_t column = 0; column < p.d.columns; ++column)
        for (uint64_t row = 0; row < p.d.rows; ++row) {
          double sum = 0;
          float single = 0;
          for (uint64_t k = 0; k < depth; ++k) {
            double left = isTransposedA ? at(a, p.a, matrix, k, row)
                                        : at(a, p.a, matrix, row, k);
            double right = isTransposedB ? at(b, p.b, matrix, column, k)
                                         : at(b, p.b, matrix, k, column);
            if (isDouble)
              sum += left * right;
            else
              single = std::fmaf(static_cast<float>(left),
                                 static_cast<float>(right), single);
          }
          double result = alpha * (isDouble ? sum : single);
          uint64_t place = column * p.c.leading + row;
          if (beta != 0)
            result += beta * load(c, matrix * p.c.stride + place, p.c.type);
          store(d, matrix * p.d.stride + column * p.d.leading + row, p.d.type,
                result);
        }
  }
};

/// Launches of graphs run what was submitted again: it lives forever.
void submit(Submission submission, void *stream, int &result) {
  auto *kept = new Submission(submission);
  result = getDriver().launchHostFunction(
      stream, [](void *data) { static_cast<const Submission *>(data)->run(); },
      kept);
}

bool overlap(const char *left, uint64_t leftBytes, const char *right,
             uint64_t rightBytes) {
  return left < right + rightBytes && right < left + leftBytes;
}

} // namespace

//===----------------------------------------------------------------------===//
// The interface
//===----------------------------------------------------------------------===//

VENDOR_EXPORT const char *cublasLtGetStatusName(int status) {
  switch (status) {
  case kSuccess:
    return "CUBLAS_STATUS_SUCCESS";
  case kNotInitialized:
    return "CUBLAS_STATUS_NOT_INITIALIZED";
  case kInvalidValue:
    return "CUBLAS_STATUS_INVALID_VALUE";
  case kExecutionFailed:
    return "CUBLAS_STATUS_EXECUTION_FAILED";
  case kNotSupported:
    return "CUBLAS_STATUS_NOT_SUPPORTED";
  default:
    return nullptr;
  }
}

VENDOR_EXPORT int cublasLtCreate(void **handle) {
  if (!getContext())
    return reject(kNotInitialized, "a handle is made without a context");
  if (!isRelaxed())
    return reject(kNotInitialized,
                  "a handle is made where a recording may forbid it");
  *handle = getHandles().make({getContext()});
  return kSuccess;
}

VENDOR_EXPORT int cublasLtMatmulDescCreate(void **operation, int compute,
                                           int scale) {
  Operation made;
  made.compute = compute;
  made.scale = scale;
  *operation = getOperations().make(made);
  return kSuccess;
}

VENDOR_EXPORT int cublasLtMatmulDescSetAttribute(void *operation, int attribute,
                                                 const void *value,
                                                 size_t bytes) {
  enum { transposeA = 3, transposeB = 4 };
  Operation *set = getOperations().find(operation);
  if (!set)
    return reject(kInvalidValue, "an operation does not exist");
  int32_t transposed = 0;
  if (Status status = setMember(transposed, value, bytes))
    return status;
  if (transposed != 0 && transposed != 1)
    return reject(kInvalidValue, "a transposition is %d", transposed);
  switch (attribute) {
  case transposeA:
    set->transposeA = transposed;
    return kSuccess;
  case transposeB:
    set->transposeB = transposed;
    return kSuccess;
  default:
    return reject(kInvalidValue, "an operation has no attribute %d here",
                  attribute);
  }
}

VENDOR_EXPORT int cublasLtMatmulDescDestroy(void *operation) {
  return getOperations().destroy(operation)
             ? kSuccess
             : reject(kInvalidValue, "destroys what does not exist");
}

VENDOR_EXPORT int cublasLtMatrixLayoutCreate(void **layout, int type,
                                             uint64_t rows, uint64_t columns,
                                             int64_t leading) {
  Layout made;
  made.type = type;
  made.rows = rows;
  made.columns = columns;
  made.leading = leading;
  *layout = getLayouts().make(made);
  return kSuccess;
}

VENDOR_EXPORT int cublasLtMatrixLayoutSetAttribute(void *layout, int attribute,
                                                   const void *value,
                                                   size_t bytes) {
  enum { batchCount = 5, batchStride = 6 };
  Layout *set = getLayouts().find(layout);
  if (!set)
    return reject(kInvalidValue, "a layout does not exist");
  switch (attribute) {
  case batchCount:
    return setMember(set->batch, value, bytes);
  case batchStride:
    return setMember(set->stride, value, bytes);
  default:
    return reject(kInvalidValue, "a layout has no attribute %d here",
                  attribute);
  }
}

VENDOR_EXPORT int cublasLtMatrixLayoutDestroy(void *layout) {
  return getLayouts().destroy(layout)
             ? kSuccess
             : reject(kInvalidValue, "destroys what does not exist");
}

VENDOR_EXPORT int cublasLtMatmulPreferenceCreate(void **preference) {
  *preference = getPreferences().make({});
  return kSuccess;
}

VENDOR_EXPORT int cublasLtMatmulPreferenceSetAttribute(void *preference,
                                                       int attribute,
                                                       const void *value,
                                                       size_t bytes) {
  enum { workspaceBytes = 1, reductions = 3, alignmentA = 5, alignmentD = 8 };
  Preference *set = getPreferences().find(preference);
  if (!set)
    return reject(kInvalidValue, "a preference does not exist");
  if (attribute >= alignmentA && attribute <= alignmentD)
    return setMember(set->alignments[attribute - alignmentA], value, bytes);
  switch (attribute) {
  case workspaceBytes:
    return setMember(set->workspaceBytes, value, bytes);
  case reductions:
    return setMember(set->reductions, value, bytes);
  default:
    return reject(kInvalidValue, "a preference has no attribute %d here",
                  attribute);
  }
}

VENDOR_EXPORT int cublasLtMatmulPreferenceDestroy(void *preference) {
  return getPreferences().destroy(preference)
             ? kSuccess
             : reject(kInvalidValue, "destroys what does not exist");
}

/// The layouts and the operation, or an error if one of them does not exist.
static Status getProblem(void *handle, void *operation, void *a, void *b,
                         void *c, void *d, Problem &problem) {
  Handle *known = getHandles().find(handle);
  if (!known)
    return reject(kNotInitialized, "a handle does not exist");
  if (known->context != getContext())
    return reject(kInvalidValue, "a handle is used in another context");
  Operation *knownOperation = getOperations().find(operation);
  Layout *layouts[] = {getLayouts().find(a), getLayouts().find(b),
                       getLayouts().find(c), getLayouts().find(d)};
  if (!knownOperation)
    return reject(kInvalidValue, "an operation does not exist");
  for (Layout *layout : layouts)
    if (!layout)
      return reject(kInvalidValue, "a layout does not exist");
  problem = {*knownOperation, *layouts[0], *layouts[1], *layouts[2],
             *layouts[3]};
  return check(problem);
}

VENDOR_EXPORT int cublasLtMatmulAlgoGetHeuristic(void *handle, void *operation,
                                                 void *a, void *b, void *c,
                                                 void *d, void *preference,
                                                 int count, Heuristic *results,
                                                 int *found) {
  *found = 0;
  Problem problem;
  if (Status status = getProblem(handle, operation, a, b, c, d, problem))
    return status;
  Preference *preferred = getPreferences().find(preference);
  if (!preferred || count < 1)
    return reject(kInvalidValue, "a preference does not exist");
  // Parts that are added in the type of the result, or in place, would be
  // rounded; this is what memrev promises not to have.
  if (preferred->reductions & ~2u)
    return reject(kNotSupported, "a sum may be rounded in parts");
  Heuristic &result = results[0];
  result = {};
  result.algorithm.magic = kMagic;
  result.algorithm.workspaceBytes = preferred->workspaceBytes;
  std::memcpy(result.algorithm.alignments, preferred->alignments,
              sizeof(preferred->alignments));
  result.algorithm.problem = problem.hash();
  result.workspaceBytes = preferred->workspaceBytes;
  result.waves = 1;
  *found = 1;
  return kSuccess;
}

VENDOR_EXPORT int cublasLtMatmul(void *handle, void *operation,
                                 const void *alpha, const void *a,
                                 void *layoutA, const void *b, void *layoutB,
                                 const void *beta, const void *c, void *layoutC,
                                 void *d, void *layoutD,
                                 const Algorithm *algorithm, void *workspace,
                                 size_t workspaceBytes, void *stream) {
  Submission s = {};
  Problem &p = s.problem;
  if (Status status =
          getProblem(handle, operation, layoutA, layoutB, layoutC, layoutD, p))
    return status;
  if (!algorithm || algorithm->magic != kMagic ||
      algorithm->problem != p.hash())
    return reject(kInvalidValue, "the algorithm is that of another product");
  if (workspaceBytes < algorithm->workspaceBytes)
    return reject(kInvalidValue, "the workspace is shorter than the algorithm "
                                 "needs");
  if (!isRelaxed())
    return reject(kExecutionFailed,
                  "kernels are loaded where a recording may forbid it");
  if (p.a.type == kR64) {
    s.alpha = *static_cast<const double *>(alpha);
    s.beta = *static_cast<const double *>(beta);
  } else {
    s.alpha = *static_cast<const float *>(alpha);
    s.beta = *static_cast<const float *>(beta);
  }
  s.a = static_cast<const char *>(a);
  s.b = static_cast<const char *>(b);
  s.c = static_cast<const char *>(c);
  s.d = static_cast<char *>(d);
  s.workspace = static_cast<char *>(workspace);
  s.workspaceBytes = workspaceBytes;

  const char *operands[] = {s.a, s.b, s.c, s.d};
  const Layout *layouts[] = {&p.a, &p.b, &p.c, &p.d};
  const char *names[] = {"A", "B", "C", "D"};
  for (int i = 0; i < 4; ++i) {
    auto address = reinterpret_cast<uint64_t>(operands[i]);
    uint64_t bytes = layouts[i]->getSpanBytes();
    if (!isDeviceMemory(address, bytes))
      return reject(kInvalidValue, "matrix %s is not in device memory",
                    names[i]);
    if (address % algorithm->alignments[i] != 0 ||
        address % getBytes(layouts[i]->type) != 0)
      return reject(kInvalidValue, "matrix %s is not aligned to %u bytes",
                    names[i], algorithm->alignments[i]);
    if (overlap(s.workspace, workspaceBytes, operands[i], bytes))
      return reject(kInvalidValue, "matrix %s is in the workspace", names[i]);
    bool isSame = i == 2 && operands[i] == s.d && p.c.leading == p.d.leading &&
                  p.c.stride == p.d.stride;
    bool isRead = i < 2 || (i == 2 && s.beta != 0);
    if (isRead && !isSame &&
        overlap(s.d, p.d.getSpanBytes(), operands[i], bytes))
      return reject(kInvalidValue, "matrix D overlaps matrix %s", names[i]);
  }
  auto place = reinterpret_cast<uint64_t>(workspace);
  if (workspaceBytes != 0 &&
      (place % 256 != 0 || !isDeviceMemory(place, workspaceBytes)))
    return reject(kInvalidValue, "the workspace is not 256-byte aligned device "
                                 "memory");
  int status = 0, result = 0;
  if (getDriver().streamIsCapturing(stream, &status) != 0)
    return reject(kInvalidValue, "the stream does not exist");
  if (std::getenv("MEMREV_VENDOR_TRACE"))
    std::fprintf(stderr,
                 "cublasLtMatmul %llu x %llu x %llu, batch %d, %c%c, types %d "
                 "%d by %d, leading %lld %lld %lld %lld, beta %g, workspace "
                 "%zu%s\n",
                 static_cast<unsigned long long>(p.d.rows),
                 static_cast<unsigned long long>(p.d.columns),
                 static_cast<unsigned long long>(
                     p.operation.transposeA ? p.a.rows : p.a.columns),
                 p.d.batch, p.operation.transposeA ? 'T' : 'N',
                 p.operation.transposeB ? 'T' : 'N', p.a.type, p.d.type,
                 p.operation.compute, static_cast<long long>(p.a.leading),
                 static_cast<long long>(p.b.leading),
                 static_cast<long long>(p.c.leading),
                 static_cast<long long>(p.d.leading), s.beta, workspaceBytes,
                 status == 0 ? "" : ", recorded");
  submit(s, stream, result);
  return result == 0 ? kSuccess
                     : reject(kExecutionFailed, "the driver says %d", result);
}
