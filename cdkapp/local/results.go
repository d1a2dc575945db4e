package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"

	"github.com/herald-progress/herald/lib/csvimport"
)

// The permissions of a results folder and its files, before the umask.
const (
	folderMode = 0o777
	fileMode   = 0o666
)

// resultsFolder is the folder of the flag -results. A nil resultsFolder saves nothing.
type resultsFolder struct {
	root *os.Root
	name string
	// isNew is true if openResults has made the folder.
	isNew bool
	// saved are the names of the files that save has created.
	saved []string
}

// openResults makes the folder if there is none. It returns an error unless the folder is empty and can be written to, so that an import
// does not run in vain and no other file is replaced. If name is empty, it returns nil.
func openResults(name string) (*resultsFolder, error) {
	if name == "" {
		return nil, nil
	}
	f := &resultsFolder{name: name}
	err := os.Mkdir(name, folderMode)
	f.isNew = err == nil
	if err != nil && !errors.Is(err, os.ErrExist) {
		return nil, fmt.Errorf("make the folder: %w", err)
	}
	entries, err := os.ReadDir(name)
	switch {
	case err != nil:
		return nil, fmt.Errorf("read the folder: %w", err)
	case len(entries) > 0:
		return nil, fmt.Errorf("the folder %s is not empty; name a new or an empty one", name)
	}
	if f.root, err = os.OpenRoot(name); err != nil {
		return nil, fmt.Errorf("open the folder: %w", err)
	}
	probe, err := os.CreateTemp(name, ".herald-*")
	if err != nil {
		return nil, errors.Join(err, f.close())
	}
	if err := errors.Join(probe.Close(), os.Remove(probe.Name())); err != nil {
		return nil, errors.Join(err, f.close())
	}
	return f, nil
}

// save saves the results under their names, and the summary last. If it fails, it removes what it has saved.
func (f *resultsFolder) save(ctx context.Context, store csvimport.Store, s csvimport.Summary) error {
	if f == nil {
		return nil
	}
	for _, name := range append(slices.Clone(s.Results), s.Rejects) {
		if err := f.saveObject(ctx, store, s.Prefix+name); err != nil {
			return errors.Join(err, f.removeSaved())
		}
	}
	if err := f.saveObject(ctx, store, csvimport.SummaryKey(s.UserID, s.UploadID)); err != nil {
		return errors.Join(err, f.removeSaved())
	}
	return nil
}

// saveObject saves an object under the last part of its key.
func (f *resultsFolder) saveObject(ctx context.Context, store csvimport.Store, key string) error {
	body, err := store.Get(ctx, csvimport.Object{Key: key}, 0, -1) // up to the end
	if err != nil {
		return err
	}
	defer body.Close()
	name := path.Base(key)
	file, err := f.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, fileMode)
	if err != nil {
		return fmt.Errorf("save: %w", err)
	}
	f.saved = append(f.saved, name)
	_, err = io.Copy(file, body)
	return errors.Join(err, file.Close())
}

// removeSaved removes the files that save has created.
func (f *resultsFolder) removeSaved() error {
	var err error
	for _, name := range f.saved {
		err = errors.Join(err, f.root.Remove(name))
	}
	f.saved = nil
	return err
}

// close removes the folder if this command has made it and saved nothing in it.
func (f *resultsFolder) close() error {
	if f == nil {
		return nil
	}
	err := f.root.Close()
	if f.isNew && len(f.saved) == 0 {
		err = errors.Join(err, os.Remove(f.name))
	}
	return err
}
