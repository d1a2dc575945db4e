package objects

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"
)

// file is a file with content that does not change. Objects, parts and readers share it. The last one that releases it removes it.
type file struct {
	path    string
	size    int64
	users   atomic.Int32
	discard func(path string) // Removes the file.
}

// files are the content of an object or of a part: one file after the other.
type files []*file

func (s *saver) newFile(path string, size int64) files {
	f := &file{path: path, size: size, discard: s.discard}
	f.users.Store(1)
	return files{f}
}

// share adds a user of the files, and returns them. The caller must be a user, or hold the lock under which one is found.
func (all files) share() files {
	for _, f := range all {
		f.users.Add(1)
	}
	return all
}

// release removes the files that have no other user.
func (all files) release() {
	for _, f := range all {
		if f.users.Add(-1) == 0 {
			f.discard(f.path)
		}
	}
}

// open returns a reader of length bytes from offset. The reader becomes a user of the files, in place of the caller, and Close releases them.
func (all files) open(offset, length int64) *filesReader {
	return &filesReader{all: all, rest: all, skip: offset, left: length}
}

// filesReader reads files one after the other. One of them is open at a time.
type filesReader struct {
	all    files
	rest   files    // are not read to their ends yet
	opened *os.File // the first of rest, or nil
	skip   int64    // the bytes before the first one to read
	left   int64    // the bytes to read
}

// Read implements io.Reader.
func (r *filesReader) Read(p []byte) (int, error) {
	for r.left > 0 {
		if r.opened == nil {
			if err := r.openNext(); err != nil {
				return 0, err
			}
		}
		n, err := r.opened.Read(p[:min(int64(len(p)), r.left)])
		r.left -= int64(n)
		if errors.Is(err, io.EOF) {
			err = r.closeFile()
			r.rest = r.rest[1:]
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
	return 0, io.EOF
}

// WriteTo implements io.WriterTo. It gives the writer each file, so that the system can send it to a connection.
func (r *filesReader) WriteTo(w io.Writer) (int64, error) {
	var written int64
	for r.left > 0 {
		if r.opened == nil {
			if err := r.openNext(); err != nil {
				return written, err
			}
		}
		n, err := io.Copy(w, io.LimitReader(r.opened, r.left))
		written, r.left = written+n, r.left-n
		r.rest = r.rest[1:]
		if err = errors.Join(err, r.closeFile()); err != nil {
			return written, err
		}
	}
	return written, nil
}

// openNext opens the next file that has bytes to read.
func (r *filesReader) openNext() error {
	for len(r.rest) > 0 && r.skip >= r.rest[0].size {
		r.skip -= r.rest[0].size
		r.rest = r.rest[1:]
	}
	if len(r.rest) == 0 {
		return io.ErrUnexpectedEOF
	}
	opened, err := os.Open(r.rest[0].path)
	if err != nil {
		return fmt.Errorf("open object: %w", err)
	}
	r.opened = opened
	_, err = opened.Seek(r.skip, io.SeekStart)
	if err != nil {
		return fmt.Errorf("seek in object: %w", err)
	}
	r.skip = 0
	return nil
}

func (r *filesReader) closeFile() error {
	if r.opened == nil {
		return nil
	}
	err := r.opened.Close()
	r.opened = nil
	if err != nil {
		return fmt.Errorf("close object: %w", err)
	}
	return nil
}

// Close implements io.Closer. It may be called again.
func (r *filesReader) Close() error {
	err := r.closeFile()
	r.all.release()
	r.all, r.rest, r.left = nil, nil, 0
	return err
}
