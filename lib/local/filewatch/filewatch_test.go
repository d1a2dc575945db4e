package filewatch_test

import (
	"context"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/herald-progress/herald/lib/local/filewatch"
)

// write writes a file and its folder.
func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestAChangeIsReportedOnceItHasSettled(t *testing.T) {
	folder := t.TempDir()
	file, inside := filepath.Join(folder, "a.json"), filepath.Join(folder, "app", "lib", "b.py")
	write(t, file, "1")
	write(t, inside, "1")
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var calls atomic.Int32
		w := filewatch.New(file, filepath.Join(folder, "app"), filepath.Join(folder, "later"))
		go w.Run(ctx, func(context.Context) { calls.Add(1) })
		for _, step := range []struct {
			what string
			do   func()
			want int
		}{
			{"nothing", func() {}, 0},
			{"a file grows", func() { write(t, file, "12") }, 1},
			{"a file in a folder grows", func() { write(t, inside, "12") }, 2},
			{"a hidden folder changes", func() { write(t, filepath.Join(folder, "app", ".git", "x"), "") }, 2},
			{"packages change", func() { write(t, filepath.Join(folder, "app", "node_modules", "x"), "") }, 2},
			{"a cache changes", func() { write(t, filepath.Join(folder, "app", "__pycache__", "x"), "") }, 2},
			{"a file is made", func() { write(t, filepath.Join(folder, "later"), "") }, 3},
			{"a file is removed", func() { _ = os.Remove(file) }, 4},
			{"a file is written in pieces", func() {
				for n := range 10 {
					write(t, file, string(make([]byte, n+5)))
					time.Sleep(100 * time.Millisecond)
				}
			}, 5},
		} {
			step.do()
			time.Sleep(2 * time.Second)
			synctest.Wait()
			if got := int(calls.Load()); got != step.want {
				t.Errorf("%s: %d changes, want %d", step.what, got, step.want)
			}
		}
	})
}
