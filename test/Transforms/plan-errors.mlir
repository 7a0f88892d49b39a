// RUN: not memrev-opt %s -rev-plan=storage=f 2>&1 | FileCheck %s -DTEXT=f
// RUN: not memrev-opt %s -rev-plan=storage=f=x 2>&1 | FileCheck %s -DTEXT=f=x
// RUN: not memrev-opt %s -rev-plan=storage=g=1 2>&1 | FileCheck %s -DTEXT=g=1

// CHECK: error: expects option 'storage' to hold a function, '=' and bytes, but got '[[TEXT]]'
func.func @f() {
  return
}
