package session_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/herald-progress/herald/lib/message"
	"github.com/herald-progress/herald/lib/upload"
)

// meteredUploads counts the requests of uploads to both stores. A Reserve reads the slots and writes one, and an End writes the
// outcome, reads the slots and deletes one.
type meteredUploads struct {
	*upload.Memory

	meter *usageMeter

	mu  sync.Mutex
	ids []string // of the stored uploads
}

func (s *meteredUploads) requests(n int) {
	for range n {
		s.meter.request()
	}
}

func (s *meteredUploads) Reserve(ctx context.Context, user string, slot upload.Slot, at time.Time) (upload.Slot, error) {
	s.requests(2)
	return s.Memory.Reserve(ctx, user, slot, at)
}

func (s *meteredUploads) Put(ctx context.Context, u upload.Upload) (upload.Upload, error) {
	s.requests(1)
	s.mu.Lock()
	s.ids = append(s.ids, u.ID)
	s.mu.Unlock()
	return s.Memory.Put(ctx, u)
}

func (s *meteredUploads) Find(ctx context.Context, user, id string, at time.Time) (upload.Upload, error) {
	s.requests(1)
	return s.Memory.Find(ctx, user, id, at)
}

func (s *meteredUploads) End(ctx context.Context, u upload.Upload, o upload.Outcome, until time.Time) (upload.Outcome, error) {
	s.requests(3)
	return s.Memory.End(ctx, u, o, until)
}

// meteredObjects counts requests to the object store. Without any PUT, each object and part counts as stored, with the size that the
// messages of randomMessage declare.
type meteredObjects struct {
	*upload.MemoryObjects

	meter *usageMeter
}

func (o meteredObjects) Begin(ctx context.Context, key, contentType string) (string, error) {
	o.meter.request()
	return o.MemoryObjects.Begin(ctx, key, contentType)
}

func (o meteredObjects) Parts(context.Context, string, string) ([]upload.Part, error) {
	o.meter.request()
	parts := make([]upload.Part, 5)
	for n := range parts {
		parts[n] = upload.Part{Number: n + 1, Size: message.UploadPartBytes}
	}
	parts[4].Size = 1
	return parts, nil
}

func (o meteredObjects) Join(context.Context, string, string, []upload.Part) error {
	o.meter.request()
	return nil
}

func (o meteredObjects) Abort(context.Context, string, string) error {
	o.meter.request()
	return nil
}

func (o meteredObjects) Size(_ context.Context, key string) (int64, error) {
	o.meter.request()
	if strings.HasSuffix(key, "large") {
		return message.MaxSinglePut + 1, nil
	}
	return 1, nil
}

func newMeteredUploads(b *usageMeter) (*upload.Service, *meteredUploads) {
	store := &meteredUploads{Memory: &upload.Memory{}, meter: b}
	return &upload.Service{Store: store, Objects: meteredObjects{&upload.MemoryObjects{}, b}, Key: uploadKey}, store
}

// randomMessage returns a message about an upload.
func (s *meteredUploads) randomMessage(random *rand.Rand) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	action := []string{"upload", "upload_resume", "upload_complete", "upload_abort"}[random.IntN(4)]
	if action == "upload" || len(s.ids) == 0 {
		file := []string{`"small","size":1`, fmt.Sprintf(`"large","size":%d`, message.MaxSinglePut+1)}[random.IntN(2)]
		return fmt.Sprintf(`{"action":"upload","request":"r%d","contentType":"a/b","fileName":%s}`, random.IntN(1000), file)
	}
	return fmt.Sprintf(`{"action":%q,"request":"r","uploadId":%q}`, action, s.ids[len(s.ids)-1-random.IntN(min(len(s.ids), 10))])
}

// randomMessage returns a message of a browser, and asks for batches in every second sync. notes are the ids of the user's notes, the oldest first.
func randomMessage(random *rand.Rand, notes []string) string {
	m := randomAction(random, notes)
	if random.IntN(2) == 0 {
		return strings.Replace(m, `"sync"`, `"sync","batch":true`, 1)
	}
	return m
}

func randomAction(random *rand.Rand, notes []string) string {
	note := notes[random.IntN(len(notes))]
	switch random.IntN(11) {
	case 8: // a cursor after which no job is left to send
		return `{"action":"sync","welcome":false,"since":"` + note + `","cursor":"` + forgedCursor + `"}`
	case 9:
		return `{"action":"sync","welcome":false,"since":"` + notes[len(notes)-1] + `","cursor":"` + forgedCursor + `"}`
	case 10:
		return `{"action":"sync","welcome":false,"since":"` + notes[len(notes)-1] + `","have":` + haveAll + `}`

	case 0:
		return `{"action":"sync"}`
	case 1:
		return `{"action":"sync","welcome":false,"since":"` + note + `"}`
	case 2:
		return `{"action":"sync","since":"` + notes[0] + `"}`
	case 3:
		return `{"action":"dismiss","id":"` + note + `"}`
	case 4:
		return `{"action":"dismiss","id":"` + aNote + `"}`
	case 5:
		return `{"action":"refresh","token":"x"}`
	case 6:
		return `{"action":"sync","since":1}`
	default:
		return dance
	}
}
