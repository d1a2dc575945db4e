package upload

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"hash/crc32"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// MemoryObjects is an object store in memory. Its zero value is ready to use. As the transport of an HTTP client, it serves the
// URLs that it signs.
type MemoryObjects struct {
	mu      sync.Mutex
	objects map[string][]byte
	multi   map[string]*multipart   // those that are neither joined nor aborted, by id
	signed  map[string]signedTarget // by the path of the URL
}

type multipart struct {
	key   string
	parts map[int][]byte // by number
}

type signedTarget struct {
	Target

	expiresAt time.Time
}

// Sign implements [Objects].
func (m *MemoryObjects) Sign(_ context.Context, t Target) (Signed, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.signed == nil {
		m.signed = map[string]signedTarget{}
	}
	path, expiresAt := "/"+rand.Text(), time.Now().Add(t.Life)
	m.signed[path] = signedTarget{t, expiresAt}
	return Signed{URL: "https://objects.invalid" + path, Headers: headersOf(t), ExpiresAt: expiresAt}, nil
}

// headersOf returns the headers that a browser must send.
func headersOf(t Target) map[string]string {
	if t.Number > 0 {
		return nil
	}
	return map[string]string{"Content-Type": t.ContentType, "If-None-Match": "*"}
}

// RoundTrip implements [http.RoundTripper] for signed URLs.
func (m *MemoryObjects) RoundTrip(r *http.Request) (*http.Response, error) {
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			return nil, fmt.Errorf("read body: %w", err)
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	header := http.Header{}
	status := m.put(r, body)
	if status == http.StatusOK {
		header.Set("ETag", `"`+etagOf(body)+`"`)
	}
	return &http.Response{
		Status: http.StatusText(status), StatusCode: status, Header: header, Body: io.NopCloser(strings.NewReader("")), Request: r, Proto: "HTTP/1.1",
	}, nil
}

// put stores the body of a request, and returns the status of the response. The caller holds the lock.
func (m *MemoryObjects) put(r *http.Request, body []byte) int {
	t, ok := m.signed[r.URL.Path]
	if !ok || r.Method != http.MethodPut || !time.Now().Before(t.expiresAt) || int64(len(body)) != t.Size {
		return http.StatusForbidden
	}
	for name, value := range headersOf(t.Target) {
		if r.Header.Get(name) != value {
			return http.StatusForbidden
		}
	}
	if t.Number > 0 {
		begun, ok := m.multi[t.MultipartID]
		if !ok {
			return http.StatusNotFound
		}
		begun.parts[t.Number] = body
		return http.StatusOK
	}
	if _, exists := m.objects[t.Key]; exists {
		return http.StatusPreconditionFailed
	}
	m.store(t.Key, body)
	return http.StatusOK
}

func (m *MemoryObjects) store(key string, content []byte) {
	if m.objects == nil {
		m.objects = map[string][]byte{}
	}
	m.objects[key] = content
}

func etagOf(content []byte) string {
	return fmt.Sprintf("%08x-%d", crc32.ChecksumIEEE(content), len(content))
}

// Size implements [Objects].
func (m *MemoryObjects) Size(_ context.Context, key string) (int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	content, ok := m.objects[key]
	if !ok {
		return 0, ErrNoObject
	}
	return int64(len(content)), nil
}

// Content returns the content of an object, or nil if there is none.
func (m *MemoryObjects) Content(key string) []byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.objects[key]
}

// Begun returns how many multipart uploads are neither joined nor aborted.
func (m *MemoryObjects) Begun() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.multi)
}

// Begin implements [Multiparts].
func (m *MemoryObjects) Begin(_ context.Context, key, _ string) (string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.multi == nil {
		m.multi = map[string]*multipart{}
	}
	id := rand.Text()
	m.multi[id] = &multipart{key: key, parts: map[int][]byte{}}
	return id, nil
}

// begun returns a multipart upload. The caller holds the lock.
func (m *MemoryObjects) begun(key, id string) (*multipart, error) {
	begun, ok := m.multi[id]
	if !ok || begun.key != key {
		return nil, ErrNoMultipart
	}
	return begun, nil
}

// Parts implements [Multiparts].
func (m *MemoryObjects) Parts(_ context.Context, key, id string) ([]Part, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	begun, err := m.begun(key, id)
	if err != nil {
		return nil, err
	}
	parts := make([]Part, 0, len(begun.parts))
	for _, number := range slices.Sorted(maps.Keys(begun.parts)) {
		content := begun.parts[number]
		parts = append(parts, Part{Number: number, Size: int64(len(content)), ETag: etagOf(content)})
	}
	return parts, nil
}

// Join implements [Multiparts].
func (m *MemoryObjects) Join(ctx context.Context, key, id string, parts []Part) error {
	return m.JoinSlowly(ctx, key, id, parts, func() {})
}

// JoinSlowly does what Join does. When the multipart upload is gone and the object is not yet stored, it calls meanwhile.
func (m *MemoryObjects) JoinSlowly(_ context.Context, key, id string, parts []Part, meanwhile func()) error {
	content, err := m.remove(key, id, parts)
	if err != nil {
		return err
	}
	meanwhile()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.store(key, content)
	return nil
}

// remove removes a multipart upload and returns the content of its parts.
func (m *MemoryObjects) remove(key, id string, parts []Part) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	begun, err := m.begun(key, id)
	if err != nil {
		return nil, err
	}
	var content bytes.Buffer
	for _, p := range parts {
		stored, ok := begun.parts[p.Number]
		if !ok || etagOf(stored) != p.ETag {
			return nil, fmt.Errorf("upload: part %d is not stored with this ETag", p.Number)
		}
		content.Write(stored)
	}
	delete(m.multi, id)
	return content.Bytes(), nil
}

// Abort implements [Multiparts].
func (m *MemoryObjects) Abort(_ context.Context, key, id string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, err := m.begun(key, id); err != nil {
		return err
	}
	delete(m.multi, id)
	return nil
}
