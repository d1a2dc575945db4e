package dynamo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"

	"github.com/herald-progress/herald/lib/connection"
)

// Keys of the rows that belong to no connection. API Gateway's ids have no #.
const (
	userPrefix    = "user#"
	refusedPrefix = "refused#"
)

// Beginnings of the attributes of such rows. The first two are followed by a minute, the others by a connection's id.
const (
	costOf    = "cost#"
	refusedOf = "refused#"
	heardOf   = "heard#"
	evictedOf = "evicted#"
)

const (
	// removedMinutes is of how many minutes each request removes the counters. The last minute's stays: another process, whose
	// clock is behind, may still add to it.
	removedMinutes = 3
	// maxStale is how many old attributes a row may have before a connect removes them: those of minutes that no request
	// followed soon, and connections that were closed long ago.
	maxStale = 30
	// maxNames is how many attributes one request removes.
	maxNames = 50
)

// counting is an UpdateItem of a row that belongs to no connection. Only such a row is made where it is missing.
type counting struct {
	key         string
	adds, sets  []string
	removes     []string
	condition   string
	names       map[string]string
	values      map[string]types.AttributeValue
	numberNames int
	// returns says which row do returns: as it is then, or as it was.
	returns types.ReturnValue
}

func newCounting(key string, at time.Time) *counting {
	c := &counting{key: key, names: map[string]string{}, values: map[string]types.AttributeValue{}, returns: types.ReturnValueAllNew}
	c.set(attrExpiresAt, at.Add(connection.MaxDuration).Unix())

	return c
}

// name returns the placeholder of an attribute's name.
func (c *counting) name(attribute string) string {
	placeholder := "#" + strconv.Itoa(c.numberNames)
	c.numberNames++
	c.names[placeholder] = attribute

	return placeholder
}

// value returns the placeholder of a number.
func (c *counting) value(n int64) string {
	placeholder := ":" + strconv.Itoa(len(c.values))
	c.values[placeholder] = sessionNumber(n)

	return placeholder
}

func (c *counting) set(attribute string, n int64) {
	c.sets = append(c.sets, c.name(attribute)+" = "+c.value(n))
}

func (c *counting) remove(attributes ...string) {
	for _, attribute := range attributes {
		c.removes = append(c.removes, c.name(attribute))
	}
}

// add adds to the counter of a minute, and removes those of some minutes before. With a limit it is on condition that the
// counter is under it.
func (c *counting) add(counter string, n, limit int, at time.Time) (attribute string) {
	minute := connection.Minute(at)
	attribute = minuteCounter(counter, minute)
	placeholder := c.name(attribute)
	c.adds = append(c.adds, placeholder+" "+c.value(int64(n)))
	for n := range int64(removedMinutes) {
		c.remove(minuteCounter(counter, minute-2-n)) //nolint:mnd // the one before the last minute
	}
	if limit > 0 {
		c.condition = "attribute_not_exists(" + placeholder + ") OR " + placeholder + " < " + c.value(int64(limit))
	}

	return attribute
}

// do sends the request and returns the row. Its error may be [connection.ErrBusy].
func (c *counting) do(ctx context.Context, s *Connections) (item, error) {
	expression := "SET " + strings.Join(c.sets, ", ")
	if len(c.adds) > 0 {
		expression += " ADD " + strings.Join(c.adds, ", ")
	}
	if len(c.removes) > 0 {
		expression += " REMOVE " + strings.Join(c.removes, ", ")
	}
	request := &dynamodb.UpdateItemInput{
		TableName: &s.Table, Key: connectionKey(c.key), UpdateExpression: &expression,
		ExpressionAttributeNames: c.names, ExpressionAttributeValues: c.values, ReturnValues: c.returns,
	}
	if c.condition != "" {
		request.ConditionExpression = &c.condition
	}
	out, err := s.Client.UpdateItem(ctx, request)
	if throttled(err) {
		return nil, fmt.Errorf("%w: %w", connection.ErrBusy, err)
	}
	if err != nil {
		return nil, err //nolint:wrapcheck // the caller says what it counts
	}

	return out.Attributes, nil
}

// throttled reports whether DynamoDB refused a request because there are too many.
func throttled(err error) bool {
	var answer smithy.APIError

	return errors.As(err, &answer) && slices.Contains([]string{
		"ProvisionedThroughputExceededException", "ThrottlingException", "RequestLimitExceeded",
	}, answer.ErrorCode())
}

// Enter adds to the user's row by one UpdateItem, on condition that the costs do not pass the limit. Now and then a
// second one removes what is old.
func (s *Connections) Enter(
	ctx context.Context, userID, connectionID string, cost, limit int, at time.Time,
) (connection.User, bool, error) {
	if cost > limit {
		return connection.User{}, false, nil
	}
	c := newCounting(userPrefix+userID, at)
	c.add(costOf, cost, limit-cost+1, at)
	c.set(heardOf+connectionID, at.UnixMilli())
	row, err := c.do(ctx, s)
	if conditionFailed(err) {
		return connection.User{}, false, nil
	}
	if err != nil {
		return connection.User{}, false, fmt.Errorf("enter connection: %w", err)
	}
	user := connection.User{Heard: map[string]time.Time{}}
	var stale []string
	for attribute, value := range row {
		id, ok := strings.CutPrefix(attribute, heardOf)
		if !ok {
			if oldCounter(attribute, at) {
				stale = append(stale, attribute)
			}

			continue
		}
		ms, err := counter(value)
		if err != nil {
			return connection.User{}, false, fmt.Errorf("enter connection: %w", err)
		}
		if heard := time.UnixMilli(int64(ms)).UTC(); at.Sub(heard) < connection.MaxDuration {
			user.Heard[id] = heard
		} else {
			stale = append(stale, attribute)
		}
	}
	if len(stale) > maxStale {
		if err := s.removeAttributes(ctx, userID, stale, at); err != nil {
			return connection.User{}, false, fmt.Errorf("enter connection: %w", err)
		}
	}

	return user, true, nil
}

// Spend adds to the user's row by one UpdateItem, on condition that the sum is under the limit.
func (s *Connections) Spend(
	ctx context.Context, userID, connectionID string, cost, limit int, at time.Time,
) (connection.Spent, error) {
	if limit <= 0 {
		return connection.Spent{}, nil
	}
	c := newCounting(userPrefix+userID, at)
	spent := c.add(costOf, cost, limit, at)
	c.set(heardOf+connectionID, at.UnixMilli())
	row, err := c.do(ctx, s)
	if conditionFailed(err) {
		return connection.Spent{}, nil
	}
	if err != nil {
		return connection.Spent{}, fmt.Errorf("count cost: %w", err)
	}
	sum, err := counter(row[spent])
	if err != nil {
		return connection.Spent{}, fmt.Errorf("count cost: %w", err)
	}
	out := connection.Spent{Granted: min(cost, limit-(sum-cost))}
	for attribute := range row {
		if id, ok := strings.CutPrefix(attribute, evictedOf); ok {
			out.Evicted = append(out.Evicted, id)
		}
	}
	slices.Sort(out.Evicted)

	return out, nil
}

// Refuse adds to a row of the connection's own, by one UpdateItem.
func (s *Connections) Refuse(ctx context.Context, connectionID string, at time.Time) (int, error) {
	c := newCounting(refusedPrefix+connectionID, at)
	refused := c.add(refusedOf, 1, 0, at)
	row, err := c.do(ctx, s)
	if err != nil {
		return 0, fmt.Errorf("count refusal: %w", err)
	}
	n, err := counter(row[refused])
	if err != nil {
		return 0, fmt.Errorf("count refusal: %w", err)
	}

	return n, nil
}

// Forget takes connections from the user's row, by one UpdateItem for each [maxNames] attributes. What the row was before
// says which of them it takes.
func (s *Connections) Forget(ctx context.Context, userID string, closed, evicted []string, at time.Time) ([]string, error) {
	var taken []string
	for len(closed)+len(evicted) > 0 {
		c := newCounting(userPrefix+userID, at)
		c.returns = types.ReturnValueAllOld
		n := min(len(closed), maxNames/2) //nolint:mnd // each closed one has two attributes
		for _, id := range closed[:n] {
			c.remove(heardOf+id, evictedOf+id)
		}
		m := min(len(evicted), maxNames/2-n) //nolint:mnd // as above
		for _, id := range evicted[:m] {
			c.remove(heardOf + id)
			c.set(evictedOf+id, at.UnixMilli())
		}
		row, err := c.do(ctx, s)
		if err != nil {
			return taken, fmt.Errorf("forget connections: %w", err)
		}
		for _, id := range slices.Concat(closed[:n], evicted[:m]) {
			if row[heardOf+id] != nil || row[evictedOf+id] != nil && slices.Contains(closed[:n], id) {
				taken = append(taken, id)
			}
		}
		closed, evicted = closed[n:], evicted[m:]
	}

	return taken, nil
}

// removeAttributes removes old attributes of a user's row.
func (s *Connections) removeAttributes(ctx context.Context, userID string, old []string, at time.Time) error {
	for chunk := range slices.Chunk(old, maxNames) {
		c := newCounting(userPrefix+userID, at)
		c.remove(chunk...)
		if _, err := c.do(ctx, s); err != nil {
			return err
		}
	}

	return nil
}

func minuteCounter(counter string, minute int64) string {
	return counter + strconv.FormatInt(minute, 10)
}

// oldCounter reports whether an attribute counts the costs of a minute before the last one.
func oldCounter(attribute string, at time.Time) bool {
	text, ok := strings.CutPrefix(attribute, costOf)
	minute, err := strconv.ParseInt(text, 10, 64)

	return ok && err == nil && minute < connection.Minute(at)-1
}

func counter(value types.AttributeValue) (int, error) {
	number, ok := value.(*types.AttributeValueMemberN)
	if !ok {
		return 0, fmt.Errorf("counter is a %T", value)
	}
	n, err := strconv.Atoi(number.Value)
	if err != nil {
		return 0, fmt.Errorf("counter: %w", err)
	}

	return n, nil
}
