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

// claim is the content of a claim object: which execution imports one version of an upload, and the values by which the
// imports of that upload are ordered.
type claim struct {
	// Execution is the ARN of the execution that has the claim.
	Execution string `json:"execution"`
	// Key is the key of the uploaded file.
	Key string `json:"key"`
	// Sequencer orders the versions of one key, see [sequencer]; an empty one comes first.
	Sequencer string `json:"sequencer"`
	// OrderTime is the start of the import's execution, RFC 3339 with milliseconds. computeOrderTime may return a later one
	// for the import's File.
	OrderTime string `json:"orderTime"`
	// ClaimedAt is when the claim was made, RFC 3339 with nanoseconds.
	ClaimedAt string `json:"claimedAt"`

	name string // [File].Claim, from the key of the claim object
}

// claimedAtFormat has nine fractional digits, so that times compare as text.
const claimedAtFormat = "2006-01-02T15:04:05.000000000Z"

// sequencer returns the sequencer of an event in a form that compares as text. Amazon S3's sequencers are hexadecimal. To compare
// two of them, S3 wants the shorter one padded with zeros on the right; without the zeros on their right they compare the same
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html).
func sequencer(s string) string { return strings.ToUpper(strings.TrimRight(s, "0")) }

// descendingKey returns a text that sorts before the texts of smaller sequencers, so that a list of claims begins with the
// newest. It replaces each hexadecimal digit d by 15-d, and pads the result with F to 32 digits.
func descendingKey(sequencer string) string {
	const digits, length = "0123456789ABCDEF", 32
	text := []byte(strings.Repeat("F", length))
	for i := range min(len(sequencer), length) {
		if digit := strings.IndexByte(digits, sequencer[i]); digit >= 0 {
			text[i] = digits[len(digits)-1-digit]
		}
	}
	return string(text)
}

// compare orders two claims by sequencer, then OrderTime, then time of the claim, then name.
func (c claim) compare(other claim) int {
	return cmp.Or(cmp.Compare(c.Sequencer, other.Sequencer), cmp.Compare(c.OrderTime, other.OrderTime),
		cmp.Compare(c.ClaimedAt, other.ClaimedAt), cmp.Compare(c.name, other.name))
}

// sameKeyOrStart reports whether two claims have the same key or the same OrderTime. Then the start times of the executions cannot
// decide which import is newer: events of the same key may arrive out of order.
func (c claim) sameKeyOrStart(other claim) bool {
	return c.Key == other.Key || c.OrderTime == other.OrderTime
}

// newerThan reports whether c is for a newer version of the upload than other. As Amazon S3 documents, only the sequencers of one
// key can be compared. For different keys the start times of the executions decide.
func (c claim) newerThan(other claim) bool {
	if c.sameKeyOrStart(other) {
		return c.compare(other) > 0
	}
	return c.OrderTime > other.OrderTime
}

// asClaim returns the claim of the file's import, without Execution and ClaimedAt.
func (f File) asClaim() claim {
	return claim{Key: f.Key, Sequencer: f.Sequencer, OrderTime: f.OrderTime, name: f.Claim}
}

// claimUpload claims the upload for an execution. It returns the stored claim: the one that this call has written, or an earlier one
// of the same or of another execution.
func (c Config) claimUpload(ctx context.Context, file File, execution string) (claim, error) {
	own := file.asClaim()
	own.Execution, own.ClaimedAt = execution, time.Now().UTC().Format(claimedAtFormat)
	content, err := json.Marshal(own)
	if err != nil {
		return claim{}, fmt.Errorf("claim: %w", err)
	}
	err = writeObject(ctx, c.Store, file.claimKey(), IfAbsent, content)
	if err == nil {
		return own, nil
	}
	if !errors.Is(err, ErrExists) {
		return claim{}, err
	}
	return c.readClaim(ctx, file.claimKey())
}

// readClaim reads the claim with the key.
func (c Config) readClaim(ctx context.Context, key string) (claim, error) {
	content, _, err := c.Store.Read(ctx, key)
	if err != nil {
		return claim{}, &StoreError{Op: "read claim", Err: err}
	}
	result := claim{name: key[max(0, len(key)-claimLength):]} // The key ends with the name.
	if err := json.Unmarshal(content, &result); err != nil {
		return claim{}, fmt.Errorf("read claim: %w", err)
	}
	return result, nil
}

// otherClaims reads the limit newest claims on the upload, in the order of their sequencers. It returns them without the claim on
// the file's own version.
func (c Config) otherClaims(ctx context.Context, file File, limit int) ([]claim, error) {
	keys, err := c.Store.List(ctx, file.keyPrefix(ClaimsPrefix), "", limit)
	if err != nil {
		return nil, &StoreError{Op: "list claims", Err: err}
	}
	keys = slices.DeleteFunc(keys, func(key string) bool { return key == file.claimKey() })
	claims := make([]claim, len(keys))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(maxParallelRequests)
	for i, key := range keys {
		group.Go(func() (err error) {
			claims[i], err = c.readClaim(ctx, key)
			return err
		})
	}
	return claims, group.Wait()
}

// computeOrderTime returns the OrderTime of the import with the claim own. This is the start of its execution. But if an import with
// the same key or start is older by its sequencer and did not start earlier, it is one millisecond after the OrderTime of that import.
// The feed orders the runs of a job by this time, so that the runs have the order of the upload's versions.
//
// Each import writes its claim before it lists the others. So an older and a newer import with the same key or start get the right
// order:
//
//   - The list of the older import has the newer import → the older import ends as superseded.
//   - It does not → the newer import lists later. Its list has the claim of the older import, and every claim from which the
//     older import has computed its OrderTime.
func computeOrderTime(own claim, others []claim) (string, error) {
	claims := slices.DeleteFunc(slices.Clone(others), func(c claim) bool { return c.compare(own) > 0 })
	slices.SortFunc(claims, claim.compare)
	claims = append(claims, own)
	times := make([]time.Time, len(claims)) // the OrderTime of each import, the oldest first
	for i, c := range claims {
		at, err := time.Parse(time.RFC3339, c.OrderTime)
		if err != nil {
			return "", fmt.Errorf("read claim: %w", err)
		}
		for j, older := range claims[:i] {
			if next := times[j].Add(time.Millisecond); older.sameKeyOrStart(c) && next.After(at) {
				at = next
			}
		}
		times[i] = at
	}
	return message.Time{Time: times[len(times)-1]}.String(), nil
}

// asSuperseded returns err, or a *Superseded instead of it if err is about the file and a newer version of the upload is being
// imported. The user, who would be shown err, has replaced the file already.
func (c Config) asSuperseded(ctx context.Context, file File, err error) error {
	switch err.(type) { //nolint:errorlint // these are never wrapped
	case *InvalidFile, *FileDeleted, *FileReplaced: // errors about the file
	default:
		return err
	}
	others, listErr := c.otherClaims(ctx, file, maxClaims)
	if listErr != nil {
		return listErr
	}
	for _, other := range others {
		if other.newerThan(file.asClaim()) {
			return &Superseded{}
		}
	}
	return err
}
