package csvimport

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/herald-progress/herald/lib/message"
)

// claim is the content of a claim object: which execution imports one version of an upload, and what orders it among the
// imports of that upload.
type claim struct {
	Execution string `json:"execution"`
	Key       string `json:"key"`
	// Sequencer orders the versions of one key, see [sequencer]; empty comes first.
	Sequencer string `json:"sequencer"`
	// StartedAt is when the execution started, RFC 3339 with milliseconds.
	StartedAt string `json:"startedAt"`
	// ClaimedAt is when the claim was made, RFC 3339 with nanoseconds.
	ClaimedAt string `json:"claimedAt"`

	name string
}

// claimedFormat has nine digits after the second, so that it compares as text.
const claimedFormat = "2006-01-02T15:04:05.000000000Z"

// sequencer returns the sequencer of an event in a form that compares as text: Amazon S3's are hexadecimal, and the
// shorter of two is to be padded with zeros
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html).
func sequencer(s string) string { return strings.ToUpper(strings.TrimRight(s, "0")) }

// descending returns text that sorts after that of every greater sequencer: a list of claims begins with the newest.
func descending(sequencer string) string {
	const digits, length = "0123456789ABCDEF", 32
	text := []byte(strings.Repeat(digits[len(digits)-1:], length))
	for i := range min(len(sequencer), length) {
		if digit := strings.IndexByte(digits, sequencer[i]); digit >= 0 {
			text[i] = digits[len(digits)-1-digit]
		}
	}
	return string(text)
}

// compare says which of two claims comes first: by sequencer, else by start, else by what is left.
func (c claim) compare(other claim) int {
	return cmp.Or(cmp.Compare(c.Sequencer, other.Sequencer), cmp.Compare(c.StartedAt, other.StartedAt),
		cmp.Compare(c.ClaimedAt, other.ClaimedAt), cmp.Compare(c.name, other.name))
}

// tied reports whether the starts of two executions may not say which of the imports is the newer one: events of one key
// may come out of order, and two executions may start in one millisecond.
func (c claim) tied(other claim) bool { return c.Key == other.Key || c.StartedAt == other.StartedAt }

// newerThan reports whether c is of a newer version of the upload than other. Sequencers count within one key only, as
// Amazon S3 says; between keys the executions' starts do.
func (c claim) newerThan(other claim) bool {
	if c.tied(other) {
		return c.compare(other) > 0
	}
	return c.StartedAt > other.StartedAt
}

// claim returns what the file's own claim object holds, as far as it orders.
// It takes the time at which the import counts as begun for the start.
func (f File) claim() claim {
	return claim{Key: f.Key, Sequencer: f.Sequencer, StartedAt: f.Began, name: f.Claim}
}

// claimUpload claims the upload for an execution. It returns the claim that is there: the caller's, or that of another
// execution.
func (c Config) claimUpload(ctx context.Context, file File, execution string) (claim, error) {
	own := file.claim()
	own.Execution, own.ClaimedAt = execution, time.Now().UTC().Format(claimedFormat)
	content, err := json.Marshal(own)
	if err != nil {
		return claim{}, fmt.Errorf("claim: %w", err)
	}
	err = write(ctx, c.Store, file.claimKey(), IfAbsent, content)
	if err == nil {
		return own, nil
	}
	if !errors.Is(err, ErrExists) {
		return claim{}, err
	}

	return c.readClaim(ctx, file.claimKey())
}

// readClaim returns the claim that stands under the key.
func (c Config) readClaim(ctx context.Context, key string) (claim, error) {
	content, _, err := c.Store.Read(ctx, key)
	if err != nil {
		return claim{}, &StoreError{Op: "read claim", Err: err}
	}
	found := claim{name: key[max(0, len(key)-claimLength):]}
	if err := json.Unmarshal(content, &found); err != nil {
		return claim{}, fmt.Errorf("read claim: %w", err)
	}
	return found, nil
}

// otherClaims returns the claims on other versions of the file's upload: those with the greatest sequencers, maxClaims of
// them at most.
func (c Config) otherClaims(ctx context.Context, file File) ([]claim, error) {
	keys, err := c.Store.List(ctx, file.of(claimsPrefix), "", maxClaims)
	if err != nil {
		return nil, &StoreError{Op: "list claims", Err: err}
	}
	keys = slices.DeleteFunc(keys, func(key string) bool { return key == file.claimKey() })
	claims := make([]claim, len(keys))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(maxCopies)
	for i, key := range keys {
		group.Go(func() (err error) {
			claims[i], err = c.readClaim(ctx, key)
			return err
		})
	}

	return claims, group.Wait() //nolint:wrapcheck // an error of readClaim
}

// began returns when an import counts as begun: at its execution's start, or, where it follows an import that is older by
// its sequencer and started no sooner, a millisecond after that one began. So the runs of the job, which the feed orders by
// this time, follow each other as the versions of the upload do.
//
// A claim is written before the others are listed. An import that finds no newer one tied to it was therefore listed, and
// so was what it had found itself, by every newer one.
func began(own claim, others []claim) (string, error) {
	claims := slices.DeleteFunc(slices.Clone(others), func(c claim) bool { return c.compare(own) > 0 })
	slices.SortFunc(claims, claim.compare)
	claims = append(claims, own)
	times := make([]time.Time, len(claims))
	for i, c := range claims {
		at, err := time.Parse(time.RFC3339, c.StartedAt)
		if err != nil {
			return "", fmt.Errorf("read claim: %w", err)
		}
		for j, before := range claims[:i] {
			if next := times[j].Add(time.Millisecond); before.tied(c) && next.After(at) {
				at = next
			}
		}
		times[i] = at
	}

	return message.Time{Time: times[len(times)-1]}.String(), nil
}

// withoutAWord returns a *Superseded in place of an error that is for the user, where a newer version of the upload is
// being imported: its import has the word.
func (c Config) withoutAWord(ctx context.Context, file File, err error) error {
	switch err.(type) { //nolint:errorlint // these are never wrapped
	case *InvalidFile, *FileDeleted, *FileReplaced:
	default:
		return err
	}
	others, listErr := c.otherClaims(ctx, file)
	if listErr != nil {
		return listErr
	}
	for _, other := range others {
		if other.newerThan(file.claim()) {
			return &Superseded{}
		}
	}

	return err
}
