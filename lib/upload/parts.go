package upload

import (
	"context"
	"errors"
	"fmt"

	"github.com/herald-progress/herald/lib/message"
)

// partCount returns the number of parts of a file.
func partCount(size int64) int {
	return int((size + message.UploadPartBytes - 1) / message.UploadPartBytes)
}

// partSize returns the size of part number, from 1, of a file.
func partSize(size int64, number int) int64 {
	return min(message.UploadPartBytes, size-int64(number-1)*message.UploadPartBytes)
}

// urls returns where the missing bytes of an open upload go.
func (s *Service) urls(ctx context.Context, u Upload) (message.UploadURL, error) {
	if u.inParts() {
		return s.partURLs(ctx, u)
	}
	signed, err := s.Objects.Sign(ctx, Target{
		Key: s.key(u), Size: u.File.Size, ContentType: u.File.ContentType, Life: message.SinglePutLife,
	})
	if err != nil {
		return message.UploadURL{}, fmt.Errorf("sign: %w", err)
	}

	return message.UploadURL{
		UploadID: u.ID, Size: u.File.Size, Method: "PUT", URL: signed.URL, Headers: signed.Headers, ExpiresAt: message.Time{Time: signed.ExpiresAt},
	}, nil
}

// frameBytes is how many bytes a frame needs in addition to its URLs: for the envelope, and for the longest list of ranges. partBytes
// is how many bytes each part needs in addition to its URL.
const (
	frameBytes = 1024
	partBytes  = len(`{"number":10000,"url":""},`)
)

// partURLs returns the stored parts, and URLs for the next missing ones.
func (s *Service) partURLs(ctx context.Context, u Upload) (message.UploadURL, error) {
	stored, err := s.Objects.Parts(ctx, s.key(u), u.MultipartID)
	if errors.Is(err, ErrNoMultipart) {
		return s.gone(ctx, u)
	}
	if err != nil {
		return message.UploadURL{}, fmt.Errorf("list parts: %w", err)
	}
	whole := wholeParts(u, stored)
	answer := message.UploadURL{
		UploadID: u.ID, Size: u.File.Size, PartSize: message.UploadPartBytes, Done: ranges(whole),
	}
	bytesLeft := message.MaxUploadFrame - frameBytes
	for number := 1; number <= partCount(u.File.Size) && len(answer.Parts) < message.MaxPartURLs; number++ {
		if _, ok := whole[number]; ok {
			continue
		}
		signed, err := s.Objects.Sign(ctx, Target{
			Key: s.key(u), Size: partSize(u.File.Size, number), MultipartID: u.MultipartID, Number: number, Life: message.PartLife,
		})
		if err != nil {
			return message.UploadURL{}, fmt.Errorf("sign part: %w", err)
		}
		bytesLeft -= len(signed.URL) + partBytes
		if bytesLeft < 0 && len(answer.Parts) > 0 { // send at least one URL, however long it is
			break
		}
		answer.Parts = append(answer.Parts, message.UploadPart{Number: number, URL: signed.URL})
		if at := signed.ExpiresAt; answer.ExpiresAt.IsZero() || at.Before(answer.ExpiresAt.Time) {
			answer.ExpiresAt.Time = at
		}
	}

	return answer, nil
}

// wholeParts returns, by number, those of the stored parts that have the right size. A browser must upload the others again.
func wholeParts(u Upload, stored []Part) map[int]Part {
	whole := make(map[int]Part, len(stored))
	for _, p := range stored {
		if p.Number >= 1 && p.Number <= partCount(u.File.Size) && p.Size == partSize(u.File.Size, p.Number) {
			whole[p.Number] = p
		}
	}
	return whole
}

// ranges returns the numbers of parts as ranges: the first and the last number of each range.
func ranges(parts map[int]Part) [][2]int {
	var all [][2]int
	last := 0
	for number := range parts {
		last = max(last, number)
	}
	for number := 1; number <= last; number++ {
		if _, ok := parts[number]; !ok {
			continue
		}
		if n := len(all); n > 0 && all[n-1][1] == number-1 {
			all[n-1][1] = number
		} else {
			all = append(all, [2]int{number, number})
		}
	}

	return all
}

// Complete joins the parts of an upload, and checks the size of its object. It may be repeated. The error may be [ErrNotFound]
// or [ErrIncomplete].
func (s *Service) Complete(ctx context.Context, userID, id string) (message.UploadURL, error) {
	u, err := s.Store.Find(ctx, userID, id, s.now())
	if err != nil {
		return message.UploadURL{}, fmt.Errorf("find upload: %w", err)
	}
	if u.Outcome.Final() {
		outcome, err := s.end(ctx, u, u.Outcome)
		return ended(u.ID, outcome), err
	}
	if u.inParts() {
		outcome, err := s.join(ctx, u)
		if errors.Is(err, ErrNoMultipart) {
			return s.gone(ctx, u)
		}
		if err != nil || outcome.Final() {
			return ended(u.ID, outcome), err // the caller ignores the answer if there is an error
		}
	}
	stored, err := s.isStored(ctx, u)
	if err != nil {
		return message.UploadURL{}, err
	}
	if !stored {
		return message.UploadURL{}, fmt.Errorf("%w: no object of %d bytes", ErrIncomplete, u.File.Size)
	}
	outcome, err := s.end(ctx, u, Complete)
	return ended(u.ID, outcome), err
}

// join joins the parts of an upload if none is missing. It returns the recorded outcome: JoiningParts, or how the upload ended
// meanwhile.
func (s *Service) join(ctx context.Context, u Upload) (Outcome, error) {
	stored, err := s.Objects.Parts(ctx, s.key(u), u.MultipartID)
	if err != nil {
		return u.Outcome, fmt.Errorf("list parts: %w", err)
	}
	whole, parts := wholeParts(u, stored), make([]Part, 0, len(stored))
	for number := 1; number <= partCount(u.File.Size); number++ {
		part, ok := whole[number]
		if !ok {
			return u.Outcome, fmt.Errorf("%w: part %d is missing", ErrIncomplete, number)
		}
		parts = append(parts, part)
	}
	outcome, err := s.end(ctx, u, JoiningParts)
	if err != nil || outcome.Final() {
		return outcome, err
	}
	if err := s.Objects.Join(ctx, s.key(u), u.MultipartID, parts); err != nil {
		return outcome, fmt.Errorf("join parts: %w", err)
	}

	return outcome, nil
}

// gone answers for an upload whose multipart upload is gone. If its object is stored, the upload is complete. If its parts are
// being joined, it is incomplete for now. Otherwise the bucket has removed it, and it counts as aborted.
func (s *Service) gone(ctx context.Context, u Upload) (message.UploadURL, error) {
	stored, err := s.isStored(ctx, u)
	if err != nil {
		return message.UploadURL{}, err
	}
	outcome := Aborted
	if stored {
		outcome = Complete
	}
	if outcome, err = s.end(ctx, u, outcome); err != nil {
		return message.UploadURL{}, err
	}
	if outcome == JoiningParts {
		return message.UploadURL{}, fmt.Errorf("%w: its parts are being joined", ErrIncomplete)
	}

	return ended(u.ID, outcome), nil
}
