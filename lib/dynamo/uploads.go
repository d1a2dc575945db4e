package dynamo

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/herald-progress/herald/lib/feed"
	"github.com/herald-progress/herald/lib/message"
	"github.com/herald-progress/herald/lib/upload"
)

// Uploads is an [upload.Store] in the feed table. These are its keys and items:
//
//	user/<id>  slot#<n>       a slot of an open upload, n from 0
//	user/<id>  upload#<ULID>  an upload
type Uploads struct {
	Client *dynamodb.Client
	Table  string
}

var _ upload.Store = (*Uploads)(nil)

// maxReserveTries is how often Reserve chooses a slot. It must choose again if another call has taken the slot meanwhile. A user has
// few slots, so that many lost races in a row mean a storm of calls, and not bad luck.
const maxReserveTries = 4 * message.MaxOpenUploads

// errSlotContention means that other calls took each slot that was chosen.
var errSlotContention = errors.New("dynamo: other calls took each slot that was chosen")

const slotPrefix = "slot#"

// slotEntry and uploadEntry return the sort keys of a slot and of an upload.
func slotEntry(n int) string       { return slotPrefix + strconv.Itoa(n) }
func uploadEntry(id string) string { return "upload#" + id }

// slotRow is the item of a slot.
type slotRow struct {
	Owner string `dynamodbav:"owner"`
	Entry string `dynamodbav:"entry"`
	// ExpiresAt is the TTL attribute of the table, in epoch seconds. It is not before Until.
	ExpiresAt int64 `dynamodbav:"expiresAt"`
	// Until is the end of the reservation, in epoch milliseconds.
	Until    int64  `dynamodbav:"until"`
	UploadID string `dynamodbav:"uploadId"`
	// Request is the browser's id of the message that opened the upload.
	Request string `dynamodbav:"request,omitempty"`
}

// uploadRow is the item of an upload.
type uploadRow struct {
	Owner       string         `dynamodbav:"owner"`
	Entry       string         `dynamodbav:"entry"`
	ExpiresAt   int64          `dynamodbav:"expiresAt"`
	Request     string         `dynamodbav:"request,omitempty"`
	FileName    string         `dynamodbav:"fileName"`
	Size        int64          `dynamodbav:"size"`
	ContentType string         `dynamodbav:"contentType"`
	MultipartID string         `dynamodbav:"multipartId,omitempty"`
	Outcome     upload.Outcome `dynamodbav:"outcome,omitempty"`
}

// slots returns all slots of a user by a consistent read. A free slot is the zero Slot, or one whose Until has passed. The index of a slot
// in the result is its number.
func (s *Uploads) slots(ctx context.Context, owner string) ([]upload.Slot, error) {
	out, err := s.Client.Query(ctx, &dynamodb.QueryInput{
		TableName: &s.Table, ConsistentRead: aws.Bool(true),
		KeyConditionExpression:    aws.String("#owner = :owner AND begins_with(#entry, :kind)"),
		ExpressionAttributeNames:  map[string]string{"#owner": "owner", "#entry": "entry"},
		ExpressionAttributeValues: item{":owner": stringValue(owner), ":kind": stringValue(slotPrefix)},
	})
	if err != nil {
		return nil, fmt.Errorf("query slots: %w", err)
	}
	slots := make([]upload.Slot, message.MaxOpenUploads)
	for _, it := range out.Items {
		var row slotRow
		if err := attributevalue.UnmarshalMap(it, &row); err != nil {
			return nil, fmt.Errorf("decode slot: %w", err)
		}
		for n := range slots {
			if row.Entry == slotEntry(n) {
				slots[n] = upload.Slot{UploadID: row.UploadID, Request: row.Request, Until: time.UnixMilli(row.Until).UTC()}
			}
		}
	}

	return slots, nil
}

// Reserve implements [upload.Store]. It reads the slots and writes the chosen one, on condition that this slot is still free or belongs to
// the same upload.
func (s *Uploads) Reserve(ctx context.Context, userID string, slot upload.Slot, at time.Time) (upload.Slot, error) {
	owner := feed.User(userID)
	slot.Until = slot.Until.UTC().Truncate(time.Millisecond)
	for range maxReserveTries {
		slots, err := s.slots(ctx, owner)
		if err != nil {
			return upload.Slot{}, err
		}
		n, sameRequest := upload.Choose(slots, slot, at)
		if sameRequest != nil {
			return *sameRequest, nil
		}
		if n < 0 {
			return upload.Slot{}, upload.ErrTooManyOpen
		}
		chosen := slot
		if slots[n].UploadID == slot.UploadID { // The upload has the slot already, and keeps its first request.
			chosen.Request = slots[n].Request
		}
		taken, err := s.takeSlot(ctx, owner, n, chosen, at)
		if err != nil {
			return upload.Slot{}, err
		}
		if taken {
			return chosen, nil
		}
	}

	return upload.Slot{}, errSlotContention
}

// takeSlot writes slot n for an upload. It returns false if another upload has that slot at the time at.
func (s *Uploads) takeSlot(ctx context.Context, owner string, n int, slot upload.Slot, at time.Time) (bool, error) {
	it, err := marshal(slotRow{
		Owner: owner, Entry: slotEntry(n), UploadID: slot.UploadID, Request: slot.Request,
		Until: slot.Until.UnixMilli(), ExpiresAt: slot.Until.Add(time.Second).Unix(), // rounded up
	})
	if err != nil {
		return false, err
	}
	_, err = s.Client.PutItem(ctx, &dynamodb.PutItemInput{
		TableName: &s.Table, Item: it,
		ConditionExpression:       aws.String("attribute_not_exists(#entry) OR #until <= :now OR #uploadId = :uploadId"),
		ExpressionAttributeNames:  map[string]string{"#entry": "entry", "#until": "until", "#uploadId": "uploadId"},
		ExpressionAttributeValues: item{":now": numberValue(at.UnixMilli()), ":uploadId": stringValue(slot.UploadID)},
	})
	if isConditionFailed(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("put slot: %w", err)
	}

	return true, nil
}

// Put implements [upload.Store]. It writes an upload if none with its id is stored. Otherwise it returns the stored one.
func (s *Uploads) Put(ctx context.Context, u upload.Upload) (upload.Upload, error) {
	row := uploadRow{
		Owner: feed.User(u.UserID), Entry: uploadEntry(u.ID), ExpiresAt: u.ExpiresAt.Unix(), Request: u.Request,
		FileName: u.File.FileName, Size: u.File.Size, ContentType: u.File.ContentType, MultipartID: u.MultipartID, Outcome: u.Outcome,
	}
	it, err := marshal(row)
	if err != nil {
		return upload.Upload{}, err
	}
	_, err = s.Client.PutItem(ctx, &dynamodb.PutItemInput{
		TableName: &s.Table, Item: it,
		ConditionExpression: aws.String("attribute_not_exists(#entry)"), ExpressionAttributeNames: map[string]string{"#entry": "entry"},
	})
	if isConditionFailed(err) {
		return s.get(ctx, u.UserID, u.ID)
	}
	if err != nil {
		return upload.Upload{}, fmt.Errorf("put upload: %w", err)
	}
	u.ExpiresAt = u.ExpiresAt.UTC().Truncate(time.Second)
	return u, nil
}

// get returns an upload by a consistent read, expired or not, or [upload.ErrNotFound].
func (s *Uploads) get(ctx context.Context, userID, id string) (upload.Upload, error) {
	out, err := s.Client.GetItem(ctx, &dynamodb.GetItemInput{
		TableName: &s.Table, Key: feedKey(feed.User(userID), uploadEntry(id)), ConsistentRead: aws.Bool(true),
	})
	if err != nil {
		return upload.Upload{}, fmt.Errorf("get upload: %w", err)
	}
	if out.Item == nil {
		return upload.Upload{}, upload.ErrNotFound
	}
	var row uploadRow
	if err := attributevalue.UnmarshalMap(out.Item, &row); err != nil {
		return upload.Upload{}, fmt.Errorf("decode upload: %w", err)
	}

	return upload.Upload{
		UserID: userID, ID: id, Request: row.Request, MultipartID: row.MultipartID, Outcome: row.Outcome, ExpiresAt: time.Unix(row.ExpiresAt, 0).UTC(),
		File: message.UploadFile{FileName: row.FileName, Size: row.Size, ContentType: row.ContentType},
	}, nil
}

// Find implements [upload.Store].
func (s *Uploads) Find(ctx context.Context, userID, id string, at time.Time) (upload.Upload, error) {
	u, err := s.get(ctx, userID, id)
	if err == nil && !at.Before(u.ExpiresAt) {
		return upload.Upload{}, upload.ErrNotFound
	}
	return u, err
}

// End implements [upload.Store]. It writes the outcome on condition that it may follow the recorded one. If the recorded outcome is then
// final, it deletes the upload's slot.
func (s *Uploads) End(ctx context.Context, u upload.Upload, o upload.Outcome, until time.Time) (upload.Outcome, error) {
	recorded, err := s.recordOutcome(ctx, u, o, until)
	if err != nil || !recorded.Final() {
		return recorded, err
	}
	return recorded, s.freeSlot(ctx, u)
}

// recordOutcome records the outcome o if it may follow the recorded one. It returns the outcome that is recorded afterwards. If o is final,
// the upload expires at until.
func (s *Uploads) recordOutcome(ctx context.Context, u upload.Upload, o upload.Outcome, until time.Time) (upload.Outcome, error) {
	expiresAt := u.ExpiresAt
	if o.Final() {
		expiresAt = until
	}
	values := item{":outcome": stringValue(string(o)), ":expiresAt": numberValue(expiresAt.Unix())}
	condition := "attribute_exists(#entry) AND attribute_not_exists(#outcome)"
	if o.MayFollow(upload.JoiningParts) {
		condition = "attribute_exists(#entry) AND (attribute_not_exists(#outcome) OR #outcome = :joining)"
		values[":joining"] = stringValue(string(upload.JoiningParts))
	}
	_, err := s.Client.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: &s.Table, Key: feedKey(feed.User(u.UserID), uploadEntry(u.ID)),
		UpdateExpression: aws.String("SET #outcome = :outcome, #expiresAt = :expiresAt"), ConditionExpression: &condition,
		ExpressionAttributeNames:  map[string]string{"#entry": "entry", "#outcome": "outcome", "#expiresAt": "expiresAt"},
		ExpressionAttributeValues: values,
	})
	if isConditionFailed(err) {
		stored, err := s.get(ctx, u.UserID, u.ID)
		return stored.Outcome, err
	}
	if err != nil {
		return upload.Open, fmt.Errorf("update upload: %w", err)
	}

	return o, nil
}

// freeSlot deletes the slot of an upload, if it has one.
func (s *Uploads) freeSlot(ctx context.Context, u upload.Upload) error {
	owner := feed.User(u.UserID)
	slots, err := s.slots(ctx, owner)
	if err != nil {
		return err
	}
	for n, slot := range slots {
		if slot.UploadID != u.ID {
			continue
		}
		_, err := s.Client.DeleteItem(ctx, &dynamodb.DeleteItemInput{
			TableName: &s.Table, Key: feedKey(owner, slotEntry(n)),
			ConditionExpression: aws.String("#uploadId = :uploadId"), ExpressionAttributeNames: map[string]string{"#uploadId": "uploadId"},
			ExpressionAttributeValues: map[string]types.AttributeValue{":uploadId": stringValue(u.ID)},
		})
		if err != nil && !isConditionFailed(err) {
			return fmt.Errorf("delete slot: %w", err)
		}
	}

	return nil
}
