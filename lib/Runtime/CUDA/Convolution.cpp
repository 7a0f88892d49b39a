//===- Convolution.cpp - Convolutions by cuDNN ----------------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The library is asked once for each convolution in each context how to compute
// it, by its heuristics, which measure nothing. Of the algorithms that it names
// the first one is taken that is deterministic, has the precision that is asked
// for and gets along with the workspace, so that results are the same in every
// run.
//
//===----------------------------------------------------------------------===//

#include "Cudnn.h"
#include "Library.h"
#include "Runtime.h"
#include <map>
#include <mutex>

using namespace memrev::cuda;

static bool load(Cudnn &functions, std::string &error) {
  const std::string title = "cuDNN";
  void *library = openLibrary({"libcudnn.so.9"}, {"cudnn"}, title, error);
  auto find = [&](const char *name, auto &function) {
    return findFunction(library, title, name, function, error);
  };
  return library && find("cudnnGetErrorString", functions.getErrorString) &&
         find("cudnnCreate", functions.create) &&
         find("cudnnSetStream", functions.setStream) &&
         find("cudnnCreateTensorDescriptor", functions.createTensor) &&
         find("cudnnSetTensor4dDescriptor", functions.setTensor) &&
         find("cudnnDestroyTensorDescriptor", functions.destroyTensor) &&
         find("cudnnCreateFilterDescriptor", functions.createFilter) &&
         find("cudnnSetFilter4dDescriptor", functions.setFilter) &&
         find("cudnnDestroyFilterDescriptor", functions.destroyFilter) &&
         find("cudnnCreateConvolutionDescriptor",
              functions.createConvolution) &&
         find("cudnnSetConvolution2dDescriptor", functions.setConvolution) &&
         find("cudnnSetConvolutionGroupCount", functions.setGroups) &&
         find("cudnnSetConvolutionMathType", functions.setMathType) &&
         find("cudnnDestroyConvolutionDescriptor",
              functions.destroyConvolution) &&
         find("cudnnGetConvolutionForwardAlgorithm_v7",
              functions.getForwardAlgorithms) &&
         find("cudnnGetConvolutionForwardWorkspaceSize",
              functions.getForwardWorkspace) &&
         find("cudnnConvolutionForward", functions.forward) &&
         find("cudnnGetConvolutionBackwardFilterAlgorithm_v7",
              functions.getFilterAlgorithms) &&
         find("cudnnGetConvolutionBackwardFilterWorkspaceSize",
              functions.getFilterWorkspace) &&
         find("cudnnConvolutionBackwardFilter", functions.filterGradient);
}

static bool check(const Cudnn &library, CudnnStatus status,
                  const std::string &action) {
  return checkStatus("cuDNN", status, library.getErrorString(status), action);
}

namespace {
/// How the library computes a convolution. Never destroyed, but if it fails.
struct Plan {
  TensorDesc image = nullptr, result = nullptr;
  FilterDesc filter = nullptr;
  ConvolutionDesc convolution = nullptr;
  int algorithm = 0;
  size_t workspaceBytes = 0;
};

/// The library in one context. A handle is for one thread at a time, so that
/// calls hold the mutex while they submit their work.
struct Convolutions {
  std::mutex mutex;
  CudnnHandle handle = nullptr;
  std::map<MemrevCudaConvolution, Plan, IsBefore<MemrevCudaConvolution>> plans;
};

struct AllConvolutions {
  std::mutex mutex;
  std::map<Context, Convolutions> inContext;
};
} // namespace

/// Returns what belongs to `context`, which stays where it is.
static Convolutions &getConvolutions(Context context) {
  static AllConvolutions &all = *new AllConvolutions();
  std::lock_guard<std::mutex> lock(all.mutex);
  return all.inContext[context];
}

/// Makes the handle if there is none. The mutex is locked.
static bool prepare(const Cudnn &library, Convolutions &convolutions) {
  return convolutions.handle ||
         check(library, library.create(&convolutions.handle),
               "be used on a device");
}

/// Describes `c` for messages.
static std::string describe(const MemrevCudaConvolution &c) {
  auto text = [](std::initializer_list<int64_t> sizes) {
    std::string joined;
    for (int64_t size : sizes)
      joined += (joined.empty() ? "" : " x ") + std::to_string(size);
    return joined;
  };
  std::string filter =
      text({c.filterHeight, c.filterWidth, c.channels / c.groups, c.filters});
  std::string images = text({c.images, c.height, c.width, c.channels});
  return c.isFilterGradient ? "compute the gradient of a filter of " + filter +
                                  " elements from images of " + images
                            : "convolve images of " + images +
                                  " elements with a filter of " + filter;
}

static bool makeDescriptors(const Cudnn &library,
                            const MemrevCudaConvolution &c, Plan &plan) {
  auto toInt = [](int64_t value) { return static_cast<int>(value); };
  int type = toInt(c.type);
  return check(library, library.createTensor(&plan.image),
               "describe an image") &&
         check(library,
               library.setTensor(plan.image, kCudnnChannelsLast, type,
                                 toInt(c.images), toInt(c.channels),
                                 toInt(c.height), toInt(c.width)),
               "describe an image") &&
         check(library, library.createTensor(&plan.result),
               "describe a result") &&
         check(library,
               library.setTensor(plan.result, kCudnnChannelsLast, type,
                                 toInt(c.images), toInt(c.filters),
                                 toInt(c.resultHeight), toInt(c.resultWidth)),
               "describe a result") &&
         check(library, library.createFilter(&plan.filter),
               "describe a filter") &&
         check(library,
               library.setFilter(plan.filter, type, kCudnnChannelsLast,
                                 toInt(c.filters), toInt(c.channels / c.groups),
                                 toInt(c.filterHeight), toInt(c.filterWidth)),
               "describe a filter") &&
         check(library, library.createConvolution(&plan.convolution),
               "describe a convolution") &&
         check(library,
               library.setConvolution(
                   plan.convolution, toInt(c.paddingHeight),
                   toInt(c.paddingWidth), toInt(c.strideHeight),
                   toInt(c.strideWidth), toInt(c.dilationHeight),
                   toInt(c.dilationWidth), kCudnnCrossCorrelation, kCudnnFloat),
               "describe a convolution") &&
         check(library, library.setGroups(plan.convolution, toInt(c.groups)),
               "describe groups of channels");
}

static void destroy(const Cudnn &library, const Plan &plan) {
  for (TensorDesc tensor : {plan.image, plan.result})
    if (tensor)
      library.destroyTensor(tensor);
  if (plan.filter)
    library.destroyFilter(plan.filter);
  if (plan.convolution)
    library.destroyConvolution(plan.convolution);
}

/// Takes `algorithm` with `mathType` if it gets along with the workspace.
static bool tryAlgorithm(const Cudnn &library, CudnnHandle handle,
                         const MemrevCudaConvolution &c, int algorithm,
                         int mathType, Plan &plan) {
  size_t bytes = 0;
  if (library.setMathType(plan.convolution, mathType) != kCudnnSuccess)
    return false;
  CudnnStatus status =
      c.isFilterGradient
          ? library.getFilterWorkspace(handle, plan.image, plan.result,
                                       plan.convolution, plan.filter, algorithm,
                                       &bytes)
          : library.getForwardWorkspace(handle, plan.image, plan.filter,
                                        plan.convolution, plan.result,
                                        algorithm, &bytes);
  if (status != kCudnnSuccess ||
      bytes > static_cast<uint64_t>(c.workspaceBytes))
    return false;
  plan.algorithm = algorithm;
  plan.workspaceBytes = bytes;
  return true;
}

static bool chooseAlgorithm(const Cudnn &library, CudnnHandle handle,
                            const MemrevCudaConvolution &c, Plan &plan) {
  // Without tensor cores no algorithm may round the factors: the convolution
  // keeps that type of math whatever the library suggests.
  int wanted = c.usesTensorCores ? kCudnnTensorCores : kCudnnPlainMath;
  if (!check(library, library.setMathType(plan.convolution, wanted),
             describe(c)))
    return false;
  // More than there are.
  constexpr int count = 16;
  ConvolutionAlgorithm found[count] = {};
  int numFound = 0;
  CudnnStatus status =
      c.isFilterGradient
          ? library.getFilterAlgorithms(handle, plan.image, plan.result,
                                        plan.convolution, plan.filter, count,
                                        &numFound, found)
          : library.getForwardAlgorithms(handle, plan.image, plan.filter,
                                         plan.convolution, plan.result, count,
                                         &numFound, found);
  if (!check(library, status, describe(c)))
    return false;
  for (int i = 0; i < numFound; ++i) {
    const ConvolutionAlgorithm &candidate = found[i];
    bool isPrecise = candidate.mathType == kCudnnDefaultMath ||
                     candidate.mathType == kCudnnPlainMath ||
                     candidate.mathType == wanted;
    int mathType = c.usesTensorCores ? candidate.mathType : wanted;
    if (candidate.status == kCudnnSuccess && isPrecise &&
        candidate.determinism == kCudnnDeterministic &&
        tryAlgorithm(library, handle, c, candidate.algorithm, mathType, plan))
      return true;
  }
  int plain =
      c.isFilterGradient ? kCudnnPlainFilterGradient : kCudnnPlainForward;
  return tryAlgorithm(library, handle, c, plain, wanted, plan) ||
         fail("cuDNN cannot " + describe(c) +
              ": it has no deterministic algorithm for this device that needs "
              "at most " +
              std::to_string(c.workspaceBytes) + " bytes of workspace");
}

/// Returns how `c` is computed; a null pointer after an error. The mutex is
/// locked.
static const Plan *getPlan(const Cudnn &library, Convolutions &convolutions,
                           const MemrevCudaConvolution &c) {
  auto [entry, isNew] = convolutions.plans.try_emplace(c);
  Plan &plan = entry->second;
  if (isNew && (!makeDescriptors(library, c, plan) ||
                !chooseAlgorithm(library, convolutions.handle, c, plan))) {
    destroy(library, plan);
    convolutions.plans.erase(entry);
    return nullptr;
  }
  return &plan;
}

void memrevCudaPrepareConvolution(void) {
  const Driver *driver;
  Context context;
  const Cudnn *library = enterLibrary(load, driver, context);
  if (!library)
    return;
  OutsideOfRecordings outside(*driver);
  Convolutions &convolutions = getConvolutions(context);
  std::lock_guard<std::mutex> lock(convolutions.mutex);
  prepare(*library, convolutions);
}

void memrevCudaConvolution(const MemrevCudaConvolution *convolution,
                           const void *image, void *filter, void *result,
                           void *workspace, void *stream) {
  const Driver *driver;
  Context context;
  const Cudnn *library = enterLibrary(load, driver, context);
  if (!library)
    return;
  OutsideOfRecordings outside(*driver);
  Convolutions &convolutions = getConvolutions(context);
  std::lock_guard<std::mutex> lock(convolutions.mutex);
  if (!prepare(*library, convolutions))
    return;
  const Plan *plan = getPlan(*library, convolutions, *convolution);
  if (!plan || !check(*library,
                      library->setStream(convolutions.handle,
                                         static_cast<Stream>(stream)),
                      "submit to a stream"))
    return;
  const float one = 1, added = convolution->accumulates ? 1 : 0;
  void *space = plan->workspaceBytes ? alignWorkspace(workspace) : nullptr;
  CudnnStatus status =
      convolution->isFilterGradient
          ? library->filterGradient(
                convolutions.handle, &one, plan->image, image, plan->result,
                result, plan->convolution, plan->algorithm, space,
                plan->workspaceBytes, &added, plan->filter, filter)
          : library->forward(convolutions.handle, &one, plan->image, image,
                             plan->filter, filter, plan->convolution,
                             plan->algorithm, space, plan->workspaceBytes,
                             &added, plan->result, result);
  check(*library, status, describe(*convolution));
}
