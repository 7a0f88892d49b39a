// RUN: memrev-opt %s -codegen-narrow-vectors-to-bytes | FileCheck %s
// RUN: memrev-opt %s --memrev-binary-cpu | FileCheck %s --check-prefix=LLVM

// CHECK-LABEL: @read
// CHECK-SAME: (%[[M:.*]]: memref<4x64xi1>, %{{.*}}: index, %[[MASK:.*]]: vector<16xi1>)
// LLVM-LABEL: @read
// LLVM-NOT: unrealized_conversion_cast
// LLVM: llvm.intr.masked.load {{.*}} -> vector<16xi8>
func.func @read(%m: memref<4x64xi1>, %i: index, %mask: vector<16xi1>) -> vector<16xi1> {
  // CHECK: %[[B:.*]] = builtin.unrealized_conversion_cast %[[M]] : memref<4x64xi1> to memref<4x64xi8>
  // CHECK: %[[R:.*]] = vector.transfer_read %[[B]]{{.*}}, %[[MASK]] {in_bounds = [true]} : memref<4x64xi8>, vector<16xi8>
  // CHECK: %[[V:.*]] = arith.trunci %[[R]] : vector<16xi8> to vector<16xi1>
  // CHECK: return %[[V]]
  %no = arith.constant false
  %v = vector.transfer_read %m[%i, %i], %no, %mask {in_bounds = [true]} : memref<4x64xi1>, vector<16xi1>
  return %v : vector<16xi1>
}

// CHECK-LABEL: @write
// LLVM-LABEL: @write
// LLVM: llvm.zext %{{.*}} : vector<16xi1> to vector<16xi8>
// LLVM: llvm.store {{.*}} : vector<16xi8>
func.func @write(%m: memref<64xi1, strided<[1], offset: ?>>, %i: index, %v: vector<16xi1>) {
  // CHECK: %[[B:.*]] = arith.extui %{{.*}} : vector<16xi1> to vector<16xi8>
  // CHECK: vector.transfer_write %[[B]]{{.*}} : vector<16xi8>, memref<64xi8, strided<[1], offset: ?>>
  vector.transfer_write %v, %m[%i] {in_bounds = [true]} : vector<16xi1>, memref<64xi1, strided<[1], offset: ?>>
  return
}

// Elements of bytes stay.
// CHECK-LABEL: @bytes
func.func @bytes(%m: memref<64xi8>, %i: index) -> vector<16xi8> {
  // CHECK-NOT: cast
  // CHECK: return
  %no = arith.constant 0 : i8
  %v = vector.transfer_read %m[%i], %no {in_bounds = [true]} : memref<64xi8>, vector<16xi8>
  return %v : vector<16xi8>
}
