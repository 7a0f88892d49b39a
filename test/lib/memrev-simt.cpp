//===- memrev-simt.cpp - Runs a kernel on the SIMT emulator ---------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// memrev-simt FILE KERNEL ARGUMENT... [--grid=x,y,z] [--block=x,y,z]
//             [--shared=bytes] [--reference=KERNEL]
//
// FILE has LLVM IR for NVPTX, or MLIR with a gpu.binary in which it is. An
// argument is a scalar, "i32=5" or "f32=0.5", or a buffer "f16:256=iota", whose
// elements count from zero, are small random multiples of 1/4 ("random") or any
// numbers from -1 to 1 ("fine"), zero ("zero") or what fresh memory has,
// without a pattern. The buffers without a pattern are printed at the end. The
// map of a tensor, "map=0:128x64:64x8:128", has the number of its buffer, the
// sizes of the tensor and of boxes from the innermost dimension on, and the
// bytes of rows that are swizzled, or 0.
//
// With a reference, that kernel runs too, as one thread with buffers of its
// own, and all buffers have to be equal to the last bit.
//
// The environment controls the emulator, see docs/GPU.md.
//
//===----------------------------------------------------------------------===//

#include "SIMT/Numbers.h"
#include "SIMT/Random.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Parser/Parser.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/AsmParser/Parser.h"
#include "llvm/Bitcode/BitcodeWriter.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/SourceMgr.h"
#include "llvm/Support/raw_ostream.h"

using namespace llvm;

//===----------------------------------------------------------------------===//
// The driver
//===----------------------------------------------------------------------===//

using DevicePtr = unsigned long long;

extern "C" {
int cuInit(unsigned flags);
int cuGetErrorName(int result, const char **name);
int cuMemAlloc_v2(DevicePtr *pointer, size_t bytes);
int cuMemcpyHtoD_v2(DevicePtr target, const void *source, size_t bytes);
int cuMemcpyDtoH_v2(void *target, DevicePtr source, size_t bytes);
int cuModuleLoadData(void **module, const void *image);
int cuModuleGetFunction(void **function, void *module, const char *name);
int cuFuncSetAttribute(void *function, int attribute, int value);
int cuLaunchKernel(void *function, unsigned gridX, unsigned gridY,
                   unsigned gridZ, unsigned blockX, unsigned blockY,
                   unsigned blockZ, unsigned sharedBytes, void *stream,
                   void **parameters, void **extra);
int cuCtxSynchronize();
int cuTensorMapEncodeTiled(void *map, int type, unsigned rank, void *address,
                           const uint64_t *dimensions, const uint64_t *strides,
                           const uint32_t *box, const uint32_t *elementStrides,
                           int interleave, int swizzle, int promotion,
                           int outside);
}

[[noreturn]] static void fail(const Twine &message) {
  errs() << "memrev-simt: " << message << "\n";
  exit(1);
}

static void check(int result, const char *call) {
  if (result == 0)
    return;
  const char *name = nullptr;
  cuGetErrorName(result, &name);
  fail(Twine(call) + " returns " + (name ? name : std::to_string(result)));
}

//===----------------------------------------------------------------------===//
// Arguments
//===----------------------------------------------------------------------===//

namespace {
/// How numbers of one type are in memory.
struct ElementType {
  const char *name;
  unsigned bytes;
  void (*write)(double, char *);
  double (*read)(const char *);
};

struct Parameter {
  const ElementType *type = nullptr;
  size_t count = 0;
  bool isBuffer = false;
  bool isPrinted = false;
  /// The elements of a buffer, or what is passed by value.
  std::vector<char> contents;
  /// The description of a map.
  std::string map;
};
} // namespace

template <typename T>
static void writeAs(double value, char *to) {
  T narrow = static_cast<T>(value);
  std::memcpy(to, &narrow, sizeof(T));
}
template <typename T>
static double readAs(const char *from) {
  T value;
  std::memcpy(&value, from, sizeof(T));
  return static_cast<double>(value);
}
template <uint16_t (*convert)(float)>
static void writeNarrow(double value, char *to) {
  uint16_t bits = convert(static_cast<float>(value));
  std::memcpy(to, &bits, sizeof(bits));
}
template <float (*convert)(uint16_t)>
static double readNarrow(const char *from) {
  uint16_t bits;
  std::memcpy(&bits, from, sizeof(bits));
  return convert(bits);
}

static const ElementType kTypes[] = {
    {"f64", 8, writeAs<double>, readAs<double>},
    {"f32", 4, writeAs<float>, readAs<float>},
    {"f16", 2, writeNarrow<memrev::simt::toHalf>,
     readNarrow<memrev::simt::fromHalf>},
    {"bf16", 2, writeNarrow<memrev::simt::toBFloat>,
     readNarrow<memrev::simt::fromBFloat>},
    {"i64", 8, writeAs<int64_t>, readAs<int64_t>},
    {"i32", 4, writeAs<int32_t>, readAs<int32_t>},
    {"i16", 2, writeAs<int16_t>, readAs<int16_t>},
    {"i8", 1, writeAs<int8_t>, readAs<int8_t>},
};

static Parameter parseParameter(StringRef text, unsigned number) {
  auto [head, pattern] = text.split('=');
  if (head == "map") {
    Parameter argument;
    argument.map = pattern.str();
    return argument;
  }
  auto [typeName, count] = head.split(':');
  Parameter argument;
  for (const ElementType &type : kTypes)
    if (typeName == type.name)
      argument.type = &type;
  if (!argument.type)
    fail("expects a type of numbers, but got '" + typeName + "'");
  argument.isBuffer = !count.empty();
  argument.count = 1;
  if (argument.isBuffer && count.getAsInteger(10, argument.count))
    fail("expects a number of elements, but got '" + count + "'");
  const ElementType &type = *argument.type;
  argument.contents.assign(argument.count * type.bytes, '\xff');
  if (!argument.isBuffer) {
    double value;
    if (pattern.getAsDouble(value))
      fail("expects a number, but got '" + pattern + "'");
    type.write(value, argument.contents.data());
    return argument;
  }
  argument.isPrinted = pattern.empty();
  memrev::simt::Random random(number);
  for (size_t i = 0; i < argument.count && !pattern.empty(); ++i) {
    double value = 0;
    if (pattern == "iota")
      value = static_cast<double>(i);
    else if (pattern == "random")
      value = (static_cast<int>(random.below(17)) - 8) / 4.0;
    else if (pattern == "fine")
      value = random.below(1u << 31) * 0x1p-30 - 1;
    else if (pattern != "zero")
      fail("expects iota, random, fine or zero, but got '" + pattern + "'");
    type.write(value, &argument.contents[i * type.bytes]);
  }
  return argument;
}

//===----------------------------------------------------------------------===//
// Images
//===----------------------------------------------------------------------===//

/// Returns the bitcode in LLVM IR, as text or not, or in a gpu.binary.
static std::string readImage(StringRef path) {
  auto file = MemoryBuffer::getFileOrSTDIN(path);
  if (!file)
    fail("cannot read '" + path + "': " + file.getError().message());
  StringRef text = (*file)->getBuffer();
  if (text.starts_with("BC\xc0\xde"))
    return text.str();
  if (text.contains("gpu.binary")) {
    mlir::MLIRContext context;
    context.loadDialect<mlir::gpu::GPUDialect, mlir::NVVM::NVVMDialect>();
    context.allowUnregisteredDialects();
    auto module = mlir::parseSourceString<mlir::ModuleOp>(text, &context);
    if (!module)
      fail("cannot parse '" + path + "'");
    for (auto binary : module->getOps<mlir::gpu::BinaryOp>())
      for (mlir::Attribute attribute : binary.getObjects())
        return cast<mlir::gpu::ObjectAttr>(attribute)
            .getObject()
            .getValue()
            .str();
  }
  LLVMContext context;
  SMDiagnostic error;
  std::unique_ptr<Module> module = parseAssemblyString(text, error, context);
  if (!module) {
    error.print("memrev-simt", errs());
    exit(1);
  }
  std::string bitcode;
  raw_string_ostream stream(bitcode);
  WriteBitcodeToFile(*module, stream);
  return bitcode;
}

//===----------------------------------------------------------------------===//
// Running
//===----------------------------------------------------------------------===//

static cl::opt<std::string> inputFile(cl::Positional, cl::Required,
                                      cl::desc("FILE"));
static cl::opt<std::string> kernelName(cl::Positional, cl::Required,
                                       cl::desc("KERNEL"));
static cl::list<std::string> argumentTexts(cl::Positional,
                                           cl::desc("ARGUMENT..."));
static cl::list<unsigned> gridSize("grid", cl::CommaSeparated,
                                   cl::desc("Blocks of the grid"));
static cl::list<unsigned> blockSize("block", cl::CommaSeparated,
                                    cl::desc("Threads of a block"));
static cl::opt<unsigned>
    sharedBytes("shared", cl::desc("Bytes of dynamic shared memory"));
static cl::opt<std::string> referenceName("reference",
                                          cl::desc("Kernel to compare with"));

static unsigned getSize(const cl::list<unsigned> &sizes, unsigned i) {
  return i < sizes.size() ? sizes[i] : 1;
}

static std::vector<uint64_t> parseSizes(StringRef text) {
  std::vector<uint64_t> sizes;
  for (StringRef part : split(text, 'x')) {
    uint64_t size;
    if (part.getAsInteger(10, size))
      fail("expects sizes, but got '" + text + "'");
    sizes.push_back(size);
  }
  return sizes;
}

namespace {
struct alignas(64) TensorMapBytes {
  char bytes[128];
};
} // namespace

/// Makes the map of a buffer that is on the device.
static void encodeMap(StringRef text, ArrayRef<Parameter> arguments,
                      ArrayRef<DevicePtr> pointers, TensorMapBytes &map) {
  SmallVector<StringRef> parts;
  text.split(parts, ':');
  unsigned number = 0, swizzled = 0;
  if (parts.size() != 4 || parts[0].getAsInteger(10, number) ||
      number >= arguments.size() || !arguments[number].isBuffer ||
      parts[3].getAsInteger(10, swizzled))
    fail("expects a buffer, sizes, sizes of boxes and bytes, but got '" + text +
         "'");
  std::vector<uint64_t> sizes = parseSizes(parts[1]),
                        box = parseSizes(parts[2]);
  if (sizes.size() != box.size())
    fail("expects as many sizes of boxes as of tensors, but got '" + text +
         "'");
  // The values of CUtensorMapDataType; where there is none, another of the
  // size.
  const ElementType &type = *arguments[number].type;
  int code = StringRef(type.name) == "bf16" ? 9
             : type.bytes == 8              ? 8
             : type.bytes == 4              ? 7
             : type.bytes == 2              ? 6
                                            : 0;
  std::vector<uint64_t> strides;
  uint64_t stride = type.bytes;
  for (uint64_t size : sizes)
    strides.push_back(stride *= size);
  std::vector<uint32_t> boxSizes(box.begin(), box.end()), ones(box.size(), 1);
  int swizzle = swizzled == 128  ? 3
                : swizzled == 64 ? 2
                : swizzled == 32 ? 1
                                 : 0;
  check(cuTensorMapEncodeTiled(
            &map, code, sizes.size(),
            reinterpret_cast<void *>(static_cast<uintptr_t>(pointers[number])),
            sizes.data(), strides.data(), boxSizes.data(), ones.data(), 0,
            swizzle, 0, 0),
        "cuTensorMapEncodeTiled");
}

/// Runs a kernel and returns what is in the arguments afterwards.
static std::vector<Parameter> run(void *module, StringRef name,
                                  std::vector<Parameter> arguments,
                                  bool asOneThread) {
  void *function = nullptr;
  check(cuModuleGetFunction(&function, module, name.str().c_str()),
        "cuModuleGetFunction");
  std::vector<DevicePtr> pointers(arguments.size());
  std::vector<TensorMapBytes> maps(arguments.size());
  std::vector<void *> parameters;
  for (auto [argument, pointer, map] : zip_equal(arguments, pointers, maps)) {
    if (!argument.map.empty()) {
      parameters.push_back(&map);
      continue;
    }
    if (!argument.isBuffer) {
      parameters.push_back(argument.contents.data());
      continue;
    }
    check(cuMemAlloc_v2(&pointer, argument.contents.size()), "cuMemAlloc");
    check(cuMemcpyHtoD_v2(pointer, argument.contents.data(),
                          argument.contents.size()),
          "cuMemcpyHtoD");
    parameters.push_back(&pointer);
  }
  for (auto [argument, map] : zip_equal(arguments, maps))
    if (!argument.map.empty())
      encodeMap(argument.map, arguments, pointers, map);
  unsigned shared = asOneThread ? 0 : sharedBytes;
  constexpr int maxDynamicShared = 8;
  check(cuFuncSetAttribute(function, maxDynamicShared, shared),
        "cuFuncSetAttribute");
  auto size = [&](const cl::list<unsigned> &sizes, unsigned i) {
    return asOneThread ? 1 : getSize(sizes, i);
  };
  check(cuLaunchKernel(function, size(gridSize, 0), size(gridSize, 1),
                       size(gridSize, 2), size(blockSize, 0),
                       size(blockSize, 1), size(blockSize, 2), shared, nullptr,
                       parameters.data(), nullptr),
        "cuLaunchKernel");
  check(cuCtxSynchronize(), "cuCtxSynchronize");
  for (auto [argument, pointer] : zip_equal(arguments, pointers))
    if (argument.isBuffer)
      check(cuMemcpyDtoH_v2(argument.contents.data(), pointer,
                            argument.contents.size()),
            "cuMemcpyDtoH");
  return arguments;
}

static double getElement(const Parameter &argument, size_t i) {
  return argument.type->read(&argument.contents[i * argument.type->bytes]);
}

int main(int argc, char **argv) {
  InitLLVM init(argc, argv);
  cl::ParseCommandLineOptions(argc, argv, "Runs a kernel on the SIMT emulator");
  check(cuInit(0), "cuInit");
  std::string image = readImage(inputFile);
  void *module = nullptr;
  check(cuModuleLoadData(&module, image.c_str()), "cuModuleLoadData");
  std::vector<Parameter> arguments;
  for (const std::string &text : argumentTexts)
    arguments.push_back(parseParameter(text, arguments.size()));

  std::vector<Parameter> after =
      run(module, kernelName, arguments, /*asOneThread=*/false);
  for (auto [i, argument] : enumerate(after)) {
    if (!argument.isPrinted)
      continue;
    outs() << i << ":";
    for (size_t j = 0; j < argument.count; ++j) {
      double value = getElement(argument, j);
      if (std::isnan(value))
        outs() << " nan";
      else
        outs() << format(" %g", value);
    }
    outs() << "\n";
  }
  if (referenceName.empty())
    return 0;
  std::vector<Parameter> expected =
      run(module, referenceName, arguments, /*asOneThread=*/true);
  for (auto [i, argument] : enumerate(after))
    for (size_t j = 0; j < argument.count; ++j)
      if (std::memcmp(&argument.contents[j * argument.type->bytes],
                      &expected[i].contents[j * argument.type->bytes],
                      argument.type->bytes) != 0)
        fail("element " + Twine(j) + " of argument " + Twine(i) + " is " +
             std::to_string(getElement(argument, j)) + ", but '" +
             referenceName + "' has " +
             std::to_string(getElement(expected[i], j)));
  outs() << "equal to " << referenceName << "\n";
  return 0;
}
