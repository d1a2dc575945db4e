// Package uploadtest tests implementations of the interfaces of package upload.
package uploadtest

import (
	"bytes"
	"errors"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/herald-progress/herald/lib/upload"
)

// Bucket is an object store with what a test needs beside it.
type Bucket struct {
	upload.Objects

	// Client sends the requests of a browser.
	Client *http.Client
	// Content returns the content of an object.
	Content func(t *testing.T, key string) []byte
}

// RunObjects tests the contract of an object store. open returns a bucket that may have objects of other tests.
func RunObjects(t *testing.T, open func(t *testing.T) Bucket) {
	t.Helper()
	for name, test := range map[string]func(*testing.T, Bucket){
		"a signed PUT stores the object once":                 singlePut,
		"unusual names are stored verbatim":                   unusualNames,
		"parts become one object":                             joinParts,
		"a part may be replaced until it is joined":           replacedPart,
		"an aborted multipart upload is gone":                 abortParts,
		"parts of a multipart upload are listed page by page": manyParts,
		"what was never there is ErrNoObject, ErrNoMultipart": absent,
		"two multipart uploads of a key have their own parts": idsDiffer,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

// RunStrict tests what Amazon S3 refuses and some emulators do not: what differs from what was signed, and multipart uploads
// that do not exist.
func RunStrict(t *testing.T, open func(t *testing.T) Bucket) {
	t.Helper()
	for name, test := range map[string]func(*testing.T, Bucket){
		"another size or type is refused":                     signedSizeAndType,
		"a URL expires":                                       expiry,
		"a multipart upload belongs to its key":               otherKey,
		"an aborted multipart upload takes and joins no part": useAborted,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

// minPart is the size of the smallest part but the last that Amazon S3 accepts.
const minPart = 5 << 20

func (b Bucket) sign(t *testing.T, target upload.Target) upload.Signed {
	t.Helper()
	if target.Life == 0 {
		target.Life = time.Minute
	}
	signed, err := b.Sign(t.Context(), target)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

// put sends a PUT as a browser does, and returns the response's status and ETag.
func (b Bucket) put(t *testing.T, signed upload.Signed, content string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, signed.URL, strings.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range signed.Headers {
		r.Header.Set(name, value)
	}
	response, err := b.Client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	return response.StatusCode, response.Header.Get("ETag")
}

func (b Bucket) wantContent(t *testing.T, key, want string) {
	t.Helper()
	if got := b.Content(t, key); !bytes.Equal(got, []byte(want)) {
		t.Errorf("%s has %d bytes, want %d", key, len(got), len(want))
	}
	size, err := b.Size(t.Context(), key)
	if err != nil || size != int64(len(want)) {
		t.Errorf("Size: %d, %v, want %d", size, err, len(want))
	}
}

func file(key, content string) upload.Target {
	return upload.Target{Key: key, Size: int64(len(content)), ContentType: "text/csv"}
}

func singlePut(t *testing.T, b Bucket) {
	before := time.Now()
	signed := b.sign(t, file("single", "one"))
	want := map[string]string{"Content-Type": "text/csv", "If-None-Match": "*"}
	if diff := cmp.Diff(want, signed.Headers); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
	if life := signed.ExpiresAt.Sub(before); life < 55*time.Second || life > 65*time.Second {
		t.Errorf("expires after %v, want a minute", life)
	}
	if status, etag := b.put(t, signed, "one"); status != http.StatusOK || etag == "" {
		t.Fatalf("PUT: %d, ETag %q", status, etag)
	}
	b.wantContent(t, "single", "one")
	if status, _ := b.put(t, signed, "one"); status != http.StatusPreconditionFailed {
		t.Errorf("a second PUT is answered %d, want 412", status)
	}
	if status, _ := b.put(t, b.sign(t, file("single", "two")), "two"); status != http.StatusPreconditionFailed {
		t.Errorf("a PUT of another content is answered %d, want 412", status)
	}
	b.wantContent(t, "single", "one")
}

func unusualNames(t *testing.T, b Bucket) {
	for _, name := range []string{"a b+c&d=e?f#g%20;h.csv", "ä€😀'\"`(*)[]{}<>|^~.csv", "%2e%2e", "...", " x ", "-", strings.Repeat("ü", 300)} {
		key := "uploads/u/1/" + name
		if status, _ := b.put(t, b.sign(t, file(key, "x")), "x"); status != http.StatusOK {
			t.Errorf("%s: PUT is answered %d", name, status)
			continue
		}
		b.wantContent(t, key, "x")
	}
}

func signedSizeAndType(t *testing.T, b Bucket) {
	id, err := b.Begin(t.Context(), "strict", "text/csv")
	if err != nil {
		t.Fatal(err)
	}
	part := b.sign(t, upload.Target{Key: "strict", Size: 3, MultipartID: id, Number: 1})
	for what, change := range map[string]func(*upload.Signed) string{
		"longer":        func(*upload.Signed) string { return "four" },
		"shorter":       func(*upload.Signed) string { return "2!" },
		"another type":  func(s *upload.Signed) string { s.Headers["Content-Type"] = "text/html"; return "one" },
		"no condition":  func(s *upload.Signed) string { delete(s.Headers, "If-None-Match"); return "one" },
		"a longer part": func(s *upload.Signed) string { *s = part; return "four" },
	} {
		signed := b.sign(t, file("strict", "one"))
		signed.Headers = maps.Clone(signed.Headers)
		content := change(&signed)
		if status, _ := b.put(t, signed, content); status != http.StatusForbidden {
			t.Errorf("%s: PUT is answered %d, want 403", what, status)
		}
	}
	if _, err := b.Size(t.Context(), "strict"); !errors.Is(err, upload.ErrNoObject) {
		t.Errorf("Size: %v, want ErrNoObject", err)
	}
	if parts, err := b.Parts(t.Context(), "strict", id); err != nil || len(parts) > 0 {
		t.Errorf("parts are %+v, %v, want none", parts, err)
	}
}

func expiry(t *testing.T, b Bucket) {
	target := file("late", "x")
	target.Life = time.Second
	signed := b.sign(t, target)
	time.Sleep(2100 * time.Millisecond) // an emulator has no virtual time, and X-Amz-Date has whole seconds
	if status, _ := b.put(t, signed, "x"); status != http.StatusForbidden {
		t.Errorf("an expired URL is answered %d, want 403", status)
	}
	if _, err := b.Size(t.Context(), "late"); !errors.Is(err, upload.ErrNoObject) {
		t.Errorf("Size: %v, want ErrNoObject", err)
	}
}

// begin begins a multipart upload of two parts and returns its id and their contents.
func (b Bucket) begin(t *testing.T, key string) (string, [2]string) {
	t.Helper()
	id, err := b.Begin(t.Context(), key, "text/csv")
	if err != nil {
		t.Fatal(err)
	}
	return id, [2]string{strings.Repeat("a", minPart), "the end"}
}

func (b Bucket) putPart(t *testing.T, key, id string, number int, content string) {
	t.Helper()
	signed := b.sign(t, upload.Target{Key: key, Size: int64(len(content)), MultipartID: id, Number: number})
	if len(signed.Headers) > 0 {
		t.Errorf("a part needs the headers %v", signed.Headers)
	}
	if status, etag := b.put(t, signed, content); status != http.StatusOK || etag == "" {
		t.Fatalf("PUT of part %d: %d, ETag %q", number, status, etag)
	}
}

func (b Bucket) wantParts(t *testing.T, key, id string, want ...upload.Part) []upload.Part {
	t.Helper()
	parts, err := b.Parts(t.Context(), key, id)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, parts, cmpopts.IgnoreFields(upload.Part{}, "ETag"), cmpopts.EquateEmpty()); diff != "" {
		t.Fatalf("parts (-want +got):\n%s", diff)
	}
	return parts
}

func joinParts(t *testing.T, b Bucket) {
	id, content := b.begin(t, "joined")
	b.wantParts(t, "joined", id)
	b.putPart(t, "joined", id, 2, content[1])
	b.wantParts(t, "joined", id, upload.Part{Number: 2, Size: int64(len(content[1]))})
	b.putPart(t, "joined", id, 1, content[0])
	parts := b.wantParts(t, "joined", id, upload.Part{Number: 1, Size: minPart}, upload.Part{Number: 2, Size: int64(len(content[1]))})
	if _, err := b.Size(t.Context(), "joined"); !errors.Is(err, upload.ErrNoObject) {
		t.Errorf("Size of parts: %v, want ErrNoObject", err)
	}
	if err := b.Join(t.Context(), "joined", id, parts); err != nil {
		t.Fatal(err)
	}
	b.wantContent(t, "joined", content[0]+content[1])
	if err := b.Join(t.Context(), "joined", id, parts); err != nil && !errors.Is(err, upload.ErrNoMultipart) {
		t.Errorf("Join again: %v, want none or ErrNoMultipart", err)
	}
	if _, err := b.Parts(t.Context(), "joined", id); !errors.Is(err, upload.ErrNoMultipart) {
		t.Errorf("Parts of a joined upload: %v, want ErrNoMultipart", err)
	}
	if err := b.Abort(t.Context(), "joined", id); err != nil && !errors.Is(err, upload.ErrNoMultipart) {
		t.Errorf("Abort of a joined upload: %v, want none or ErrNoMultipart", err)
	}
	b.wantContent(t, "joined", content[0]+content[1])
}

func replacedPart(t *testing.T, b Bucket) {
	id, content := b.begin(t, "replaced")
	b.putPart(t, "replaced", id, 1, content[0])
	b.putPart(t, "replaced", id, 2, content[1])
	stale := b.wantParts(t, "replaced", id, upload.Part{Number: 1, Size: minPart}, upload.Part{Number: 2, Size: int64(len(content[1]))})
	b.putPart(t, "replaced", id, 2, "THE END")
	if err := b.Join(t.Context(), "replaced", id, stale); err == nil || errors.Is(err, upload.ErrNoMultipart) {
		t.Fatalf("Join of a part that was replaced: %v, want another error", err)
	}
	parts := b.wantParts(t, "replaced", id, upload.Part{Number: 1, Size: minPart}, upload.Part{Number: 2, Size: int64(len(content[1]))})
	if err := b.Join(t.Context(), "replaced", id, parts); err != nil {
		t.Fatal(err)
	}
	b.wantContent(t, "replaced", content[0]+"THE END")
}

func abortParts(t *testing.T, b Bucket) {
	id, content := b.begin(t, "aborted")
	b.putPart(t, "aborted", id, 1, content[0])
	if err := b.Abort(t.Context(), "aborted", id); err != nil {
		t.Fatal(err)
	}
	if err := b.Abort(t.Context(), "aborted", id); err != nil && !errors.Is(err, upload.ErrNoMultipart) {
		t.Errorf("Abort again: %v, want none or ErrNoMultipart", err)
	}
	if _, err := b.Parts(t.Context(), "aborted", id); !errors.Is(err, upload.ErrNoMultipart) {
		t.Errorf("Parts: %v, want ErrNoMultipart", err)
	}
	if _, err := b.Size(t.Context(), "aborted"); !errors.Is(err, upload.ErrNoObject) {
		t.Errorf("Size: %v, want ErrNoObject", err)
	}
}

func useAborted(t *testing.T, b Bucket) {
	id, content := b.begin(t, "refused")
	b.putPart(t, "refused", id, 1, content[0])
	parts := b.wantParts(t, "refused", id, upload.Part{Number: 1, Size: minPart})
	signed := b.sign(t, upload.Target{Key: "refused", Size: 1, MultipartID: id, Number: 2})
	if err := b.Abort(t.Context(), "refused", id); err != nil {
		t.Fatal(err)
	}
	if status, _ := b.put(t, signed, "x"); status != http.StatusNotFound {
		t.Errorf("PUT of a part is answered %d, want 404", status)
	}
	if err := b.Join(t.Context(), "refused", id, parts); !errors.Is(err, upload.ErrNoMultipart) {
		t.Errorf("Join: %v, want ErrNoMultipart", err)
	}
}

func manyParts(t *testing.T, b Bucket) {
	const count = 64
	id, _ := b.begin(t, "many")
	var want []upload.Part
	for n := 1; n <= count; n++ {
		b.putPart(t, "many", id, n, strings.Repeat("x", n))
		want = append(want, upload.Part{Number: n, Size: int64(n)})
	}
	b.wantParts(t, "many", id, want...)
}

func otherKey(t *testing.T, b Bucket) {
	id, content := b.begin(t, "mine")
	b.putPart(t, "mine", id, 1, content[1])
	if _, err := b.Parts(t.Context(), "yours", id); !errors.Is(err, upload.ErrNoMultipart) {
		t.Errorf("Parts: %v, want ErrNoMultipart", err)
	}
	if err := b.Abort(t.Context(), "yours", id); err != nil && !errors.Is(err, upload.ErrNoMultipart) {
		t.Errorf("Abort: %v, want none or ErrNoMultipart", err)
	}
	b.wantParts(t, "mine", id, upload.Part{Number: 1, Size: int64(len(content[1]))})
}

func absent(t *testing.T, b Bucket) {
	if _, err := b.Size(t.Context(), "never"); !errors.Is(err, upload.ErrNoObject) {
		t.Errorf("Size: %v, want ErrNoObject", err)
	}
	if _, err := b.Parts(t.Context(), "never", "none"); !errors.Is(err, upload.ErrNoMultipart) {
		t.Errorf("Parts: %v, want ErrNoMultipart", err)
	}
}

func idsDiffer(t *testing.T, b Bucket) {
	one, _ := b.begin(t, "twice")
	two, content := b.begin(t, "twice")
	if one == two {
		t.Fatalf("two multipart uploads have the id %s", one)
	}
	b.putPart(t, "twice", two, 1, content[1])
	b.wantParts(t, "twice", one)
}
