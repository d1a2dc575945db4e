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

// Add stores a note by a PutItem. If the note has a key, a PutItem for the key comes first. The first caller may fail between the
// two. No transaction is needed, because each later caller with the key writes the note again, with the ID in the key's row.
//
// The responses contain the store's time. If the time of the note differs from it by more than [feed.NoteSkew], because a clock is
// wrong or the process was suspended, Add writes the note again with the store's time.
func (f *Feed) Add(ctx context.Context, owner string, n feed.Note) (feed.Note, feed.Outcome, error) {
	n.At = n.At.UTC().Truncate(time.Millisecond)
	outcome := feed.Accepted
	if n.Key != "" {
		reservation, err := f.reserveKey(ctx, owner, n)
		if err != nil {
			return feed.Note{}, "", fmt.Errorf("put key: %w", err)
		}
		if n, outcome = reservation.note, reservation.outcome; reservation.stored {
			return n, outcome, nil
		}
	}
	n, byOther, err := f.storeNote(ctx, owner, n)
	if err != nil {
		return feed.Note{}, "", fmt.Errorf("put note: %w", err)
	}
	if byOther {
		outcome = feed.Duplicate
	}
	return n, outcome, nil
}

// storeNote writes a note. If the response shows that the time of the note is wrong, it writes the note with the store's time, and
// deletes the first one. It returns the stored note, and whether the note is that of another caller with the same key.
func (f *Feed) storeNote(ctx context.Context, owner string, n feed.Note) (feed.Note, bool, error) {
	byOther := false
	for range maxNoteTries {
		at, err := f.putNote(ctx, owner, n)
		if err != nil {
			return feed.Note{}, false, err
		}
		if n.WithinSkew(at) {
			return n, byOther, nil
		}
		skewed, restamped := n, n.Restamped(at)
		n = restamped
		if n.Key != "" {
			if n, err = f.replaceKey(ctx, owner, skewed, restamped); err != nil {
				return feed.Note{}, false, err
			}
			byOther = n.ID != restamped.ID
		}
		if _, err := f.Dismiss(ctx, owner, skewed.ID); err != nil {
			return feed.Note{}, false, err
		}
	}
	return feed.Note{}, false, errClockSkew
}

// putNote writes a note if it is not stored yet, and returns the store's time.
func (f *Feed) putNote(ctx context.Context, owner string, n feed.Note) (time.Time, error) {
	it, err := encodeNote(owner, n)
	if err != nil {
		return time.Time{}, err
	}
	out, err := f.Client.PutItem(ctx, &dynamodb.PutItemInput{
		TableName: &f.Table, Item: it,
		ConditionExpression:      aws.String("attribute_not_exists(#entry)"),
		ExpressionAttributeNames: map[string]string{"#entry": "entry"},
	})
	if err == nil {
		return f.storeTime(out.ResultMetadata, nil), nil
	}
	if _, exists := conflictingItem(err); exists {
		return f.storeTime(middleware.Metadata{}, err), nil
	}
	return time.Time{}, fmt.Errorf("put item: %w", err)
}

// Notes returns the owner's notes with an ID over since by consistent reads, page by page: the oldest, or the newest if since is
// empty.
func (f *Feed) Notes(ctx context.Context, owner, since string, limit int) ([]feed.Note, error) {
	newest := since == ""
	return f.notes(ctx, owner, since, lastNoteID, limit, newest)
}

// NewestNotes returns the newest of the owner's notes with an ID in (after, upTo] by consistent reads, page by page.
func (f *Feed) NewestNotes(ctx context.Context, owner, after, upTo string, limit int) ([]feed.Note, error) {
	const newest = true
	return f.notes(ctx, owner, after, min(upTo, lastNoteID), limit, newest)
}

// notes returns at most limit of the owner's notes with an ID in (after, upTo], oldest first. If the range has more notes, it
// returns the newest of them if newest is true, otherwise the oldest.
func (f *Feed) notes(ctx context.Context, owner, after, upTo string, limit int, newest bool) ([]feed.Note, error) {
	from, to := noteEntry(truncatedID(after)), noteEntry(truncatedID(upTo))
	if limit <= 0 || from > to {
		return nil, nil
	}
	q := f.entriesQuery(owner, from, true)
	q.KeyConditionExpression = aws.String("#owner = :owner AND #entry BETWEEN :prefix AND :last")
	q.ExpressionAttributeValues[":last"] = stringValue(to)
	q.ScanIndexForward = aws.Bool(!newest)
	q.Limit = aws.Int32(int32(min(limit, maxPage))) // maxPage fits int32
	var notes []feed.Note
	var storeNow time.Time
	for it, err := range f.queryWithTime(ctx, q, &storeNow) {
		if err != nil {
			return nil, fmt.Errorf("query notes: %w", err)
		}
		n, err := decodeNote(it)
		if err != nil {
			f.log().WarnContext(ctx, "decode note", "entry", entryOf(it), "err", err)
			continue
		}
		inRange := n.ID > after && n.ID <= upTo // The ids in the query may be truncated, and BETWEEN includes after.
		expired := !f.now().Before(n.ExpiresAt())
		if !inRange || expired || n.InFuture(storeNow) {
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

// Dismiss deletes a note and reports whether there was one. If the SDK sent the request more than once, Dismiss always reports
// true, because the first try may have deleted the note.
func (f *Feed) Dismiss(ctx context.Context, owner, id string) (bool, error) {
	if truncatedID(id) != id {
		return false, nil // No note has such an id.
	}
	out, err := f.Client.DeleteItem(ctx, &dynamodb.DeleteItemInput{
		TableName: &f.Table, Key: feedKey(owner, noteEntry(id)), ReturnValues: types.ReturnValueAllOld,
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
		return true, nil //nolint:nilerr // the deleted note existed, even if it cannot be decoded
	}
	return f.now().Before(time.Unix(row.ExpiresAt, 0)), nil
}

const (
	// maxPage is the maximum number of notes or jobs in a page.
	maxPage = 1000
	// lastNoteID sorts after every ULID.
	lastNoteID = "~"
)

// truncatedID truncates an id from a browser, so that the sort key with it is within the 1,024 bytes that DynamoDB allows.
func truncatedID(id string) string { return id[:min(len(id), message.MaxID)] }
