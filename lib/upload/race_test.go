package upload_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/herald-progress/herald/lib/message"
	"github.com/herald-progress/herald/lib/upload"
)

var errDown = errors.New("down")

// faults makes calls slow at random, and makes random calls fail before or after they had their effect.
type faults struct {
	mu     sync.Mutex
	random *rand.Rand
	rate   float64 // the probability of each of the two failures
}

// milliseconds returns a random time below a bound.
func (f *faults) milliseconds(bound int) time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	return time.Duration(f.random.IntN(bound)) * time.Millisecond
}

// call calls do, or fails. It waits for up to 100 ms before do, and after it.
func (f *faults) call(do func() error) error {
	f.mu.Lock()
	before, after, fault := f.random.IntN(100), f.random.IntN(100), f.random.Float64()
	f.mu.Unlock()
	time.Sleep(time.Duration(before) * time.Millisecond)
	if fault < f.rate {
		return errDown
	}
	err := do()
	time.Sleep(time.Duration(after) * time.Millisecond)
	if fault < 2*f.rate {
		return errDown
	}
	return err
}

// raceSize is the size of the file of the race: five parts.
const raceSize = message.MaxSinglePut + 1

// faultyObjects is an object store with faults. It joins parts slowly, so that the multipart upload is gone before the object is
// stored. The test stores one byte of each part, and faultyObjects returns the sizes of the whole parts and of the whole file.
type faultyObjects struct {
	*upload.MemoryObjects
	*faults
}

func (o faultyObjects) Begin(ctx context.Context, key, contentType string) (id string, err error) {
	err = o.call(func() error { id, err = o.MemoryObjects.Begin(ctx, key, contentType); return err })
	return id, err
}

func (o faultyObjects) Parts(ctx context.Context, key, id string) (parts []upload.Part, err error) {
	err = o.call(func() error { parts, err = o.MemoryObjects.Parts(ctx, key, id); return err })
	for n := range parts {
		parts[n].Size = min(message.UploadPartBytes, raceSize-int64(n)*message.UploadPartBytes)
	}
	return parts, err
}

func (o faultyObjects) Size(ctx context.Context, key string) (size int64, err error) {
	err = o.call(func() error { _, err = o.MemoryObjects.Size(ctx, key); return err })
	return raceSize, err
}

func (o faultyObjects) Join(ctx context.Context, key, id string, parts []upload.Part) error {
	return o.call(func() error {
		return o.JoinSlowly(ctx, key, id, parts, func() { time.Sleep(300 * time.Millisecond) })
	})
}

func (o faultyObjects) Abort(ctx context.Context, key, id string) error {
	return o.call(func() error { return o.MemoryObjects.Abort(ctx, key, id) })
}

// faultyStore is a store of uploads with faults.
type faultyStore struct {
	*upload.Memory
	*faults
}

func (s faultyStore) Reserve(ctx context.Context, user string, slot upload.Slot, at time.Time) (got upload.Slot, err error) {
	err = s.call(func() error { got, err = s.Memory.Reserve(ctx, user, slot, at); return err })
	return got, err
}

func (s faultyStore) Put(ctx context.Context, u upload.Upload) (got upload.Upload, err error) {
	err = s.call(func() error { got, err = s.Memory.Put(ctx, u); return err })
	return got, err
}

func (s faultyStore) Find(ctx context.Context, user, id string, at time.Time) (got upload.Upload, err error) {
	err = s.call(func() error { got, err = s.Memory.Find(ctx, user, id, at); return err })
	return got, err
}

func (s faultyStore) End(ctx context.Context, u upload.Upload, o upload.Outcome, until time.Time) (got upload.Outcome, err error) {
	err = s.call(func() error { got, err = s.Memory.End(ctx, u, o, until); return err })
	return got, err
}

// TestConcurrentStepsAgreeOnOneEnd: browsers complete, abort and resume an upload at once, again and again until they are
// answered. All get the same end, complete or aborted. The object is stored exactly if the upload is complete. No multipart upload is
// left, and the slot is free.
func TestConcurrentStepsAgreeOnOneEnd(t *testing.T) {
	ends := map[bool]int{}
	for seed := range 300 {
		synctest.Test(t, func(t *testing.T) { ends[raceToTheEnd(t, uint64(seed))]++ })
	}
	if ends[true] == 0 || ends[false] == 0 {
		t.Errorf("the ends were %v, want both", ends)
	}
}

// raceToTheEnd opens an upload, stores its parts, and runs five steps at once. It returns whether the upload was completed. seed
// decides the delays, and whether calls fail: with an odd seed, each fails with a probability of a tenth before its effect, and of a
// tenth after it.
func raceToTheEnd(t *testing.T, seed uint64) (complete bool) {
	t.Helper()
	f := &faults{random: rand.New(rand.NewPCG(seed, 7)), rate: []float64{0, 0.1}[seed%2]}
	objects, store := &upload.MemoryObjects{}, &upload.Memory{}
	s := &upload.Service{Store: faultyStore{store, f}, Objects: faultyObjects{objects, f}, Key: func(u, id, name string) string { return u + id + name }}
	opened := eventually(t, func() (message.UploadURL, error) {
		return s.Open(t.Context(), "u1", "r", message.UploadFile{FileName: "f", Size: raceSize, ContentType: "a/b"})
	})
	u, err := store.Find(t.Context(), "u1", opened.UploadID, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range opened.Parts {
		signed, err := objects.Sign(t.Context(), upload.Target{Key: "u1" + u.ID + "f", Size: 1, MultipartID: u.MultipartID, Number: p.Number, Life: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		r, _ := http.NewRequestWithContext(t.Context(), http.MethodPut, signed.URL, strings.NewReader("0"))
		response, err := (&http.Client{Transport: objects}).Do(r)
		if err != nil || response.StatusCode != http.StatusOK {
			t.Fatal(response, err)
		}
	}
	steps := []func(context.Context, string, string) (message.UploadURL, error){s.Complete, s.Abort, s.Resume, s.Complete, s.Abort}
	answers := make([]message.UploadURL, len(steps))
	var all sync.WaitGroup
	for n, step := range steps {
		wait := f.milliseconds(500)
		all.Go(func() {
			time.Sleep(wait)
			answers[n] = eventually(t, func() (message.UploadURL, error) { return step(t.Context(), "u1", opened.UploadID) })
		})
	}
	all.Wait()
	complete = answers[0].Complete
	for n, a := range answers {
		if n != 2 && (a.Complete != complete || a.Aborted == complete) { // step 2 is Resume, which may be answered by URLs
			t.Errorf("seed %d: the answers are %+v", seed, answers)
			break
		}
	}
	stored := objects.Content("u1"+opened.UploadID+"f") != nil
	if stored != complete || objects.Begun() > 0 && f.rate == 0 {
		t.Errorf("seed %d: complete is %v, stored is %v, %d multipart uploads are left", seed, complete, stored, objects.Begun())
	}
	for n := range message.MaxOpenUploads {
		if _, err := store.Reserve(t.Context(), "u1", upload.Slot{UploadID: fmt.Sprint(n), Until: time.Now().Add(time.Hour)}, time.Now().Add(time.Minute)); err != nil {
			t.Errorf("seed %d: slot %d: %v", seed, n, err)
		}
	}

	return complete
}

// eventually repeats a call until it succeeds, and returns its answer.
func eventually(t *testing.T, call func() (message.UploadURL, error)) message.UploadURL {
	t.Helper()
	for range 200 {
		answer, err := call()
		if err == nil {
			return answer
		}
		if !errors.Is(err, errDown) && !errors.Is(err, upload.ErrIncomplete) {
			t.Errorf("the call returns %v, want success, a failed store, or missing parts", err)
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Error("never answered")
	return message.UploadURL{}
}

// TestConcurrentRepetitionsOpenOneUpload: a browser asks again before the first answer is there.
func TestConcurrentRepetitionsOpenOneUpload(t *testing.T) {
	for seed := range 100 {
		synctest.Test(t, func(t *testing.T) {
			f := &faults{random: rand.New(rand.NewPCG(uint64(seed), 8)), rate: []float64{0, 0.1}[seed%2]}
			objects, store := &upload.MemoryObjects{}, &upload.Memory{}
			s := &upload.Service{Store: faultyStore{store, f}, Objects: faultyObjects{objects, f}, Key: func(u, id, name string) string { return u + id + name }}
			var all sync.WaitGroup
			ids := make([]string, 4)
			for n := range ids {
				all.Go(func() {
					ids[n] = eventually(t, func() (message.UploadURL, error) {
						return s.Open(t.Context(), "u1", "r", message.UploadFile{FileName: "f", Size: message.MaxUploadBytes, ContentType: "a/b"})
					}).UploadID
				})
			}
			all.Wait()
			for _, id := range ids {
				if id != ids[0] {
					t.Errorf("seed %d: the uploads are %q, want one", seed, ids)
					break
				}
			}
			if f.rate == 0 && objects.Begun() != 1 {
				t.Errorf("seed %d: %d multipart uploads", seed, objects.Begun())
			}
		})
	}
}
