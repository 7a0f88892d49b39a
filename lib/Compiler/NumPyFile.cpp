//===- NumPyFile.cpp - Reading and writing .npy and .npz files ------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "memrev/Compiler/NumPyFile.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/Support/CRC.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/EndianStream.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include <cstring>

using namespace mlir::memrev;
using llvm::StringRef;
using llvm::support::endian::read16le;
using llvm::support::endian::read32le;
using llvm::support::endian::read64le;

static llvm::Error makeError(const llvm::Twine &message) {
  return llvm::createStringError(message.str());
}

//===----------------------------------------------------------------------===//
// .npy
//===----------------------------------------------------------------------===//

namespace {
/// The header of an .npy file: a Python dictionary of three known keys.
class HeaderParser {
public:
  explicit HeaderParser(StringRef text) : rest(text) {}

  llvm::Expected<ArrayType> parse();

private:
  llvm::Error parseValue(StringRef key);
  llvm::Expected<StringRef> parseString();
  llvm::Error parseShape();
  void skipSpace() { rest = rest.ltrim(" \t\n\r"); }
  bool consume(StringRef token) {
    skipSpace();
    return rest.consume_front(token);
  }

  StringRef rest;
  ArrayType type;
};
} // namespace

llvm::Expected<StringRef> HeaderParser::parseString() {
  skipSpace();
  if (rest.empty() || (rest.front() != '\'' && rest.front() != '"'))
    return makeError("malformed header: expects a string");
  size_t end = rest.find(rest.front(), 1);
  if (end == StringRef::npos)
    return makeError("malformed header: a string does not end");
  StringRef text = rest.slice(1, end);
  rest = rest.drop_front(end + 1);
  return text;
}

llvm::Error HeaderParser::parseShape() {
  if (!consume("("))
    return makeError("malformed header: expects a shape");
  while (!consume(")")) {
    skipSpace();
    uint64_t size;
    if (rest.consumeInteger(10, size) || size > uint64_t(INT64_MAX))
      return makeError("malformed header: expects a size in the shape");
    type.shape.push_back(size);
    if (!consume(",") && !rest.ltrim().starts_with(")"))
      return makeError("malformed header: expects ',' or ')' in the shape");
  }
  return llvm::Error::success();
}

llvm::Error HeaderParser::parseValue(StringRef key) {
  if (key == "shape")
    return parseShape();
  if (key == "fortran_order") {
    if (consume("False"))
      return llvm::Error::success();
    if (consume("True"))
      return makeError("expects an array in C order, but got Fortran order");
    return makeError("malformed header: expects True or False");
  }
  if (key != "descr")
    return makeError("malformed header: unknown key '" + key + "'");
  llvm::Expected<StringRef> descr = parseString();
  if (!descr)
    return descr.takeError();
  std::optional<DType> dtype = llvm::StringSwitch<std::optional<DType>>(*descr)
                                   .Case("|b1", DType::Bool)
                                   .Case("|i1", DType::I8)
                                   .Case("<i2", DType::I16)
                                   .Case("<i4", DType::I32)
                                   .Case("<i8", DType::I64)
                                   .Case("<f2", DType::F16)
                                   .Case("<f4", DType::F32)
                                   .Case("<f8", DType::F64)
                                   // As ml_dtypes writes bfloat16.
                                   .Cases({"<V2", "|V2"}, DType::BF16)
                                   .Default(std::nullopt);
  if (!dtype)
    return makeError(
        "expects dtype bool, int8 to int64, float16 to float64 or bfloat16 "
        "in little-endian order, but got '" +
        *descr + "'");
  type.dtype = *dtype;
  return llvm::Error::success();
}

llvm::Expected<ArrayType> HeaderParser::parse() {
  if (!consume("{"))
    return makeError("malformed header: expects a dictionary");
  llvm::SmallVector<StringRef> keys;
  while (!consume("}")) {
    llvm::Expected<StringRef> key = parseString();
    if (!key)
      return key.takeError();
    if (!consume(":"))
      return makeError("malformed header: expects ':'");
    if (llvm::is_contained(keys, *key))
      return makeError("malformed header: key '" + *key + "' is repeated");
    keys.push_back(*key);
    if (llvm::Error error = parseValue(*key))
      return std::move(error);
    if (!consume(",") && !rest.ltrim().starts_with("}"))
      return makeError("malformed header: expects ',' or '}'");
  }
  if (keys.size() != 3)
    return makeError(
        "malformed header: expects descr, fortran_order and shape");
  return type;
}

llvm::Expected<Array> mlir::memrev::parseNpy(StringRef bytes) {
  if (!bytes.consume_front("\x93NUMPY") || bytes.size() < 4)
    return makeError("not an .npy file");
  unsigned major = static_cast<unsigned char>(bytes[0]);
  if (major < 1 || major > 3)
    return makeError("expects .npy format 1 to 3, but got " +
                     llvm::Twine(major));
  size_t lengthBytes = major == 1 ? 2 : 4;
  if (bytes.size() < 2 + lengthBytes)
    return makeError("the file is cut short");
  size_t length =
      major == 1 ? read16le(bytes.data() + 2) : read32le(bytes.data() + 2);
  bytes = bytes.drop_front(2 + lengthBytes);
  if (bytes.size() < length)
    return makeError("the file is cut short");
  llvm::Expected<ArrayType> type =
      HeaderParser(bytes.take_front(length)).parse();
  if (!type)
    return type.takeError();
  bytes = bytes.drop_front(length);
  // Compared in elements, before anything is allocated: the product of sizes
  // of a malformed file may overflow.
  size_t room = bytes.size() / getByteSize(type->dtype);
  size_t count = 1;
  bool empty = llvm::is_contained(type->shape, 0);
  for (int64_t size : type->shape) {
    if (!empty && size_t(size) > room / count)
      return makeError("the file holds less data than its shape needs");
    count = empty ? 0 : count * size;
  }
  llvm::Expected<Array> array = Array::create(*type);
  if (array && count != 0) {
    if (bytes.size() < count * getByteSize(type->dtype))
      return makeError("the file holds less data than its shape needs");
    std::memcpy(array->getData(), bytes.data(),
                count * getByteSize(type->dtype));
  }
  return array;
}

void mlir::memrev::writeNpy(llvm::raw_ostream &os, const Array &array) {
  static const char *const descrs[] = {"|b1", "|i1", "<i2", "<i4", "<i8",
                                       "<f2", "<f4", "<f8", "<V2"};
  const ArrayType &type = array.getType();
  std::string header;
  llvm::raw_string_ostream text(header);
  text << "{'descr': '" << descrs[static_cast<size_t>(type.dtype)]
       << "', 'fortran_order': False, 'shape': (";
  for (int64_t size : type.shape)
    text << size << (type.shape.size() == 1 ? "," : ", ");
  text << "), }";
  // The data starts at a multiple of 64 bytes.
  size_t total = llvm::alignTo(10 + header.size() + 1, 64);
  header.append(total - 10 - header.size() - 1, ' ');
  header.push_back('\n');
  os << "\x93NUMPY" << char(1) << char(0) << char(header.size() & 0xff)
     << char(header.size() >> 8) << header;
  os.write(static_cast<const char *>(array.getData()), type.getByteSize());
}

//===----------------------------------------------------------------------===//
// .npz
//===----------------------------------------------------------------------===//

static constexpr uint32_t kLocalHeader = 0x04034b50;
static constexpr uint32_t kCentralHeader = 0x02014b50;
static constexpr uint32_t kEndRecord = 0x06054b50;
static constexpr size_t kLocalHeaderSize = 30;
static constexpr size_t kCentralHeaderSize = 46;
static constexpr size_t kEndRecordSize = 22;

static uint32_t computeChecksum(StringRef bytes) {
  return llvm::crc32(llvm::ArrayRef(
      reinterpret_cast<const uint8_t *>(bytes.data()), bytes.size()));
}

/// Reads the member that the central header at the start of `header` names.
static llvm::Expected<NamedArray> parseMember(StringRef file, StringRef header,
                                              size_t &headerSize) {
  if (header.size() < kCentralHeaderSize ||
      read32le(header.data()) != kCentralHeader)
    return makeError("malformed directory");
  const char *data = header.data();
  unsigned method = read16le(data + 10);
  uint32_t sum = read32le(data + 16);
  uint64_t size = read32le(data + 24);
  size_t nameSize = read16le(data + 28), extraSize = read16le(data + 30),
         commentSize = read16le(data + 32);
  uint64_t offset = read32le(data + 42);
  headerSize = kCentralHeaderSize + nameSize + extraSize + commentSize;
  if (header.size() < headerSize)
    return makeError("malformed directory");
  NamedArray member;
  StringRef name = header.substr(kCentralHeaderSize, nameSize);
  name.consume_back(".npy");
  member.name = name.str();
  if (method != 0)
    return makeError("member '" + name +
                     "' is compressed; write the file with numpy.savez");
  if (size == UINT32_MAX || offset == UINT32_MAX)
    return makeError("member '" + name + "' is larger than 4 GiB");
  if (offset > file.size() || file.size() - offset < kLocalHeaderSize ||
      read32le(file.data() + offset) != kLocalHeader)
    return makeError("member '" + name + "' is missing");
  uint64_t start = offset + kLocalHeaderSize +
                   read16le(file.data() + offset + 26) +
                   read16le(file.data() + offset + 28);
  if (start > file.size() || file.size() - start < size)
    return makeError("member '" + name + "' is cut short");
  StringRef bytes = file.substr(start, size);
  if (computeChecksum(bytes) != sum)
    return makeError("member '" + name + "' has a wrong checksum");
  llvm::Expected<Array> array = parseNpy(bytes);
  if (!array)
    return makeError("member '" + name +
                     "': " + llvm::toString(array.takeError()));
  member.array = std::move(*array);
  return member;
}

llvm::Expected<std::vector<NamedArray>>
mlir::memrev::parseNpz(StringRef bytes) {
  // The end record is last, but for a comment of up to 64 KiB.
  if (bytes.size() < kEndRecordSize)
    return makeError("not an .npz file");
  size_t last = bytes.size() - kEndRecordSize;
  size_t first = last > UINT16_MAX ? last - UINT16_MAX : 0;
  size_t end = last + 1;
  do {
    if (end == first)
      return makeError("not an .npz file");
    --end;
  } while (read32le(bytes.data() + end) != kEndRecord);
  size_t count = read16le(bytes.data() + end + 10);
  size_t directory = read32le(bytes.data() + end + 16);
  if (directory > end)
    return makeError("malformed directory");
  StringRef headers = bytes.slice(directory, end);
  std::vector<NamedArray> members;
  for (size_t i = 0; i < count; ++i) {
    size_t headerSize = 0;
    llvm::Expected<NamedArray> member = parseMember(bytes, headers, headerSize);
    if (!member)
      return member.takeError();
    members.push_back(std::move(*member));
    headers = headers.drop_front(headerSize);
  }
  return members;
}

llvm::Error mlir::memrev::writeNpz(llvm::raw_ostream &os,
                                   llvm::ArrayRef<NamedArray> arrays) {
  using llvm::support::endian::Writer;
  Writer writer(os, llvm::endianness::little);
  std::string directory;
  llvm::raw_string_ostream directoryStream(directory);
  Writer central(directoryStream, llvm::endianness::little);
  uint64_t offset = 0;
  if (arrays.size() > UINT16_MAX)
    return makeError("an .npz file holds at most 65535 arrays");
  for (const NamedArray &member : arrays) {
    std::string name = member.name + ".npy";
    std::string bytes;
    llvm::raw_string_ostream stream(bytes);
    writeNpy(stream, member.array);
    uint64_t next = offset + kLocalHeaderSize + name.size() + bytes.size();
    if (next >= UINT32_MAX)
      return makeError("an .npz file holds at most 4 GiB");
    // The fields that both headers have: version, flags, method, time (the
    // first of January 1980), sum, sizes, lengths of name and extra field.
    auto writeCommon = [&](Writer &to) {
      for (uint16_t field : {20, 0, 0, 0, 0x21})
        to.write<uint16_t>(field);
      to.write<uint32_t>(computeChecksum(bytes));
      to.write<uint32_t>(bytes.size());
      to.write<uint32_t>(bytes.size());
      to.write<uint16_t>(name.size());
      to.write<uint16_t>(0);
    };
    writer.write(kLocalHeader);
    writeCommon(writer);
    os << name << bytes;
    central.write(kCentralHeader);
    central.write<uint16_t>(20);
    writeCommon(central);
    // Comment, disk, attributes.
    for (int i = 0; i < 3; ++i)
      central.write<uint16_t>(0);
    central.write<uint32_t>(0);
    central.write<uint32_t>(offset);
    directoryStream << name;
    offset = next;
  }
  os << directory;
  writer.write(kEndRecord);
  writer.write<uint32_t>(0);
  writer.write<uint16_t>(arrays.size());
  writer.write<uint16_t>(arrays.size());
  writer.write<uint32_t>(directory.size());
  writer.write<uint32_t>(offset);
  writer.write<uint16_t>(0);
  return llvm::Error::success();
}

llvm::Expected<std::vector<NamedArray>>
mlir::memrev::readNumPyFile(StringRef path) {
  auto buffer = llvm::MemoryBuffer::getFile(path, /*IsText=*/false,
                                            /*RequiresNullTerminator=*/false);
  if (!buffer)
    return makeError(path + ": " + buffer.getError().message());
  StringRef bytes = (*buffer)->getBuffer();
  if (path.ends_with(".npz")) {
    auto members = parseNpz(bytes);
    if (!members)
      return makeError(path + ": " + llvm::toString(members.takeError()));
    return members;
  }
  llvm::Expected<Array> array = parseNpy(bytes);
  if (!array)
    return makeError(path + ": " + llvm::toString(array.takeError()));
  std::vector<NamedArray> members;
  members.push_back({llvm::sys::path::stem(path).str(), std::move(*array)});
  return members;
}
