// Package logtest holds what a test reads while other goroutines write it.
package logtest

import (
	"bytes"
	"strings"
	"sync"
	"testing"
	"time"
)

// patience is how long WaitFor waits: longer than anything takes on a busy machine.
const patience = time.Minute

// Buffer is a buffer that may be written and read concurrently. The zero value is empty.
type Buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write appends p. It returns no error.
func (b *Buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p) //nolint:wrapcheck // a bytes.Buffer returns no error
}

// String returns all that was written.
func (b *Buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// WaitFor waits until the buffer has the text. It fails the test if the text does not come.
func (b *Buffer) WaitFor(tb testing.TB, text string) {
	tb.Helper()
	for end := time.Now().Add(patience); !strings.Contains(b.String(), text); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			tb.Fatalf("no %q in\n%s", text, b)
		}
	}
}
