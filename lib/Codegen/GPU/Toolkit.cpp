//===- Toolkit.cpp - What makes machine code of kernels -------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Toolkit.h"
#include "llvm/ADT/SmallString.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FileUtilities.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Process.h"
#include "llvm/Support/Program.h"
#include "llvm/Support/TargetSelect.h"
#include <dlfcn.h>

using namespace mlir;
using namespace mlir::memrev;
namespace path = llvm::sys::path;
namespace fs = llvm::sys::fs;

void mlir::memrev::initializeNVPTX() {
  LLVMInitializeNVPTXTargetInfo();
  LLVMInitializeNVPTXTarget();
  LLVMInitializeNVPTXTargetMC();
  LLVMInitializeNVPTXAsmPrinter();
}

//===----------------------------------------------------------------------===//
// Searching
//===----------------------------------------------------------------------===//

using Folders = std::vector<std::string>;

static void addOnce(Folders &folders, std::string folder) {
  if (!llvm::is_contained(folders, folder))
    folders.push_back(std::move(folder));
}

static std::string joinPath(StringRef folder, const Twine &a,
                            const Twine &b = "", const Twine &c = "") {
  SmallString<256> joined(folder);
  path::append(joined, a, b, c);
  return joined.str().str();
}

/// Returns the folders in `folder` whose names start with `prefix`, sorted.
static Folders listFolders(StringRef folder, StringRef prefix = "") {
  Folders names;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; it != end && !error;
       it.increment(error))
    if (path::filename(it->path()).starts_with(prefix))
      names.push_back(it->path());
  llvm::sort(names);
  return names;
}

/// Adds what NVIDIA's packages among the Python packages `packages` have.
static void addPackages(StringRef packages, Folders &folders) {
  for (const std::string &package : listFolders(joinPath(packages, "nvidia")))
    if (std::string bin = joinPath(package, "bin"); fs::is_directory(bin))
      addOnce(folders, bin);
}

/// Adds what the packages of the Python installed in `prefix` have.
static void addPrefix(StringRef prefix, Folders &folders) {
  for (const std::string &library :
       listFolders(joinPath(prefix, "lib"), "python3"))
    for (StringRef packages : {"site-packages", "dist-packages"})
      addPackages(joinPath(library, packages), folders);
}

/// Adds what belongs to the Python or the package that `file` is part of.
static void addSurroundings(StringRef file, Folders &folders) {
  addPrefix(path::parent_path(path::parent_path(file)), folders);
  for (StringRef folder = path::parent_path(file); !folder.empty();
       folder = path::parent_path(folder))
    if (path::filename(folder).ends_with("-packages"))
      addPackages(folder, folders);
}

/// Adds the surroundings of `file` and, if it is a link, of what it names: a
/// virtual environment links to another Python.
static void addWithTarget(StringRef file, Folders &folders) {
  addSurroundings(file, folders);
  SmallString<256> target;
  if (!fs::real_path(file, target))
    addSurroundings(target, folders);
}

/// Returns the folders that programs are searched for in, besides PATH, in
/// their order: those before and those after it.
static std::pair<Folders, Folders> getFolders() {
  Folders before, after;
  for (const char *variable : {"CUDA_ROOT", "CUDA_HOME", "CUDA_PATH"})
    if (auto root = llvm::sys::Process::GetEnv(variable);
        root && !root->empty())
      addOnce(before, joinPath(*root, "bin"));
  for (StringRef name : {"python3", "python"})
    if (auto python = llvm::sys::findProgramByName(name))
      addWithTarget(*python, after);
  static const char here = 0;
  Dl_info library;
  if (dladdr(&here, &library) && library.dli_fname)
    addWithTarget(library.dli_fname, after);
  addWithTarget(fs::getMainExecutable(nullptr, nullptr), after);
  if (auto home = llvm::sys::Process::GetEnv("HOME"))
    addPrefix(joinPath(*home, ".local"), after);
  return {before, after};
}

llvm::Expected<std::string> mlir::memrev::findToolkitProgram(StringRef name) {
  auto [before, after] = getFolders();
  auto findIn = [&](const Folders &folders) -> std::string {
    for (const std::string &folder : folders)
      if (std::string file = joinPath(folder, name); fs::can_execute(file))
        return file;
    return {};
  };
  if (std::string file = findIn(before); !file.empty())
    return file;
  if (auto file = llvm::sys::findProgramByName(name))
    return *file;
  if (std::string file = findIn(after); !file.empty())
    return file;
  std::string message = "expects CUDA's program '" + name.str() +
                        "', but it is neither in the toolkit that CUDA_ROOT "
                        "names";
  if (!before.empty())
    message += " (" + llvm::join(before, ", ") + ")";
  message += ", nor on PATH, nor in NVIDIA's packages of Python";
  if (!after.empty())
    message += " (" + llvm::join(after, ", ") + ")";
  return llvm::createStringError(
      message + "; PTX, which the driver compiles, does not need it");
}

//===----------------------------------------------------------------------===//
// Running
//===----------------------------------------------------------------------===//

namespace {
/// A file that goes with this object.
class TemporaryFile {
public:
  ~TemporaryFile() {
    if (!name.empty())
      fs::remove(name);
  }
  llvm::Error create(StringRef suffix, StringRef content = "") {
    int descriptor;
    if (std::error_code error =
            fs::createTemporaryFile("memrev", suffix, descriptor, name))
      return llvm::createStringError(error, "cannot create a temporary file");
    llvm::raw_fd_ostream os(descriptor, /*shouldClose=*/true);
    os << content;
    os.close();
    if (!os.has_error())
      return llvm::Error::success();
    std::error_code error = os.error();
    os.clear_error();
    return llvm::createStringError(error, "cannot write a temporary file");
  }
  llvm::Expected<std::string> read() const {
    auto buffer = llvm::MemoryBuffer::getFile(name, /*IsText=*/false,
                                              /*RequiresNullTerminator=*/false,
                                              /*IsVolatile=*/true);
    if (!buffer)
      return llvm::createStringError(buffer.getError(),
                                     "cannot read a temporary file");
    return (*buffer)->getBuffer().str();
  }
  StringRef getName() const { return name; }

private:
  SmallString<128> name;
};
} // namespace

/// Runs `program`; what it prints is the message if it fails.
static llvm::Error run(StringRef program, ArrayRef<StringRef> arguments) {
  TemporaryFile log;
  if (llvm::Error error = log.create("log"))
    return error;
  SmallVector<StringRef> command = {program};
  llvm::append_range(command, arguments);
  std::optional<StringRef> redirects[] = {"", log.getName(), log.getName()};
  std::string message;
  int status = llvm::sys::ExecuteAndWait(program, command, std::nullopt,
                                         redirects, 0, 0, &message);
  if (status == 0)
    return llvm::Error::success();
  auto text = log.read();
  if (!text)
    return text.takeError();
  StringRef printed = StringRef(*text).trim();
  if (message.empty())
    message = "exit status " + std::to_string(status);
  return llvm::createStringError(path::filename(program) + " failed: " +
                                 (printed.empty() ? message : printed));
}

llvm::Expected<std::string>
mlir::memrev::assemblePTX(StringRef ptxas, StringRef ptx, StringRef chip) {
  TemporaryFile input, output;
  if (llvm::Error error = input.create("ptx", ptx))
    return std::move(error);
  if (llvm::Error error = output.create("cubin"))
    return std::move(error);
  std::string arch = "--gpu-name=" + chip.str();
  if (llvm::Error error =
          run(ptxas, {arch, input.getName(), "-o", output.getName()}))
    return std::move(error);
  return output.read();
}

llvm::Expected<std::string> mlir::memrev::packFatBinary(StringRef fatbinary,
                                                        StringRef ptx,
                                                        StringRef cubin,
                                                        StringRef chip) {
  TemporaryFile ptxFile, cubinFile, output;
  if (llvm::Error error = ptxFile.create("ptx", ptx))
    return std::move(error);
  if (llvm::Error error = cubinFile.create("cubin", cubin))
    return std::move(error);
  if (llvm::Error error = output.create("fatbin"))
    return std::move(error);
  StringRef number = chip;
  number.consume_front("sm_");
  std::string create = "--create=" + output.getName().str();
  std::string elf = ("--image3=kind=elf,sm=" + number + ",file=").str() +
                    cubinFile.getName().str();
  std::string text = ("--image3=kind=ptx,sm=" + number + ",file=").str() +
                     ptxFile.getName().str();
  if (llvm::Error error = run(fatbinary, {create, "-64", elf, text}))
    return std::move(error);
  return output.read();
}
