// Package dynamo stores Herald's data in two DynamoDB tables: [Connections] and [Feed].
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

// timeLayout is RFC 3339 in UTC with milliseconds.
const timeLayout = "2006-01-02T15:04:05.000Z"

// Connections is a [connection.Store], [connection.Sessions] and [connection.Usage] in the connections table. There are three
// kinds of items, with these hash keys:
//
//	<connection>              a connection; only these items have a userId and are therefore in the indexes
//	user#<user>               a user: when each connection was last seen, and the costs of the last minutes
//	refused#<connection>      a connection's refused messages: their number in each of the last minutes
type Connections struct {
	Client *dynamodb.Client
	Table  string
}

// connectionItem is a connection as the table stores it.
type connectionItem struct {
	ConnectionID string `dynamodbav:"connectionId"`
	UserID       string `dynamodbav:"userId"`
	ConnectedAt  string `dynamodbav:"connectedAt"`
	// ExpiresAt is the TTL attribute, in epoch seconds.
	ExpiresAt int64 `dynamodbav:"expiresAt"`
	// TokenExpiresAt is in epoch seconds.
	TokenExpiresAt int64 `dynamodbav:"tokenExpiresAt"`
	// SessionMinute is the minute in which the session ends, in epoch minutes.
	SessionMinute int64 `dynamodbav:"sessionMinute"`
	// EvictedAt is set only if the connection was evicted.
	EvictedAt string `dynamodbav:"evictedAt,omitempty"`
}

func newConnectionItem(c connection.Connection) connectionItem {
	item := connectionItem{
		ConnectionID:   c.ID,
		UserID:         c.UserID,
		ConnectedAt:    c.ConnectedAt.UTC().Format(timeLayout),
		ExpiresAt:      c.RowExpiresAt().Unix(),
		TokenExpiresAt: c.TokenExpiresAt.Unix(),
		SessionMinute:  connection.Minute(c.SessionEnd()),
	}
	if !c.EvictedAt.IsZero() {
		item.EvictedAt = formatTime(c.EvictedAt)
	}
	return item
}

func (i connectionItem) connection() (connection.Connection, error) {
	connectedAt, err := time.Parse(timeLayout, i.ConnectedAt)
	if err != nil {
		return connection.Connection{}, fmt.Errorf("connectedAt: %w", err)
	}
	c := connection.Connection{
		ID: i.ConnectionID, UserID: i.UserID, ConnectedAt: connectedAt, TokenExpiresAt: time.Unix(i.TokenExpiresAt, 0).UTC(),
	}
	if i.EvictedAt != "" {
		if c.EvictedAt, err = parseTime(attrEvictedAt, i.EvictedAt); err != nil {
			return connection.Connection{}, err
		}
	}
	return c, nil
}

// Put stores c on condition that the connection has not been evicted.
func (s *Connections) Put(ctx context.Context, c connection.Connection) error {
	item, err := attributevalue.MarshalMap(newConnectionItem(c))
	if err != nil {
		return fmt.Errorf("put connection: %w", err)
	}
	_, err = s.Client.PutItem(ctx, &dynamodb.PutItemInput{
		TableName: &s.Table, Item: item, ConditionExpression: aws.String("attribute_not_exists(" + attrEvictedAt + ")"),
	})
	if isConditionFailed(err) {
		return connection.ErrEvicted
	}
	if err != nil {
		return fmt.Errorf("put connection: %w", err)
	}
	return nil
}

// Get reads the connection of id consistently. It returns [connection.ErrNotFound] if there is none.
func (s *Connections) Get(ctx context.Context, id string) (connection.Connection, error) {
	out, err := s.Client.GetItem(ctx, &dynamodb.GetItemInput{TableName: &s.Table, Key: connectionKey(id), ConsistentRead: aws.Bool(true)})
	if err != nil {
		return connection.Connection{}, fmt.Errorf("get connection: %w", err)
	}
	if out.Item == nil || out.Item[attrUserID] == nil { // Items of other kinds, and those that Evict has created, have no user.
		return connection.Connection{}, connection.ErrNotFound
	}
	c, err := decodeConnection(out.Item)
	if err != nil {
		return connection.Connection{}, fmt.Errorf("get connection: %w", err)
	}
	return c, nil
}

// Delete deletes the connection of id.
func (s *Connections) Delete(ctx context.Context, id string) error {
	if _, err := s.Client.DeleteItem(ctx, &dynamodb.DeleteItemInput{TableName: &s.Table, Key: connectionKey(id)}); err != nil {
		return fmt.Errorf("delete connection: %w", err)
	}
	return nil
}

// ByUser queries the index of users page by page. The index is eventually consistent.
func (s *Connections) ByUser(ctx context.Context, userID string) iter.Seq2[connection.Connection, error] {
	return s.query(ctx, UserIndex, attrUserID, &types.AttributeValueMemberS{Value: userID})
}

// query yields the connections in an index whose attribute, the hash key of the index, has the value. It reads page by page and stops
// after an error.
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
				c, err := decodeConnection(item)
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

func decodeConnection(item map[string]types.AttributeValue) (connection.Connection, error) {
	var c connectionItem
	if err := attributevalue.UnmarshalMap(item, &c); err != nil {
		return connection.Connection{}, fmt.Errorf("decode connection: %w", err)
	}
	return c.connection()
}
