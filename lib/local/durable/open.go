package durable

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync"
	"time"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// lockTimeout is how long Open waits for a process that is ending.
const lockTimeout = time.Second

// newSuffix is in the names of files that Open has not completed.
const newSuffix = ".new-"

// Open opens the file, which it creates with its folder if there is none, and checks it as a whole. The error is, or wraps, ErrInUse,
// ErrNewer or ErrCorrupt, and names the file.
func Open(path string) (*Store, error) {
	if err := create(path); err != nil {
		return nil, fmt.Errorf("create %s: %w", path, err)
	}

	s := &Store{path: path}
	s.idle = sync.NewCond(&s.mu)
	err := withoutPanic(func() error {
		if err := checkPages(path); err != nil {
			return err
		}
		var err error
		s.db, err = bolt.Open(path, fileMode, &bolt.Options{Timeout: lockTimeout})
		if err != nil {
			return errors.Join(err)
		}
		return s.check()
	})
	if err == nil {
		removeIncomplete(path)
		return s, nil
	}

	if s.db != nil { // It is nil after a panic of Open. The lock is then held until the process ends.
		_ = withoutPanic(s.db.Close)
	}
	switch {
	case errors.Is(err, bolterrors.ErrTimeout):
		return nil, fmt.Errorf("%w: %s", ErrInUse, path)
	case errors.Is(err, ErrNewer), errors.As(err, new(*fs.PathError)):
		return nil, err
	default:
		return nil, fmt.Errorf("%w: %s: %w; move the file away to begin anew", ErrCorrupt, path, err)
	}
}

// withoutPanic calls do and returns its error. If do panics, for instance because a file is shorter than it says, that is the error.
func withoutPanic(do func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if reason := recover(); reason != nil {
			err = fmt.Errorf("%v", reason)
		}
	}()
	return do()
}

// create creates the file and its folder unless there is one. The file appears complete, or not at all.
func create(path string) error {
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return errors.Join(err)
	}
	const folderMode = 0o700
	if err := os.MkdirAll(filepath.Dir(path), folderMode); err != nil {
		return errors.Join(err)
	}
	file, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+newSuffix)
	if err != nil {
		return errors.Join(err)
	}
	defer func() { _ = os.Remove(file.Name()) }()
	if err := file.Close(); err != nil {
		return errors.Join(err)
	}

	db, err := bolt.Open(file.Name(), fileMode, nil)
	if err != nil {
		return errors.Join(err)
	}
	err = db.Update(func(tx *bolt.Tx) error {
		about, err := tx.CreateBucket(aboutBucket)
		if err != nil {
			return errors.Join(err)
		}
		return errors.Join(about.Put(formatKey, binary.BigEndian.AppendUint64(nil, format)), about.Put(countKey, make([]byte, 8)))
	})
	if err := errors.Join(err, db.Close()); err != nil {
		return err
	}
	if err := os.Link(file.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) { // Unlike a rename, it keeps a file that another process has made.
		return errors.Join(err)
	}
	return SyncFolder(filepath.Dir(path))
}

// removeIncomplete removes what killed processes have left of create. The caller has the lock.
func removeIncomplete(path string) {
	left, _ := filepath.Glob(path + newSuffix + "*") // The pattern is valid, or nothing is removed.
	for _, name := range left {
		_ = os.Remove(name)
	}
}

// SyncFolder makes the names of files in a folder durable.
func SyncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("open folder: %w", err)
	}
	_ = folder.Sync() // Not every system can do it.
	if err := folder.Close(); err != nil {
		return fmt.Errorf("close folder: %w", err)
	}
	return nil
}

// checkPages checks the two pages that describe the rest of the file. bbolt would use the older one if the newer one were damaged, and the
// last changes would be lost without a word.
func checkPages(path string) error {
	const (
		header, size      = 16, 56 // A page's header; what the checksum covers.
		magic             = 0xED0CDAED
		pageSizeAt, pages = 8, 2
	)
	file, err := os.Open(path)
	if err != nil {
		return errors.Join(err)
	}
	defer func() { _ = file.Close() }() // It was only read.
	pageSize := int64(0)
	for i := range int64(pages) {
		page := make([]byte, header+size+8)
		if _, err := file.ReadAt(page, i*pageSize); err != nil {
			return errors.New("the file is too short")
		}
		meta := page[header:]
		sum := fnv.New64a()
		_, _ = sum.Write(meta[:size])
		if binary.NativeEndian.Uint32(meta) != magic || binary.NativeEndian.Uint64(meta[size:]) != sum.Sum64() {
			return errors.New("its first pages are damaged")
		}
		pageSize = int64(binary.NativeEndian.Uint32(meta[pageSizeAt:]))
	}
	return nil
}

// check reads the whole file.
func (s *Store) check() error {
	err := s.db.View(func(tx *bolt.Tx) error {
		about := tx.Bucket(aboutBucket)
		if about == nil || len(about.Get(formatKey)) != 8 || len(about.Get(countKey)) != 8 {
			return errors.New("it is not a state file of Herald's twin")
		}
		if found := binary.BigEndian.Uint64(about.Get(formatKey)); found > format {
			return fmt.Errorf("%w: %s has the format %d, and this Herald reads %d at most", ErrNewer, s.path, found, format)
		}

		count := uint64(0)
		err := tx.ForEach(func(table []byte, bucket *bolt.Bucket) error {
			if string(table) == string(aboutBucket) {
				return nil
			}
			return errors.Join(bucket.ForEach(func(key, value []byte) error {
				count++
				_, err := open(string(table), string(key), value)
				return err
			}))
		})
		if err != nil {
			return errors.Join(err)
		}
		if want := binary.BigEndian.Uint64(about.Get(countKey)); count != want {
			return fmt.Errorf("it has %d records in place of %d", count, want)
		}
		var first error
		for err := range tx.Check() { // It must be read to its end.
			if first == nil {
				first = err
			}
		}
		return first
	})
	return errors.Join(err)
}
