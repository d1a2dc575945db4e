package dynamo

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go/middleware"

	"github.com/herald-progress/herald/lib/feed"
	"github.com/herald-progress/herald/lib/message"
)

// Add keeps a note: with a key, one PutItem for that and one for the note; else only the latter. They need no transaction:
// who finds the key taken writes the note under the ID that came first, as the first try may have died before it could.
//
// The answers say the store's time. Where the note's is off, because a clock is wrong or this process stood still, the note
// is written anew under an ID of the store's time.
func (s *Feed) Add(ctx context.Context, owner string, n feed.Note) (feed.Note, feed.Outcome, error) {
	n.At = n.At.UTC().Truncate(time.Millisecond)
	outcome := feed.Accepted
	if n.Key != "" {
		reservation, err := s.reserveKey(ctx, owner, n)
		if err != nil {
			return feed.Note{}, "", fmt.Errorf("put key: %w", err)
		}
		if n, outcome = reservation.note, reservation.outcome; reservation.stored {
			return n, outcome, nil
		}
	}
	n, byOther, err := s.storeNote(ctx, owner, n)
	if err != nil {
		return feed.Note{}, "", fmt.Errorf("put note: %w", err)
	}
	if byOther {
		outcome = feed.Duplicate
	}

	return n, outcome, nil
}

// storeNote writes a note until its time is the store's. It returns the note, and whether that is another's, who was faster
// with the same key.
func (s *Feed) storeNote(ctx context.Context, owner string, n feed.Note) (feed.Note, bool, error) {
	byOther := false
	for range maxNoteTries {
		at, err := s.putNote(ctx, owner, n)
		if err != nil {
			return feed.Note{}, false, err
		}
		if n.WithinSkew(at) {
			return n, byOther, nil
		}
		skewed, next := n, n.Restamped(at)
		if n = next; n.Key != "" {
			if n, err = s.replaceKey(ctx, owner, skewed, next); err != nil {
				return feed.Note{}, false, err
			}
			byOther = n.ID != next.ID
		}
		if _, err := s.Dismiss(ctx, owner, skewed.ID); err != nil {
			return feed.Note{}, false, err
		}
	}

	return feed.Note{}, false, errClockSkew
}

// putNote writes a note, unless it is there, and returns the store's time.
func (s *Feed) putNote(ctx context.Context, owner string, n feed.Note) (time.Time, error) {
	it, err := encodeNote(owner, n)
	if err != nil {
		return time.Time{}, err
	}
	out, err := s.Client.PutItem(ctx, &dynamodb.PutItemInput{
		TableName: &s.Table, Item: it,
		ConditionExpression:      aws.String("attribute_not_exists(#entry)"),
		ExpressionAttributeNames: map[string]string{"#entry": "entry"},
	})
	if err == nil {
		return s.storeTime(out.ResultMetadata, nil), nil
	}
	if _, there := conflictingItem(err); there {
		return s.storeTime(middleware.Metadata{}, err), nil
	}

	return time.Time{}, err //nolint:wrapcheck // the caller says what it asked for
}

// Notes returns an owner's notes by consistent reads, page by page.
func (s *Feed) Notes(ctx context.Context, owner, since string, limit int) ([]feed.Note, error) {
	return s.notes(ctx, owner, since, afterNotes, limit, since == "")
}

// NewestNotes returns the newest of an owner's notes in a range by consistent reads, page by page.
func (s *Feed) NewestNotes(ctx context.Context, owner, after, upTo string, limit int) ([]feed.Note, error) {
	return s.notes(ctx, owner, after, min(upTo, afterNotes), limit, true)
}

// notes returns at most limit of an owner's notes over after and not over upTo, the oldest first: the newest of them, or
// the oldest.
func (s *Feed) notes(ctx context.Context, owner, after, upTo string, limit int, newest bool) ([]feed.Note, error) {
	from, to := noteEntry(truncatedID(after)), noteEntry(truncatedID(upTo))
	if limit <= 0 || from > to {
		return nil, nil
	}
	q := s.entriesQuery(owner, from, true)
	q.KeyConditionExpression = aws.String("#owner = :owner AND #entry BETWEEN :kind AND :last")
	q.ExpressionAttributeValues[":last"] = stringValue(to)
	q.ScanIndexForward = aws.Bool(!newest)
	q.Limit = aws.Int32(int32(min(limit, maxPage))) //nolint:gosec // bounded
	var notes []feed.Note
	var at time.Time // the store's
	for it, err := range s.queryWithTime(ctx, q, &at) {
		if err != nil {
			return nil, fmt.Errorf("query notes: %w", err)
		}
		n, err := decodeNote(it)
		if err != nil {
			s.log().WarnContext(ctx, "note cannot be read", "entry", entryOf(it), "err", err)
			continue
		}
		if n.ID <= after || n.ID > upTo || !s.now().Before(n.ExpiresAt()) || n.InFuture(at) {
			continue
		}
		if notes = append(notes, n); len(notes) == limit {
			break
		}
	}
	if newest {
		slices.Reverse(notes)
	}

	return notes, nil
}

// Dismiss deletes a note and reports whether there was one. When the SDK sent the request more than once, an earlier try
// may have deleted it: then it reports true.
func (s *Feed) Dismiss(ctx context.Context, owner, id string) (bool, error) {
	if truncatedID(id) != id {
		return false, nil // no note has such an id
	}
	out, err := s.Client.DeleteItem(ctx, &dynamodb.DeleteItemInput{
		TableName: &s.Table, Key: feedKey(owner, noteEntry(id)), ReturnValues: types.ReturnValueAllOld,
	})
	if err != nil {
		return false, fmt.Errorf("delete note: %w", err)
	}
	if len(out.Attributes) == 0 {
		tries, _ := retry.GetAttemptResults(out.ResultMetadata)
		return len(tries.Results) > 1, nil
	}
	var row noteRow
	if err := attributevalue.UnmarshalMap(out.Attributes, &row); err != nil {
		return true, nil //nolint:nilerr // a note that cannot be read was a note
	}

	return s.now().Before(time.Unix(row.ExpiresAt, 0)), nil
}

const (
	// maxPage bounds how many notes one page holds.
	maxPage = 1000
	// afterNotes sorts after every ULID.
	afterNotes = "~"
)

// truncatedID bounds a text that a browser sent and that becomes part of a sort key, which has at most 1,024 bytes.
func truncatedID(id string) string { return id[:min(len(id), message.MaxID)] }
