//===- OpenMP.cpp - The threads of compiled programs ----------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "memrev/Runtime/CPU/OpenMP.h"
#include <algorithm>
#include <atomic>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <link.h>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

using namespace mlir::memrev::runtime;

//===----------------------------------------------------------------------===//
// Libraries
//===----------------------------------------------------------------------===//

namespace {

/// What a parallel region runs: its threads' numbers, then its captured values.
using Task = void (*)(int32_t *, int32_t *, void *);

/// An OpenMP library. It has GNU's or LLVM's entry points, LLVM's if both.
struct Library {
  std::string file;
  int (*getMaxThreads)() = nullptr;
  int (*getThreadNum)() = nullptr;
  int (*getNumThreads)() = nullptr;
  void (*setNumThreads)(int) = nullptr;

  // GNU's.
  void (*parallel)(void (*)(void *), void *, unsigned, unsigned) = nullptr;

  // LLVM's.
  void (*forkCall)(void *, int32_t, Task, ...) = nullptr;
  int32_t (*globalThreadNum)(void *) = nullptr;
  void (*pushNumThreads)(void *, int32_t, int32_t) = nullptr;
  void (*staticFini)(void *, int32_t) = nullptr;
  void (*staticInit)(void *, int32_t, int32_t, int32_t *, uint64_t *,
                     uint64_t *, int64_t *, int64_t, int64_t) = nullptr;

  bool isLLVM() const { return forkCall; }
};

} // namespace

template <typename Function>
static bool resolve(void *handle, const char *name, Function &function) {
  function = reinterpret_cast<Function>(dlsym(handle, name));
  return function;
}

/// The file that `address` was loaded from.
static std::string getFileOf(void *address) {
  Dl_info info;
  return dladdr(address, &info) && info.dli_fname ? info.dli_fname : "";
}

/// Reads the library `handle`; null if it is no OpenMP library.
static std::unique_ptr<Library> read(void *handle) {
  auto library = std::make_unique<Library>();
  bool isLLVM =
      resolve(handle, "__kmpc_fork_call", library->forkCall) &&
      resolve(handle, "__kmpc_global_thread_num", library->globalThreadNum) &&
      resolve(handle, "__kmpc_push_num_threads", library->pushNumThreads) &&
      resolve(handle, "__kmpc_for_static_init_8u", library->staticInit) &&
      resolve(handle, "__kmpc_for_static_fini", library->staticFini);
  if (!isLLVM)
    library->forkCall = nullptr;
  bool isGNU = resolve(handle, "GOMP_parallel", library->parallel);
  if (!(isLLVM || isGNU) ||
      !resolve(handle, "omp_get_max_threads", library->getMaxThreads) ||
      !resolve(handle, "omp_get_thread_num", library->getThreadNum) ||
      !resolve(handle, "omp_get_num_threads", library->getNumThreads) ||
      !resolve(handle, "omp_set_num_threads", library->setNumThreads))
    return nullptr;
  library->file = getFileOf(reinterpret_cast<void *>(library->getMaxThreads));
  return library;
}

//===----------------------------------------------------------------------===//
// Choice
//===----------------------------------------------------------------------===//

/// How many libraries the process has loaded in its life.
static uint64_t countLoads() {
  uint64_t count = 0;
  dl_iterate_phdr(
      [](dl_phdr_info *info, size_t, void *data) {
        *static_cast<uint64_t *>(data) = info->dlpi_adds;
        return 1;
      },
      &count);
  return count;
}

/// The files of loaded libraries whose name starts with `prefix`.
static std::vector<std::string> findLoaded(const char *prefix) {
  struct Search {
    const char *prefix;
    std::vector<std::string> found;
  } search{prefix, {}};
  dl_iterate_phdr(
      [](dl_phdr_info *info, size_t, void *data) {
        auto &search = *static_cast<Search *>(data);
        const char *slash = std::strrchr(info->dlpi_name, '/');
        const char *name = slash ? slash + 1 : info->dlpi_name;
        if (!std::strncmp(name, search.prefix, std::strlen(search.prefix)))
          search.found.push_back(info->dlpi_name);
        return 0;
      },
      &search);
  return search.found;
}

static std::unique_ptr<Library> readLoaded(const std::string &file) {
  void *handle = dlopen(file.c_str(), RTLD_LAZY | RTLD_NOLOAD);
  return handle ? read(handle) : nullptr;
}

/// The library that PyTorch's calls are bound to; null without PyTorch.
static std::unique_ptr<Library> findOfPyTorch() {
  for (const std::string &file : findLoaded("libtorch_cpu.so")) {
    void *torch = dlopen(file.c_str(), RTLD_LAZY | RTLD_NOLOAD);
    if (!torch)
      continue;
    for (const char *symbol : {"GOMP_parallel", "__kmpc_fork_call"}) {
      // The linker looks among what everybody sees first, then among what the
      // library itself needs.
      void *address = dlsym(RTLD_DEFAULT, symbol);
      if (!address)
        address = dlsym(torch, symbol);
      if (address)
        if (auto library = readLoaded(getFileOf(address)))
          return library;
    }
  }
  return nullptr;
}

static std::unique_ptr<Library> find(std::string &error) {
  if (const char *name = std::getenv("MEMREV_OPENMP"); name && *name) {
    void *handle = dlopen(name, RTLD_NOW | RTLD_LOCAL);
    std::unique_ptr<Library> library = handle ? read(handle) : nullptr;
    if (!library)
      error = std::string("expects MEMREV_OPENMP to name an OpenMP library, "
                          "but got '") +
              name + "'";
    return library;
  }
  if (auto library = findOfPyTorch())
    return library;
  for (const char *prefix : {"libgomp", "libiomp5", "libomp"})
    for (const std::string &file : findLoaded(prefix))
      if (auto library = readLoaded(file))
        return library;
  // Debian's libomp5-*, a development package, Intel's build.
  for (const char *name : {"libomp.so.5", "libomp.so",
                           "/usr/lib/llvm-22/lib/libomp.so", "libiomp5.so"})
    if (void *handle = dlopen(name, RTLD_NOW | RTLD_LOCAL)) {
      // Some systems alias the name to a library without LLVM's entry points.
      std::unique_ptr<Library> library = read(handle);
      if (library && library->isLLVM())
        return library;
      dlclose(handle);
    }
  error = "the OpenMP library libomp.so.5 was not found; install the package "
          "libomp5-19, or compile for one thread";
  return nullptr;
}

/// The library that parallel regions start in. Regions that run already stay in
/// theirs.
static std::atomic<const Library *> chosen;

bool OpenMP::choose(std::string &error) {
  static std::atomic<uint64_t> numLoads;
  if (chosen.load(std::memory_order_acquire) &&
      numLoads.load(std::memory_order_relaxed) == countLoads())
    return true;
  static std::mutex mutex;
  // Kept for good: threads of other calls may be in any of them.
  static std::vector<std::unique_ptr<const Library>> known;
  std::lock_guard<std::mutex> lock(mutex);
  uint64_t loads = countLoads();
  std::unique_ptr<const Library> found = find(error);
  if (!found)
    return false;
  auto same = std::find_if(known.begin(), known.end(), [&](const auto &other) {
    return other->file == found->file;
  });
  if (same == known.end())
    same = known.insert(known.end(), std::move(found));
  chosen.store(same->get(), std::memory_order_release);
  numLoads.store(loads, std::memory_order_relaxed);
  return true;
}

std::string OpenMP::getFile() {
  const Library *library = chosen.load();
  return library ? library->file : "";
}

OpenMP::NumThreads::NumThreads(int number) {
  const Library *library = chosen.load();
  set = library->setNumThreads;
  before = library->getMaxThreads();
  set(number);
}

OpenMP::NumThreads::~NumThreads() { set(before); }

//===----------------------------------------------------------------------===//
// Entry points
//===----------------------------------------------------------------------===//

/// The library of the program's parallel region that the thread is in; null
/// outside.
static thread_local const Library *region;

/// The number of threads that the next parallel region asks for; 0 for none.
static thread_local int32_t numThreadsAsked;

namespace {
struct Region {
  const Library *library;
  Task task;
  void *captured;

  void run(int32_t *thread, int32_t *bound) const {
    const Library *outer = region;
    region = library;
    task(thread, bound, captured);
    region = outer;
  }
};
} // namespace

static void runGNU(void *data) {
  const Region &work = *static_cast<const Region *>(data);
  int32_t thread = work.library->getThreadNum(), bound = 0;
  work.run(&thread, &bound);
}

static void runLLVM(int32_t *thread, int32_t *bound, void *data) {
  static_cast<const Region *>(data)->run(thread, bound);
}

/// The captured values are in a structure of which the program gives the
/// address, if there are any.
static void forkCall(void *location, int32_t numCaptured, Task task, ...) {
  if (numCaptured > 1) {
    std::fprintf(stderr,
                 "memrev: expects one structure of captured values in "
                 "a parallel region, but got %d\n",
                 numCaptured);
    std::abort();
  }
  const Library *library = chosen.load(std::memory_order_acquire);
  Region work{library, task, nullptr};
  if (numCaptured == 1) {
    va_list list;
    va_start(list, task);
    work.captured = va_arg(list, void *);
    va_end(list);
  }
  int32_t numThreads = std::exchange(numThreadsAsked, 0);
  if (!library->isLLVM()) {
    library->parallel(runGNU, &work, static_cast<unsigned>(numThreads),
                      /*flags=*/0);
    return;
  }
  if (numThreads)
    library->pushNumThreads(location, library->globalThreadNum(location),
                            numThreads);
  library->forkCall(location, 1, runLLVM, static_cast<void *>(&work));
}

static void pushNumThreads(void *, int32_t, int32_t number) {
  numThreadsAsked = number;
}

/// Outside of its regions a program runs on one thread, wherever that is in
/// regions of others.
static int getThreadNum() { return region ? region->getThreadNum() : 0; }

static int getMaxThreads() {
  return chosen.load(std::memory_order_acquire)->getMaxThreads();
}

static int32_t getGlobalThreadNum(void *location) {
  return region && region->isLLVM() ? region->globalThreadNum(location)
                                    : getThreadNum();
}

/// Shares the iterations *first to *last out in one part for each thread, the
/// first ones longer by one.
static void initializeStatic(void *location, int32_t thread, int32_t schedule,
                             int32_t *isLast, uint64_t *first, uint64_t *last,
                             int64_t *stride, int64_t step, int64_t chunk) {
  if (region->isLLVM()) {
    region->staticInit(location, thread, schedule, isLast, first, last, stride,
                       step, chunk);
    return;
  }
  constexpr int32_t kStatic = 34;
  if (schedule != kStatic || step != 1) {
    std::fprintf(stderr,
                 "memrev: expects a static schedule of unit steps, but "
                 "got schedule %d of steps of %lld\n",
                 schedule, static_cast<long long>(step));
    std::abort();
  }
  // No iterations are 0 to -1: there cannot be 2^64.
  uint64_t count = *last - *first + 1;
  auto number = static_cast<uint64_t>(region->getThreadNum());
  auto numThreads = static_cast<uint64_t>(region->getNumThreads());
  uint64_t share = count / numThreads, longer = count % numThreads;
  *first += number * share + std::min(number, longer);
  *last = *first + share + (number < longer ? 1 : 0) - 1;
  *stride = static_cast<int64_t>(count);
  *isLast = number == numThreads - 1;
}

static void finalizeStatic(void *location, int32_t thread) {
  if (region->isLLVM())
    region->staticFini(location, thread);
}

void *OpenMP::lookup(const char *symbol) {
  static const struct {
    const char *name;
    void *address;
  } entries[] = {
      {"__kmpc_fork_call", reinterpret_cast<void *>(forkCall)},
      {"__kmpc_push_num_threads", reinterpret_cast<void *>(pushNumThreads)},
      {"__kmpc_global_thread_num",
       reinterpret_cast<void *>(getGlobalThreadNum)},
      {"__kmpc_for_static_init_8u", reinterpret_cast<void *>(initializeStatic)},
      {"__kmpc_for_static_fini", reinterpret_cast<void *>(finalizeStatic)},
      {"omp_get_max_threads", reinterpret_cast<void *>(getMaxThreads)},
      {"omp_get_thread_num", reinterpret_cast<void *>(getThreadNum)},
  };
  for (const auto &entry : entries)
    if (!std::strcmp(entry.name, symbol))
      return entry.address;
  return nullptr;
}
