package asltest

import (
	"os"
	"testing"

	"github.com/herald-progress/herald/lib/asl/mock"
)

// MockFile returns a test case of a mock configuration file of AWS Step Functions Local, for Machine.Mock. machine and testCase are their names
// in the file. It fails the test if there is no such file, machine or test case.
func MockFile(tb testing.TB, file, machine, testCase string) *mock.Case {
	tb.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		tb.Fatalf("asltest: %v", err)
	}
	parsed, err := mock.Parse(text)
	if err != nil {
		tb.Fatalf("asltest: %s: %v", file, err)
	}
	c, err := parsed.Case(machine, testCase)
	if err != nil {
		tb.Fatalf("asltest: %s: %v", file, err)
	}
	return c
}
