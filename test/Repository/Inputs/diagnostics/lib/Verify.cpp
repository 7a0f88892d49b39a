LogicalResult A::verify() {
  if (getRank() != 2)
    return emitOpError("expects rank 2; "
                       "but got ")
           << getRank();
  if (!getName())
    return emitError(loc, "expects a ") << (x ? "name" : "number") << " here";
  if (failed(check([&] { return emitError() << "expects " << n << " of them"; })))
    return failure();
  return emitOpError(kind) << what;
}
