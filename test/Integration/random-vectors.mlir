// The known answers of Random123 for philox4x32-10, and the same numbers for static
// and for dynamic extents.
// RUN: memrev-opt %s -convert-rev-to-linalg -one-shot-bufferize="bufferize-function-boundaries" \
// RUN:   -convert-linalg-to-loops -convert-scf-to-cf -expand-strided-metadata -lower-affine \
// RUN:   -convert-math-to-llvm -convert-math-to-libm -convert-vector-to-llvm -convert-to-llvm -reconcile-unrealized-casts \
// RUN: | mlir-runner -e main --entry-point-result=void --shared-libs=%mlir_lib_dir/libmlir_c_runner_utils.so \
// RUN: | FileCheck %s

func.func @print4(%seed: i64, %layer: i32, %step: i64, %offset: i64) {
  %c0 = arith.constant 0 : index
  %0 = rev.random_bits seed %seed layer %layer step %step offset %offset {word = 0 : i64} : (i64, i32, i64, i64) -> tensor<1xi32>
  %1 = rev.random_bits seed %seed layer %layer step %step offset %offset {word = 1 : i64} : (i64, i32, i64, i64) -> tensor<1xi32>
  %2 = rev.random_bits seed %seed layer %layer step %step offset %offset {word = 2 : i64} : (i64, i32, i64, i64) -> tensor<1xi32>
  %3 = rev.random_bits seed %seed layer %layer step %step offset %offset {word = 3 : i64} : (i64, i32, i64, i64) -> tensor<1xi32>
  %e0 = tensor.extract %0[%c0] : tensor<1xi32>
  %e1 = tensor.extract %1[%c0] : tensor<1xi32>
  %e2 = tensor.extract %2[%c0] : tensor<1xi32>
  %e3 = tensor.extract %3[%c0] : tensor<1xi32>
  vector.print %e0 : i32
  vector.print %e1 : i32
  vector.print %e2 : i32
  vector.print %e3 : i32
  return
}
func.func @main() {
  %z64 = arith.constant 0 : i64
  %z32 = arith.constant 0 : i32
  // Key and counter are zeros: 6627e8d5 e169c58d bc57ac4c 9b00dbd8.
  // CHECK: 1713891541
  // CHECK-NEXT: -513161843
  // CHECK-NEXT: -1135104948
  // CHECK-NEXT: -1694442536
  call @print4(%z64, %z32, %z64, %z64) : (i64, i32, i64, i64) -> ()
  %o64 = arith.constant -1 : i64
  %o32 = arith.constant -1 : i32
  %low = arith.constant 4294967295 : i64
  // Ones: 408f276d 41c83b0e a20bc7c6 6d5451fd.
  // CHECK-NEXT: 1083123565
  // CHECK-NEXT: 1103641358
  // CHECK-NEXT: -1576286266
  // CHECK-NEXT: 1834242557
  call @print4(%low, %o32, %o64, %o64) : (i64, i32, i64, i64) -> ()
  %ps = arith.constant 0xA4093822 : i64
  %pl = arith.constant 0x299f31d0 : i32
  %pt = arith.constant 0x0370734413198a2e : i64
  %pi = arith.constant 0x85a308d3243f6a88 : i64
  // Counter 243f6a88 85a308d3 13198a2e 03707344, key a4093822 299f31d0:
  // d16cfe09 94fdcceb 5001e420 24126ea1.
  // CHECK-NEXT: -781386231
  // CHECK-NEXT: -1795306261
  // CHECK-NEXT: 1342301216
  // CHECK-NEXT: 605187745
  call @print4(%ps, %pl, %pt, %pi) : (i64, i32, i64, i64) -> ()

  // CHECK-NEXT: 0
  %c3 = arith.constant 3 : index
  %c7 = arith.constant 7 : index
  call @compare(%c3, %c7, %ps, %pl, %pt) : (index, index, i64, i32, i64) -> ()
  return
}

// Prints how many elements differ between static and dynamic extents.
func.func @compare(%m: index, %n: index, %seed: i64, %layer: i32, %step: i64) {
  %0 = rev.random_bits seed %seed layer %layer step %step : (i64, i32, i64) -> tensor<3x5x7xi32>
  %1 = rev.random_bits(%m, %n) seed %seed layer %layer step %step : (index, index, i64, i32, i64) -> tensor<?x5x?xi32>
  %cast = tensor.cast %1 : tensor<?x5x?xi32> to tensor<3x5x7xi32>
  %zero = arith.constant dense<0> : tensor<i32>
  %count = linalg.generic {indexing_maps = [affine_map<(i, j, k) -> (i, j, k)>, affine_map<(i, j, k) -> (i, j, k)>,
      affine_map<(i, j, k) -> ()>], iterator_types = ["reduction", "reduction", "reduction"]}
      ins(%0, %cast : tensor<3x5x7xi32>, tensor<3x5x7xi32>) outs(%zero : tensor<i32>) {
  ^bb0(%a: i32, %b: i32, %sum: i32):
    %differs = arith.cmpi ne, %a, %b : i32
    %one = arith.extui %differs : i1 to i32
    %more = arith.addi %sum, %one : i32
    linalg.yield %more : i32
  } -> tensor<i32>
  %r = tensor.extract %count[] : tensor<i32>
  vector.print %r : i32
  return
}
