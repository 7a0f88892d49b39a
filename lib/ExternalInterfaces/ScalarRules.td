//===- ScalarRules.td - Rules of arith and math operations ----------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One contribution per line. A formula is chosen so that no intermediate value
// overflows where the derivative does not (a 16-bit float overflows at 256
// squared), and so that the formula's own derivatives are right too.
//
// Not here: arith.scaling_extf and arith.scaling_truncf, whose 4- to 8-bit
// operands cannot hold a cotangent.
//
//===----------------------------------------------------------------------===//

include "ScalarRuleBase.td"

defvar zero = F<"0.0">;
defvar half = F<"0.5">;
defvar one = F<"1.0">;

//===----------------------------------------------------------------------===//
// arith
//===----------------------------------------------------------------------===//

def : ScalarRule<"arith", "AddFOp", (Operands $a, $b)> {
  let partials = [
    (Id $dy),
    (Id $dy)
  ];
  let inverses = [
    (Sub $y, $b),
    (Sub $y, $a)
  ];
}

def : ScalarRule<"arith", "SubFOp", (Operands $a, $b)> {
  let partials = [
    (Id $dy),
    (Neg $dy)
  ];
  let inverses = [
    (Add $y, $b),
    (Sub $a, $y)
  ];
}

def : ScalarRule<"arith", "NegFOp", (Operands $a)> {
  let partials = [
    (Neg $dy)
  ];
  let inverses = [
    (Neg $y)
  ];
}

def : ScalarRule<"arith", "MulFOp", (Operands $a, $b)> {
  let partials = [
    (Mul $dy, $b),
    (Mul $dy, $a)
  ];
  let inverses = [
    (Div $y, $b),
    (Div $y, $a)
  ];
  let gains = [
    (Gain<"1 / other.least"> $b),
    (Gain<"1 / other.least"> $a)
  ];
}

// Reading the result avoids b * b, which overflows where the derivative does
// not.
def : ScalarRule<"arith", "DivFOp", (Operands $a, $b)> {
  let partials = [
    (Div $dy, $b),
    (Neg (Mul (Div $dy, $b), $y))
  ];
  let inverses = [
    (Mul $y, $b),
    (Div $a, $y)
  ];
  let gains = [
    (Gain<"other.greatest"> $b),
    (Gain<"INFINITY"> $a)
  ];
}

// y = a - q b with an integer q, which jumps.
defvar quotient = (RoundEven (Div (Sub $a, $y), $b));
def : ScalarRule<"arith", "RemFOp", (Operands $a, $b)> {
  let partials = [
    (Id $dy),
    (Neg (Mul $dy, quotient))
  ];
  let exact = 1;
}

// The larger (or smaller) operand gets the contribution. Two operands that are
// both differentiated share it where they tie; against a constant the operand
// gets nothing there, so that max(x, 0) has the derivative of a relu.
class Extremum<string cppClass, dag aWins, dag bWins>
    : ScalarRule<"arith", cppClass, (Operands $a, $b)> {
  let partials = [
    (IfActive $b, (Select (Equal $a, $b), (Mul $dy, half), (Select aWins, $dy, zero)), (Select aWins, $dy, zero)),
    (IfActive $a, (Select (Equal $a, $b), (Mul $dy, half), (Select bWins, $dy, zero)), (Select bWins, $dy, zero))
  ];
  let exact = 1;
  let selects = 1;
}
def : Extremum<"MaximumFOp", (Greater $a, $b), (Greater $b, $a)>;
def : Extremum<"MinimumFOp", (Less $a, $b), (Less $b, $a)>;
// These ignore a NaN: the other operand wins.
def : Extremum<"MaxNumFOp",
               (And (GreaterOrNaN $a, $b), (Ordered $a, $a)),
               (And (GreaterOrNaN $b, $a), (Ordered $b, $b))>;
def : Extremum<"MinNumFOp",
               (And (LessOrNaN $a, $b), (Ordered $a, $a)),
               (And (LessOrNaN $b, $a), (Ordered $b, $b))>;

// Selects the contribution rather than multiplying by a mask: 0 * NaN is NaN.
def : ScalarRule<"arith", "SelectOp", (Operands $c, $a, $b)> {
  let partials = [
    (None),
    (Select $c, $dy, zero),
    (Select $c, zero, $dy)
  ];
  let exact = 1;
}

// What a wider type holds of a number of the narrower one is rounded back to it,
// also after a small error.
def : ScalarRule<"arith", "ExtFOp", (Operands $a)> {
  let partials = [
    (Convert $dy)
  ];
  let inverses = [
    (Convert $y)
  ];
}

def : ScalarRule<"arith", "TruncFOp", (Operands $a)> {
  let partials = [
    (Convert $dy)
  ];
}

foreach op = [
  // Of floats.
  "CmpFOp", "FPToSIOp", "FPToUIOp", "SIToFPOp", "UIToFPOp",
  // Of anything.
  "ConstantOp",
  // Of integers.
  "AddIOp", "AddUIExtendedOp", "AndIOp", "CeilDivSIOp", "CeilDivUIOp", "CmpIOp",
  "DivSIOp", "DivUIOp", "ExtSIOp", "ExtUIOp", "FloorDivSIOp", "IndexCastOp",
  "IndexCastUIOp", "MaxSIOp", "MaxUIOp", "MinSIOp", "MinUIOp", "MulIOp",
  "MulSIExtendedOp", "MulUIExtendedOp", "OrIOp", "RemSIOp", "RemUIOp",
  "ShLIOp", "ShRSIOp", "ShRUIOp", "SubIOp", "TruncIOp", "XOrIOp"
] in
  def : InactiveOp<"arith", op>;

//===----------------------------------------------------------------------===//
// math
//===----------------------------------------------------------------------===//

// The sign of x, 0 at 0. Copying the sign would give 1 there.
def : ScalarRule<"math", "AbsFOp", (Operands $x)> {
  let partials = [
    (Select (Greater $x, zero), $dy, (Select (Less $x, zero), (Neg $dy), zero))
  ];
  let exact = 1;
}

// |a| with the sign of b.
def : ScalarRule<"math", "CopySignOp", (Operands $a, $b)> {
  let partials = [
    (Select (Equal $a, zero), zero, (Mul $dy, (Mul (CopySign one, $a), (CopySign one, $b)))),
    (None)
  ];
  let exact = 1;
}

// min(max(x, low), high): on a border x gets the contribution.
def : ScalarRule<"math", "ClampFOp", (Operands $x, $low, $high)> {
  let partials = [
    (Select (And (GreaterOrEqual $x, $low), (LessOrEqual $x, $high)), $dy, zero),
    (Select (And (Less $x, $low), (LessOrEqual $low, $high)), $dy, zero),
    (Select (Or (Greater $x, $high), (Greater $low, $high)), $dy, zero)
  ];
  let exact = 1;
}

def : ScalarRule<"math", "FmaOp", (Operands $a, $b, $c)> {
  let partials = [
    (Mul $dy, $b),
    (Mul $dy, $a),
    (Id $dy)
  ];
  // What is added comes back from the product that was added to it, to the bit.
  let inverses = [
    (Div (Sub $y, $c), $b),
    (Div (Sub $y, $c), $a),
    (Fma (Neg $a), $b, $y)
  ];
  let gains = [
    (Gain<"1 / other.least"> $b),
    (Gain<"1 / other.least"> $a),
    (Rounds)
  ];
}

// Roots.
def : ScalarRule<"math", "SqrtOp", (Operands $x)> {
  let partials = [
    (Div (Mul $dy, half), $y)
  ];
  let inverses = [
    (Mul $y, $y)
  ];
  let gains = [(Unbounded)];
}
def : ScalarRule<"math", "RsqrtOp", (Operands $x)> {
  let partials = [
    (Mul (Mul $dy, F<"-0.5">), (Mul $y, (Mul $y, $y)))
  ];
  let inverses = [
    (Div one, (Mul $y, $y))
  ];
  let gains = [(Unbounded)];
}
def : ScalarRule<"math", "CbrtOp", (Operands $x)> {
  let partials = [
    (Div $dy, (Mul F<"3.0">, (Mul $y, $y)))
  ];
  let inverses = [
    (Mul $y, (Mul $y, $y))
  ];
  let gains = [(Unbounded)];
}

// Exponentials and logarithms.
def : ScalarRule<"math", "ExpOp", (Operands $x)> {
  let partials = [
    (Mul $dy, $y)
  ];
  let inverses = [
    (Log $y)
  ];
  let gains = [(Unbounded)];
}
def : ScalarRule<"math", "Exp2Op", (Operands $x)> {
  let partials = [
    (Mul $dy, (Mul $y, F<"M_LN2">))
  ];
  let inverses = [
    (Log2 $y)
  ];
  let gains = [(Unbounded)];
}
def : ScalarRule<"math", "ExpM1Op", (Operands $x)> {
  let partials = [
    (Mul $dy, (Add $y, one))
  ];
  let inverses = [
    (Log1p $y)
  ];
  let gains = [(Unbounded)];
}
def : ScalarRule<"math", "LogOp", (Operands $x)> {
  let partials = [
    (Div $dy, $x)
  ];
  let inverses = [
    (Exp $y)
  ];
  let gains = [(Unbounded)];
}
def : ScalarRule<"math", "Log2Op", (Operands $x)> {
  let partials = [
    (Div $dy, (Mul $x, F<"M_LN2">))
  ];
  let inverses = [
    (Exp2 $y)
  ];
  let gains = [(Unbounded)];
}
def : ScalarRule<"math", "Log10Op", (Operands $x)> {
  let partials = [
    (Div $dy, (Mul $x, F<"M_LN10">))
  ];
  let inverses = [
    (Exp (Mul $y, F<"M_LN10">))
  ];
  let gains = [(Unbounded)];
}
def : ScalarRule<"math", "Log1pOp", (Operands $x)> {
  let partials = [
    (Div $dy, (Add $x, one))
  ];
  let inverses = [
    (ExpM1 $y)
  ];
  let gains = [(Unbounded)];
}

// Powers. b a^(b-1) is 0 * inf for a = b = 0, where it is 0. The derivative in
// b exists for a positive base only; elsewhere it counts as 0.
defvar lowerPower = (Select (And (Equal $a, zero), (Equal $b, zero)), one, (Sub $b, one));
defvar logOfBase = (Log (Select (Greater $a, zero), $a, one));
def : ScalarRule<"math", "PowFOp", (Operands $a, $b)> {
  let partials = [
    (Mul $dy, (Mul $b, (PowF $a, lowerPower))),
    (Select (Greater $a, zero), (Mul $dy, (Mul $y, logOfBase)), zero)
  ];
}
def : ScalarRule<"math", "FPowIOp", (Operands $a, $n)> {
  let partials = [
    (Mul $dy, (Mul (ToFloat $n), (FPowI $a, (LowerPower $n)))),
    (None)
  ];
}

// Trigonometric functions.
def : ScalarRule<"math", "SinOp", (Operands $x)> {
  let partials = [
    (Mul $dy, (Cos $x))
  ];
}
def : ScalarRule<"math", "CosOp", (Operands $x)> {
  let partials = [
    (Neg (Mul $dy, (Sin $x)))
  ];
}
def : ScalarRule<"math", "SincosOp", (Operands $x), (Results $sin, $cos)> {
  let partials = [
    (Mul $dy, $cos),
    (Neg (Mul $dy, $sin))
  ];
}
def : ScalarRule<"math", "TanOp", (Operands $x)> {
  let partials = [
    (Add $dy, (Mul $dy, (Mul $y, $y)))
  ];
}
def : ScalarRule<"math", "AsinOp", (Operands $x)> {
  let partials = [
    (Div $dy, (Sqrt (Mul (Sub one, $x), (Add one, $x))))
  ];
  let inverses = [
    (Sin $y)
  ];
  let gains = [(Unbounded)];
}
def : ScalarRule<"math", "AcosOp", (Operands $x)> {
  let partials = [
    (Neg (Div $dy, (Sqrt (Mul (Sub one, $x), (Add one, $x)))))
  ];
  let inverses = [
    (Cos $y)
  ];
  let gains = [(Unbounded)];
}
def : ScalarRule<"math", "AtanOp", (Operands $x)> {
  let partials = [
    (Div $dy, (Add one, (Mul $x, $x)))
  ];
  let inverses = [
    (Tan $y)
  ];
  let gains = [(Unbounded)];
}

// x / (x^2 + y^2) and -y / (x^2 + y^2) by the ratio of the smaller to the
// larger coordinate.
defvar isFlat = (GreaterOrEqual (Abs $x), (Abs $y));
defvar larger = (Select isFlat, $x, $y);
defvar smaller = (Select isFlat, $y, $x);
defvar ratio = (Div smaller, larger);
defvar length = (Add larger, (Mul smaller, ratio));
def : ScalarRule<"math", "Atan2Op", (Operands $y, $x), (Results $angle)> {
  let partials = [
    (Mul $dy, (Div (Select isFlat, one, ratio), length)),
    (Neg (Mul $dy, (Div (Select isFlat, ratio, one), length)))
  ];
}

// Hyperbolic functions.
def : ScalarRule<"math", "SinhOp", (Operands $x)> {
  let partials = [
    (Mul $dy, (Cosh $x))
  ];
  let inverses = [
    (Asinh $y)
  ];
  let gains = [(Unbounded)];
}
def : ScalarRule<"math", "CoshOp", (Operands $x)> {
  let partials = [
    (Mul $dy, (Sinh $x))
  ];
}
def : ScalarRule<"math", "TanhOp", (Operands $x)> {
  let partials = [
    (Sub $dy, (Mul $dy, (Mul $y, $y)))
  ];
  let inverses = [
    (Atanh $y)
  ];
  let gains = [(Unbounded)];
}
def : ScalarRule<"math", "AsinhOp", (Operands $x)> {
  let partials = [
    (Div $dy, (Cosh $y))
  ];
  let inverses = [
    (Sinh $y)
  ];
  let gains = [(Unbounded)];
}
def : ScalarRule<"math", "AcoshOp", (Operands $x)> {
  let partials = [
    (Div $dy, (Mul (Sqrt (Sub $x, one)), (Sqrt (Add $x, one))))
  ];
  let inverses = [
    (Cosh $y)
  ];
  let gains = [(Unbounded)];
}
def : ScalarRule<"math", "AtanhOp", (Operands $x)> {
  let partials = [
    (Div $dy, (Mul (Sub one, $x), (Add one, $x)))
  ];
  let inverses = [
    (Tanh $y)
  ];
  let gains = [(Unbounded)];
}

// The error function.
def : ScalarRule<"math", "ErfOp", (Operands $x)> {
  let partials = [
    (Mul $dy, (Mul F<"M_2_SQRTPI">, (Exp (Neg (Mul $x, $x)))))
  ];
}
def : ScalarRule<"math", "ErfcOp", (Operands $x)> {
  let partials = [
    (Mul $dy, (Mul F<"-M_2_SQRTPI">, (Exp (Neg (Mul $x, $x)))))
  ];
}

foreach op = [
  // Of floats.
  "CeilOp", "FloorOp", "IsFiniteOp", "IsInfOp", "IsNaNOp", "IsNormalOp",
  "RoundEvenOp", "RoundOp", "TruncOp",
  // Of integers.
  "AbsIOp", "CountLeadingZerosOp", "CountTrailingZerosOp", "CtPopOp", "IPowIOp"
] in
  def : InactiveOp<"math", op>;
