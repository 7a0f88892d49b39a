//===-- memrev-c/MemRev.h - C API of the memrev compiler ----------*- C -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Compiles MLIR text and calls what comes out. All functions may be called from
// any thread, several at once on one compilation too; only memrevDestroy must
// be the last. Strings that a function returns live as long as the compilation,
// unless it says otherwise.
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_C_MEMREV_H
#define MEMREV_C_MEMREV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define MEMREV_EXPORT __attribute__((visibility("default")))
#else
#define MEMREV_EXPORT
#endif

#ifdef __cplusplus
extern "C" {
#endif

/// The outcome of compiling a program, whether it succeeded or not.
typedef struct MemRevCompilation MemRevCompilation;

/// Something that the compiler has to say. `file` is empty and `line` is zero
/// where it is about no place in the program.
typedef struct {
  const char *severity; ///< "error", "warning", "remark" or "note".
  const char *file;
  unsigned line;
  unsigned column;
  const char *message;
} MemRevDiagnostic;

/// A function that can be called.
typedef struct {
  const char *name;
  size_t numArguments;
  size_t numResults;
  /// The number of pointers that a call takes.
  size_t numParameters;
  /// Bytes that a call works in, which memrevCall provides; -1 if the arguments
  /// leave extents open, on which they depend.
  int64_t workspaceBytes;
  /// How many extents the arguments leave open. They are parameters behind the
  /// arguments, each a pointer to an int64_t.
  size_t numExtents;
} MemRevFunction;

/// An argument or a result.
typedef struct {
  const char *name;
  const char *dtype; ///< NumPy's name, such as "float32", or "bfloat16".
  size_t rank;
  const int64_t *shape;
  /// The place of its pointer among the parameters of a call. A result with
  /// the place of an argument is found in that argument's memory.
  size_t parameter;
  /// The program has a scalar here; its pointer is to one element all the same.
  bool isScalar;
  /// The call overwrites this argument.
  bool isDonated;
  /// Of an argument of the backward function of a split derivative, what it is
  /// of the forward function: "argument i", "result i", or "saved i" for the
  /// ith of its results behind those of the function. Else "".
  const char *residual;
} MemRevParameter;

/// Compiles `length` bytes of MLIR text. Each option is "name=value":
///   target=TARGET      what to compile for: cpu, the default, or cuda
///   chip=CHIP          the chip of a program for cuda, sm_90 for example;
///                      native asks the driver for that of device 0
///   memory-budget=BYTES
///                      the most bytes that a call may take, 200MiB for
///                      example; what fits is stored to save time, what does
///                      not is evaluated again
///   drift-tolerance=X  how far what inverses give back may be from the true
///                      values, relative to them, 1e-5 for example; states are
///                      stored every now and then
///   cost-model=JSON    what times are estimated by: the text of a file that
///                      memrev-compile --calibrate wrote
///   memory-curve=N     try N plans, 2 to 64, for the curve of time against
///                      memory in the report
///   fp32-precision=P   how a program for cuda multiplies matrices of f32:
///                      ieee, the default; tf32, by tensor cores that round
///                      the factors to 10 bits of mantissa; or tf32x3, by three
///                      such products for one, which loses a bit or two
///   contractions=WHO   who computes matrix products and convolutions of a
///                      program for cuda: generated, the default, for kernels
///                      of its own; vendor for cuBLASLt and cuDNN, loaded at
///                      run time, where they can; or auto for these where they
///                      are taken to be faster
///   kernel-format=FORMAT
///                      what a program for cuda holds its kernels as: ptx,
///                      cubin, fatbin, llvm, or auto, which is fatbin where
///                      ptxas and fatbinary are found, and else ptx
///   cpu=NAME           the processor, "native" by default
///   differentiate=OPTIONS
///                      a function to derive, "function=f wrt=0,1 mode=split
///                      policy=invert donate=saved" for example; may be given
///                      several times (options of the pass rev-differentiate)
///   until=STAGE        the last stage, "binary" by default
///   threads=N          1: no threads; else scratch is planned for N of them
///   file=NAME          the name of the program in diagnostics
///   ir=1               keep the text of the program after the last stage
/// Never returns null; memrevDestroy frees the result.
MEMREV_EXPORT MemRevCompilation *memrevCompile(const char *text, size_t length,
                                               const char *const *options,
                                               size_t numOptions);
MEMREV_EXPORT void memrevDestroy(MemRevCompilation *compilation);

/// Whether there is a program.
MEMREV_EXPORT bool memrevSucceeded(const MemRevCompilation *compilation);

MEMREV_EXPORT size_t
memrevGetNumDiagnostics(const MemRevCompilation *compilation);
/// Sets `diagnostic` to the `index`th one; false if there is none.
MEMREV_EXPORT bool memrevGetDiagnostic(const MemRevCompilation *compilation,
                                       size_t index,
                                       MemRevDiagnostic *diagnostic);

MEMREV_EXPORT size_t
memrevGetNumFunctions(const MemRevCompilation *compilation);
/// Sets `function` to the `index`th one; false if there is none.
MEMREV_EXPORT bool memrevGetFunction(const MemRevCompilation *compilation,
                                     size_t index, MemRevFunction *function);
/// Sets `parameter` to an argument or a result; false if there is none.
MEMREV_EXPORT bool memrevGetArgument(const MemRevCompilation *compilation,
                                     size_t function, size_t index,
                                     MemRevParameter *parameter);
MEMREV_EXPORT bool memrevGetResult(const MemRevCompilation *compilation,
                                   size_t function, size_t index,
                                   MemRevParameter *parameter);

/// Returns the text of the program after the last stage (option ir=1), else "".
MEMREV_EXPORT const char *memrevGetIR(const MemRevCompilation *compilation);

/// Returns the memory of all functions in `format`: "text", "json" or "html", a
/// page with pictures; NULL for another one. The caller frees it with
/// memrevFreeString.
MEMREV_EXPORT char *memrevGetMemoryReport(const MemRevCompilation *compilation,
                                          const char *format);

/// Returns a C header for the functions of memrevWriteLibrary. The caller frees
/// it with memrevFreeString.
MEMREV_EXPORT char *memrevGetHeader(const MemRevCompilation *compilation);

/// Links a program with the system's C++ compiler and writes it as a shared
/// library; one for cuda holds its kernels and the runtime. Returns null, or a
/// message that the caller frees with memrevFreeString.
MEMREV_EXPORT char *memrevWriteLibrary(const MemRevCompilation *compilation,
                                       const char *path);

/// Returns a compilation that succeeded as `length` bytes, from which
/// memrevLoad makes it again without compiling. The caller frees them with
/// memrevFreeString. Null if there is no program.
MEMREV_EXPORT char *memrevSave(const MemRevCompilation *compilation,
                               size_t *length);

/// Makes a compilation of what memrevSave of the same build of this library
/// returned. Has no program, but a diagnostic, if the bytes are something else
/// or damaged, or if this machine's processor cannot run the code. Never
/// returns null; memrevDestroy frees the result.
MEMREV_EXPORT MemRevCompilation *memrevLoad(const char *bytes, size_t length);

/// Returns a name for this build of the library and this machine's processor:
/// with equal names equal programs and options compile to the same. Lives as
/// long as the library.
MEMREV_EXPORT const char *memrevGetIdentity(void);

/// Returns the target and the chip that a program was compiled for; the chip is
/// empty for the CPU. Empty without a program.
MEMREV_EXPORT const char *memrevGetTarget(const MemRevCompilation *compilation);
MEMREV_EXPORT const char *memrevGetChip(const MemRevCompilation *compilation);
/// Returns the `index`th operation whose inverse a program that was compiled
/// with "check-drift=1" compares, `'name' at place`; null behind the last. The
/// program calls `memrev.report_drift` (memrevSetSymbol) with pointers to its
/// number (int64_t), the iterations of the 4 outermost loops around it or -1
/// (int64_t[4]), the largest absolute difference, and the largest absolute
/// element of what was there (double).
MEMREV_EXPORT const char *
memrevGetDriftSite(const MemRevCompilation *compilation, size_t index);

/// Says what a call of the `function`th function takes whose arguments have the
/// open extents `extents`: the bytes that it works in, and the open extents of
/// those results that are parameters of their own, one after the other, in
/// `resultExtents`. Returns null, or a message for memrevFreeString if the
/// extents do not agree with each other or sizes do not fit 64 bits.
MEMREV_EXPORT char *memrevGetExtents(const MemRevCompilation *compilation,
                                     size_t function, const int64_t *extents,
                                     size_t numExtents, int64_t *resultExtents,
                                     size_t numResultExtents,
                                     int64_t *workspaceBytes);

/// Says where the code of the function `name` is, which the program has no body
/// of. Before the first call of any. The function takes a pointer to the
/// memory of each argument, which it only reads, then of each result. Returns
/// null, or a message that the caller frees with memrevFreeString.
MEMREV_EXPORT char *memrevSetSymbol(const MemRevCompilation *compilation,
                                    const char *name, void *address);

/// Calls the `function`th function on `threads` threads (0: as many as the
/// OpenMP library gives the calling thread). A program for cuda copies the
/// arrays to device 0 and back. `parameters` holds a pointer to
/// contiguous memory for each parameter; the memory of a result may not overlap
/// any other. Returns null, or a message that the caller frees with
/// memrevFreeString.
MEMREV_EXPORT char *memrevCall(const MemRevCompilation *compilation,
                               size_t function, void *const *parameters,
                               size_t numParameters, int threads);

/// The same for a program for the CPU that works in memory of the caller's:
/// `workspaceBytes` bytes, as many as the function says or more, aligned to 64,
/// that no other call uses. Nothing else is allocated, and nothing is written
/// if they are too few.
MEMREV_EXPORT char *memrevCallInWorkspace(const MemRevCompilation *compilation,
                                          size_t function,
                                          void *const *parameters,
                                          size_t numParameters, void *workspace,
                                          size_t workspaceBytes, int threads);

//===----------------------------------------------------------------------===//
// Programs for cuda, on arrays in device memory
//
// A stream is a CUDA stream of the device's primary context, or null for the
// default stream. Each function but the last three returns null, or a message
// that the caller frees with memrevFreeString.
//===----------------------------------------------------------------------===//

/// Where a call happens.
typedef struct {
  int device; ///< As the driver counts.
  void *stream;
  /// Memory of the device that the call works in, of `workspaceBytes` bytes and
  /// aligned to 64. Null: the library provides it, and keeps it for later
  /// calls.
  void *workspace;
  size_t workspaceBytes;
} MemRevDeviceCall;

/// Submits a call of the `function`th function to a stream and returns without
/// waiting for it. `parameters` holds a pointer to contiguous device memory for
/// each parameter, aligned to 16 bytes, and to host memory for an argument that
/// is a scalar. If the caller records the stream as a CUDA graph, it has to
/// provide the workspace. The second call with the same pointers is recorded as
/// a graph, which later ones launch.
MEMREV_EXPORT char *memrevCallOnDevice(const MemRevCompilation *compilation,
                                       size_t function, void *const *parameters,
                                       size_t numParameters,
                                       const MemRevDeviceCall *call);

/// Sets `pointer` to `bytes` bytes of device memory, for work that is submitted
/// to the stream afterwards.
MEMREV_EXPORT char *memrevDeviceAllocate(size_t bytes, int device, void *stream,
                                         void **pointer);
/// Frees what memrevDeviceAllocate gave. Work that was submitted to the stream
/// may still use it. The library keeps it for its next user.
MEMREV_EXPORT char *memrevDeviceFree(void *pointer, int device, void *stream);
/// Gives memory that the library keeps back to the driver.
MEMREV_EXPORT char *memrevDeviceFreeIdle(int device);

/// Copies between host and device memory, or in either, after the work that was
/// submitted to the stream, and waits for it.
MEMREV_EXPORT char *memrevDeviceCopy(void *target, const void *source,
                                     size_t bytes, int device, void *stream);

/// Sets `chip` to the name of a device's chip, which memrevCompile takes. The
/// caller frees it with memrevFreeString.
MEMREV_EXPORT char *memrevGetDeviceChip(int device, char **chip);

/// The bytes that the library holds on all devices, now and at their most.
MEMREV_EXPORT size_t memrevGetDeviceBytes(void);
MEMREV_EXPORT size_t memrevGetPeakDeviceBytes(void);
/// Begins to look for the most anew.
MEMREV_EXPORT void memrevResetPeakDeviceBytes(void);

//===----------------------------------------------------------------------===//
// Device memory that Python gives to other libraries, by DLPack
//
// Tensors whose manager is a reference to an object of Python. The library is
// not linked to Python: it is given the functions of Python's C interface.
//===----------------------------------------------------------------------===//

typedef struct {
  int (*isInitialized)(void);                       ///< Py_IsInitialized
  int (*ensureGIL)(void);                           ///< PyGILState_Ensure
  void (*releaseGIL)(int state);                    ///< PyGILState_Release
  void (*dropReference)(void *object);              ///< Py_DecRef
  int (*isValidCapsule)(void *, const char *);      ///< PyCapsule_IsValid
  void *(*getCapsulePointer)(void *, const char *); ///< PyCapsule_GetPointer
} MemRevPythonFunctions;

/// Has to be called before the other two are.
MEMREV_EXPORT void
memrevSetPythonFunctions(const MemRevPythonFunctions *functions);
/// The deleter of a DLManagedTensor: drops the reference that its `manager_ctx`
/// is. Any thread may call it.
MEMREV_EXPORT void memrevDeleteDLPackTensor(void *tensor);
/// The destructor of a capsule with such a tensor, which it deletes if nobody
/// has taken it.
MEMREV_EXPORT void memrevDestroyDLPackCapsule(void *capsule);

//===----------------------------------------------------------------------===//
// What the process shares
//===----------------------------------------------------------------------===//

/// Returns the file of the OpenMP library on whose threads programs run in this
/// process: that of PyTorch if it is loaded, then any loaded one, then libomp.
/// Empty before a program with parallel loops is called. The caller frees it
/// with memrevFreeString.
MEMREV_EXPORT char *memrevGetOpenMPLibrary(void);

/// The bytes of working memory that the process keeps between calls. All
/// programs share it; it is given back with the last one.
MEMREV_EXPORT size_t memrevGetWorkspaceBytes(void);

MEMREV_EXPORT void memrevFreeString(char *string);

#ifdef __cplusplus
}
#endif

#endif // MEMREV_C_MEMREV_H
