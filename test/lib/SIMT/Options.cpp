//===- Options.cpp - What the environment asks of the emulator ------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Options.h"
#include <cstdio>
#include <cstdlib>
#include <string>

using namespace memrev::simt;

[[noreturn]] static void fail(const char *name, const char *expected,
                              const std::string &value) {
  std::fprintf(stderr, "memrev-simt: expects %s in %s, but got '%s'\n",
               expected, name, value.c_str());
  std::exit(2);
}

static void readNumber(const char *name, uint64_t &number) {
  const char *value = std::getenv(name);
  if (!value)
    return;
  char *end = nullptr;
  number = std::strtoull(value, &end, 10);
  if (*value == '\0' || *end != '\0')
    fail(name, "a number", value);
}

static bool isSet(const char *name) {
  const char *value = std::getenv(name);
  return value && std::string(value) != "0";
}

Options Options::fromEnvironment() {
  Options options;
  if (const char *chip = std::getenv("MEMREV_SIMT_CHIP")) {
    std::string name = chip;
    if (name == "sm_80")
      options.chip = 80;
    else if (name == "sm_90" || name == "sm_90a")
      options.chip = 90;
    else
      fail("MEMREV_SIMT_CHIP", "sm_80, sm_90 or sm_90a", name);
  }
  uint64_t devices = options.devices, memory = options.memory,
           schedules = options.schedules;
  readNumber("MEMREV_SIMT_DEVICES", devices);
  readNumber("MEMREV_SIMT_MEMORY", memory);
  readNumber("MEMREV_SIMT_SEED", options.seed);
  readNumber("MEMREV_SIMT_SCHEDULES", schedules);
  readNumber("MEMREV_SIMT_TRAFFIC", options.traffic);
  if (schedules == 0)
    fail("MEMREV_SIMT_SCHEDULES", "at least 1", "0");
  options.devices = static_cast<int>(devices);
  options.memory = memory;
  options.schedules = static_cast<unsigned>(schedules);
  if (const char *mode = std::getenv("MEMREV_SIMT_ASYNC")) {
    std::string name = mode;
    if (name == "issue")
      options.async = AsyncMode::Issue;
    else if (name == "wait")
      options.async = AsyncMode::Wait;
    else if (name == "random")
      options.async = AsyncMode::Random;
    else
      fail("MEMREV_SIMT_ASYNC", "issue, wait or random", name);
  }
  options.keepGoing = isSet("MEMREV_SIMT_CONTINUE");
  options.trace = isSet("MEMREV_SIMT_TRACE");
  return options;
}
