// Package upload lets browsers put files into the object store. It returns presigned URLs, so that the bytes of the files do not pass
// through a function.
package upload

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/herald-progress/herald/lib/message"
)

// Errors of uploads that a client sees. Any other error comes from the object store or from the store of uploads, and the caller may
// repeat the call.
var (
	// ErrNotFound means that the user has no such upload, or no longer has it.
	ErrNotFound = errors.New("upload: not found")
	// ErrTooManyOpen means that the user has [message.MaxOpenUploads] open uploads.
	ErrTooManyOpen = errors.New("upload: too many open uploads")
	// ErrIncomplete means that the object store does not have the whole file.
	ErrIncomplete = errors.New("upload: incomplete")
)

// Outcome is how an upload ended.
type Outcome string

// The outcomes of an upload. Open is that of an upload that has not ended. JoiningParts is recorded before the parts are joined: from then
// on the upload cannot be aborted, and only Complete can follow.
const (
	Open         Outcome = ""
	JoiningParts Outcome = "joining"
	Complete     Outcome = "complete"
	Aborted      Outcome = "aborted"
)

// Final reports whether the upload has ended.
func (o Outcome) Final() bool { return o == Complete || o == Aborted }

// MayFollow reports whether the outcome o may be recorded after the outcome before.
func (o Outcome) MayFollow(before Outcome) bool {
	return before == Open || before == JoiningParts && o == Complete
}

// Upload is an upload of a user.
type Upload struct {
	UserID string
	// ID is the id of the upload and of its job, a ULID.
	ID string
	// Request is the id that the browser gave to its message that opened the upload, or empty.
	Request string
	File    message.UploadFile
	// MultipartID is the object store's id of an upload in parts. It is empty for a single PUT.
	MultipartID string
	Outcome     Outcome
	// ExpiresAt is when the store forgets the upload.
	ExpiresAt time.Time
}

// Slot is one of the few places for a user's open uploads.
type Slot struct {
	UploadID string
	// Request is the id that the browser gave to its message that opened the upload, or empty.
	Request string
	// Until is when the slot is free again. A store rounds it down to milliseconds.
	Until time.Time
}

// Store stores uploads. Its methods may be called concurrently, from many processes. Expired slots and uploads count as absent.
// After an error that is not named here, a call may have had its effect or not, and may be repeated.
type Store interface {
	// Reserve gives one of the user's [message.MaxOpenUploads] slots to an upload, and returns that slot. Concurrent calls never
	// take more slots than that.
	//
	//   - The upload has a slot → only its Until is changed.
	//   - Another upload of the user with the same request, which is not empty, has a slot → that slot, unchanged.
	//   - No slot is free → [ErrTooManyOpen].
	Reserve(ctx context.Context, userID string, s Slot, at time.Time) (Slot, error)
	// Put stores an upload, unless the user has one with the same ID. It returns the stored one.
	Put(ctx context.Context, u Upload) (Upload, error)
	// Find returns an upload by a consistent read, or [ErrNotFound].
	Find(ctx context.Context, userID, id string, at time.Time) (Upload, error)
	// End records the outcome o if it may follow the recorded one, and returns the outcome that is then recorded. If o was recorded
	// and is final, the store forgets the upload at the time until. If the returned outcome is final, the upload's slot is free. If
	// there is no such upload, End returns [ErrNotFound].
	End(ctx context.Context, u Upload, o Outcome, until time.Time) (Outcome, error)
}

// How long slots are taken.
const (
	// singleSlot is how long the slot of a single PUT is taken. The PUT must begin within this time, because its URL expires. It may
	// end later, because the store knows the upload for longer than its slot is taken.
	singleSlot = message.SinglePutLife + time.Minute
	// openingSlot is how long the slot of an upload in parts is taken at first: until the object store has begun the multipart
	// upload. Then the slot is taken until the upload expires.
	openingSlot = time.Minute
)

// Service carries out what browsers ask for. It is safe for concurrent use.
type Service struct {
	Store   Store
	Objects Objects
	// Key returns the key of a user's upload in the object store.
	Key func(userID, uploadID, fileName string) string
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

func (s *Service) now() time.Time {
	if s.Now != nil {
		return s.Now()
	}
	return time.Now()
}

// Open opens an upload of a valid file, and returns where its bytes go. If the same user has an open upload of the same file
// with the same request, whose answer was lost, it returns that one. The error may be [ErrTooManyOpen].
func (s *Service) Open(ctx context.Context, userID, request string, f message.UploadFile) (message.UploadURL, error) {
	u := Upload{UserID: userID, ID: ulid.Make().String(), Request: request, File: f, ExpiresAt: s.now().Add(message.UploadLife)}
	slotTime := singleSlot
	if u.inParts() {
		slotTime = openingSlot
	}
	slot, err := s.Store.Reserve(ctx, userID, Slot{UploadID: u.ID, Request: request, Until: s.now().Add(slotTime)}, s.now())
	if err != nil {
		return message.UploadURL{}, fmt.Errorf("reserve slot: %w", err)
	}
	if slot.UploadID != u.ID { // an earlier message with the same request has the slot
		earlier, err := s.Store.Find(ctx, userID, slot.UploadID, s.now())
		switch {
		case errors.Is(err, ErrNotFound): // its opening failed, or is still running: open the upload with its id
			u.ID = slot.UploadID
		case err != nil:
			return message.UploadURL{}, fmt.Errorf("find upload: %w", err)
		case earlier.Outcome == Open && earlier.File == f:
			return s.urls(ctx, earlier)
		default: // it is an upload of another file, or no longer open: open a new one, without the request
			return s.Open(ctx, userID, "", f)
		}
	}

	return s.open(ctx, u)
}

// open stores an upload that has a slot, and returns where its bytes go.
func (s *Service) open(ctx context.Context, u Upload) (message.UploadURL, error) {
	if u.inParts() {
		var err error
		if u.MultipartID, err = s.Objects.Begin(ctx, s.key(u), u.File.ContentType); err != nil {
			return message.UploadURL{}, fmt.Errorf("begin multipart upload: %w", err)
		}
	}
	stored, err := s.Store.Put(ctx, u)
	if err != nil {
		return message.UploadURL{}, fmt.Errorf("store upload: %w", err)
	}
	if stored.MultipartID != u.MultipartID { // a repetition of the message was quicker: use its multipart upload, not this one
		if err := s.Objects.Abort(ctx, s.key(u), u.MultipartID); err != nil && !errors.Is(err, ErrNoMultipart) {
			return message.UploadURL{}, fmt.Errorf("abort multipart upload: %w", err)
		}
	}
	if stored.inParts() { // the slot was taken for openingSlot only: take it until the upload expires
		if _, err := s.Store.Reserve(ctx, u.UserID, Slot{UploadID: u.ID, Until: stored.ExpiresAt}, s.now()); err != nil {
			return message.UploadURL{}, fmt.Errorf("hold slot: %w", err)
		}
	}

	return s.urls(ctx, stored)
}

// Resume returns where the missing bytes of an upload go. The error may be [ErrNotFound], or [ErrTooManyOpen] for a single PUT
// that lost its slot.
func (s *Service) Resume(ctx context.Context, userID, id string) (message.UploadURL, error) {
	u, err := s.Store.Find(ctx, userID, id, s.now())
	if err != nil {
		return message.UploadURL{}, fmt.Errorf("find upload: %w", err)
	}
	if u.Outcome.Final() {
		return ended(u.ID, u.Outcome), nil
	}
	if !u.inParts() { // take the slot again, because the new URL is valid for as long as the first one was
		if _, err := s.Store.Reserve(ctx, userID, Slot{UploadID: id, Until: s.now().Add(singleSlot)}, s.now()); err != nil {
			return message.UploadURL{}, fmt.Errorf("reserve slot: %w", err)
		}
	}
	return s.urls(ctx, u)
}

// Abort ends an upload and deletes its stored parts. It does not abort a complete upload. If the parts are being joined, Abort does
// what Complete does. The error may be [ErrNotFound] or [ErrIncomplete].
//
// A single PUT that a browser has begun cannot be stopped by the server: until its URL expires it may still store the object.
func (s *Service) Abort(ctx context.Context, userID, id string) (message.UploadURL, error) {
	u, err := s.Store.Find(ctx, userID, id, s.now())
	if err != nil {
		return message.UploadURL{}, fmt.Errorf("find upload: %w", err)
	}
	outcome, err := s.abort(ctx, u)
	if err != nil {
		return message.UploadURL{}, err
	}
	if outcome == Aborted && u.inParts() {
		if err := s.Objects.Abort(ctx, s.key(u), u.MultipartID); err != nil && !errors.Is(err, ErrNoMultipart) {
			return message.UploadURL{}, fmt.Errorf("abort multipart upload: %w", err)
		}
	}
	if outcome == JoiningParts {
		return s.Complete(ctx, userID, id)
	}

	return ended(id, outcome), nil
}

// abort records the outcome Aborted, or Complete if a single PUT has stored the whole file. It returns the recorded outcome.
func (s *Service) abort(ctx context.Context, u Upload) (Outcome, error) {
	outcome := Aborted
	if !u.inParts() && u.Outcome == Open {
		stored, err := s.isStored(ctx, u)
		if err != nil {
			return Open, err
		}
		if stored {
			outcome = Complete
		}
	}
	return s.end(ctx, u, outcome)
}

// isStored reports whether the object of an upload is stored with the size that it must have.
func (s *Service) isStored(ctx context.Context, u Upload) (bool, error) {
	size, err := s.Objects.Size(ctx, s.key(u))
	if errors.Is(err, ErrNoObject) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("read size: %w", err)
	}
	return size == u.File.Size, nil
}

// end records an outcome if it may follow the recorded one, and returns the outcome that is then recorded. If that one is final, it
// also frees the slot: an earlier call may have failed to.
func (s *Service) end(ctx context.Context, u Upload, o Outcome) (Outcome, error) {
	recorded, err := s.Store.End(ctx, u, o, s.now().Add(message.UploadLife))
	if err != nil {
		return Open, fmt.Errorf("record outcome: %w", err)
	}
	return recorded, nil
}

// ended returns the answer for an upload that has ended.
func ended(id string, o Outcome) message.UploadURL {
	return message.UploadURL{UploadID: id, Complete: o == Complete, Aborted: o == Aborted}
}

func (s *Service) key(u Upload) string { return s.Key(u.UserID, u.ID, u.File.FileName) }

// inParts reports whether the file is uploaded in parts.
func (u Upload) inParts() bool { return u.File.Size > message.MaxSinglePut }
