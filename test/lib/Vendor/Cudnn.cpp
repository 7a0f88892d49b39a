//===- Cudnn.cpp - cuDNN without a GPU ------------------------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What of cuDNN's binary interface memrev's runtime calls, as CublasLt.cpp does
// it for that library. Only what NVIDIA documents for tensors and filters with
// the channels last is taken. The algorithms that are suggested first are those
// that memrev must not take: not deterministic, less precise than asked for,
// with too long a workspace.
//
// With the environment variable MEMREV_VENDOR_TRACE each convolution prints a
// line.
//
//===----------------------------------------------------------------------===//

#include "Driver.h"
#include "Numbers.h"
#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <utility>
#include <vector>

using namespace memrev::vendor;

namespace {

enum Status {
  kSuccess = 0,
  kNotInitialized = 1001,
  kBadParam = 2000,
  kNotSupported = 3000,
  kExecutionFailed = 5000
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

/// Of cudnnDataType_t, whose numbers are not those of cudaDataType.
enum CudnnType { kFloat = 0, kHalf = 2, kBFloat16 = 9 };
enum { kChannelsLast = 1, kCrossCorrelation = 1 };
enum MathType { kDefault = 0, kTensorOp = 1, kConversion = 2, kFma = 3 };

int toDataType(int type) {
  return type == kBFloat16 ? int(kB16) : type == kHalf ? int(kR16) : int(kR32);
}

struct Handle {
  void *context = nullptr;
  void *stream = nullptr;
};

/// Of tensors, n c h w; of filters, k c h w.
struct Tensor {
  bool isSet = false;
  int type = 0;
  int64_t count = 0, channels = 0, height = 0, width = 0;

  uint64_t getBytesOfAll() const {
    return static_cast<uint64_t>(count * channels * height * width) *
           getBytes(toDataType(type));
  }
  uint64_t getPlace(int64_t n, int64_t h, int64_t w, int64_t c) const {
    return static_cast<uint64_t>(((n * height + h) * width + w) * channels + c);
  }
};
struct Filter : Tensor {};

struct Convolution {
  bool isSet = false;
  int padding[2], stride[2], dilation[2];
  int groups = 1, math = kDefault;
};

template <typename T>
Registry<T> &getAll() {
  static auto &all = *new Registry<T>();
  return all;
}

/// A convolution and its tensors.
struct Problem {
  bool isForward = true;
  Tensor image, result;
  Filter filter;
  Convolution convolution;
};

Status check(const Tensor &tensor, const char *name) {
  if (!tensor.isSet)
    return reject(kBadParam, "the %s has no sizes", name);
  if (tensor.type != kFloat && tensor.type != kHalf && tensor.type != kBFloat16)
    return reject(kNotSupported, "the %s has type %d with the channels last",
                  name, tensor.type);
  return kSuccess;
}

Status check(const Problem &p) {
  for (auto [tensor, name] :
       {std::pair<const Tensor *, const char *>{&p.image, "image"},
        {&p.filter, "filter"},
        {&p.result, "result"}}) {
    if (Status status = check(*tensor, name))
      return status;
    if (tensor->type != p.image.type)
      return reject(kNotSupported, "the types differ");
  }
  const Convolution &c = p.convolution;
  if (!c.isSet)
    return reject(kBadParam, "the convolution has no sizes");
  if (p.image.channels != p.filter.channels * c.groups ||
      p.filter.count % c.groups != 0 || p.result.channels != p.filter.count ||
      p.result.count != p.image.count)
    return reject(kBadParam, "the channels, groups or images do not match");
  const int64_t sizes[2][3] = {
      {p.image.height, p.filter.height, p.result.height},
      {p.image.width, p.filter.width, p.result.width}};
  for (int i = 0; i < 2; ++i) {
    auto [image, filter, result] = sizes[i];
    int64_t room =
        image + 2 * c.padding[i] - ((filter - 1) * c.dilation[i] + 1);
    if (room < 0 || result != room / c.stride[i] + 1)
      return reject(kBadParam, "the result has %lld rows or columns, not %lld",
                    static_cast<long long>(result),
                    static_cast<long long>(room / c.stride[i] + 1));
  }
  return kSuccess;
}

/// The tensors, or an error if one of them does not exist.
Status getProblem(void *handle, void *image, void *filter, void *convolution,
                  void *result, bool isForward, Problem &problem) {
  Handle *known = getAll<Handle>().find(handle);
  if (!known)
    return reject(kNotInitialized, "a handle does not exist");
  if (known->context != getContext())
    return reject(kBadParam, "a handle is used in another context");
  Tensor *knownImage = getAll<Tensor>().find(image);
  Tensor *knownResult = getAll<Tensor>().find(result);
  Filter *knownFilter = getAll<Filter>().find(filter);
  Convolution *knownConvolution = getAll<Convolution>().find(convolution);
  if (!knownImage || !knownResult || !knownFilter || !knownConvolution)
    return reject(kBadParam, "a descriptor does not exist");
  problem = {isForward, *knownImage, *knownResult, *knownFilter,
             *knownConvolution};
  return check(problem);
}

//===----------------------------------------------------------------------===//
// Algorithms
//===----------------------------------------------------------------------===//

struct Performance {
  int algorithm, status;
  float time;
  size_t memory;
  int determinism, mathType;
  int reserved[3];
};
static_assert(sizeof(Performance) == 48);

/// Those that memrev may take. The first of the forward ones needs no
/// workspace.
enum { kImplicitGemm = 0, kPrecomputedGemm = 1, kDeterministicFilter = 1 };
/// One that needs more memory than there is.
enum { kHungry = 5 };
constexpr size_t kWorkspaceBytes = 1024;

bool isAllowed(bool isForward, int algorithm) {
  return isForward ? algorithm == kImplicitGemm || algorithm == kPrecomputedGemm
                   : algorithm == kDeterministicFilter;
}

size_t getWorkspace(bool isForward, int algorithm) {
  if (algorithm == kHungry)
    return size_t(1) << 40;
  return isForward && algorithm == kImplicitGemm ? 0 : kWorkspaceBytes;
}

Status suggest(const Problem &p, int count, int *found, Performance *results) {
  int math = p.convolution.math;
  // The library calls algorithms of the default type of math, too.
  int usual = math == kFma ? int(kDefault) : math;
  const Performance suggestions[] = {
      {6, kNotSupported, -1, 0, 1, usual, {}},
      {p.isForward ? 4 : 0, kSuccess, -1, 0, 0, usual, {}},
      {p.isForward ? 2 : 3, kSuccess, -1, 0, 1, kConversion, {}},
      {kHungry, kSuccess, -1, size_t(1) << 40, 1, usual, {}},
      {1, kSuccess, -1, kWorkspaceBytes, 1, usual, {}},
      {p.isForward ? 0 : 1, kSuccess, -1, 0, 1, usual, {}},
  };
  *found = std::min<int>(count, std::size(suggestions));
  std::copy_n(suggestions, *found, results);
  return kSuccess;
}

//===----------------------------------------------------------------------===//
// Computing
//===----------------------------------------------------------------------===//

/// A convolution with its operands, as it is submitted.
struct Submission {
  Problem problem;
  float alpha, beta;
  const char *image;
  char *filter, *result, *workspace;
  size_t workspaceBytes;

  /// Calls `visit` with the places of all products: of the result, the image
  /// and the filter.
  template <typename Visit>
  void forEachProduct(Visit visit) const {
    const Problem &p = problem;
    const Convolution &c = p.convolution;
    int64_t perGroup = p.filter.count / c.groups;
    for (int64_t n = 0; n < p.result.count; ++n)
      for (int64_t y = 0; y < p.result.height; ++y)
        for (int64_t x = 0; x < p.result.width; ++x)
          for (int64_t f = 0; f < p.filter.count; ++f)
            for (int64_t r = 0; r < p.filter.height; ++r)
              for (int64_t s = 0; s < p.filter.width; ++s) {
                int64_t h = y * c.stride[0] + r * c.dilation[0] - c.padding[0];
                int64_t w = x * c.stride[1] + s * c.dilation[1] - c.padding[1];
                if (h < 0 || h >= p.image.height || w < 0 || w >= p.image.width)
                  continue;
                int64_t first = f / perGroup * p.filter.channels;
                for (int64_t i = 0; i < p.filter.channels; ++i)
                  visit(p.result.getPlace(n, y, x, f),
                        p.image.getPlace(n, h, w, first + i),
                        p.filter.getPlace(f, r, s, i));
              }
  }

  void run() const {
    if (workspaceBytes != 0)
      std::memset(workspace, 0xab, workspaceBytes);
    const Problem &p = problem;
    int type = toDataType(p.image.type);
    bool rounds = p.image.type == kFloat && p.convolution.math != kFma;
    auto read = [&](const char *base, uint64_t place) {
      auto value = static_cast<float>(load(base, place, type));
      return rounds ? roundToTF32(value) : value;
    };
    char *written = p.isForward ? result : filter;
    const Tensor &tensor = p.isForward ? p.result : p.filter;
    std::vector<float> sums(tensor.getBytesOfAll() / getBytes(type));
    forEachProduct([&](uint64_t inResult, uint64_t inImage, uint64_t inFilter) {
      float left = read(image, inImage);
      float &sum = sums[p.isForward ? inResult : inFilter];
      sum = std::fmaf(
          left, p.isForward ? read(filter, inFilter) : read(result, inResult),
          sum);
    });
    for (uint64_t i = 0; i < sums.size(); ++i) {
      double value = static_cast<double>(alpha) * sums[i];
      if (beta != 0)
        value += beta * load(written, i, type);
      store(written, i, type, value);
    }
  }
};

bool overlap(const char *left, uint64_t leftBytes, const char *right,
             uint64_t rightBytes) {
  return left < right + rightBytes && right < left + leftBytes;
}

/// Checks `s`, which `algorithm` computes, and submits it.
Status submit(const Submission &s, void *handle, int algorithm) {
  const Problem &p = s.problem;
  void *stream = getAll<Handle>().find(handle)->stream;
  if (!stream)
    return reject(kBadParam, "the handle has no stream");
  if (!isAllowed(p.isForward, algorithm))
    return reject(kNotSupported,
                  "algorithm %d may give other results in "
                  "another run, or rounds more",
                  algorithm);
  if (p.convolution.math == kConversion)
    return reject(kNotSupported, "the factors may be rounded to f16");
  if (s.workspaceBytes < getWorkspace(p.isForward, algorithm))
    return reject(kBadParam, "the workspace is shorter than the algorithm "
                             "needs");
  if (!isRelaxed())
    return reject(kExecutionFailed,
                  "kernels are loaded where a recording may forbid it");
  const struct {
    const char *address;
    const Tensor &tensor;
    const char *name;
    bool isWritten;
  } operands[] = {{s.image, p.image, "image", false},
                  {s.filter, p.filter, "filter", !p.isForward},
                  {s.result, p.result, "result", p.isForward}};
  for (const auto &operand : operands) {
    auto address = reinterpret_cast<uint64_t>(operand.address);
    uint64_t bytes = operand.tensor.getBytesOfAll();
    if (!isDeviceMemory(address, bytes))
      return reject(kBadParam, "the %s is not in device memory", operand.name);
    if (address % 16 != 0)
      return reject(kBadParam, "the %s is not aligned to 16 bytes",
                    operand.name);
    if (overlap(s.workspace, s.workspaceBytes, operand.address, bytes))
      return reject(kBadParam, "the %s is in the workspace", operand.name);
    for (const auto &other : operands)
      if (operand.isWritten && &other != &operand &&
          overlap(operand.address, bytes, other.address,
                  other.tensor.getBytesOfAll()))
        return reject(kBadParam, "the %s overlaps the %s", operand.name,
                      other.name);
  }
  auto place = reinterpret_cast<uint64_t>(s.workspace);
  if (s.workspaceBytes != 0 &&
      (place % 256 != 0 || !isDeviceMemory(place, s.workspaceBytes)))
    return reject(kBadParam, "the workspace is not 256-byte aligned device "
                             "memory");
  int status = 0;
  if (getDriver().streamIsCapturing(stream, &status) != 0)
    return reject(kBadParam, "the stream does not exist");
  const Convolution &c = p.convolution;
  if (std::getenv("MEMREV_VENDOR_TRACE"))
    std::fprintf(
        stderr,
        "%s %lld x %lld x %lld x %lld by %lld x %lld x %lld x %lld, padding "
        "%d %d, stride %d %d, dilation %d %d, groups %d, type %d, math %d, "
        "algorithm %d, beta %g, workspace %zu%s\n",
        p.isForward ? "cudnnConvolutionForward"
                    : "cudnnConvolutionBackwardFilter",
        static_cast<long long>(p.image.count),
        static_cast<long long>(p.image.height),
        static_cast<long long>(p.image.width),
        static_cast<long long>(p.image.channels),
        static_cast<long long>(p.filter.count),
        static_cast<long long>(p.filter.height),
        static_cast<long long>(p.filter.width),
        static_cast<long long>(p.filter.channels), c.padding[0], c.padding[1],
        c.stride[0], c.stride[1], c.dilation[0], c.dilation[1], c.groups,
        p.image.type, c.math, algorithm, static_cast<double>(s.beta),
        s.workspaceBytes, status == 0 ? "" : ", recorded");
  // Launches of graphs run what was submitted again: it lives forever.
  auto *kept = new Submission(s);
  int result = getDriver().launchHostFunction(
      stream, [](void *data) { static_cast<const Submission *>(data)->run(); },
      kept);
  return result == 0 ? kSuccess
                     : reject(kExecutionFailed, "the driver says %d", result);
}

template <typename T>
int make(void **descriptor) {
  *descriptor = getAll<T>().make({});
  return kSuccess;
}

template <typename T>
int destroy(void *descriptor) {
  return getAll<T>().destroy(descriptor)
             ? kSuccess
             : reject(kBadParam, "destroys what does not exist");
}

template <typename T>
int setSizes(void *descriptor, int format, int type, int count, int channels,
             int height, int width) {
  T *set = getAll<T>().find(descriptor);
  if (!set)
    return reject(kBadParam, "a descriptor does not exist");
  if (format != kChannelsLast)
    return reject(kNotSupported, "a tensor has format %d", format);
  if (std::min({count, channels, height, width}) < 1)
    return reject(kBadParam, "a tensor is empty");
  T made;
  made.isSet = true;
  made.type = type;
  made.count = count;
  made.channels = channels;
  made.height = height;
  made.width = width;
  *set = made;
  return kSuccess;
}

} // namespace

//===----------------------------------------------------------------------===//
// The interface
//===----------------------------------------------------------------------===//

VENDOR_EXPORT const char *cudnnGetErrorString(int status) {
  switch (status) {
  case kSuccess:
    return "CUDNN_STATUS_SUCCESS";
  case kNotInitialized:
    return "CUDNN_STATUS_NOT_INITIALIZED";
  case kBadParam:
    return "CUDNN_STATUS_BAD_PARAM";
  case kNotSupported:
    return "CUDNN_STATUS_NOT_SUPPORTED";
  case kExecutionFailed:
    return "CUDNN_STATUS_EXECUTION_FAILED";
  default:
    return "CUDNN_UNKNOWN_STATUS";
  }
}

VENDOR_EXPORT int cudnnCreate(void **handle) {
  if (!getContext())
    return reject(kNotInitialized, "a handle is made without a context");
  if (!isRelaxed())
    return reject(kNotInitialized,
                  "a handle is made where a recording may forbid it");
  *handle = getAll<Handle>().make({getContext()});
  return kSuccess;
}

VENDOR_EXPORT int cudnnSetStream(void *handle, void *stream) {
  Handle *known = getAll<Handle>().find(handle);
  if (!known)
    return reject(kNotInitialized, "a handle does not exist");
  known->stream = stream;
  return kSuccess;
}

VENDOR_EXPORT int cudnnCreateTensorDescriptor(void **descriptor) {
  return make<Tensor>(descriptor);
}
VENDOR_EXPORT int cudnnDestroyTensorDescriptor(void *descriptor) {
  return destroy<Tensor>(descriptor);
}
VENDOR_EXPORT int cudnnSetTensor4dDescriptor(void *descriptor, int format,
                                             int type, int n, int c, int h,
                                             int w) {
  return setSizes<Tensor>(descriptor, format, type, n, c, h, w);
}

VENDOR_EXPORT int cudnnCreateFilterDescriptor(void **descriptor) {
  return make<Filter>(descriptor);
}
VENDOR_EXPORT int cudnnDestroyFilterDescriptor(void *descriptor) {
  return destroy<Filter>(descriptor);
}
VENDOR_EXPORT int cudnnSetFilter4dDescriptor(void *descriptor, int type,
                                             int format, int k, int c, int h,
                                             int w) {
  return setSizes<Filter>(descriptor, format, type, k, c, h, w);
}

VENDOR_EXPORT int cudnnCreateConvolutionDescriptor(void **descriptor) {
  return make<Convolution>(descriptor);
}
VENDOR_EXPORT int cudnnDestroyConvolutionDescriptor(void *descriptor) {
  return destroy<Convolution>(descriptor);
}
VENDOR_EXPORT int cudnnSetConvolution2dDescriptor(void *descriptor, int padH,
                                                  int padW, int strideH,
                                                  int strideW, int dilationH,
                                                  int dilationW, int mode,
                                                  int computeType) {
  Convolution *set = getAll<Convolution>().find(descriptor);
  if (!set)
    return reject(kBadParam, "a descriptor does not exist");
  if (std::min(padH, padW) < 0 ||
      std::min({strideH, strideW, dilationH, dilationW}) < 1)
    return reject(kBadParam, "a convolution has wrong sizes");
  if (mode != kCrossCorrelation || computeType != kFloat)
    return reject(kNotSupported, "a convolution has mode %d and type %d", mode,
                  computeType);
  *set = {true,        {padH, padW}, {strideH, strideW}, {dilationH, dilationW},
          set->groups, set->math};
  return kSuccess;
}
VENDOR_EXPORT int cudnnSetConvolutionGroupCount(void *descriptor, int groups) {
  Convolution *set = getAll<Convolution>().find(descriptor);
  if (!set || groups < 1)
    return reject(kBadParam, "a convolution has %d groups", groups);
  set->groups = groups;
  return kSuccess;
}
VENDOR_EXPORT int cudnnSetConvolutionMathType(void *descriptor, int math) {
  Convolution *set = getAll<Convolution>().find(descriptor);
  if (!set || math < kDefault || math > kFma)
    return reject(kBadParam, "a convolution has math %d", math);
  set->math = math;
  return kSuccess;
}

VENDOR_EXPORT int cudnnGetConvolutionForwardAlgorithm_v7(
    void *handle, void *image, void *filter, void *convolution, void *result,
    int count, int *found, Performance *results) {
  Problem p;
  if (Status status = getProblem(handle, image, filter, convolution, result,
                                 /*isForward=*/true, p))
    return status;
  return suggest(p, count, found, results);
}

VENDOR_EXPORT int
cudnnGetConvolutionForwardWorkspaceSize(void *handle, void *image, void *filter,
                                        void *convolution, void *result,
                                        int algorithm, size_t *bytes) {
  Problem p;
  *bytes = getWorkspace(/*isForward=*/true, algorithm);
  return getProblem(handle, image, filter, convolution, result,
                    /*isForward=*/true, p);
}

VENDOR_EXPORT int
cudnnConvolutionForward(void *handle, const void *alpha, void *imageDesc,
                        const void *image, void *filterDesc, const void *filter,
                        void *convolution, int algorithm, void *workspace,
                        size_t workspaceBytes, const void *beta,
                        void *resultDesc, void *result) {
  Submission s = {};
  if (Status status = getProblem(handle, imageDesc, filterDesc, convolution,
                                 resultDesc, /*isForward=*/true, s.problem))
    return status;
  s.alpha = *static_cast<const float *>(alpha);
  s.beta = *static_cast<const float *>(beta);
  s.image = static_cast<const char *>(image);
  s.filter = const_cast<char *>(static_cast<const char *>(filter));
  s.result = static_cast<char *>(result);
  s.workspace = static_cast<char *>(workspace);
  s.workspaceBytes = workspaceBytes;
  return submit(s, handle, algorithm);
}

VENDOR_EXPORT int cudnnGetConvolutionBackwardFilterAlgorithm_v7(
    void *handle, void *image, void *result, void *convolution, void *filter,
    int count, int *found, Performance *results) {
  Problem p;
  if (Status status = getProblem(handle, image, filter, convolution, result,
                                 /*isForward=*/false, p))
    return status;
  return suggest(p, count, found, results);
}

VENDOR_EXPORT int cudnnGetConvolutionBackwardFilterWorkspaceSize(
    void *handle, void *image, void *result, void *convolution, void *filter,
    int algorithm, size_t *bytes) {
  Problem p;
  *bytes = getWorkspace(/*isForward=*/false, algorithm);
  return getProblem(handle, image, filter, convolution, result,
                    /*isForward=*/false, p);
}

VENDOR_EXPORT int cudnnConvolutionBackwardFilter(
    void *handle, const void *alpha, void *imageDesc, const void *image,
    void *resultDesc, const void *result, void *convolution, int algorithm,
    void *workspace, size_t workspaceBytes, const void *beta, void *filterDesc,
    void *filter) {
  Submission s = {};
  if (Status status = getProblem(handle, imageDesc, filterDesc, convolution,
                                 resultDesc, /*isForward=*/false, s.problem))
    return status;
  s.alpha = *static_cast<const float *>(alpha);
  s.beta = *static_cast<const float *>(beta);
  s.image = static_cast<const char *>(image);
  s.filter = static_cast<char *>(filter);
  s.result = const_cast<char *>(static_cast<const char *>(result));
  s.workspace = static_cast<char *>(workspace);
  s.workspaceBytes = workspaceBytes;
  return submit(s, handle, algorithm);
}
