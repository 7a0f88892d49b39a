//===- SharedLibrary.cpp - Linking compiled programs ----------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "memrev/Compiler/SharedLibrary.h"
#include "memrev/Compiler/Compiler.h"
#include "llvm/ADT/SmallString.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FileUtilities.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Program.h"

using namespace mlir::memrev;

/// Returns the path of the runtime library `name` of the build, the
/// installation or the package that `file` belongs to.
static llvm::Expected<std::string> findRuntimeLibrary(llvm::StringRef file,
                                                      llvm::StringRef name) {
  llvm::StringRef folder = llvm::sys::path::parent_path(file);
  for (llvm::StringRef other : {".", "../lib", "../" MEMREV_INSTALL_LIBDIR}) {
    llvm::SmallString<256> path(folder);
    llvm::sys::path::append(path, other, name);
    if (llvm::sys::fs::exists(path))
      return path.str().str();
  }
  return llvm::createStringError("cannot find the runtime library " +
                                 name.str() + " beside " + file.str());
}

llvm::Expected<llvm::SmallVector<std::string>>
mlir::memrev::getLibraries(const CompiledProgram &program,
                           llvm::StringRef file) {
  llvm::SmallVector<std::string> libraries;
  if (program.getTarget() == "cuda") {
    auto runtime = findRuntimeLibrary(file, "libMemRevCUDARuntime.a");
    if (!runtime)
      return runtime.takeError();
    // All of it: callers use functions that the program does not.
    libraries = {"-Wl,--whole-archive", *runtime, "-Wl,--no-whole-archive"};
    return libraries;
  }
  llvm::StringRef object = program.getObject()->getBuffer();
  libraries = {"-Wl,--as-needed", "-lm"};
  if (object.contains("_ZGV"))
    libraries.push_back("-lmvec");
  if (object.contains("__kmpc_"))
    libraries.push_back("-l:libomp.so.5");
  return libraries;
}

llvm::Expected<std::unique_ptr<llvm::MemoryBuffer>>
mlir::memrev::linkSharedLibrary(const llvm::MemoryBuffer &object,
                                llvm::ArrayRef<std::string> libraries) {
  // The runtimes are C++, and only its compiler knows their libraries.
  std::string compiler;
  for (llvm::StringRef name : {"c++", "clang++-22", "g++", "clang++"}) {
    if (auto found = llvm::sys::findProgramByName(name)) {
      compiler = *found;
      break;
    }
  }
  if (compiler.empty())
    return llvm::createStringError(
        "expects a C++ compiler to link with, but found none in PATH");

  llvm::SmallString<128> objectPath, libraryPath, logPath;
  auto createTemporary = [](llvm::StringRef suffix,
                            llvm::SmallString<128> &path) {
    return llvm::sys::fs::createTemporaryFile("memrev", suffix, path);
  };
  if (std::error_code error = createTemporary("o", objectPath))
    return llvm::createStringError(error, "cannot create a temporary file");
  llvm::FileRemover removeObject(objectPath);
  if (std::error_code error = createTemporary("so", libraryPath))
    return llvm::createStringError(error, "cannot create a temporary file");
  llvm::FileRemover removeLibrary(libraryPath);
  if (std::error_code error = createTemporary("log", logPath))
    return llvm::createStringError(error, "cannot create a temporary file");
  llvm::FileRemover removeLog(logPath);

  std::error_code error;
  {
    llvm::raw_fd_ostream os(objectPath, error);
    os << object.getBuffer();
    os.close();
    if (os.has_error())
      error = os.error();
    os.clear_error();
  }
  if (error)
    return llvm::createStringError(error, "cannot write a temporary file");

  // Functions of programs may be called like some of the C library, as `step`
  // is, and must not be mistaken for them.
  llvm::SmallVector<llvm::StringRef> arguments = {compiler, "-shared",
                                                  "-Wl,-Bsymbolic", objectPath};
  for (const std::string &library : libraries)
    arguments.push_back(library);
  arguments.append({"-ldl", "-o", libraryPath});
  std::string message;
  std::optional<llvm::StringRef> redirects[] = {"", logPath.str(),
                                                logPath.str()};
  int status = llvm::sys::ExecuteAndWait(compiler, arguments, std::nullopt,
                                         redirects, 0, 0, &message);
  if (status != 0) {
    auto log = llvm::MemoryBuffer::getFile(logPath);
    if (log && !(*log)->getBuffer().empty())
      message = (*log)->getBuffer().rtrim().str();
    return llvm::createStringError("linking failed: " + message);
  }
  auto library = llvm::MemoryBuffer::getFile(libraryPath, /*IsText=*/false,
                                             /*RequiresNullTerminator=*/false,
                                             /*IsVolatile=*/true);
  if (!library)
    return llvm::createStringError(library.getError(),
                                   "cannot read what the linker wrote");
  return std::move(*library);
}
