package csvimport

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"io"
	"slices"
	"strings"
	"sync"
)

// Memory is a [Store] in memory. The zero value is empty and ready to use. Its objects have an ETag and no version.
type Memory struct {
	mu      sync.Mutex
	objects map[string][]byte // the contents by key
}

// Keys returns the keys that start with prefix, sorted.
func (m *Memory) Keys(prefix string) []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var keys []string
	for key := range m.objects {
		if strings.HasPrefix(key, prefix) {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

// ETag returns the ETag of an object's content.
func ETag(content []byte) string {
	sum := md5.Sum(content)
	return hex.EncodeToString(sum[:])
}

// Get implements [Store].
func (m *Memory) Get(ctx context.Context, from Object, offset, length int64) (io.ReadCloser, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	content, ok := m.objects[from.Key]
	m.mu.Unlock()
	switch {
	case !ok || from.Version != "":
		return nil, ErrNotFound
	case from.ETag != "" && from.ETag != ETag(content):
		return nil, ErrReplaced
	}
	start := min(offset, int64(len(content)))
	end := int64(len(content))
	if length >= 0 {
		end = min(start+length, end)
	}
	return io.NopCloser(&reader{ctx: ctx, rest: content[start:end]}), nil
}

// Read implements [Store].
func (m *Memory) Read(ctx context.Context, key string) ([]byte, string, error) {
	if err := ctx.Err(); err != nil {
		return nil, "", err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	content, ok := m.objects[key]
	if !ok {
		return nil, "", ErrNotFound
	}
	return bytes.Clone(content), ETag(content), nil
}

// List implements [Store].
func (m *Memory) List(ctx context.Context, prefix, after string, limit int) ([]string, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	keys := m.Keys(prefix)
	from, found := slices.BinarySearch(keys, after)
	if found {
		from++
	}
	return keys[from:min(from+limit, len(keys))], nil
}

// reader reads rest. It fails when its context has ended, as a reader from a network does.
type reader struct {
	ctx  context.Context
	rest []byte
}

func (r *reader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	if len(r.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// Create implements [Store].
func (m *Memory) Create(ctx context.Context, key string, mode Mode) Writer {
	return &memoryWriter{ctx: ctx, memory: m, key: key, mode: mode}
}

// memoryWriter buffers an object until Close stores it.
type memoryWriter struct {
	bytes.Buffer

	ctx    context.Context
	memory *Memory
	key    string
	mode   Mode
}

func (w *memoryWriter) Close() error {
	if err := w.ctx.Err(); err != nil {
		return err
	}
	w.memory.mu.Lock()
	defer w.memory.mu.Unlock()
	old, exists := w.memory.objects[w.key]
	switch {
	case exists && w.mode == IfAbsent:
		return ErrExists
	case w.mode.ETag() != "" && (!exists || w.mode.ETag() != ETag(old)):
		return ErrReplaced
	}
	w.memory.put(w.key, w.Bytes())
	return nil
}

// Abort does nothing: an object that is not closed is not stored.
func (w *memoryWriter) Abort() {}

// put stores an object. The caller holds the lock. Nobody may change content afterwards, because readers share it.
func (m *Memory) put(key string, content []byte) {
	if m.objects == nil {
		m.objects = map[string][]byte{}
	}
	m.objects[key] = content
}

// Copy implements [Store].
func (m *Memory) Copy(ctx context.Context, dst, src string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	content, ok := m.objects[src]
	if !ok {
		return ErrNotFound
	}
	m.put(dst, content)
	return nil
}

// Delete implements [Store].
func (m *Memory) Delete(ctx context.Context, keys ...string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, key := range keys {
		delete(m.objects, key)
	}
	return nil
}
