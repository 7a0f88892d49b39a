//===- DLPack.cpp - The end of arrays that Python exports -----------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Capsules and tensors may end while an exception of Python is on its way,
// which a callback written in Python would lose. Dropping a reference does not.
//
//===----------------------------------------------------------------------===//

#include "memrev-c/MemRev.h"

namespace {
/// DLManagedTensor of dlpack.h (https://dmlc.github.io/dlpack), as far as it
/// matters here: behind the description of the tensor.
struct ManagedTensor {
  char tensor[48];
  void *object;
  void (*deleter)(ManagedTensor *);
};
} // namespace

static MemRevPythonFunctions python;

void memrevSetPythonFunctions(const MemRevPythonFunctions *functions) {
  python = *functions;
}

void memrevDeleteDLPackTensor(void *tensor) {
  // What outlives the interpreter ends with the process.
  if (!python.isInitialized())
    return;
  int state = python.ensureGIL();
  python.dropReference(static_cast<ManagedTensor *>(tensor)->object);
  python.releaseGIL(state);
}

void memrevDestroyDLPackCapsule(void *capsule) {
  // A capsule that was used has another name, and its user deletes.
  constexpr const char *name = "dltensor";
  if (python.isValidCapsule(capsule, name))
    memrevDeleteDLPackTensor(python.getCapsulePointer(capsule, name));
}
