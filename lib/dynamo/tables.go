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

// tableWait is how long a table may take to become active.
const tableWait = time.Minute

// ConnectionsTable returns the schema of the connections table, the same as the stack's.
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
		KeySchema: key("connectionId", ""),
		GlobalSecondaryIndexes: []types.GlobalSecondaryIndex{
			{IndexName: aws.String(UserIndex), KeySchema: key("userId", ""), Projection: everything()},
			{IndexName: aws.String(SessionExpiryIndex), KeySchema: key("sessionMinute", "tokenExpiresAt"), Projection: everything()},
		},
	}
}

// FeedTable returns the schema of the feed table, the same as the stack's.
func FeedTable(name string) *dynamodb.CreateTableInput {
	return &dynamodb.CreateTableInput{
		TableName:   aws.String(name),
		BillingMode: types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{
			{AttributeName: aws.String("owner"), AttributeType: types.ScalarAttributeTypeS},
			{AttributeName: aws.String("entry"), AttributeType: types.ScalarAttributeTypeS},
		},
		KeySchema: key("owner", "entry"),
	}
}

// CreateConnections creates the connections table where it is missing, and waits until it is active.
func CreateConnections(ctx context.Context, client *dynamodb.Client, name string) error {
	return create(ctx, client, ConnectionsTable(name))
}

// CreateFeed creates the feed table where it is missing, and waits until it is active.
func CreateFeed(ctx context.Context, client *dynamodb.Client, name string) error {
	return create(ctx, client, FeedTable(name))
}

// create leaves TTL out: it is for emulators, of which dynalite has no such call, and rows past their life count as absent
// anyway.
func create(ctx context.Context, client *dynamodb.Client, table *dynamodb.CreateTableInput) error {
	name := *table.TableName
	_, err := client.CreateTable(ctx, table)
	if exists := (*types.ResourceInUseException)(nil); err != nil && !errors.As(err, &exists) {
		return fmt.Errorf("create table %s: %w", name, err)
	}
	active := dynamodb.NewTableExistsWaiter(client, func(o *dynamodb.TableExistsWaiterOptions) { o.MinDelay = time.Second })
	if err := active.Wait(ctx, &dynamodb.DescribeTableInput{TableName: &name}, tableWait); err != nil {
		return fmt.Errorf("wait for table %s: %w", name, err)
	}

	return nil
}

func key(hash, sort string) []types.KeySchemaElement {
	schema := []types.KeySchemaElement{{AttributeName: aws.String(hash), KeyType: types.KeyTypeHash}}
	if sort != "" {
		schema = append(schema, types.KeySchemaElement{AttributeName: aws.String(sort), KeyType: types.KeyTypeRange})
	}

	return schema
}

func everything() *types.Projection {
	return &types.Projection{ProjectionType: types.ProjectionTypeAll}
}
