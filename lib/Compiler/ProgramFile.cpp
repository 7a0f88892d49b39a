//===- ProgramFile.cpp - Compiled programs as bytes -----------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "memrev/Compiler/ProgramFile.h"
#include "memrev/Compiler/Identity.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/xxhash.h"

using namespace mlir::memrev;
using llvm::StringRef;

/// What a file starts with. The name of the compiler follows, then a hash of
/// the rest, then the program.
static constexpr StringRef kMagic = "\x7fMEMREV\n";

//===----------------------------------------------------------------------===//
// Values as bytes
//===----------------------------------------------------------------------===//

namespace {

/// Appends numbers in 8 bytes, and texts after their length.
class Writer {
public:
  template <typename T>
  void number(const T &value) {
    char buffer[sizeof(uint64_t)];
    llvm::support::endian::write64le(buffer, static_cast<uint64_t>(value));
    bytes.append(buffer, sizeof(buffer));
  }
  void text(const std::string &value) {
    number(value.size());
    bytes += value;
  }
  template <typename List>
  void length(const List &list) {
    number(list.size());
  }

  std::string bytes;
};

/// Reads what a writer wrote. Past the end everything is zero and empty.
class Reader {
public:
  explicit Reader(StringRef bytes) : bytes(bytes) {}

  template <typename T>
  void number(T &value) {
    StringRef taken = take(sizeof(uint64_t));
    value = static_cast<T>(
        taken.empty() ? 0 : llvm::support::endian::read64le(taken.data()));
  }
  void text(std::string &value) {
    uint64_t size;
    number(size);
    value = take(size).str();
  }
  template <typename List>
  void length(List &list) {
    uint64_t size;
    number(size);
    // An element takes bytes, so that no list is longer than they are.
    hasFailed |= size > bytes.size();
    list.resize(hasFailed ? 0 : size);
  }

  /// True if everything was there, and nothing else.
  bool isComplete() const { return !hasFailed && bytes.empty(); }
  /// What was not read yet.
  StringRef getRest() const { return bytes; }

private:
  StringRef take(uint64_t size) {
    hasFailed |= size > bytes.size();
    if (hasFailed)
      return {};
    StringRef taken = bytes.take_front(size);
    bytes = bytes.drop_front(size);
    return taken;
  }

  StringRef bytes;
  bool hasFailed = false;
};

} // namespace

template <typename Archive, typename... T>
static void visit(Archive &archive, T &...values);

/// Writes or reads `value`, or each of its members.
template <typename Archive, typename T>
static void visitOne(Archive &archive, T &value) {
  using Plain = std::remove_const_t<T>;
  if constexpr (std::is_integral_v<Plain> || std::is_enum_v<Plain>) {
    archive.number(value);
  } else if constexpr (std::is_same_v<Plain, double>) {
    auto bits = llvm::bit_cast<uint64_t>(value);
    archive.number(bits);
    if constexpr (!std::is_const_v<T>)
      value = llvm::bit_cast<double>(bits);
  } else if constexpr (std::is_same_v<Plain, std::optional<int64_t>>) {
    auto present = static_cast<int64_t>(value.has_value());
    int64_t number = value.value_or(0);
    archive.number(present);
    archive.number(number);
    if constexpr (!std::is_const_v<T>)
      value = present ? std::optional(number) : std::nullopt;
  } else if constexpr (std::is_same_v<Plain, std::string>) {
    archive.text(value);
  } else if constexpr (std::is_same_v<Plain, ArrayType>) {
    visit(archive, value.dtype, value.shape);
  } else if constexpr (std::is_same_v<Plain, ParameterSignature>) {
    visit(archive, value.name, value.type, value.isScalar, value.isDonated,
          value.residual, value.extents);
  } else if constexpr (std::is_same_v<Plain, ArgumentExtent>) {
    visit(archive, value.argument, value.axis);
  } else if constexpr (std::is_same_v<Plain, FunctionSignature>) {
    visit(archive, value.name, value.arguments, value.results,
          value.resultParameters, value.extents, value.arenaBytes,
          value.arenaFormula);
  } else if constexpr (std::is_same_v<Plain, ValueMemory>) {
    visit(archive, value.function, value.location, value.bytes, value.strategy,
          value.reason, value.cost);
  } else if constexpr (std::is_same_v<Plain, MemoryPoint>) {
    visit(archive, value.peakBytes, value.time);
  } else if constexpr (std::is_same_v<Plain, BufferMemory>) {
    visit(archive, value.location, value.type, value.bytes, value.offset,
          value.begin, value.end, value.isAtPeak);
  } else if constexpr (std::is_same_v<Plain, FunctionMemory>) {
    visit(archive, value.function, value.argumentBytes, value.resultBytes,
          value.workspaceBytes, value.argumentFormula, value.resultFormula,
          value.workspaceFormula, value.peakFormula, value.values,
          value.buffers, value.time, value.curve);
  } else if constexpr (std::is_same_v<Plain, CompileDiagnostic>) {
    visit(archive, value.severity, value.file, value.line, value.column,
          value.message);
  } else if constexpr (std::is_same_v<Plain, Processor>) {
    visit(archive, value.triple, value.features);
  } else {
    archive.length(value);
    for (auto &element : value)
      visitOne(archive, element);
  }
}

template <typename Archive, typename... T>
static void visit(Archive &archive, T &...values) {
  (visitOne(archive, values), ...);
}

//===----------------------------------------------------------------------===//
// Programs
//===----------------------------------------------------------------------===//

namespace mlir::memrev {
/// Has access to what a program consists of.
struct ProgramFile {
  template <typename Archive, typename Program>
  static void visit(Archive &archive, Program &program) {
    ::visit(archive, program.target, program.chip, program.functions,
            program.externals, program.memory, program.ir, program.llvmIR,
            program.kernels, program.processor);
  }

  static std::unique_ptr<CompiledProgram> create() {
    return std::unique_ptr<CompiledProgram>(new CompiledProgram());
  }

  static void setObject(CompiledProgram &program, StringRef object) {
    if (!object.empty())
      program.object = llvm::MemoryBuffer::getMemBufferCopy(object, "memrev.o");
  }
};
} // namespace mlir::memrev

std::string mlir::memrev::saveProgram(const CompileResult &result) {
  const CompiledProgram &program = *result.program;
  Writer body;
  visit(body, result.diagnostics);
  ProgramFile::visit(body, program);
  body.text(program.getObject() ? program.getObject()->getBuffer().str()
                                : std::string());
  Writer file;
  file.bytes = kMagic.str();
  file.text(getCompilerIdentity());
  file.number(llvm::xxh3_64bits(body.bytes));
  return std::move(file.bytes) + body.bytes;
}

llvm::Expected<CompileResult> mlir::memrev::loadProgram(llvm::StringRef bytes) {
  if (!bytes.consume_front(kMagic))
    return llvm::createStringError(
        "expects a program that memrev saved, but got something else");
  Reader reader(bytes);
  std::string identity, object;
  uint64_t hash;
  visit(reader, identity, hash);
  if (hash != llvm::xxh3_64bits(reader.getRest()))
    return llvm::createStringError(
        "expects a program as memrev saved it, but got damaged bytes");
  if (identity != getCompilerIdentity())
    return llvm::createStringError("expects a program of memrev " +
                                   getCompilerIdentity() +
                                   ", but got one of memrev " + identity);
  CompileResult result;
  visit(reader, result.diagnostics);
  result.program = ProgramFile::create();
  ProgramFile::visit(reader, *result.program);
  reader.text(object);
  if (!reader.isComplete())
    return llvm::createStringError(
        "expects a program as memrev saved it, but got another layout");
  ProgramFile::setObject(*result.program, object);
  if (llvm::Error error = result.program->verifyProcessor())
    return std::move(error);
  return result;
}
