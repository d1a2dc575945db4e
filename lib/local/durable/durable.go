// Package durable stores records in a file that outlives its process. What Flush has confirmed is there after the process was killed at
// any moment, and after a loss of power.
package durable

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"maps"
	"slices"
	"sync"

	bolt "go.etcd.io/bbolt"
)

// format is the version of the file's format. A file with a higher one is refused.
const format = 1

// fileMode are the permissions of the file: what users upload may be secret.
const fileMode = 0o600

// The bucket of the file about itself, and its keys. Tables have other names.
var (
	aboutBucket = []byte("herald")
	formatKey   = []byte("format")
	countKey    = []byte("records")
)

// castagnoli is the table of the checksum of each record.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Errors of Open. Their texts go on with the name of the file.
var (
	// ErrInUse means that another process has the file open.
	ErrInUse = errors.New("durable: another process uses the state")
	// ErrNewer means that a newer version of Herald has written the file.
	ErrNewer = errors.New("durable: a newer Herald has written the state")
	// ErrCorrupt means that the file is damaged, or no state of Herald.
	ErrCorrupt = errors.New("durable: the state is damaged")
)

// Change stores or deletes one record.
type Change struct {
	// Table and Key identify the record.
	Table, Key string
	// Value is the content of the record. Nil deletes the record, if there is one.
	Value []byte
}

// Store is an open file. Its methods are safe for concurrent use. Close it after use.
type Store struct {
	path string
	db   *bolt.DB

	mu        sync.Mutex
	idle      *sync.Cond // Signals that a commit has ended.
	pending   []Change
	added     int64 // How many changes were added.
	committed int64 // How many of them are in the file.
	writing   bool
	err       error // The first failure of a commit. After it nothing is written.
}

// Add adds changes, which the next Flush of any caller writes in one atomic step, in the order of the calls. It does not block.
func (s *Store) Add(changes ...Change) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pending = append(s.pending, changes...)
	s.added += int64(len(changes))
}

// Flush waits until all changes that were added before the call are in the file. Concurrent calls share commits. After a failed commit,
// which the error describes, every call fails.
func (s *Store) Flush() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for target := s.added; s.err == nil && s.committed < target; {
		if s.writing {
			s.idle.Wait()
			continue
		}
		s.writing = true
		changes := s.pending
		s.pending = nil
		s.mu.Unlock()
		err := s.commit(changes)
		s.mu.Lock()
		s.writing = false
		s.committed += int64(len(changes))
		if err != nil {
			s.err = fmt.Errorf("write %s: %w", s.path, err)
		}
		s.idle.Broadcast()
	}
	return s.err
}

// commit writes changes in one transaction.
func (s *Store) commit(changes []Change) error {
	last := map[[2]string][]byte{} // Only the last change of a record counts.
	for _, c := range changes {
		last[[2]string{c.Table, c.Key}] = c.Value
	}
	err := s.db.Update(func(tx *bolt.Tx) error {
		about := tx.Bucket(aboutBucket)
		count := binary.BigEndian.Uint64(about.Get(countKey))
		for _, id := range slices.SortedFunc(maps.Keys(last), func(a, b [2]string) int { return slices.Compare(a[:], b[:]) }) {
			table, err := tx.CreateBucketIfNotExists([]byte(id[0]))
			if err != nil {
				return fmt.Errorf("table %s: %w", id[0], err)
			}
			key, value := []byte(id[1]), last[id]
			existed := table.Get(key) != nil
			switch {
			case value == nil && existed:
				count--
				err = table.Delete(key)
			case value != nil:
				if !existed {
					count++
				}
				err = table.Put(key, append(checksum(id[0], id[1], value), value...))
			}
			if err != nil {
				return fmt.Errorf("record %q of %s: %w", id[1], id[0], err)
			}
		}
		return errors.Join(about.Put(countKey, binary.BigEndian.AppendUint64(nil, count)))
	})
	return errors.Join(err)
}

// checksum returns the checksum of a record.
func checksum(table, key string, value []byte) []byte {
	sum := crc32.Update(0, castagnoli, []byte(table+"\x00"+key+"\x00"))
	return binary.BigEndian.AppendUint32(nil, crc32.Update(sum, castagnoli, value))
}

// Each calls do with each record of a table, in the order of their keys. An error of do ends it. The value is valid during the call only.
func (s *Store) Each(table string, do func(key string, value []byte) error) error {
	err := s.db.View(func(tx *bolt.Tx) error {
		bucket := tx.Bucket([]byte(table))
		if bucket == nil {
			return nil
		}
		return errors.Join(bucket.ForEach(func(key, value []byte) error {
			content, err := open(table, string(key), value)
			if err != nil {
				return fmt.Errorf("%w: %s: %w", ErrCorrupt, s.path, err)
			}
			if err := do(string(key), content); err != nil {
				return fmt.Errorf("%s: record %q of %s: %w", s.path, key, table, err)
			}
			return nil
		}))
	})
	return errors.Join(err)
}

// open returns the content of a stored value. The error says that its checksum is wrong.
func open(table, key string, value []byte) ([]byte, error) {
	if len(value) < crc32.Size || string(checksum(table, key, value[crc32.Size:])) != string(value[:crc32.Size]) {
		return nil, fmt.Errorf("the record %q of %s is damaged", key, table)
	}
	return value[crc32.Size:], nil
}

// Close writes what was added, and closes the file.
func (s *Store) Close() error {
	flushErr := s.Flush()
	if err := s.db.Close(); err != nil {
		return errors.Join(flushErr, fmt.Errorf("close %s: %w", s.path, err))
	}
	return flushErr
}
