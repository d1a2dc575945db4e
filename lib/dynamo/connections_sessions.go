package dynamo

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/herald-progress/herald/lib/connection"
)

// Attributes of the connections table.
const (
	attrUserID         = "userId"
	attrConnectedAt    = "connectedAt"
	attrTokenExpiresAt = "tokenExpiresAt"
	attrSessionMinute  = "sessionMinute"
	attrEvictedAt      = "evictedAt"
	attrExpiresAt      = "expiresAt"
)

const (
	// refreshTries is how often Refresh reads and writes. The write fails if another refresh or a deletion came after the read.
	refreshTries = 3
	// deleteTries is how often DeleteIfUnchanged sends its request if it gets no response.
	deleteTries = 3
)

// errRefreshContention means that the item changed between the read and the write of every try.
var errRefreshContention = errors.New("dynamo: the connection changed during each try")

// Refresh sets tokenExpiresAt if it is later than the stored expiry and the connection was not evicted. The UpdateItem has the
// condition that the same connection is still stored, because it would create an item if there were none.
func (s *Connections) Refresh(ctx context.Context, id, userID string, tokenExpiresAt time.Time) (connection.Connection, error) {
	for range refreshTries {
		before, err := s.Get(ctx, id)
		if err != nil {
			return connection.Connection{}, err
		}
		if before.UserID != userID {
			return connection.Connection{}, connection.ErrNotFound
		}
		after := before
		after.TokenExpiresAt = time.Unix(tokenExpiresAt.Unix(), 0).UTC() // The table stores whole seconds.
		if !before.EvictedAt.IsZero() || !after.TokenExpiresAt.After(before.TokenExpiresAt) {
			return before, nil
		}
		item := newConnectionItem(after)
		_, err = s.Client.UpdateItem(ctx, &dynamodb.UpdateItemInput{
			TableName: &s.Table, Key: connectionKey(id),
			UpdateExpression:    aws.String("SET " + attrTokenExpiresAt + " = :expires, " + attrSessionMinute + " = :minute"),
			ConditionExpression: aws.String(sameConnection + " AND " + attrTokenExpiresAt + " < :expires AND attribute_not_exists(" + attrEvictedAt + ")"),
			ExpressionAttributeValues: map[string]types.AttributeValue{
				":user":      &types.AttributeValueMemberS{Value: item.UserID},
				":connected": &types.AttributeValueMemberS{Value: item.ConnectedAt},
				":expires":   numberAttribute(item.TokenExpiresAt),
				":minute":    numberAttribute(item.SessionMinute),
			},
		})
		if err == nil {
			return after, nil
		}
		if !isConditionFailed(err) {
			return connection.Connection{}, fmt.Errorf("refresh connection: %w", err)
		}
	}
	return connection.Connection{}, fmt.Errorf("refresh connection: %w", errRefreshContention)
}

// EndedSessions queries the index of session ends minute by minute, the earliest first. The index is eventually consistent.
func (s *Connections) EndedSessions(ctx context.Context, at time.Time) iter.Seq2[connection.Connection, error] {
	return func(yield func(connection.Connection, error) bool) {
		for minute := connection.Minute(at.Add(-connection.EndedLookback)); minute <= connection.Minute(at); minute++ {
			for c, err := range s.query(ctx, SessionExpiryIndex, attrSessionMinute, numberAttribute(minute)) {
				if err == nil && !c.SessionEndedRecently(at) {
					continue
				}
				if !yield(c, err) || err != nil {
					return
				}
			}
		}
	}
}

// DeleteIfUnchanged deletes the item on condition that it is unchanged. It switches the SDK's retries off and retries itself: if the
// first response is lost, the condition fails for the SDK's second try, and the caller would believe that another process had deleted
// the item. Then nobody would post the closing frame.
func (s *Connections) DeleteIfUnchanged(ctx context.Context, c connection.Connection) (bool, error) {
	item := newConnectionItem(c)
	request := &dynamodb.DeleteItemInput{
		TableName: &s.Table, Key: connectionKey(c.ID),
		ConditionExpression: aws.String(sameConnection + " AND " + attrTokenExpiresAt + " = :expires"),
		ExpressionAttributeValues: map[string]types.AttributeValue{
			":user":      &types.AttributeValueMemberS{Value: item.UserID},
			":connected": &types.AttributeValueMemberS{Value: item.ConnectedAt},
			":expires":   numberAttribute(item.TokenExpiresAt),
		},
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	}
	once := func(o *dynamodb.Options) { o.Retryer = aws.NopRetryer{} }
	for try := 0; ; try++ {
		_, err := s.Client.DeleteItem(ctx, request, once)
		var failed *types.ConditionalCheckFailedException
		switch {
		case err == nil:
			return true, nil
		case errors.As(err, &failed):
			// If the item is missing and this is not the first try, most likely an earlier try has deleted it.
			return try > 0 && failed.Item == nil, nil
		case try == deleteTries-1:
			return false, fmt.Errorf("delete connection: %w", err)
		}
		if ctxErr := pause(ctx, longestPause(try)); ctxErr != nil {
			return false, fmt.Errorf("delete connection: %w", err)
		}
	}
}

// Evict sets the time of the eviction, and the minute under which EndedSessions finds the session, by one UpdateItem. If there is no
// item, because $connect has not stored the connection yet, it creates one without a user: Put then fails, and Get does not return it.
func (s *Connections) Evict(ctx context.Context, id, userID string, at time.Time) error {
	_, err := s.Client.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: &s.Table, Key: connectionKey(id),
		UpdateExpression: aws.String("SET " + attrEvictedAt + " = :at, " + attrSessionMinute + " = :minute, " +
			attrExpiresAt + " = if_not_exists(" + attrExpiresAt + ", :expires)"),
		ConditionExpression: aws.String("(attribute_not_exists(" + attrUserID + ") OR " + attrUserID + " = :user) AND " +
			"attribute_not_exists(" + attrEvictedAt + ")"),
		ExpressionAttributeValues: map[string]types.AttributeValue{
			":user":    &types.AttributeValueMemberS{Value: userID},
			":at":      &types.AttributeValueMemberS{Value: formatTime(at)},
			":minute":  numberAttribute(connection.Minute(at)),
			":expires": numberAttribute(at.Add(connection.MaxDuration).Unix()),
		},
	})
	if err != nil && !isConditionFailed(err) {
		return fmt.Errorf("evict connection: %w", err)
	}
	return nil
}

// sameConnection is a condition that fails if the item is missing or belongs to another connection.
const sameConnection = attrUserID + " = :user AND " + attrConnectedAt + " = :connected"

func numberAttribute(n int64) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: strconv.FormatInt(n, 10)}
}

func isConditionFailed(err error) bool {
	var failed *types.ConditionalCheckFailedException
	return errors.As(err, &failed)
}
