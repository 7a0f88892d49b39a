# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compiling text and calling functions with NumPy arrays."""

import threading
import unittest

import memrev
import numpy as np

PROGRAM = """
func.func @affine(%x: tensor<8x4xf32>, %w: tensor<4x4xf32>, %s: f32)
    -> (tensor<8x4xf32>, f32) {
  %zero = arith.constant dense<0.0> : tensor<8x4xf32>
  %y = linalg.matmul ins(%x, %w : tensor<8x4xf32>, tensor<4x4xf32>)
                     outs(%zero : tensor<8x4xf32>) -> tensor<8x4xf32>
  %t = math.tanh %y : tensor<8x4xf32>
  return %t, %s : tensor<8x4xf32>, f32
}
func.func @update(%w: tensor<16xf64> {rev.donated}, %g: tensor<16xf64>)
    -> tensor<16xf64> {
  %r = linalg.add ins(%w, %g : tensor<16xf64>, tensor<16xf64>)
                  outs(%w : tensor<16xf64>) -> tensor<16xf64>
  return %r : tensor<16xf64>
}
func.func @overwrite(%x: tensor<16xf64>) -> (tensor<16xf64>, tensor<16xf64>) {
  %r = linalg.add ins(%x, %x : tensor<16xf64>, tensor<16xf64>)
                  outs(%x : tensor<16xf64>) -> tensor<16xf64>
  return %r, %r : tensor<16xf64>, tensor<16xf64>
}
func.func @count(%n: index, %x: tensor<3xi32>, %b: tensor<3xi1>)
    -> (index, tensor<3xi32>, tensor<3xi1>) {
  %0 = arith.addi %n, %n : index
  return %0, %x, %b : index, tensor<3xi32>, tensor<3xi1>
}
"""


class CompileTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.module = memrev.compile(PROGRAM)
        rng = np.random.default_rng(0)
        cls.x = rng.standard_normal((8, 4)).astype(np.float32)
        cls.w = rng.standard_normal((4, 4)).astype(np.float32)

    def test_numbers(self):
        y, s = self.module["affine"](self.x, self.w, 2.5)
        np.testing.assert_allclose(y, np.tanh(self.x @ self.w), rtol=1e-5, atol=1e-6)
        self.assertEqual(s, np.float32(2.5))

    def test_arguments_stay_and_results_are_apart(self):
        x = np.arange(16.0)
        a, b = self.module["overwrite"](x)
        np.testing.assert_array_equal(x, np.arange(16.0))
        np.testing.assert_array_equal(a, 2 * x)
        np.testing.assert_array_equal(b, 2 * x)
        self.assertFalse(np.shares_memory(a, b))
        self.assertFalse(np.shares_memory(a, x))

    def test_donated_argument_is_the_result(self):
        w = np.ones(16)
        r = self.module["update"](w, np.full(16, 2.0))
        self.assertIs(r, w)
        np.testing.assert_array_equal(w, np.full(16, 3.0))

    def test_integers_and_booleans(self):
        flags = np.array([True, False, True])
        n, x, b = self.module["count"](21, np.arange(3, dtype=np.int32), flags)
        self.assertEqual(n, 42)
        np.testing.assert_array_equal(x, [0, 1, 2])
        np.testing.assert_array_equal(b, flags)

    def test_threads_call_at_once(self):
        function = self.module["affine"]
        expected = function(self.x, self.w, 1.0)[0]
        wrong = []

        def work():
            for _ in range(200):
                if not np.array_equal(function(self.x, self.w, 1.0)[0], expected):
                    wrong.append(1)

        threads = [threading.Thread(target=work) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertFalse(wrong)

    def test_loops_over_narrow_integers(self):
        """Loops whose bounds are farther apart than their type can say."""
        for kind, unsigned, low, high, step in (
                ("i8", "", -100, 100, 50), ("i8", "", -128, 127, 1), ("i8", "", 127, -128, 1),
                ("i8", "unsigned ", 3, 255, 100), ("i16", "", -30000, 30000, 7000),
                ("i64", "", -2**63, 2**63 - 1, 2**62)):
            module = memrev.compile(f"""
                func.func @f(%x: i64) -> (i64, i64) {{
                  %low = arith.constant {low} : {kind}
                  %high = arith.constant {high} : {kind}
                  %step = arith.constant {step} : {kind}
                  %one = arith.constant 1 : i64
                  %r:2 = scf.for {unsigned}%i = %low to %high step %step
                      iter_args(%n = %x, %sum = %x) -> (i64, i64) : {kind} {{
                    %m = arith.addi %n, %one : i64
                    %w = arith.index_cast{"ui" if unsigned else ""} %i : {kind} to index
                    %v = arith.index_cast %w : index to i64
                    %t = arith.addi %sum, %v : i64
                    scf.yield %m, %t : i64, i64
                  }}
                  return %r#0, %r#1 : i64, i64
                }}""")
            expected = range(low, high, step)
            self.assertEqual(module["f"](0), (len(expected), sum(expected)), (kind, low, high))

    def test_results_do_not_depend_on_the_number_of_threads(self):
        module = memrev.compile("""
          func.func @f(%x: tensor<200x96xf32>, %w: tensor<96x64xf32>)
              -> (tensor<200x64xf32>, tensor<64xf32>) {
            %c = arith.constant 0.0 : f32
            %e = tensor.empty() : tensor<200x64xf32>
            %z = linalg.fill ins(%c : f32) outs(%e : tensor<200x64xf32>) -> tensor<200x64xf32>
            %y = linalg.matmul ins(%x, %w : tensor<200x96xf32>, tensor<96x64xf32>)
                               outs(%z : tensor<200x64xf32>) -> tensor<200x64xf32>
            %t = math.tanh %y : tensor<200x64xf32>
            %e1 = tensor.empty() : tensor<64xf32>
            %z1 = linalg.fill ins(%c : f32) outs(%e1 : tensor<64xf32>) -> tensor<64xf32>
            %s = linalg.reduce { arith.addf } ins(%t : tensor<200x64xf32>)
                 outs(%z1 : tensor<64xf32>) dimensions = [0]
            return %t, %s : tensor<200x64xf32>, tensor<64xf32>
          }""")
        rng = np.random.default_rng(1)
        x = rng.standard_normal((200, 96)).astype(np.float32)
        w = rng.standard_normal((96, 64)).astype(np.float32)
        one = module["f"](x, w, threads=1)
        two = module["f"](x, w, threads=2)
        np.testing.assert_allclose(one[0], np.tanh(x @ w), rtol=1e-4, atol=1e-5)
        for a, b in zip(one, two):
            np.testing.assert_array_equal(a, b)

    def test_errors_name_the_argument(self):
        f = self.module["affine"]
        cases = [
            (TypeError, "'arg0' .* dtype float32, but got float64",
             (self.x.astype(np.float64), self.w, 1.0)),
            (ValueError, r"'arg1' .* shape \[4, 4\], but got \[4\]",
             (self.x, self.w[0], 1.0)),
            (ValueError, "'arg1' .* contiguous", (self.x, self.w.T, 1.0)),
            (TypeError, "'arg0' .* a NumPy array, but got list", ([1], self.w, 1.0)),
            (TypeError, "expects 3 arguments, but got 1", (self.x,)),
        ]
        for kind, message, arguments in cases:
            with self.subTest(message), self.assertRaisesRegex(kind, message):
                f(*arguments)
        with self.assertRaisesRegex(TypeError, "'arg0' .* int64, but got 1.5"):
            self.module["count"](1.5, np.zeros(3, np.int32), np.zeros(3, bool))
        frozen = np.ones(16)
        frozen.flags.writeable = False
        with self.assertRaisesRegex(ValueError, "'arg0' .* writable"):
            self.module["update"](frozen, np.ones(16))
        with self.assertRaisesRegex(KeyError, "no public function 'nothing'"):
            self.module["nothing"]

    def test_compile_error_carries_diagnostics(self):
        with self.assertRaises(memrev.CompileError) as caught:
            memrev.compile("func.func @f() { return 1 }", file="bad.mlir")
        first = caught.exception.diagnostics[0]
        self.assertEqual((first.severity, first.file, first.line), ("error", "bad.mlir", 1))
        with self.assertRaisesRegex(memrev.CompileError, "expects target"):
            memrev.compile(PROGRAM, target="toaster")
        with self.assertRaisesRegex(memrev.CompileError, "'until' expects"):
            memrev.compile(PROGRAM, until="dawn")

    def test_memory_report(self):
        report = {entry["function"]: entry for entry in self.module.memory_report()}
        affine = report["affine"]
        self.assertEqual(affine["argument_bytes"], 128 + 64 + 4)
        self.assertEqual(affine["result_bytes"], 128 + 4)
        self.assertEqual(
            affine["peak_bytes"],
            affine["argument_bytes"] + affine["result_bytes"] + affine["workspace_bytes"],
        )
        self.assertEqual(report["update"]["result_bytes"], 0)

    def test_stages(self):
        module = memrev.compile(PROGRAM, until="bufferize", ir=True)
        self.assertIn("memref", module.ir)
        with self.assertRaisesRegex(RuntimeError, "binary stage"):
            module["overwrite"](np.ones(16))

    def test_masks(self):
        """Masks that go from kernel to kernel, in whole vectors, in parts, along slices and
        across the order in memory, by one thread and by two."""
        rng = np.random.default_rng(3)
        for shape in (5,), (64, 17), (129, 64), (600, 48):
            with self.subTest(shape=shape):
                x, y = rng.standard_normal((2, *shape)).astype(np.float32)
                given = rng.random(shape) < 0.5
                turned = "x".join(str(n) for n in reversed(shape))
                tensor = "x".join(str(n) for n in shape)
                size = ", ".join(["3"] + [str(n) for n in shape[1:]])
                part = size.replace(", ", "x")
                offsets = ", ".join("2" + "0" * (len(shape) - 1))
                ones = ", ".join("1" * len(shape))
                order = ", ".join(str(n) for n in reversed(range(len(shape))))
                text = f"""
func.func @masks(%x: tensor<{tensor}xf32>, %y: tensor<{tensor}xf32>, %g: tensor<{tensor}xi1>)
    -> (tensor<{tensor}xi1>, tensor<{tensor}xf32>, tensor<{turned}xi1>,
        tensor<{part}xi1>) {{
  %m = arith.cmpf olt, %x, %y : tensor<{tensor}xf32>
  %b = arith.xori %m, %g : tensor<{tensor}xi1>
  %s = arith.select %b, %x, %y : tensor<{tensor}xi1>, tensor<{tensor}xf32>
  %e = tensor.empty() : tensor<{turned}xi1>
  %t = linalg.transpose ins(%b : tensor<{tensor}xi1>) outs(%e : tensor<{turned}xi1>)
      permutation = [{order}]
  %p = tensor.extract_slice %b[{offsets}] [{size}] [{ones}]
      : tensor<{tensor}xi1> to tensor<{part}xi1>
  return %b, %s, %t, %p : tensor<{tensor}xi1>, tensor<{tensor}xf32>, tensor<{turned}xi1>,
      tensor<{part}xi1>
}}
"""
                masks = memrev.compile(text)["masks"]
                both = (x < y) ^ given
                for threads in 1, 2:
                    b, s, t, p = masks(x, y, given, threads=threads)
                    np.testing.assert_array_equal(b, both)
                    np.testing.assert_array_equal(s, np.where(both, x, y))
                    np.testing.assert_array_equal(t, both.T)
                    np.testing.assert_array_equal(p, both[2:5])
                    # A byte of a mask is 0 or 1.
                    self.assertLessEqual(b.view(np.uint8).max(), 1)

    def test_rows_replaced_by_what_is_computed_from_them(self):
        """A loop over places that multiplies a row by a matrix, and also hands the row out."""
        rows = memrev.compile("""
func.func @rows(%x: tensor<4x2xf64>, %w: tensor<2x2xf64>, %i: tensor<3xi64>, %s: tensor<3x2xf64>)
    -> (tensor<4x2xf64>, tensor<3x2xf64>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c3 = arith.constant 3 : index
  %zero = arith.constant dense<0.0> : tensor<2xf64>
  %r:2 = scf.for %k = %c0 to %c3 step %c1 iter_args(%a = %x, %b = %s)
      -> (tensor<4x2xf64>, tensor<3x2xf64>) {
    %n = tensor.extract %i[%k] : tensor<3xi64>
    %p = arith.index_cast %n : i64 to index
    %row = tensor.extract_slice %a[%p, 0] [1, 2] [1, 1] : tensor<4x2xf64> to tensor<2xf64>
    %b2 = tensor.insert_slice %row into %b[%k, 0] [1, 2] [1, 1]
        : tensor<2xf64> into tensor<3x2xf64>
    %y = linalg.vecmat ins(%row, %w : tensor<2xf64>, tensor<2x2xf64>)
                       outs(%zero : tensor<2xf64>) -> tensor<2xf64>
    %a2 = tensor.insert_slice %y into %a[%p, 0] [1, 2] [1, 1]
        : tensor<2xf64> into tensor<4x2xf64>
    scf.yield %a2, %b2 : tensor<4x2xf64>, tensor<3x2xf64>
  }
  return %r#0, %r#1 : tensor<4x2xf64>, tensor<3x2xf64>
}
""")["rows"]
        rng = np.random.default_rng(4)
        x, w, places = rng.standard_normal((4, 2)), rng.standard_normal((2, 2)), [2, 0, 2]
        found, read = rows(x, w, np.array(places), np.zeros((3, 2)))
        for k, place in enumerate(places):
            np.testing.assert_allclose(read[k], x[place], atol=1e-14)
            x[place] = x[place] @ w
        np.testing.assert_allclose(found, x, atol=1e-14)


if __name__ == "__main__":
    unittest.main()
