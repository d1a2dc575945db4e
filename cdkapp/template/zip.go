package template

import (
	"archive/zip"
	"compress/flate"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// programMode lets Lambda's user execute the program.
const programMode = 0o755

// zipTime is the time of all files, so that the same program gives the same bytes. It is the earliest that a zip file can have.
var zipTime = time.Date(1980, time.January, 1, 0, 0, 0, 0, time.UTC)

// zipProgram writes a zip file with a program as bootstrap, and its folder.
func zipProgram(file, program string) (err error) {
	if err := os.MkdirAll(filepath.Dir(file), folderMode); err != nil {
		return fmt.Errorf("make folder: %w", err)
	}
	in, err := os.Open(program)
	if err != nil {
		return fmt.Errorf("open program: %w", err)
	}
	defer func() { _ = in.Close() }()
	out, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, fileMode)
	if err != nil {
		return fmt.Errorf("create: %w", err)
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	archive := zip.NewWriter(out)
	archive.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) { return flate.NewWriter(w, flate.BestCompression) })
	header := &zip.FileHeader{Name: "bootstrap", Method: zip.Deflate, Modified: zipTime}
	header.SetMode(programMode)
	entry, err := archive.CreateHeader(header)
	if err != nil {
		return fmt.Errorf("add program: %w", err)
	}
	if _, err := io.Copy(entry, in); err != nil {
		return fmt.Errorf("add program: %w", err)
	}
	if err := archive.Close(); err != nil {
		return fmt.Errorf("close: %w", err)
	}

	return nil
}
