package dynamo_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sort"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go/middleware"

	"github.com/herald-progress/herald/lib/feed/feedtest"
)

// attributes are the attributes of an item, or the values of an expression.
type attributes = map[string]types.AttributeValue

// model is a DynamoDB table in memory that evaluates the expressions of requests. It handles one request at a time. If the context of
// a request has a schedule (see [feedtest.Step]), the schedule decides on the order of requests and their faults.
type model struct {
	// mutate, if set, is called with each request before it is handled. It may change the request, so that tests can inject bugs.
	mutate func(request any)
	// latency returns the one-way latency of a request or response. It may be nil.
	latency func() time.Duration

	mu    sync.Mutex
	items map[[2]string]attributes // by owner and entry
}

// client returns an SDK client of the table. Requests skip the SDK's serialization and retries.
func (m *model) client() *dynamodb.Client {
	handler := middleware.InitializeMiddlewareFunc("model", func(
		ctx context.Context, in middleware.InitializeInput, _ middleware.InitializeHandler,
	) (out middleware.InitializeOutput, _ middleware.Metadata, err error) {
		m.wait()
		defer m.wait()
		err = feedtest.Step(ctx, m.reads(in.Parameters), func() error {
			var err error
			out.Result, err = m.respond(in.Parameters)
			return err
		})
		return out, middleware.Metadata{}, err
	})
	return dynamodb.New(dynamodb.Options{Region: "us-east-1", APIOptions: []func(*middleware.Stack) error{
		func(stack *middleware.Stack) error { return stack.Initialize.Add(handler, middleware.Before) },
	}})
}

// wait waits for the latency of a request or a response.
func (m *model) wait() {
	if m.latency != nil {
		time.Sleep(m.latency())
	}
}

// reads reports whether a request changes nothing.
func (m *model) reads(request any) bool {
	switch request.(type) {
	case *dynamodb.GetItemInput, *dynamodb.QueryInput:
		return true
	default:
		return false
	}
}

// respond handles a request and returns its output.
func (m *model) respond(request any) (any, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.mutate != nil {
		m.mutate(request)
	}
	switch in := request.(type) {
	case *dynamodb.GetItemInput:
		return &dynamodb.GetItemOutput{Item: clone(m.items[keyOf(in.Key)])}, nil
	case *dynamodb.QueryInput:
		return m.query(in)
	case *dynamodb.PutItemInput:
		e := &expression{names: in.ExpressionAttributeNames, values: in.ExpressionAttributeValues}
		_, err := m.write(keyOf(in.Item), in.ConditionExpression, e, func(attributes) (attributes, error) { return clone(in.Item), nil })
		return &dynamodb.PutItemOutput{}, err
	case *dynamodb.UpdateItemInput:
		e := &expression{names: in.ExpressionAttributeNames, values: in.ExpressionAttributeValues}
		_, err := m.write(keyOf(in.Key), in.ConditionExpression, e, func(old attributes) (attributes, error) {
			next := clone(old)
			maps.Copy(next, in.Key)
			return next, e.update(*in.UpdateExpression, next)
		})
		return &dynamodb.UpdateItemOutput{Attributes: clone(m.items[keyOf(in.Key)])}, err
	case *dynamodb.DeleteItemInput:
		e := &expression{names: in.ExpressionAttributeNames, values: in.ExpressionAttributeValues}
		old, err := m.write(keyOf(in.Key), in.ConditionExpression, e, func(attributes) (attributes, error) { return nil, nil })
		return &dynamodb.DeleteItemOutput{Attributes: old}, err
	default:
		return nil, fmt.Errorf("the model does not know %T", request)
	}
}

// write replaces an item by what next returns for it, on a condition, and returns the previous item. If next returns nil, it deletes
// the item. e has the placeholders of the condition.
func (m *model) write(key [2]string, condition *string, e *expression, next func(attributes) (attributes, error)) (attributes, error) {
	old := m.items[key]
	if condition != nil {
		holds, err := e.holds(*condition, old)
		if err != nil {
			return nil, err
		}
		if !holds {
			return nil, &types.ConditionalCheckFailedException{Message: aws.String("The conditional request failed"), Item: clone(old)}
		}
	}
	replaced, err := next(old)
	if err != nil {
		return nil, err
	}
	if m.items == nil {
		m.items = map[[2]string]attributes{}
	}
	if replaced == nil {
		delete(m.items, key)
	} else {
		m.items[key] = replaced
	}
	return old, nil
}

// query returns the matching items of a query, sorted by entry, in pages of its limit. A query reads the items of one owner only. A page
// that is full has a next one, which may be empty.
func (m *model) query(in *dynamodb.QueryInput) (*dynamodb.QueryOutput, error) {
	e := &expression{names: in.ExpressionAttributeNames, values: in.ExpressionAttributeValues}
	out := &dynamodb.QueryOutput{}
	keys := slices.Collect(maps.Keys(m.items))
	sort.Slice(keys, func(a, b int) bool { return keys[a][1] < keys[b][1] })
	if descending := in.ScanIndexForward != nil && !*in.ScanIndexForward; descending {
		slices.Reverse(keys)
	}
	for _, key := range keys {
		if in.ExclusiveStartKey != nil && key[1] <= keyOf(in.ExclusiveStartKey)[1] {
			continue
		}
		matches := true
		for _, condition := range []*string{in.KeyConditionExpression, in.FilterExpression} {
			if condition == nil || !matches {
				continue
			}
			var err error
			if matches, err = e.holds(*condition, m.items[key]); err != nil {
				return nil, err
			}
		}
		if matches {
			out.Items = append(out.Items, clone(m.items[key]))
		}
		if in.Limit != nil && len(out.Items) == int(*in.Limit) {
			out.LastEvaluatedKey = attributes{"owner": m.items[key]["owner"], "entry": m.items[key]["entry"]}
			break
		}
	}
	return out, nil
}

// deleteItem deletes an item as TTL does.
func (m *model) deleteItem(owner, entry string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.items, [2]string{owner, entry})
}

// item returns a copy of an item, or nil if there is none.
func (m *model) item(owner, entry string) attributes {
	m.mu.Lock()
	defer m.mu.Unlock()
	return clone(m.items[[2]string{owner, entry}])
}

// keyOf returns the owner and the entry of a key or an item.
func keyOf(key attributes) [2]string {
	owner, _ := key["owner"].(*types.AttributeValueMemberS)
	entry, _ := key["entry"].(*types.AttributeValueMemberS)
	return [2]string{owner.Value, entry.Value}
}

// clone returns a deep copy of an item.
func clone(item attributes) attributes {
	if item == nil {
		return nil
	}
	copied := make(attributes, len(item))
	for name, v := range item {
		copied[name] = cloneValue(v)
	}
	return copied
}

// cloneValue returns a deep copy of a value.
func cloneValue(v types.AttributeValue) types.AttributeValue {
	switch v := v.(type) {
	case *types.AttributeValueMemberM:
		return &types.AttributeValueMemberM{Value: clone(v.Value)}
	case *types.AttributeValueMemberL:
		list := make([]types.AttributeValue, len(v.Value))
		for n, element := range v.Value {
			list[n] = cloneValue(element)
		}
		return &types.AttributeValueMemberL{Value: list}
	default:
		return v // Never changed in place.
	}
}
