//===- Identity.cpp - Which compiler this is ------------------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "memrev/Compiler/Identity.h"
#include "mlir/IR/MLIRContext.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/Support/xxhash.h"
#include "llvm/TargetParser/Host.h"
#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <sys/stat.h>

using namespace mlir::memrev;
using llvm::StringRef;

namespace {
/// A library of this process, searched for by an address in it.
struct Search {
  uintptr_t address;
  std::string build;
};
} // namespace

/// The build that the notes of a loaded segment name; empty if they do not.
static std::string readBuild(StringRef notes) {
  while (notes.size() >= sizeof(ElfW(Nhdr))) {
    ElfW(Nhdr) header;
    std::memcpy(&header, notes.data(), sizeof(header));
    size_t nameBytes = llvm::alignTo(header.n_namesz, 4);
    size_t bytes = llvm::alignTo(header.n_descsz, 4);
    notes = notes.drop_front(sizeof(header));
    if (header.n_type == NT_GNU_BUILD_ID && notes.starts_with("GNU"))
      return llvm::toHex(notes.substr(nameBytes, header.n_descsz));
    notes = notes.drop_front(std::min(notes.size(), nameBytes + bytes));
  }
  return {};
}

static int visit(dl_phdr_info *info, size_t, void *data) {
  auto &search = *static_cast<Search *>(data);
  bool isHere = false;
  for (const ElfW(Phdr) &header :
       llvm::ArrayRef(info->dlpi_phdr, info->dlpi_phnum)) {
    uintptr_t begin = info->dlpi_addr + header.p_vaddr;
    if (header.p_type == PT_LOAD && search.address - begin < header.p_memsz)
      isHere = true;
    if (header.p_type == PT_NOTE && search.build.empty())
      search.build =
          readBuild({reinterpret_cast<const char *>(begin), header.p_filesz});
  }
  if (isHere)
    return 1;
  search.build.clear();
  return 0;
}

/// Names the build of the library that holds `address`: by what its linker
/// wrote into it, else by its file, size and time.
static std::string getBuild(const void *address) {
  Search search{reinterpret_cast<uintptr_t>(address), {}};
  dl_iterate_phdr(visit, &search);
  if (!search.build.empty())
    return search.build;
  std::string text;
  llvm::raw_string_ostream os(text);
  Dl_info info;
  struct stat status;
  if (dladdr(address, &info) && info.dli_fname) {
    os << info.dli_fname;
    if (stat(info.dli_fname, &status) == 0)
      os << ' ' << status.st_size << ' ' << status.st_mtim.tv_sec << '.'
         << status.st_mtim.tv_nsec;
  }
  return text;
}

static std::string hash(StringRef text) {
  return llvm::utohexstr(llvm::xxh3_64bits(text), /*LowerCase=*/true, 16);
}

const std::string &mlir::memrev::getCompilerIdentity() {
  static const std::string identity = [] {
    // Ours, LLVM's and MLIR's, which may be one library or three.
    static const char here = 0;
    std::string builds;
    for (const void *address :
         {static_cast<const void *>(&here),
          reinterpret_cast<const void *>(&llvm::sys::getHostCPUName),
          reinterpret_cast<const void *>(&mlir::registerMLIRContextCLOptions)})
      builds += getBuild(address) + ' ';
    return std::string(MEMREV_VERSION) + "-" + hash(builds);
  }();
  return identity;
}

const std::string &mlir::memrev::getHostIdentity() {
  static const std::string identity = [] {
    std::string processor = llvm::sys::getHostCPUName().str();
    llvm::StringMap<bool> features = llvm::sys::getHostCPUFeatures();
    std::vector<StringRef> enabled;
    for (const auto &feature : features)
      if (feature.second)
        enabled.push_back(feature.first());
    llvm::sort(enabled);
    for (StringRef feature : enabled)
      processor += " " + feature.str();
    return getCompilerIdentity() + "-" + hash(processor);
  }();
  return identity;
}
