package dynamo

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/herald-progress/herald/lib/feed"
)

// maxNoteTries is how often a note may get another time. A wrong clock takes one try. Each time that the process is suspended for
// longer than [feed.NoteSkew] takes one more.
const maxNoteTries = 4

// errClockSkew means that after each try the time of the note differed from the store's by more than [feed.NoteSkew].
var errClockSkew = errors.New("dynamo: the note's time differs from the store's after each write")

// keyReservation is the result of reserving the idempotency key of a note.
type keyReservation struct {
	// note is the note to store: the added one, or the first one with the key.
	note    feed.Note
	outcome feed.Outcome
	// stored is true if the note is stored already.
	stored bool
}

// reserveKey makes n the note of its key, or finds the note that the key has.
//
//   - The key is new → n.
//   - The key got its note within [feed.NoteKeyTTL] → that note, as a duplicate unless it is n itself.
//   - The key is older → n replaces its note.
//
// The chosen note must still be stored, and its time must then be right. If the time is wrong, reserveKey replaces the note of the
// key by n with the store's time. The replacement has a condition, so that concurrent callers agree on one note.
func (f *Feed) reserveKey(ctx context.Context, owner string, n feed.Note) (keyReservation, error) {
	first, created, storeTime, err := f.putKey(ctx, owner, n)
	for range maxNoteTries {
		if err != nil {
			return keyReservation{}, err
		}
		inUse := !created && storeTime.Before(first.At.Add(feed.NoteKeyTTL)) // by an earlier call
		reservation := keyReservation{note: first, outcome: feed.Accepted}
		if inUse && first.ID != n.ID {
			reservation.outcome = feed.Duplicate
		}
		if first.WithinSkew(storeTime) {
			return reservation, nil
		}
		if inUse {
			if reservation.stored, err = f.hasNote(ctx, owner, first.ID); err != nil || reservation.stored {
				return reservation, err
			}
		}
		next := n
		if !next.WithinSkew(storeTime) {
			next = n.Restamped(storeTime)
		}
		if first, err = f.replaceKey(ctx, owner, first, next); err == nil && first.ID == next.ID {
			reservation.note = next
			return reservation, nil
		}
		created = false // Another caller has replaced the note of the key.
	}
	return keyReservation{}, errClockSkew
}

// putKey writes the row of n's key if there is none. It returns the note in the row, whether this call wrote the row, and the
// store's time.
func (f *Feed) putKey(ctx context.Context, owner string, n feed.Note) (feed.Note, bool, time.Time, error) {
	entry := keyEntry(entryHash(n.Key))
	it, err := marshal(keyRow{Owner: owner, Entry: entry, ExpiresAt: keyExpiry(n), Note: n.ID, At: formatTime(n.At)})
	if err != nil {
		return feed.Note{}, false, time.Time{}, err
	}
	out, err := f.Client.PutItem(ctx, &dynamodb.PutItemInput{
		TableName: &f.Table, Item: it,
		ConditionExpression:                 aws.String("attribute_not_exists(#entry)"),
		ExpressionAttributeNames:            map[string]string{"#entry": "entry"},
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	})
	if err == nil {
		return n, true, f.storeTime(out.ResultMetadata, nil), nil
	}
	storeTime := f.storeTime(middleware.Metadata{}, err)
	first, err := f.noteOfKey(ctx, owner, n, err)
	return first, false, storeTime, err
}

// replaceKey replaces the note of a key: from by to. If the key has another note than from, that note stays. replaceKey returns
// the note that the key has afterwards.
func (f *Feed) replaceKey(ctx context.Context, owner string, from, to feed.Note) (feed.Note, error) {
	_, err := f.Client.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: &f.Table, Key: feedKey(owner, keyEntry(entryHash(to.Key))),
		UpdateExpression:    aws.String("SET #note = :to, #at = :at, #expiresAt = :expiresAt"),
		ConditionExpression: aws.String("#note = :from"),
		ExpressionAttributeNames: map[string]string{
			"#note": "note", "#at": "at", "#expiresAt": "expiresAt",
		},
		ExpressionAttributeValues: item{
			":from": stringValue(from.ID), ":to": stringValue(to.ID), ":at": stringValue(formatTime(to.At)), ":expiresAt": numberValue(keyExpiry(to)),
		},
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	})
	if err == nil {
		return to, nil
	}
	return f.noteOfKey(ctx, owner, to, err)
}

// noteOfKey returns n with the ID and the time that the row of its key has. err is the error of a write to that row: if it is not
// a failed condition, noteOfKey returns it. If the row cannot be decoded or was deleted meanwhile, it returns n unchanged.
func (f *Feed) noteOfKey(ctx context.Context, owner string, n feed.Note, err error) (feed.Note, error) {
	it, failed := conflictingItem(err)
	if !failed {
		return feed.Note{}, err
	}
	if it == nil { // The row does not exist, or the endpoint does not return it.
		if it, err = f.getItem(ctx, owner, keyEntry(entryHash(n.Key))); err != nil || it == nil {
			return n, err
		}
	}
	var row keyRow
	err = attributevalue.UnmarshalMap(it, &row)
	at, timeErr := parseTime("at", row.At)
	if err = errors.Join(err, timeErr); err != nil {
		f.log().WarnContext(ctx, "decode row of a note's key", "messageId", n.ID, "err", err)
		return n, nil
	}
	n.ID, n.At = row.Note, at
	return n, nil
}

// hasNote reports whether a note is stored.
func (f *Feed) hasNote(ctx context.Context, owner, id string) (bool, error) {
	it, err := f.getItem(ctx, owner, noteEntry(id))
	if err != nil {
		return false, fmt.Errorf("get note: %w", err)
	}
	return it != nil, nil
}

// keyExpiry returns when the key of a note expires, in epoch seconds.
func keyExpiry(n feed.Note) int64 { return n.At.Add(feed.NoteKeyTTL).Unix() }

// storeTime returns the store's time in whole seconds, from the Date header of a response (metadata) or of an error response (err).
// Without the header it returns the time of this process.
func (f *Feed) storeTime(metadata middleware.Metadata, err error) time.Time {
	if at, ok := awsmiddleware.GetServerTime(metadata); ok {
		return at
	}
	if response := (*smithyhttp.ResponseError)(nil); errors.As(err, &response) && response.HTTPResponse() != nil {
		if at, err := http.ParseTime(response.HTTPResponse().Header.Get("Date")); err == nil {
			return at
		}
	}
	return f.now()
}
