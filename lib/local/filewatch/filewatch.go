// Package filewatch reports changes of files and folders. It looks at them at intervals, which works on every file system.
package filewatch

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

const (
	// interval is the time between two looks. A change counts when nothing has changed for an interval, so that a file is not read
	// while it is being written.
	interval = 300 * time.Millisecond
	// maxFiles is the greatest number of files in a folder that are watched.
	maxFiles = 5000
)

// Watcher watches files and folders.
type Watcher struct {
	paths []string
	last  string
}

// New returns a watcher that compares with what the files are now. A folder stands for all files in it and in its folders, without
// those whose names begin with a dot or an underscore, and without node_modules. A path need not exist.
func New(paths ...string) *Watcher {
	return &Watcher{paths: slices.Clone(paths), last: look(paths)}
}

// Run calls changed after each change until ctx ends. Changes during a call count as one.
func (w *Watcher) Run(ctx context.Context, changed func(ctx context.Context)) {
	ticks := time.NewTicker(interval)
	defer ticks.Stop()
	before := w.last
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticks.C:
		}
		now := look(w.paths)
		settled := now == before
		before = now
		if settled && now != w.last {
			w.last = now
			changed(ctx)
		}
	}
}

// look returns a text that is another one when a file has changed.
func look(paths []string) string {
	var text strings.Builder
	for _, path := range paths {
		info, err := os.Stat(path) // It follows links.
		switch {
		case err != nil:
			fmt.Fprintf(&text, "%s is not there\n", path)
		case info.IsDir():
			lookInto(&text, path)
		default:
			add(&text, path, info)
		}
	}
	return text.String()
}

// lookInto adds the files in a folder.
func lookInto(text *strings.Builder, folder string) {
	files := 0
	_ = filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		switch name := filepath.Base(path); {
		case err != nil:
			return nil //nolint:nilerr // A folder that cannot be read has no files.
		case path != folder && entry.IsDir() && (strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") || name == "node_modules"):
			return fs.SkipDir
		case entry.IsDir():
			return nil
		}
		if files++; files > maxFiles {
			return fs.SkipAll
		}
		if info, err := entry.Info(); err == nil {
			add(text, path, info)
		}
		return nil
	})
}

func add(text *strings.Builder, path string, info fs.FileInfo) {
	fmt.Fprintf(text, "%s %d %d %v\n", path, info.Size(), info.ModTime().UnixNano(), info.Mode())
}
