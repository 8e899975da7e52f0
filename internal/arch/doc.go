// Package arch has no code, only the test that holds the architecture: which
// package may import which, who may read the clock, the environment or print,
// how long a file may get, and that every package says what it is for. The
// rules are the text in arch_test.go; docs/design.md explains them.
package arch
