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

// refreshTries is how often Refresh reads the row: a second time where another refresh, or a deletion, came between.
const refreshTries = 3

// deleteTries is how often DeleteIfUnchanged asks until there is an answer.
const deleteTries = 3

// errRefresh says that the row has changed under each try.
var errRefresh = errors.New("dynamo: the row keeps changing")

// Refresh writes the later expiry on condition that the row is still that connection's: UpdateItem would make a row where
// there is none.
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
		after.TokenExpiresAt = time.Unix(tokenExpiresAt.Unix(), 0).UTC()
		if !before.EvictedAt.IsZero() || !after.TokenExpiresAt.After(before.TokenExpiresAt) {
			return before, nil
		}
		row := rowOf(after)
		_, err = s.Client.UpdateItem(ctx, &dynamodb.UpdateItemInput{
			TableName: &s.Table, Key: connectionKey(id),
			UpdateExpression:    aws.String("SET " + attrTokenExpiresAt + " = :expires, " + attrSessionMinute + " = :minute"),
			ConditionExpression: aws.String(ifSame + " AND " + attrTokenExpiresAt + " < :expires AND attribute_not_exists(" + attrEvictedAt + ")"),
			ExpressionAttributeValues: map[string]types.AttributeValue{
				":user":      &types.AttributeValueMemberS{Value: row.UserID},
				":connected": &types.AttributeValueMemberS{Value: row.ConnectedAt},
				":expires":   sessionNumber(row.TokenExpiresAt),
				":minute":    sessionNumber(row.SessionMinute),
			},
		})
		if err == nil {
			return after, nil
		}
		if !conditionFailed(err) {
			return connection.Connection{}, fmt.Errorf("refresh connection: %w", err)
		}
	}

	return connection.Connection{}, fmt.Errorf("refresh connection: %w", errRefresh)
}

// Ended queries the index of sessions, which lags behind the table, minute by minute, the earliest first.
func (s *Connections) Ended(ctx context.Context, at time.Time) iter.Seq2[connection.Connection, error] {
	return func(yield func(connection.Connection, error) bool) {
		for minute := connection.Minute(at.Add(-connection.EndedWithin)); minute <= connection.Minute(at); minute++ {
			for c, err := range s.query(ctx, SessionExpiryIndex, attrSessionMinute, sessionNumber(minute)) {
				if err == nil && !c.EndedBy(at) {
					continue
				}
				if !yield(c, err) || err != nil {
					return
				}
			}
		}
	}
}

// DeleteIfUnchanged deletes the row on condition that it is unchanged. It retries here and not in the SDK. The SDK would
// take its own deletion, whose answer was lost, for that of another, and then nobody would post the closing frame.
func (s *Connections) DeleteIfUnchanged(ctx context.Context, c connection.Connection) (bool, error) {
	row := rowOf(c)
	request := &dynamodb.DeleteItemInput{
		TableName: &s.Table, Key: connectionKey(c.ID),
		ConditionExpression: aws.String(ifSame + " AND " + attrTokenExpiresAt + " = :expires"),
		ExpressionAttributeValues: map[string]types.AttributeValue{
			":user":      &types.AttributeValueMemberS{Value: row.UserID},
			":connected": &types.AttributeValueMemberS{Value: row.ConnectedAt},
			":expires":   sessionNumber(row.TokenExpiresAt),
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
			// Gone since the first try, which most likely deleted the row itself.
			return try > 0 && failed.Item == nil, nil
		case try == deleteTries-1:
			return false, fmt.Errorf("delete connection: %w", err)
		}
		if wait := pause(ctx, try); wait != nil {
			return false, fmt.Errorf("delete connection: %w", err)
		}
	}
}

// Evict sets the time of the eviction, and the minute under which Ended finds the session, by one UpdateItem. Where there is
// no row that makes one, which is no connection's, as it has no user.
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
			":minute":  sessionNumber(connection.Minute(at)),
			":expires": sessionNumber(at.Add(connection.MaxDuration).Unix()),
		},
	})
	if err != nil && !conditionFailed(err) {
		return fmt.Errorf("evict connection: %w", err)
	}

	return nil
}

// ifSame holds where the row is that of a connection, so not where there is none.
const ifSame = attrUserID + " = :user AND " + attrConnectedAt + " = :connected"

func sessionNumber(n int64) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: strconv.FormatInt(n, 10)}
}

func conditionFailed(err error) bool {
	var failed *types.ConditionalCheckFailedException

	return errors.As(err, &failed)
}
