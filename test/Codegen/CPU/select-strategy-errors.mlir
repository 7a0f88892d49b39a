// RUN: not memrev-opt %s --cpu-select-strategy="vector-bits=100" 2>&1 | FileCheck %s --check-prefix=BITS
// RUN: not memrev-opt %s --cpu-select-strategy="accumulators=0" 2>&1 | FileCheck %s --check-prefix=ACCUMULATORS

// BITS: error: expects vector-bits to be 128, 256 or 512, but got 100
// ACCUMULATORS: error: expects accumulators to be between 1 and 28, but got 0
func.func @f() {
  return
}
