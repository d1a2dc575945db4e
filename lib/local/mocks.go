package local

import (
	"context"
	"fmt"

	"github.com/herald-progress/herald/lib/asl/mock"
	"github.com/herald-progress/herald/lib/local/filewatch"
)

// startMocks loads the test cases in Config.MockFile, and loads them again whenever the file changes.
func (t *Twin) startMocks() error {
	path := t.config.MockFile
	if path == "" {
		return nil
	}
	watcher := filewatch.New(path)
	if err := t.loadMocks(path); err != nil {
		return fmt.Errorf("mocks: %s: %w", path, err)
	}
	t.watchers.Go(func(ctx context.Context) {
		watcher.Run(ctx, func(context.Context) {
			if err := t.loadMocks(path); err != nil {
				t.printf("mocks: the changed %s is wrong, the test cases before go on: %v", path, err)
				return
			}
			t.printf("mocks: loaded %s anew", path)
		})
	})
	return nil
}

// loadMocks reads a mock configuration file. If it is wrong, nothing changes.
func (t *Twin) loadMocks(path string) error {
	text, err := readFile(path, mock.MaxBytes)
	if err != nil {
		return err
	}
	file, err := mock.Parse(text)
	if err != nil {
		return err
	}
	t.states.SetMocks(file)
	return nil
}
