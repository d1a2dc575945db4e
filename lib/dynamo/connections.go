// Package dynamo keeps Herald's data in DynamoDB.
package dynamo

import (
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/herald-progress/herald/lib/connection"
)

// Names of the connections table's indexes.
const (
	UserIndex          = "userIdIndex"
	SessionExpiryIndex = "sessionExpiryIndex"
)

// timeLayout is RFC 3339 in UTC with fixed milliseconds.
const timeLayout = "2006-01-02T15:04:05.000Z"

// Connections is a [connection.Store], [connection.Sessions] and [connection.Users] on the connections table.
//
//	<connection>              a connection; only such rows have a userId, so that only they are in the indexes
//	user#<user>               a user: the connections, when each was heard, what the last minutes cost
//	refused#<connection>      how many messages of a connection were refused in the last minutes
type Connections struct {
	Client *dynamodb.Client
	Table  string
}

// connectionRow is a row as the table holds it.
type connectionRow struct {
	ConnectionID string `dynamodbav:"connectionId"`
	UserID       string `dynamodbav:"userId"`
	ConnectedAt  string `dynamodbav:"connectedAt"`
	// ExpiresAt is the table's TTL attribute, in epoch seconds.
	ExpiresAt int64 `dynamodbav:"expiresAt"`
	// TokenExpiresAt is in epoch seconds.
	TokenExpiresAt int64 `dynamodbav:"tokenExpiresAt"`
	// SessionMinute is the minute of the session's end, in epoch minutes.
	SessionMinute int64 `dynamodbav:"sessionMinute"`
	// EvictedAt is there only when the connection was evicted.
	EvictedAt string `dynamodbav:"evictedAt,omitempty"`
}

func rowOf(c connection.Connection) connectionRow {
	row := connectionRow{
		ConnectionID:   c.ID,
		UserID:         c.UserID,
		ConnectedAt:    c.ConnectedAt.UTC().Format(timeLayout),
		ExpiresAt:      c.RowExpiresAt().Unix(),
		TokenExpiresAt: c.TokenExpiresAt.Unix(),
		SessionMinute:  connection.Minute(c.End()),
	}
	if !c.EvictedAt.IsZero() {
		row.EvictedAt = formatTime(c.EvictedAt)
	}

	return row
}

func (r connectionRow) connection() (connection.Connection, error) {
	at, err := time.Parse(timeLayout, r.ConnectedAt)
	if err != nil {
		return connection.Connection{}, fmt.Errorf("connectedAt: %w", err)
	}

	c := connection.Connection{
		ID: r.ConnectionID, UserID: r.UserID, ConnectedAt: at, TokenExpiresAt: time.Unix(r.TokenExpiresAt, 0).UTC(),
	}
	if r.EvictedAt != "" {
		if c.EvictedAt, err = parseTime(attrEvictedAt, r.EvictedAt); err != nil {
			return connection.Connection{}, err
		}
	}

	return c, nil
}

// Put writes the row of c on condition that the connection has not been evicted.
func (s *Connections) Put(ctx context.Context, c connection.Connection) error {
	item, err := attributevalue.MarshalMap(rowOf(c))
	if err != nil {
		return fmt.Errorf("put connection: %w", err)
	}
	_, err = s.Client.PutItem(ctx, &dynamodb.PutItemInput{
		TableName: &s.Table, Item: item, ConditionExpression: aws.String("attribute_not_exists(" + attrEvictedAt + ")"),
	})
	if conditionFailed(err) {
		return connection.ErrEvicted
	}
	if err != nil {
		return fmt.Errorf("put connection: %w", err)
	}

	return nil
}

// Get returns the row of id by a consistent read, or [connection.ErrNotFound].
func (s *Connections) Get(ctx context.Context, id string) (connection.Connection, error) {
	out, err := s.Client.GetItem(ctx, &dynamodb.GetItemInput{TableName: &s.Table, Key: connectionKey(id), ConsistentRead: aws.Bool(true)})
	if err != nil {
		return connection.Connection{}, fmt.Errorf("get connection: %w", err)
	}
	if out.Item == nil || out.Item[attrUserID] == nil { // a row without a user is no connection's
		return connection.Connection{}, connection.ErrNotFound
	}
	c, err := readConnection(out.Item)
	if err != nil {
		return connection.Connection{}, fmt.Errorf("get connection: %w", err)
	}

	return c, nil
}

// Delete removes the row of id.
func (s *Connections) Delete(ctx context.Context, id string) error {
	if _, err := s.Client.DeleteItem(ctx, &dynamodb.DeleteItemInput{TableName: &s.Table, Key: connectionKey(id)}); err != nil {
		return fmt.Errorf("delete connection: %w", err)
	}

	return nil
}

// ByUser queries the index of users, which lags behind the table, page by page.
func (s *Connections) ByUser(ctx context.Context, userID string) iter.Seq2[connection.Connection, error] {
	return s.query(ctx, UserIndex, attrUserID, &types.AttributeValueMemberS{Value: userID})
}

// query yields the rows that an index holds under a hash key, page by page.
func (s *Connections) query(ctx context.Context, index, attribute string, value types.AttributeValue) iter.Seq2[connection.Connection, error] {
	query := &dynamodb.QueryInput{
		TableName:                 &s.Table,
		IndexName:                 &index,
		KeyConditionExpression:    aws.String(attribute + " = :key"),
		ExpressionAttributeValues: map[string]types.AttributeValue{":key": value},
	}

	return func(yield func(connection.Connection, error) bool) {
		for pages := dynamodb.NewQueryPaginator(s.Client, query); pages.HasMorePages(); {
			page, err := pages.NextPage(ctx)
			if err != nil {
				yield(connection.Connection{}, fmt.Errorf("query connections: %w", err))

				return
			}
			for _, item := range page.Items {
				c, err := readConnection(item)
				if err != nil {
					err = fmt.Errorf("query connections: %w", err)
				}
				if !yield(c, err) || err != nil {
					return
				}
			}
		}
	}
}

func connectionKey(id string) map[string]types.AttributeValue {
	return map[string]types.AttributeValue{"connectionId": &types.AttributeValueMemberS{Value: id}}
}

func readConnection(item map[string]types.AttributeValue) (connection.Connection, error) {
	var row connectionRow
	if err := attributevalue.UnmarshalMap(item, &row); err != nil {
		return connection.Connection{}, fmt.Errorf("row: %w", err)
	}

	return row.connection()
}
