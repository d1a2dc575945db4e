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

// tableWait is how long CreateConnections waits for the table to become active.
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

// CreateConnections creates the connections table where it is missing, and waits until it is active.
func CreateConnections(ctx context.Context, client *dynamodb.Client, name string) error {
	_, err := client.CreateTable(ctx, ConnectionsTable(name))
	if exists := (*types.ResourceInUseException)(nil); err != nil && !errors.As(err, &exists) {
		return fmt.Errorf("create table %s: %w", name, err)
	}
	active := dynamodb.NewTableExistsWaiter(client, func(o *dynamodb.TableExistsWaiterOptions) { o.MinDelay = time.Second })
	if err := active.Wait(ctx, &dynamodb.DescribeTableInput{TableName: aws.String(name)}, tableWait); err != nil {
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
