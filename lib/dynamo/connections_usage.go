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

// Prefixes of the hash keys of the items that are not connections. API Gateway's connection ids contain no #.
const (
	userKeyPrefix    = "user#"
	refusalKeyPrefix = "refused#"
)

// Prefixes of the attributes of these items.
const (
	// cost#<minute> is the sum of a user's costs, refused#<minute> the number of a connection's refused messages.
	costPrefix    = "cost#"
	refusalPrefix = "refused#"
	// seen#<connection> and evicted#<connection> are when a user's connection was last seen and when it was evicted, in
	// milliseconds.
	lastSeenPrefix = "seen#"
	evictedPrefix  = "evicted#"
)

const (
	// expiredMinutes is how many old counters each request removes, beginning with the minute before the previous one. The previous
	// minute's counter stays, because a process whose clock is behind may still add to it.
	expiredMinutes = 3
	// maxStaleAttributes is how many old attributes a user's item may have before Connect removes them: counters that no
	// later request removed, and connections that were closed long ago.
	maxStaleAttributes = 30
	// maxRemovedAttributes is how many attributes one request removes.
	maxRemovedAttributes = 50
)

// usageUpdate builds an UpdateItem for the item of a user, or for the item with the refusals of a connection. UpdateItem creates the
// item if it is missing.
type usageUpdate struct {
	key string // the hash key of the item
	// The terms of the update expression, by its clause, and the condition. An empty condition means none.
	adds, sets, removes []string
	condition           string
	// The placeholders in the terms and in the condition, and what they stand for.
	names     map[string]string
	values    map[string]types.AttributeValue
	nameCount int
	// returnValues says whether send returns the attributes before or after the update.
	returnValues types.ReturnValue
}

// newUsageUpdate returns an update that only extends the expiry of the item.
func newUsageUpdate(key string, at time.Time) *usageUpdate {
	u := &usageUpdate{key: key, names: map[string]string{}, values: map[string]types.AttributeValue{}, returnValues: types.ReturnValueAllNew}
	u.set(attrExpiresAt, at.Add(connection.MaxDuration).Unix())
	return u
}

// name returns a placeholder for an attribute's name.
func (u *usageUpdate) name(attribute string) string {
	placeholder := "#" + strconv.Itoa(u.nameCount)
	u.nameCount++
	u.names[placeholder] = attribute
	return placeholder
}

// value returns a placeholder for a number.
func (u *usageUpdate) value(n int64) string {
	placeholder := ":" + strconv.Itoa(len(u.values))
	u.values[placeholder] = numberAttribute(n)
	return placeholder
}

func (u *usageUpdate) set(attribute string, n int64) {
	u.sets = append(u.sets, u.name(attribute)+" = "+u.value(n))
}

func (u *usageUpdate) remove(attributes ...string) {
	for _, attribute := range attributes {
		u.removes = append(u.removes, u.name(attribute))
	}
}

// addToMinute adds n to the counter of the minute of at, and removes the counters of older minutes. counter is the prefix of the
// counters' names. If limit is not 0, the update has the condition that the counter is below the limit. addToMinute returns the name
// of the counter's attribute.
func (u *usageUpdate) addToMinute(counter string, n, limit int, at time.Time) (attribute string) {
	minute := connection.Minute(at)
	attribute = counterName(counter, minute)
	placeholder := u.name(attribute)
	u.adds = append(u.adds, placeholder+" "+u.value(int64(n)))
	for n := range int64(expiredMinutes) {
		u.remove(counterName(counter, minute-2-n)) // minute-1 is the previous minute, which stays.
	}
	if limit > 0 {
		u.condition = "attribute_not_exists(" + placeholder + ") OR " + placeholder + " < " + u.value(int64(limit))
	}
	return attribute
}

// send sends the update and returns the item's attributes, as returnValues selects. The error may be [connection.ErrThrottled].
func (u *usageUpdate) send(ctx context.Context, s *Connections) (item, error) {
	expression := "SET " + strings.Join(u.sets, ", ")
	if len(u.adds) > 0 {
		expression += " ADD " + strings.Join(u.adds, ", ")
	}
	if len(u.removes) > 0 {
		expression += " REMOVE " + strings.Join(u.removes, ", ")
	}
	request := &dynamodb.UpdateItemInput{
		TableName: &s.Table, Key: connectionKey(u.key), UpdateExpression: &expression,
		ExpressionAttributeNames: u.names, ExpressionAttributeValues: u.values, ReturnValues: u.returnValues,
	}
	if u.condition != "" {
		request.ConditionExpression = &u.condition
	}
	out, err := s.Client.UpdateItem(ctx, request)
	if isThrottled(err) {
		return nil, fmt.Errorf("%w: %w", connection.ErrThrottled, err)
	}
	if err != nil {
		return nil, fmt.Errorf("update usage: %w", err)
	}
	return out.Attributes, nil
}

// isThrottled reports whether DynamoDB throttled a request.
func isThrottled(err error) bool {
	var apiErr smithy.APIError
	return errors.As(err, &apiErr) && slices.Contains([]string{
		"ProvisionedThroughputExceededException", "ThrottlingException", "RequestLimitExceeded",
	}, apiErr.ErrorCode())
}

// Connect updates the user's item in one UpdateItem, on condition that the sum of the costs does not exceed the limit. If the
// item has many old attributes, a second request removes them.
func (s *Connections) Connect(
	ctx context.Context, userID, connectionID string, cost, limit int, at time.Time,
) (connection.ConnectResult, bool, error) {
	if cost > limit {
		return connection.ConnectResult{}, false, nil
	}
	u := newUsageUpdate(userKeyPrefix+userID, at)
	u.addToMinute(costPrefix, cost, limit-cost+1, at) // The condition "below limit-cost+1" means that the new sum is at most limit.
	u.set(lastSeenPrefix+connectionID, at.UnixMilli())
	attributes, err := u.send(ctx, s)
	if isConditionFailed(err) {
		return connection.ConnectResult{}, false, nil
	}
	if err != nil {
		return connection.ConnectResult{}, false, fmt.Errorf("connect: %w", err)
	}
	result := connection.ConnectResult{LastSeen: map[string]time.Time{}}
	var stale []string // attributes to remove
	for attribute, value := range attributes {
		id, ok := strings.CutPrefix(attribute, lastSeenPrefix)
		if !ok {
			if isExpiredCounter(attribute, at) {
				stale = append(stale, attribute)
			}
			continue
		}
		ms, err := intValue(value)
		if err != nil {
			return connection.ConnectResult{}, false, fmt.Errorf("connect: %w", err)
		}
		if seen := time.UnixMilli(int64(ms)).UTC(); at.Sub(seen) < connection.MaxDuration {
			result.LastSeen[id] = seen
		} else {
			stale = append(stale, attribute)
		}
	}
	if len(stale) > maxStaleAttributes {
		if err := s.removeAttributes(ctx, userID, stale, at); err != nil {
			return connection.ConnectResult{}, false, fmt.Errorf("connect: %w", err)
		}
	}
	return result, true, nil
}

// Spend updates the user's item in one UpdateItem, on condition that the sum of the costs before it is below the limit.
func (s *Connections) Spend(
	ctx context.Context, userID, connectionID string, cost, limit int, at time.Time,
) (connection.SpendResult, error) {
	if limit <= 0 {
		return connection.SpendResult{}, nil
	}
	u := newUsageUpdate(userKeyPrefix+userID, at)
	spent := u.addToMinute(costPrefix, cost, limit, at)
	u.set(lastSeenPrefix+connectionID, at.UnixMilli())
	attributes, err := u.send(ctx, s)
	if isConditionFailed(err) {
		return connection.SpendResult{}, nil
	}
	if err != nil {
		return connection.SpendResult{}, fmt.Errorf("count cost: %w", err)
	}
	sum, err := intValue(attributes[spent])
	if err != nil {
		return connection.SpendResult{}, fmt.Errorf("count cost: %w", err)
	}
	sumBefore := sum - cost
	out := connection.SpendResult{Granted: min(cost, limit-sumBefore)}
	for attribute := range attributes {
		if id, ok := strings.CutPrefix(attribute, evictedPrefix); ok {
			out.Evicted = append(out.Evicted, id)
		}
	}
	slices.Sort(out.Evicted)
	return out, nil
}

// CountRefusal adds one to the connection's refused messages in one UpdateItem.
func (s *Connections) CountRefusal(ctx context.Context, connectionID string, at time.Time) (int, error) {
	const noLimit = 0
	u := newUsageUpdate(refusalKeyPrefix+connectionID, at)
	refused := u.addToMinute(refusalPrefix, 1, noLimit, at)
	attributes, err := u.send(ctx, s)
	if err != nil {
		return 0, fmt.Errorf("count refusal: %w", err)
	}
	n, err := intValue(attributes[refused])
	if err != nil {
		return 0, fmt.Errorf("count refusal: %w", err)
	}
	return n, nil
}

// RemoveFromUser removes connections from the user's item, with one UpdateItem for each [maxRemovedAttributes] attributes. It gets
// the attributes as they were before each update: these show which connections this call removed.
func (s *Connections) RemoveFromUser(ctx context.Context, userID string, closed, evicted []string, at time.Time) ([]string, error) {
	var removed []string
	for len(closed)+len(evicted) > 0 {
		u := newUsageUpdate(userKeyPrefix+userID, at)
		u.returnValues = types.ReturnValueAllOld
		nClosed := min(len(closed), maxRemovedAttributes/2) // Each connection takes two attributes.
		for _, id := range closed[:nClosed] {
			u.remove(lastSeenPrefix+id, evictedPrefix+id)
		}
		nEvicted := min(len(evicted), maxRemovedAttributes/2-nClosed)
		for _, id := range evicted[:nEvicted] {
			u.remove(lastSeenPrefix + id)
			u.set(evictedPrefix+id, at.UnixMilli())
		}
		attributes, err := u.send(ctx, s)
		if err != nil {
			return removed, fmt.Errorf("remove connections: %w", err)
		}
		for _, id := range closed[:nClosed] {
			if attributes[lastSeenPrefix+id] != nil || attributes[evictedPrefix+id] != nil {
				removed = append(removed, id)
			}
		}
		for _, id := range evicted[:nEvicted] {
			if attributes[lastSeenPrefix+id] != nil { // Otherwise another call has evicted or closed it before.
				removed = append(removed, id)
			}
		}
		closed, evicted = closed[nClosed:], evicted[nEvicted:]
	}
	return removed, nil
}

// removeAttributes removes attributes of a user's item.
func (s *Connections) removeAttributes(ctx context.Context, userID string, attributes []string, at time.Time) error {
	for chunk := range slices.Chunk(attributes, maxRemovedAttributes) {
		u := newUsageUpdate(userKeyPrefix+userID, at)
		u.remove(chunk...)
		if _, err := u.send(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// counterName returns the name of a minute's counter. counter is its prefix.
func counterName(counter string, minute int64) string {
	return counter + strconv.FormatInt(minute, 10)
}

// isExpiredCounter reports whether an attribute counts the costs of a minute before the previous one.
func isExpiredCounter(attribute string, at time.Time) bool {
	text, ok := strings.CutPrefix(attribute, costPrefix)
	minute, err := strconv.ParseInt(text, 10, 64)
	return ok && err == nil && minute < connection.Minute(at)-1
}

// intValue returns the number in an attribute: a counter, or a time in milliseconds.
func intValue(value types.AttributeValue) (int, error) {
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
