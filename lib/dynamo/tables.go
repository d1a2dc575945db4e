package dynamo

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

const (
	// pollTables is the delay before the status of a new table is read for the second time. It is short, because an emulator
	// creates a table in milliseconds.
	pollTables = 50 * time.Millisecond
	// tableTimeout is how long a table may take to become active.
	tableTimeout = time.Minute
)

// ConnectionsTable returns the schema of the connections table, as the stack creates it.
func ConnectionsTable(name string) *dynamodb.CreateTableInput {
	return &dynamodb.CreateTableInput{
		TableName:   aws.String(name),
		BillingMode: types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{
			{AttributeName: aws.String("connectionId"), AttributeType: types.ScalarAttributeTypeS},
			{AttributeName: aws.String("userId"), AttributeType: types.ScalarAttributeTypeS},
			{AttributeName: aws.String("sessionMinute"), AttributeType: types.ScalarAttributeTypeN},
			{AttributeName: aws.String("tokenExpiresAt"), AttributeType: types.ScalarAttributeTypeN},
		},
		KeySchema: keySchema("connectionId", ""),
		GlobalSecondaryIndexes: []types.GlobalSecondaryIndex{
			{IndexName: aws.String(UserIndex), KeySchema: keySchema("userId", ""), Projection: allAttributes()},
			{IndexName: aws.String(SessionExpiryIndex), KeySchema: keySchema("sessionMinute", "tokenExpiresAt"), Projection: allAttributes()},
		},
	}
}

// FeedTable returns the schema of the feed table, as the stack creates it.
func FeedTable(name string) *dynamodb.CreateTableInput {
	return &dynamodb.CreateTableInput{
		TableName:   aws.String(name),
		BillingMode: types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{
			{AttributeName: aws.String("owner"), AttributeType: types.ScalarAttributeTypeS},
			{AttributeName: aws.String("entry"), AttributeType: types.ScalarAttributeTypeS},
		},
		KeySchema: keySchema("owner", "entry"),
	}
}

// CreateConnections creates the connections table if it is missing, and waits until it is active.
func CreateConnections(ctx context.Context, client *dynamodb.Client, name string) error {
	return create(ctx, client, ConnectionsTable(name))
}

// CreateFeed creates the feed table if it is missing, and waits until it is active.
func CreateFeed(ctx context.Context, client *dynamodb.Client, name string) error {
	return create(ctx, client, FeedTable(name))
}

// create creates a table of an emulator, unless it exists. It does not enable TTL, because dynalite does not support it. Readers
// ignore expired items anyway.
func create(ctx context.Context, client *dynamodb.Client, table *dynamodb.CreateTableInput) error {
	name := *table.TableName
	_, err := client.CreateTable(ctx, table)
	if exists := (*types.ResourceInUseException)(nil); err != nil && !errors.As(err, &exists) {
		return fmt.Errorf("create table %s: %w", name, err)
	}
	active := dynamodb.NewTableExistsWaiter(client, func(o *dynamodb.TableExistsWaiterOptions) { o.MinDelay = pollTables })
	if err := active.Wait(ctx, &dynamodb.DescribeTableInput{TableName: &name}, tableTimeout); err != nil {
		return fmt.Errorf("wait for table %s: %w", name, err)
	}
	return nil
}

func keySchema(hash, sort string) []types.KeySchemaElement {
	schema := []types.KeySchemaElement{{AttributeName: aws.String(hash), KeyType: types.KeyTypeHash}}
	if sort != "" {
		schema = append(schema, types.KeySchemaElement{AttributeName: aws.String(sort), KeyType: types.KeyTypeRange})
	}
	return schema
}

func allAttributes() *types.Projection {
	return &types.Projection{ProjectionType: types.ProjectionTypeAll}
}
