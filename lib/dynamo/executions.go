package dynamo

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/herald-progress/herald/lib/trace"
)

// Executions is an [trace.Store] in the feed table. These are its keys and items:
//
//	exec/<shard>  trace#<ARN>       a watched execution; the shard is that of its pointers
//	exec/<shard>  averages#<ARN>    the averages of a watched state machine
type Executions struct {
	Client *dynamodb.Client
	Table  string
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

var _ trace.Store = (*Executions)(nil)

func traceEntry(execution string) string  { return "trace#" + execution }
func averagesEntry(machine string) string { return "averages#" + machine }

// executionRow is the item of a watched execution, and of averages, which have only Data.
type executionRow struct {
	Owner     string `dynamodbav:"owner"`
	Entry     string `dynamodbav:"entry"`
	ExpiresAt int64  `dynamodbav:"expiresAt"`
	Version   int64  `dynamodbav:"version"`
	Data      []byte `dynamodbav:"data,omitempty"`
	Ignored   bool   `dynamodbav:"ignored,omitempty"`
	User      string `dynamodbav:"user,omitempty"`
	Job       string `dynamodbav:"job,omitempty"`
	Title     string `dynamodbav:"title,omitempty"`
	// Start and UpdatedAt are in milliseconds since 1970.
	Start     int64 `dynamodbav:"start,omitempty"`
	UpdatedAt int64 `dynamodbav:"updatedAt,omitempty"`
	Ended     bool  `dynamodbav:"ended,omitempty"`
}

// Row implements [trace.Store].
func (e *Executions) Row(ctx context.Context, execution string) (trace.Row, error) {
	row, err := e.get(ctx, execution, traceEntry(execution))
	if err != nil {
		return trace.Row{}, err
	}
	return trace.Row{
		Execution: execution, Version: row.Version, Ignored: row.Ignored, User: row.User, Job: row.Job, Title: row.Title,
		Start: parseMillis(row.Start), Trace: row.Data, Ended: row.Ended, UpdatedAt: parseMillis(row.UpdatedAt),
	}, nil
}

// PutRow implements [trace.Store].
func (e *Executions) PutRow(ctx context.Context, row trace.Row) (int64, error) {
	return row.Version + 1, e.put(ctx, executionRow{
		Owner: pointerOwner(row.Execution), Entry: traceEntry(row.Execution), ExpiresAt: row.ExpiresAt().Unix(), Version: row.Version + 1,
		Data: row.Trace, Ignored: row.Ignored, User: row.User, Job: row.Job, Title: row.Title,
		Start: formatMillis(row.Start), UpdatedAt: formatMillis(row.UpdatedAt), Ended: row.Ended,
	})
}

// Averages implements [trace.Store].
func (e *Executions) Averages(ctx context.Context, machine string) ([]byte, int64, error) {
	row, err := e.get(ctx, machine, averagesEntry(machine))
	return row.Data, row.Version, err
}

// PutAverages implements [trace.Store].
func (e *Executions) PutAverages(ctx context.Context, machine string, data []byte, version int64, at time.Time) error {
	return e.put(ctx, executionRow{
		Owner: pointerOwner(machine), Entry: averagesEntry(machine), ExpiresAt: at.Add(trace.AveragesTTL).Unix(), Version: version + 1, Data: data,
	})
}

// get reads a row consistently. Without a row, or after its expiry, it returns an empty one.
func (e *Executions) get(ctx context.Context, arn, entry string) (executionRow, error) {
	out, err := e.Client.GetItem(ctx, &dynamodb.GetItemInput{
		TableName: &e.Table, Key: feedKey(pointerOwner(arn), entry), ConsistentRead: aws.Bool(true),
	})
	if err != nil {
		return executionRow{}, fmt.Errorf("get item: %w", err)
	}
	var row executionRow
	if err := attributevalue.UnmarshalMap(out.Item, &row); err != nil {
		return executionRow{}, fmt.Errorf("decode item: %w", err)
	}
	if e.now().Unix() >= row.ExpiresAt {
		return executionRow{}, nil
	}
	return row, nil
}

// put writes a row if the stored one has the version before it. An expired row counts as absent.
func (e *Executions) put(ctx context.Context, row executionRow) error {
	it, err := marshal(row)
	if err != nil {
		return err
	}
	in := &dynamodb.PutItemInput{
		TableName: &e.Table, Item: it,
		ConditionExpression:       aws.String("#version = :version"),
		ExpressionAttributeNames:  map[string]string{"#version": "version"},
		ExpressionAttributeValues: item{":version": numberValue(row.Version - 1)},
	}
	if row.Version == 1 {
		in.ConditionExpression = aws.String("attribute_not_exists(#entry) OR #expiresAt <= :now")
		in.ExpressionAttributeNames = map[string]string{"#entry": "entry", "#expiresAt": "expiresAt"}
		in.ExpressionAttributeValues = item{":now": numberValue(e.now().Unix())}
	}
	_, err = e.Client.PutItem(ctx, in)
	if failed := (*types.ConditionalCheckFailedException)(nil); errors.As(err, &failed) {
		return trace.ErrConflict
	}
	if err != nil {
		return fmt.Errorf("put item: %w", err)
	}
	return nil
}

func (e *Executions) now() time.Time {
	if e.Now == nil {
		return time.Now()
	}
	return e.Now()
}
