//===- Library.cpp - NVIDIA's libraries, found at run time ----------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Library.h"
#include <algorithm>
#include <cstdlib>
#include <filesystem>

using namespace memrev::cuda;
namespace fs = std::filesystem;

namespace {
/// Folders in the order in which they are searched.
using Folders = std::vector<fs::path>;
} // namespace

static void addIfFolder(Folders &folders, const fs::path &folder) {
  std::error_code error;
  if (fs::is_directory(folder, error) &&
      std::find(folders.begin(), folders.end(), folder) == folders.end())
    folders.push_back(folder);
}

/// Adds the Python packages installed in `prefix`, sorted.
static void addPrefix(const fs::path &prefix, Folders &sites) {
  Folders versions;
  std::error_code error;
  for (fs::directory_iterator it(prefix / "lib", error), end;
       !error && it != end; it.increment(error))
    if (it->path().filename().string().compare(0, 7, "python3") == 0)
      versions.push_back(it->path());
  std::sort(versions.begin(), versions.end());
  for (const fs::path &version : versions)
    for (const char *name : {"site-packages", "dist-packages"})
      addIfFolder(sites, version / name);
}

/// Adds the packages that `file` is among, and those of the Python that it
/// belongs to.
static void addSurroundings(const fs::path &file, Folders &sites) {
  addPrefix(file.parent_path().parent_path(), sites);
  for (fs::path folder = file.parent_path(); folder != folder.parent_path();
       folder = folder.parent_path()) {
    std::string name = folder.filename().string();
    constexpr const char *suffix = "-packages";
    size_t length = std::char_traits<char>::length(suffix);
    if (name.size() >= length &&
        name.compare(name.size() - length, length, suffix) == 0)
      addIfFolder(sites, folder);
  }
}

/// Adds the surroundings of `file` and, if it is a link, of what it names: a
/// virtual environment links to another Python.
static void addWithTarget(const fs::path &file, Folders &sites) {
  addSurroundings(file, sites);
  std::error_code error;
  fs::path target = fs::canonical(file, error);
  if (!error)
    addSurroundings(target, sites);
}

static std::string getEnvironment(const char *name) {
  const char *value = std::getenv(name);
  return value ? value : "";
}

/// The folders of Python packages: of the environment, of the program's Python
/// and the one on PATH, of the file that this code is in, of the user.
static Folders getSites() {
  Folders sites;
  if (std::string prefix = getEnvironment("VIRTUAL_ENV"); !prefix.empty())
    addPrefix(prefix, sites);
  std::error_code error;
  fs::path program = fs::read_symlink("/proc/self/exe", error);
  if (!error)
    addWithTarget(program, sites);
  std::string path = getEnvironment("PATH");
  for (size_t begin = 0; begin < path.size();) {
    size_t end = std::min(path.find(':', begin), path.size());
    fs::path python = fs::path(path.substr(begin, end - begin)) / "python3";
    if (fs::exists(python, error)) {
      addWithTarget(python, sites);
      break;
    }
    begin = end + 1;
  }
  static const char here = 0;
  Dl_info file;
  if (dladdr(&here, &file) && file.dli_fname)
    addWithTarget(file.dli_fname, sites);
  if (std::string home = getEnvironment("HOME"); !home.empty())
    addPrefix(fs::path(home) / ".local", sites);
  return sites;
}

void *memrev::cuda::openLibrary(const std::vector<std::string> &names,
                                const std::vector<std::string> &packages,
                                const std::string &title, std::string &error) {
  for (const std::string &name : names)
    if (void *library = dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL))
      return library;

  Folders folders;
  for (const char *variable : {"CUDA_ROOT", "CUDA_HOME", "CUDA_PATH"})
    if (std::string root = getEnvironment(variable); !root.empty())
      addIfFolder(folders, fs::path(root) / "lib64");
  for (const fs::path &site : getSites())
    for (const std::string &package : packages)
      addIfFolder(folders, site / "nvidia" / package / "lib");

  std::string reasons;
  for (const fs::path &folder : folders)
    for (const std::string &name : names) {
      fs::path file = folder / name;
      std::error_code ignored;
      if (!fs::exists(file, ignored))
        continue;
      if (void *library = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL))
        return library;
      const char *reason = dlerror();
      reasons += std::string("; ") + (reason ? reason : file.string());
    }

  error = "expects " + title + " for a program compiled to call it, but ";
  for (size_t i = 0; i < names.size(); ++i)
    error += (i == 0 ? "" : " and ") + names[i];
  error += names.size() == 1 ? " is" : " are";
  error += " neither found by the loader, nor in the toolkit that CUDA_ROOT, "
           "CUDA_HOME or CUDA_PATH names, nor in NVIDIA's packages of Python";
  for (size_t i = 0; i < folders.size(); ++i)
    error += (i == 0 ? " (" : ", ") + folders[i].string();
  if (!folders.empty())
    error += ")";
  error += reasons;
  return nullptr;
}
