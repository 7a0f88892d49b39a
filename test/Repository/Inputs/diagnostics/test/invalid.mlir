// expected-error @below {{'a' op expects rank 2; but got 3}}
// expected-error @below {{expects a number here}}
// expected-error @below {{of them, expects 3}}
