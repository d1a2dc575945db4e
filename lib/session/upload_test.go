package session_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/herald-progress/herald/lib/message"
	"github.com/herald-progress/herald/lib/session"
	"github.com/herald-progress/herald/lib/upload"
)

// uploads is a fixture with uploads in memory. It is the handler's gateway, too, and records the frames of the last answer.
type uploads struct {
	*fixture

	objects *upload.MemoryObjects
	store   *upload.Memory
	service *upload.Service
	frames  []string
	failing bool // every post fails
}

func newUploads(t *testing.T) *uploads {
	t.Helper()
	u := &uploads{fixture: newFixture(t), objects: &upload.MemoryObjects{}, store: &upload.Memory{}}
	u.service = &upload.Service{Store: u.store, Objects: u.objects, Key: uploadKey}
	u.handler.Uploads, u.handler.Gateway = u.service, u
	return u
}

func uploadKey(userID, uploadID, fileName string) string {
	return "uploads/" + base64.RawURLEncoding.EncodeToString([]byte(userID)) + "/" + uploadID + "/" + fileName
}

// Send records a frame of a connection.
func (u *uploads) Send(_ context.Context, _ string, frame []byte) error {
	if u.failing {
		return errors.New("the answer is lost")
	}
	u.frames = append(u.frames, string(frame))
	return nil
}

func (u *uploads) Close(context.Context, string) error { return nil }

// answerData is the data of an answer, which is an upload_url frame, or an error frame if Code is set.
type answerData struct {
	message.UploadURL

	Code    string `json:"code"`
	Message string `json:"message"`
}

// askOn sends a message on a connection and returns the answer.
func (u *uploads) askOn(id, body string) answerData {
	u.Helper()
	u.frames = nil
	u.connect(id, map[string]string{"c1": "u1", "c2": "u2"}[id], time.Hour) // anew, because a session may have ended since
	u.send(id, body)
	if len(u.frames) != 1 {
		u.Fatalf("%s is answered by %d frames: %s", body, len(u.frames), u.frames)
	}
	var frame struct {
		Type string     `json:"type"`
		Data answerData `json:"data"`
	}
	if err := json.Unmarshal([]byte(u.frames[0]), &frame); err != nil {
		u.Fatal(err)
	}
	if want := map[bool]string{true: "upload_url", false: "error"}[frame.Data.Code == ""]; frame.Type != want {
		u.Fatalf("%s is answered by %s", body, u.frames[0])
	}
	return frame.Data
}

// ask sends a message of "u1" and returns the answer.
func (u *uploads) ask(body string) answerData { u.Helper(); return u.askOn("c1", body) }

// open opens an upload of a size.
func (u *uploads) open(size int64) answerData {
	u.Helper()
	a := u.ask(fmt.Sprintf(`{"action":"upload","request":"r-%d","fileName":"parts list.csv","size":%d,"contentType":"text/csv"}`, time.Now().UnixNano(), size))
	if a.Code != "" {
		u.Fatalf("refused: %s %s", a.Code, a.Message)
	}
	return a
}

// step sends a message about an open upload, such as upload_resume, and returns the answer.
func (u *uploads) step(action, id string) answerData {
	u.Helper()
	return u.ask(`{"action":"` + action + `","request":"r","uploadId":"` + id + `"}`)
}

// put sends a browser's PUT and returns the status of the response.
func (u *uploads) put(url string, headers map[string]string, content []byte) int {
	u.Helper()
	r, err := http.NewRequestWithContext(u.Context(), http.MethodPut, url, bytes.NewReader(content))
	if err != nil {
		u.Fatal(err)
	}
	for name, value := range headers {
		r.Header.Set(name, value)
	}
	response, err := (&http.Client{Transport: u.objects}).Do(r)
	if err != nil {
		u.Fatal(err)
	}
	_ = response.Body.Close()
	return response.StatusCode
}

func (u *uploads) wantCode(a answerData, code string) {
	u.Helper()
	if a.Code != code {
		u.Errorf("answered %+v, want %s", a, code)
	}
}

func (u *uploads) wantEnd(a answerData, id string, complete bool) {
	u.Helper()
	want := message.UploadURL{Request: "r", UploadID: id, Complete: complete, Aborted: !complete}
	if diff := cmp.Diff(want, a.UploadURL); diff != "" || a.Code != "" {
		u.Errorf("answered %s (-want +got):\n%s", a.Code, diff)
	}
}

func TestASmallFileIsUploadedByOnePut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := newUploads(t)
		a := u.ask(`{"action":"upload","request":"r","fileName":"parts list.csv","size":5,"contentType":"text/csv"}`)
		id := a.UploadID
		want := message.UploadURL{
			Request: "r", UploadID: id, Size: 5, Method: "PUT", URL: a.URL,
			Headers:   map[string]string{"Content-Type": "text/csv", "If-None-Match": "*"},
			ExpiresAt: message.Time{Time: time.Now().UTC().Add(5 * time.Minute)},
		}
		if diff := cmp.Diff(want, a.UploadURL); diff != "" || len(id) != 26 || a.URL == "" {
			t.Fatalf("the answer (-want +got):\n%s", diff)
		}
		u.wantCode(u.step("upload_complete", id), session.CodeUploadIncomplete)
		for content, status := range map[string]int{"1234": http.StatusForbidden, "123456": http.StatusForbidden} {
			if got := u.put(a.URL, a.Headers, []byte(content)); got != status {
				t.Errorf("%d bytes are answered %d, want %d", len(content), got, status)
			}
		}
		if got := u.put(a.URL, a.Headers, []byte("12345")); got != http.StatusOK {
			t.Fatalf("PUT: %d", got)
		}
		if got := u.put(a.URL, a.Headers, []byte("54321")); got != http.StatusPreconditionFailed {
			t.Errorf("a second PUT is answered %d", got)
		}
		for range 2 { // the first answer may be lost
			u.wantEnd(u.step("upload_complete", id), id, true)
		}
		for _, action := range []string{"upload_resume", "upload_abort"} {
			u.wantEnd(u.step(action, id), id, true)
		}
		if got := string(u.objects.Content(uploadKey("u1", id, "parts list.csv"))); got != "12345" {
			t.Errorf("stored %q", got)
		}
	})
}

func TestFilesOfUpTo64MiBAreOnePutAndLargerOnesHaveParts(t *testing.T) {
	u := newUploads(t)
	if a := u.open(message.MaxSinglePut); a.Method != "PUT" || a.URL == "" || len(a.Parts) > 0 || u.objects.Begun() > 0 {
		t.Errorf("64 MiB: %+v", a)
	}
	a := u.open(message.MaxSinglePut + 1)
	if a.URL != "" || a.Method != "" || len(a.Parts) != 5 || a.PartSize != 16<<20 || a.Size != message.MaxSinglePut+1 || len(a.Done) > 0 {
		t.Errorf("a byte more: %+v", a)
	}
	if a := u.open(message.MaxUploadBytes); len(a.Parts) != message.MaxPartURLs || a.Parts[15].Number != 16 {
		t.Errorf("the largest file: %+v", a)
	}
}

func TestALargeFileIsUploadedInPartsAndContinues(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := newUploads(t)
		size := int64(4*message.UploadPartBytes + 7)
		a := u.open(size)
		content := func(number int) []byte {
			n := int64(message.UploadPartBytes)
			if number == 5 {
				n = 7
			}
			return bytes.Repeat([]byte{byte('0' + number)}, int(n))
		}
		if got := u.put(a.Parts[4].URL, nil, []byte("eight...")); got != http.StatusForbidden {
			t.Errorf("a part that is too long is answered %d", got)
		}
		for _, n := range []int{2, 3, 5} {
			if got := u.put(a.Parts[n-1].URL, nil, content(n)); got != http.StatusOK {
				t.Fatalf("PUT of part %d: %d", n, got)
			}
		}
		u.wantCode(u.step("upload_complete", a.UploadID), session.CodeUploadIncomplete)
		time.Sleep(2 * time.Hour)
		if got := u.put(a.Parts[0].URL, nil, content(1)); got != http.StatusForbidden {
			t.Errorf("an expired URL is answered %d", got)
		}
		a = u.step("upload_resume", a.UploadID)
		if diff := cmp.Diff([][2]int{{2, 3}, {5, 5}}, a.Done); diff != "" {
			t.Errorf("done (-want +got):\n%s", diff)
		}
		if len(a.Parts) != 2 || a.Parts[0].Number != 1 || a.Parts[1].Number != 4 || time.Until(a.ExpiresAt.Time) != time.Hour || a.Size != size {
			t.Errorf("resumed with %+v", a)
		}
		for _, p := range a.Parts {
			u.put(p.URL, nil, content(p.Number))
		}
		if a = u.step("upload_resume", a.UploadID); len(a.Parts) != 0 || fmt.Sprint(a.Done) != "[[1 5]]" {
			t.Errorf("with all parts: %+v", a)
		}
		for range 2 { // the first answer may be lost
			u.wantEnd(u.step("upload_complete", a.UploadID), a.UploadID, true)
		}
		want := bytes.Join([][]byte{content(1), content(2), content(3), content(4), content(5)}, nil)
		if got := u.objects.Content(uploadKey("u1", a.UploadID, "parts list.csv")); !bytes.Equal(got, want) {
			t.Errorf("stored %d bytes, want %d", len(got), len(want))
		}
	})
}

func TestAnAbortedUploadIsGone(t *testing.T) {
	u := newUploads(t)
	for _, size := range []int64{5, message.MaxSinglePut + 1} {
		a := u.open(size)
		for range 2 {
			u.wantEnd(u.step("upload_abort", a.UploadID), a.UploadID, false)
		}
		for _, action := range []string{"upload_resume", "upload_complete"} {
			u.wantEnd(u.step(action, a.UploadID), a.UploadID, false)
		}
	}
	if n := u.objects.Begun(); n > 0 {
		t.Errorf("%d multipart uploads are left", n)
	}
}

func TestInvalidUploadsNameFieldAndRule(t *testing.T) {
	u := newUploads(t)
	long := strings.Repeat("ü", message.MaxUploadName/2)
	const nameRule = "fileName must be a name without a path: no slash, no backslash, neither . nor .."
	for fields, want := range map[string]string{
		`"fileName":""`:                               "fileName must be 1 to 640 bytes",
		`"fileName":"` + long + `x"`:                  "fileName must be 1 to 640 bytes",
		`"fileName":"a/b"`:                            nameRule,
		`"fileName":"a\\b"`:                           nameRule,
		`"fileName":".."`:                             nameRule,
		`"fileName":"."`:                              nameRule,
		`"fileName":"a\u0000b"`:                       "fileName must not hold control characters or U+FFFD",
		`"fileName":"a\u007fb"`:                       "fileName must not hold control characters or U+FFFD",
		`"fileName":"a\ufffdb"`:                       "fileName must not hold control characters or U+FFFD",
		`"fileName":"a\ud800b"`:                       "fileName must not hold control characters or U+FFFD",
		`"fileName":7`:                                "fileName must be a string",
		`"fileName":null`:                             "fileName is required",
		`"size":0`:                                    "size must be from 1 to 1073741824 bytes",
		`"size":-1`:                                   "size must be from 1 to 1073741824 bytes",
		`"size":1073741825`:                           "size must be from 1 to 1073741824 bytes",
		`"size":1.5`:                                  "size must be a whole number",
		`"size":"1"`:                                  "size must be a whole number",
		`"size":1e99`:                                 "size must be a whole number",
		`"contentType":""`:                            "contentType must be a media type, such as text/csv",
		`"contentType":"csv"`:                         "contentType must be a media type, such as text/csv",
		`"contentType":"text/"`:                       "contentType must be a media type, such as text/csv",
		`"contentType":" text/csv"`:                   "contentType must be a media type, such as text/csv",
		`"contentType":"text/csv\r\nX: y"`:            "contentType must be a media type, such as text/csv",
		`"contentType":"text/cäv"`:                    "contentType must be a media type, such as text/csv",
		`"contentType":"` + long + long + `/x"`:       "contentType must be at most 255 bytes",
		`"key":"uploads/dTI/1/a.csv"`:                 "key is not a known field",
		`"fileName":"a/b","size":0`:                   nameRule + "; size must be from 1 to 1073741824 bytes",
		`"request":""`:                                "request must be 1 to 64 bytes of text without control characters",
		`"request":"` + strings.Repeat("x", 65) + `"`: "request must be 1 to 64 bytes of text without control characters",
	} {
		m := map[string]json.RawMessage{"action": []byte(`"upload"`), "request": []byte(`"r"`), "fileName": []byte(`"a.csv"`), "size": []byte("1"), "contentType": []byte(`"text/csv"`)}
		var changed map[string]json.RawMessage
		if err := json.Unmarshal([]byte("{"+fields+"}"), &changed); err != nil {
			t.Fatal(fields, err)
		}
		maps.Copy(m, changed)
		body, _ := json.Marshal(m)
		a := u.ask(string(body))
		wantRequest := "r"
		if strings.HasPrefix(want, "request") {
			wantRequest = ""
		}
		if a.Code != session.CodeInvalidMessage || a.Message != want || a.Request != wantRequest {
			t.Errorf("%s is answered %s %q for %q, want %q", fields, a.Code, a.Message, a.Request, want)
		}
	}
	for action, want := range map[string]string{
		`{"action":"upload_resume","request":"r"}`:                          "uploadId is required",
		`{"action":"upload_complete","request":"r","uploadId":"u/../x"}`:    "uploadId must be the id of an upload, a ULID",
		`{"action":"upload_abort","uploadId":"01M82K5N32CPWX658G1ZTM36HQ"}`: "request is required",
	} {
		if a := u.ask(action); a.Code != session.CodeInvalidMessage || a.Message != want {
			t.Errorf("%s is answered %s %q, want %q", action, a.Code, a.Message, want)
		}
	}
	for _, name := range []string{long, "...", "a b+c%.csv", "naïve €.csv"} {
		body, _ := json.Marshal(map[string]any{"action": "upload", "request": "r", "fileName": name, "size": 1, "contentType": "application/vnd.ms-excel"})
		if a := u.ask(string(body)); a.Code != "" {
			t.Errorf("%s is refused: %s", name, a.Message)
		}
	}
}

// TestTheLongestKeyFitsS3: an object's key has at most 1,024 bytes.
func TestTheLongestKeyFitsS3(t *testing.T) {
	key := uploadKey(strings.Repeat("u", message.MaxUserID), strings.Repeat("0", 26), strings.Repeat("n", message.MaxUploadName))
	if len(key) > 1024 {
		t.Errorf("the longest key has %d bytes", len(key))
	}
}

func TestUploadsOfOtherUsersAreNotFound(t *testing.T) {
	u := newUploads(t)
	for _, size := range []int64{5, message.MaxSinglePut + 1} {
		a := u.open(size)
		for _, action := range []string{"upload_resume", "upload_complete", "upload_abort"} {
			u.wantCode(u.askOn("c2", `{"action":"`+action+`","request":"r","uploadId":"`+a.UploadID+`"}`), session.CodeUploadNotFound)
		}
		if again := u.step("upload_resume", a.UploadID); again.Code != "" {
			t.Errorf("the owner's upload is %+v", again)
		}
	}
}

// TestTheProtocolShowsUploadFramesAsTheyAreSent: each frame of the page that is about uploads has the fields of a real one.
func TestTheProtocolShowsUploadFramesAsTheyAreSent(t *testing.T) {
	page, err := os.ReadFile("../web/PROTOCOL.md")
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]bool{}
	for _, block := range strings.Split(string(page), "```json\n")[1:] {
		text, _, _ := strings.Cut(block, "```")
		var frame struct {
			Type      string          `json:"type"`
			Timestamp message.Time    `json:"timestamp"`
			Data      json.RawMessage `json:"data"`
		}
		if err := json.Unmarshal([]byte(text), &frame); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		var data any = &message.UploadURL{}
		if frame.Type == "error" {
			data = &message.RequestError{}
		} else if frame.Type != string(message.TypeUploadURL) {
			continue
		}
		strict := json.NewDecoder(bytes.NewReader(frame.Data))
		strict.DisallowUnknownFields()
		if err := strict.Decode(data); err != nil {
			t.Errorf("%v: %s", err, text)
		}
		var fields map[string]any
		_ = json.Unmarshal(frame.Data, &fields)
		for name := range fields {
			kinds[name] = true
		}
	}
	want := []string{
		"aborted", "code", "complete", "done", "expiresAt", "headers", "message", "method", "partSize", "parts", "request", "size", "uploadId", "url",
	}
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(kinds))); diff != "" {
		t.Errorf("fields in the page (-want +got):\n%s", diff)
	}
}
