package uploadtest

import (
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/herald-progress/herald/lib/message"
	"github.com/herald-progress/herald/lib/upload"
)

// RunStore tests the contract of a store. The store that open returns may contain uploads of other tests, because every test
// uses its own users.
func RunStore(t *testing.T, open func(t *testing.T) upload.Store) {
	t.Helper()
	for name, test := range map[string]func(*testing.T, upload.Store, string){
		"five slots and no more":                            fiveSlots,
		"a slot is free when its time is over":              slotExpires,
		"an upload keeps one slot and changes its time":     holdSlot,
		"the same request finds the slot that it has":       sameRequest,
		"however many open at once, five get a slot":        raceForSlots,
		"a stored upload has its fields":                    storedUpload,
		"the first of two uploads with one id stays":        putTwice,
		"an upload is absent when its time is over":         uploadExpires,
		"users see their own uploads only":                  otherUser,
		"an outcome stays and frees the slot":               outcomes,
		"only Complete follows JoiningParts":                joining,
		"an end frees no slot that another upload has":      endAfterExpiry,
		"of concurrent ends one is recorded, for everybody": raceForEnd,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t), "u|"+rand.Text()) })
	}
}

// now returns the current time with the precision of stores.
func now() time.Time { return time.Now().UTC().Truncate(time.Second) }

func reserve(t *testing.T, s upload.Store, user, id, request string, until, at time.Time, want error) upload.Slot {
	t.Helper()
	slot, err := s.Reserve(t.Context(), user, upload.Slot{UploadID: id, Request: request, Until: until}, at)
	if !errors.Is(err, want) {
		t.Fatalf("Reserve of %s: %v, want %v", id, err, want)
	}
	return slot
}

// fill takes all slots for the uploads "0" and so on.
func fill(t *testing.T, s upload.Store, user string, until, at time.Time) {
	t.Helper()
	for n := range message.MaxOpenUploads {
		id := fmt.Sprint(n)
		want := upload.Slot{UploadID: id, Request: "r" + id, Until: until}
		if diff := cmp.Diff(want, reserve(t, s, user, id, "r"+id, until, at, nil)); diff != "" {
			t.Fatalf("slot (-want +got):\n%s", diff)
		}
	}
}

func fiveSlots(t *testing.T, s upload.Store, user string) {
	at := now()
	fill(t, s, user, at.Add(time.Hour), at)
	reserve(t, s, user, "one more", "", at.Add(time.Hour), at, upload.ErrTooManyOpen)
	reserve(t, s, user+"2", "another user's", "", at.Add(time.Hour), at, nil)
}

func slotExpires(t *testing.T, s upload.Store, user string) {
	at := now()
	fill(t, s, user, at.Add(time.Minute), at)
	reserve(t, s, user, "one more", "r0", at.Add(time.Hour), at.Add(time.Minute-time.Millisecond), nil) // that of r0
	reserve(t, s, user, "one more", "", at.Add(time.Hour), at.Add(time.Minute-time.Millisecond), upload.ErrTooManyOpen)
	if slot := reserve(t, s, user, "one more", "r0", at.Add(time.Hour), at.Add(time.Minute), nil); slot.UploadID != "one more" {
		t.Errorf("the slot is that of %s", slot.UploadID)
	}
}

func holdSlot(t *testing.T, s upload.Store, user string) {
	at := now()
	fill(t, s, user, at.Add(time.Minute), at)
	held := reserve(t, s, user, "3", "", at.Add(time.Hour), at, nil)
	if diff := cmp.Diff(upload.Slot{UploadID: "3", Request: "r3", Until: at.Add(time.Hour)}, held); diff != "" {
		t.Errorf("the slot (-want +got):\n%s", diff)
	}
	later := at.Add(time.Minute)
	for n := range message.MaxOpenUploads - 1 {
		reserve(t, s, user, fmt.Sprint("new ", n), "", later.Add(time.Hour), later, nil)
	}
	reserve(t, s, user, "one more", "", later.Add(time.Hour), later, upload.ErrTooManyOpen)
	reserve(t, s, user, "3", "", later.Add(time.Hour), later, nil)
}

func sameRequest(t *testing.T, s upload.Store, user string) {
	at := now()
	fill(t, s, user, at.Add(time.Hour), at)
	if slot := reserve(t, s, user, "again", "r2", at.Add(2*time.Hour), at, nil); slot.UploadID != "2" || !slot.Until.Equal(at.Add(time.Hour)) {
		t.Errorf("the same request has the slot %+v, want that of 2", slot)
	}
	reserve(t, s, user, "no request", "", at.Add(time.Hour), at, upload.ErrTooManyOpen)
	reserve(t, s, user+"2", "another user", "r2", at.Add(time.Hour), at, nil)
}

func raceForSlots(t *testing.T, s upload.Store, user string) {
	const callers = 20
	at := now()
	var all sync.WaitGroup
	taken := make(chan string, callers)
	for n := range callers {
		all.Go(func() {
			id := fmt.Sprint(n)
			_, err := s.Reserve(t.Context(), user, upload.Slot{UploadID: id, Until: at.Add(time.Hour)}, at)
			switch {
			case err == nil:
				taken <- id
			case !errors.Is(err, upload.ErrTooManyOpen):
				t.Errorf("Reserve: %v", err)
			}
		})
	}
	all.Wait()
	if len(taken) != message.MaxOpenUploads {
		t.Errorf("%d callers have a slot, want %d", len(taken), message.MaxOpenUploads)
	}
	reserve(t, s, user, "one more", "", at.Add(time.Hour), at, upload.ErrTooManyOpen)
}

func aFile(user string, at time.Time) upload.Upload {
	return upload.Upload{
		UserID: user, ID: "01M82K5N32CPWX658G1ZTM36HQ", Request: "r", MultipartID: "m/+=",
		File:      message.UploadFile{FileName: "ä \"list\".csv", Size: 1 << 30, ContentType: "text/csv; charset=utf-8"},
		ExpiresAt: at.Add(time.Hour),
	}
}

// put stores an upload that has a slot.
func put(t *testing.T, s upload.Store, u upload.Upload, at time.Time) {
	t.Helper()
	reserve(t, s, u.UserID, u.ID, u.Request, at.Add(time.Hour), at, nil)
	stored, err := s.Put(t.Context(), u)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(u, stored); diff != "" {
		t.Fatalf("Put (-want +got):\n%s", diff)
	}
}

func wantStored(t *testing.T, s upload.Store, want upload.Upload, at time.Time) {
	t.Helper()
	got, err := s.Find(t.Context(), want.UserID, want.ID, at)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the stored upload (-want +got):\n%s", diff)
	}
}

func storedUpload(t *testing.T, s upload.Store, user string) {
	at := now()
	u := aFile(user, at)
	put(t, s, u, at)
	wantStored(t, s, u, at)
	single := u
	single.ID, single.Request, single.MultipartID = "01M82K5N32CPWX658G1ZTM36HR", "", ""
	put(t, s, single, at)
	wantStored(t, s, single, at)
}

func putTwice(t *testing.T, s upload.Store, user string) {
	at := now()
	u := aFile(user, at)
	put(t, s, u, at)
	second := u
	second.MultipartID = "another"
	stored, err := s.Put(t.Context(), second)
	if diff := cmp.Diff(u, stored); err != nil || diff != "" {
		t.Errorf("a second Put: %v (-want +got):\n%s", err, diff)
	}
	wantStored(t, s, u, at)
}

func uploadExpires(t *testing.T, s upload.Store, user string) {
	at := now()
	u := aFile(user, at)
	put(t, s, u, at)
	wantStored(t, s, u, u.ExpiresAt.Add(-time.Second))
	if found, err := s.Find(t.Context(), user, u.ID, u.ExpiresAt); !errors.Is(err, upload.ErrNotFound) {
		t.Errorf("Find: %+v, %v, want ErrNotFound", found, err)
	}
}

func otherUser(t *testing.T, s upload.Store, user string) {
	at := now()
	u := aFile(user, at)
	put(t, s, u, at)
	for _, other := range []string{user + "2", user[:len(user)-1]} {
		if found, err := s.Find(t.Context(), other, u.ID, at); !errors.Is(err, upload.ErrNotFound) {
			t.Errorf("Find: %+v, %v, want ErrNotFound", found, err)
		}
		theirs := u
		theirs.UserID = other
		if o, err := s.End(t.Context(), theirs, upload.Aborted, at); !errors.Is(err, upload.ErrNotFound) {
			t.Errorf("End: %q, %v, want ErrNotFound", o, err)
		}
	}
	wantStored(t, s, u, at)
}

func end(t *testing.T, s upload.Store, u upload.Upload, o, want upload.Outcome, until time.Time) {
	t.Helper()
	if recorded, err := s.End(t.Context(), u, o, until); err != nil || recorded != want {
		t.Errorf("End with %q: %q, %v, want %q", o, recorded, err, want)
	}
}

func outcomes(t *testing.T, s upload.Store, user string) {
	at := now()
	for _, first := range []upload.Outcome{upload.Complete, upload.Aborted} {
		u := aFile(user+string(first), at)
		fill(t, s, u.UserID, at.Add(time.Hour), at)
		end(t, s, mustPut(t, s, u, "4"), first, first, at.Add(3*time.Hour))
		u.ID, u.Outcome, u.ExpiresAt = "4", first, at.Add(3*time.Hour)
		wantStored(t, s, u, at)
		reserve(t, s, u.UserID, "one more", "", at.Add(time.Hour), at, nil)
		reserve(t, s, u.UserID, "two more", "", at.Add(time.Hour), at, upload.ErrTooManyOpen)
		for _, second := range []upload.Outcome{upload.Complete, upload.Aborted, upload.JoiningParts} {
			end(t, s, u, second, first, at.Add(9*time.Hour))
		}
		wantStored(t, s, u, at)
	}
}

// mustPut stores an upload with an id.
func mustPut(t *testing.T, s upload.Store, u upload.Upload, id string) upload.Upload {
	t.Helper()
	u.ID = id
	if _, err := s.Put(t.Context(), u); err != nil {
		t.Fatal(err)
	}
	return u
}

func joining(t *testing.T, s upload.Store, user string) {
	at := now()
	u := aFile(user, at)
	fill(t, s, user, at.Add(time.Hour), at)
	u = mustPut(t, s, u, "4")
	for range 2 {
		end(t, s, u, upload.JoiningParts, upload.JoiningParts, at.Add(9*time.Hour))
	}
	end(t, s, u, upload.Aborted, upload.JoiningParts, at.Add(9*time.Hour))
	u.Outcome = upload.JoiningParts
	wantStored(t, s, u, at)
	reserve(t, s, user, "one more", "", at.Add(time.Hour), at, upload.ErrTooManyOpen)
	end(t, s, u, upload.Complete, upload.Complete, at.Add(2*time.Hour))
	reserve(t, s, user, "one more", "", at.Add(time.Hour), at, nil)
}

func endAfterExpiry(t *testing.T, s upload.Store, user string) {
	at := now()
	u := aFile(user, at)
	fill(t, s, user, at.Add(time.Minute), at)
	u = mustPut(t, s, u, "4")
	later := at.Add(time.Minute)
	for n := range message.MaxOpenUploads {
		reserve(t, s, user, fmt.Sprint("new ", n), "", later.Add(time.Hour), later, nil)
	}
	end(t, s, u, upload.Complete, upload.Complete, later.Add(time.Hour))
	reserve(t, s, user, "one more", "", later.Add(time.Hour), later, upload.ErrTooManyOpen)
}

func raceForEnd(t *testing.T, s upload.Store, user string) {
	at := now()
	u := aFile(user, at)
	put(t, s, u, at)
	var all sync.WaitGroup
	recorded := make([]upload.Outcome, 10)
	for n := range recorded {
		all.Go(func() {
			var err error
			if recorded[n], err = s.End(t.Context(), u, []upload.Outcome{upload.Complete, upload.Aborted}[n%2], at.Add(time.Hour)); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	u.Outcome = recorded[0]
	for _, o := range recorded {
		if o != recorded[0] || !o.Final() {
			t.Errorf("the outcomes are %q, want one", recorded)
			break
		}
	}
	wantStored(t, s, u, at)
}
