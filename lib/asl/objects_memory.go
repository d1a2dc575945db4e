package asl

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"io"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// MemoryObjects is an Objects that holds its objects in memory. The zero value is empty. It is safe for concurrent use.
type MemoryObjects struct {
	mu      sync.Mutex
	buckets map[string]map[string]memoryObject // By bucket and key.
}

// A memoryObject is an object with its content.
type memoryObject struct {
	Object

	content []byte
}

// GetObject returns the content of an object.
func (m *MemoryObjects) GetObject(_ context.Context, bucket, key string) (io.ReadCloser, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	o, ok := m.buckets[bucket][key]
	if !ok {
		return nil, fmt.Errorf("the object %s does not exist in the bucket %s", key, bucket)
	}
	return io.NopCloser(bytes.NewReader(o.content)), nil
}

// ListObjects returns the objects that are there when it is called.
func (m *MemoryObjects) ListObjects(_ context.Context, bucket, prefix string) iter.Seq2[Object, error] {
	m.mu.Lock()
	defer m.mu.Unlock()
	var found []Object
	for _, key := range slices.Sorted(maps.Keys(m.buckets[bucket])) {
		if strings.HasPrefix(key, prefix) {
			found = append(found, m.buckets[bucket][key].Object)
		}
	}

	return func(yield func(Object, error) bool) {
		for _, o := range found {
			if !yield(o, nil) {
				return
			}
		}
	}
}

// PutObject writes an object. It makes the bucket if there is none.
func (m *MemoryObjects) PutObject(_ context.Context, bucket, key string, content []byte) error {
	sum := md5.Sum(content)
	o := memoryObject{content: bytes.Clone(content), Object: Object{
		Key: key, ETag: `"` + hex.EncodeToString(sum[:]) + `"`, LastModified: time.Now().UTC(), Size: int64(len(content)), StorageClass: "STANDARD",
	}}

	m.mu.Lock()
	defer m.mu.Unlock()
	if m.buckets == nil {
		m.buckets = map[string]map[string]memoryObject{}
	}
	if m.buckets[bucket] == nil {
		m.buckets[bucket] = map[string]memoryObject{}
	}
	m.buckets[bucket][key] = o
	return nil
}
