package objects

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/rclone/gofakes3"

	"github.com/herald-progress/herald/lib/local/durable"
)

// The tables of Config.Store.
const (
	tableBuckets = "s3-buckets" // By name.
	tableObjects = "s3-objects" // By bucket and key, with a slash between them.
	tableUploads = "s3-uploads" // By id.
	tableParts   = "s3-parts"   // By the id of the upload and the number, with a slash between them.
)

// filePattern is the pattern of the names of files with contents.
const filePattern = "object-*"

// A blobRecord is a stored blob. Its files are in the folder of the disk.
type blobRecord struct {
	Files    []fileRecord
	Size     int64
	Hash     []byte
	Parts    []int64
	Checksum checksumRecord
	Modified time.Time
	Meta     map[string]string
}

type fileRecord struct {
	Name string
	Size int64
}

type checksumRecord struct{ Algorithm, Kind, Value string }

type bucketRecord struct{ Created time.Time }

type uploadRecord struct {
	Bucket, Key string
	Meta        map[string]string
	Kind        checksumRecord
	Initiated   time.Time
}

func (b *blob) record() blobRecord {
	r := blobRecord{
		Size: b.size, Hash: b.hash, Parts: b.parts, Checksum: checksumRecord{b.checksum.algorithm, b.checksum.kind, b.checksum.value},
		Modified: b.modified, Meta: b.meta,
	}
	for _, f := range b.files {
		r.Files = append(r.Files, fileRecord{filepath.Base(f.path), f.size})
	}
	return r
}

// saver stores what a disk has. Its zero value stores nothing.
type saver struct {
	store *durable.Store // Nil if the disk is not stored.

	mu    sync.Mutex
	trash []string // Files that no object uses any more. The store may still name them.
}

// save stores a record, or deletes it if it is nil. The caller holds the disk's lock, so that changes keep their order.
func (s *saver) save(table, key string, record any) {
	if s.store == nil {
		return
	}
	c := durable.Change{Table: table, Key: key}
	if record != nil {
		c = durable.JSON(table, key, record)
	}
	s.store.Add(c)
}

// discard removes a file that nothing uses: at once, or after the next flush if the disk is stored.
func (s *saver) discard(path string) {
	if s.store == nil {
		_ = os.Remove(path) // If it fails, Close removes the file with the folder.
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trash = append(s.trash, path)
}

// flush waits until all changes are stored.
func (s *saver) flush() error {
	if s.store == nil {
		return nil
	}
	s.mu.Lock()
	trash := s.trash
	s.trash = nil
	s.mu.Unlock()
	if err := s.store.Flush(); err != nil {
		return err
	}
	for _, path := range trash {
		_ = os.Remove(path) // The next start removes what is left.
	}
	return nil
}

// sync makes the content of a new file durable, if the disk is stored.
func (s *saver) sync(file *os.File) error {
	if s.store == nil {
		return nil
	}
	return errors.Join(file.Sync(), durable.SyncFolder(filepath.Dir(file.Name())))
}

func partKey(id gofakes3.UploadID, number int) string { return fmt.Sprintf("%s/%05d", id, number) }

func (d *disk) saveUpload(id gofakes3.UploadID, u *upload) {
	d.save(tableUploads, string(id), uploadRecord{u.bucket, u.key, u.meta, checksumRecord{u.kind.algorithm, u.kind.kind, ""}, u.initiated})
}

func (d *disk) deleteUpload(id gofakes3.UploadID, u *upload) {
	d.save(tableUploads, string(id), nil)
	for number := range u.parts {
		d.save(tableParts, partKey(id, number), nil)
	}
}

// blobOf returns the blob of a record. known has the files that other blobs use, by name.
func (d *disk) blobOf(value []byte, known map[string]*file) (*blob, error) {
	var r blobRecord
	if err := durable.Decode(value, &r); err != nil {
		return nil, err
	}
	b := &blob{
		size: r.Size, hash: r.Hash, parts: r.Parts, modified: r.Modified, meta: r.Meta,
		checksum: checksum{checksumKind{r.Checksum.Algorithm, r.Checksum.Kind}, r.Checksum.Value},
	}
	for _, stored := range r.Files {
		f := known[stored.Name]
		if f == nil {
			path := filepath.Join(d.dir, stored.Name)
			info, err := os.Stat(path)
			if err != nil {
				return nil, err
			}
			if info.Size() != stored.Size {
				return nil, fmt.Errorf("%s has %d bytes of %d", path, info.Size(), stored.Size)
			}
			f = d.newFile(path, stored.Size)[0]
			f.users.Store(0)
			known[stored.Name] = f
		}
		f.users.Add(1)
		b.files = append(b.files, f)
	}
	return b, nil
}

// restore reads what the store has, and removes the files that it does not name.
func (d *disk) restore() error {
	known := map[string]*file{}
	for _, table := range []struct {
		name string
		read func(key string, value []byte) error
	}{
		{tableBuckets, func(name string, value []byte) error {
			var r bucketRecord
			err := durable.Decode(value, &r)
			d.buckets[name] = &bucket{created: r.Created, objects: map[string]*blob{}}
			return err
		}},
		{tableObjects, func(id string, value []byte) error {
			name, key, _ := strings.Cut(id, "/")
			in, err := d.bucket(name)
			if err != nil {
				return err
			}
			in.objects[key], err = d.blobOf(value, known)
			return err
		}},
		{tableUploads, func(id string, value []byte) error {
			var r uploadRecord
			err := durable.Decode(value, &r)
			d.uploads[gofakes3.UploadID(id)] = &upload{
				bucket: r.Bucket, key: r.Key, meta: r.Meta, kind: checksumKind{r.Kind.Algorithm, r.Kind.Kind}, initiated: r.Initiated, parts: map[int]*blob{},
			}
			return err
		}},
		{tableParts, func(id string, value []byte) error {
			var number int
			upload, text, _ := strings.Cut(id, "/")
			if _, err := fmt.Sscanf(text, "%d", &number); err != nil {
				return err
			}
			part, err := d.blobOf(value, known)
			if of := d.uploads[gofakes3.UploadID(upload)]; err == nil && of != nil {
				of.parts[number] = part
			}
			return err
		}},
	} {
		if err := d.store.Each(table.name, table.read); err != nil {
			return err
		}
	}

	return d.removeUnused(known)
}

// removeUnused removes the files that are not known.
func (d *disk) removeUnused(known map[string]*file) error {
	files, err := filepath.Glob(filepath.Join(d.dir, filePattern))
	for _, path := range files {
		if known[filepath.Base(path)] == nil {
			err = errors.Join(err, os.Remove(path))
		}
	}
	return err
}

// announceUploads makes gofakes3 know the uploads that were restored: it begins each of them once more, with the same id.
func (s *S3) announceUploads() error {
	for id, u := range s.disk.uploads {
		ctx := context.WithValue(context.Background(), exchangeKey{}, &exchange{restored: id})
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, "/?uploads", http.NoBody)
		if err != nil { // Cannot happen: the URL is valid.
			return err
		}
		r.URL.Path = "/" + u.bucket + "/" + u.key
		answer := &discardedAnswer{header: http.Header{}}
		s.handler.ServeHTTP(answer, r)
		if answer.status >= http.StatusBadRequest {
			return fmt.Errorf("restore the upload of %s: status %d", u.key, answer.status)
		}
	}
	return nil
}

// discardedAnswer is a response of which only the status counts.
type discardedAnswer struct {
	header http.Header
	status int
}

func (a *discardedAnswer) Header() http.Header         { return a.header }
func (a *discardedAnswer) Write(p []byte) (int, error) { return len(p), nil }
func (a *discardedAnswer) WriteHeader(status int)      { a.status = status }
