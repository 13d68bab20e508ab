// e^x over a vector type V and the operations Set, MulAdd, NegMulAdd, MaxOrSecond, MinOrSecond,
// RoundToInteger, ScaleByPower and ZeroBelow that the including file gives it. Included once per
// instruction set, inside its target region and an anonymous namespace: no #include here.

// e^x, within 1 ulp of the exact value where that is a normal number; smaller results are 0, larger
// ones infinite, NaN stays NaN. x = n ln 2 + r with |r| <= ln 2 / 2; e^r = 1 + r + r^2 q(r), q
// fitted for least relative error (3.1e-9, far below half an ulp) by reweighted least squares on
// Chebyshev nodes, each coefficient rounded before the next was fitted.
inline V Exp(V x) {
  const V lowest = Set(-87.33654f);  // ln of the smallest normal number
  const V bounded = MaxOrSecond(lowest, MinOrSecond(Set(89.0f), x));
  const V n = RoundToInteger(bounded * Set(0x1.715476p+0f));
  V r = NegMulAdd(n, Set(0x1.62e430p-1f), bounded);
  r = NegMulAdd(n, Set(-0x1.05c610p-29f), r);
  V q = MulAdd(Set(0x1.6a4d14p-10f), r, Set(0x1.12398ap-7f));
  q = MulAdd(q, r, Set(0x1.5558b0p-5f));
  q = MulAdd(q, r, Set(0x1.555492p-3f));
  q = MulAdd(q, r, Set(0x1.fffffcp-2f));
  return ZeroBelow(ScaleByPower(MulAdd(r * r, q, r) + Set(1.0f), n), x, lowest);
}
