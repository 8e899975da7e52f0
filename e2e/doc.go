// Package e2e runs real programs that fail for a known reason, plainly and
// under culprit, and compares: the program must say and return the same, and
// the verdict must name the cause. Everything stays on loopback.
//
// The table is in cases_*_test.go, what it runs against is in e2e/stage.
package e2e
