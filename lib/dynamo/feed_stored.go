package dynamo

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/herald-progress/herald/lib/feed"
)

// storedRow is a job's row with its item, which may have attributes that this version does not know.
type storedRow struct {
	feed.Row

	// item is nil if there is none.
	item item
}

// decodeStored decodes the item of a job's row. If that fails, it logs the error and returns an Unreadable row with the epoch
// and seq of the item.
func (s *Feed) decodeStored(ctx context.Context, owner, job string, it item) storedRow {
	if it == nil {
		return storedRow{Row: feed.Row{Owner: owner}}
	}
	row, err := decodeJob(it)
	if err != nil {
		s.log().WarnContext(ctx, "decode job's row", "uploadId", job, "err", err)
		row = partialRow(owner, it, s.now())
	}
	return storedRow{Row: row, item: it}
}

// partialRow returns the attributes of an item that can be decoded. Without epoch and seq it returns a row without Seq. The
// default of UpdatedAt is now.
func partialRow(owner string, it item, now time.Time) feed.Row {
	str := func(name string) (string, bool) {
		v, ok := it[name].(*types.AttributeValueMemberS)
		if !ok {
			return "", false
		}
		return v.Value, true
	}
	epoch, hasEpoch := str("epoch")
	number, hasSeq := it["seq"].(*types.AttributeValueMemberN)
	if !hasEpoch || !hasSeq {
		return feed.Row{Owner: owner}
	}
	seq, err := strconv.ParseInt(number.Value, 10, 64)
	if err != nil || seq < 1 {
		return feed.Row{Owner: owner}
	}
	row := feed.Row{Owner: owner, Epoch: epoch, Seq: seq, Unreadable: true}
	row.Execution, _ = str("execution")
	row.UpdatedAt = now
	if at, ok := str("updatedAt"); ok {
		if read, err := parseTime("updatedAt", at); err == nil {
			row.UpdatedAt = read
		}
	}
	if run, ok := str("run"); ok {
		row.NamedEpoch, row.EpochFromTime = run, run == ""
	}
	if end, ok := it["terminal"].(*types.AttributeValueMemberBOOL); ok {
		row.UnknownTerminal = end.Value
	}

	return row
}

// versionAttributes identify the version of a row. Each update changes seq, a new run the epoch, a row that replaces a deleted
// one the id, and a claimed push pushedSeq.
var versionAttributes = []string{"epoch", "seq", "id", "pushedSeq"}

// unchangedCondition returns the condition that the stored item is still it, with its names and values.
func unchangedCondition(it item) (string, map[string]string, item) {
	if it == nil {
		return "attribute_not_exists(#entry)", map[string]string{"#entry": "entry"}, nil
	}
	var conditions []string
	names, values := map[string]string{}, item{}
	for _, name := range versionAttributes {
		names["#"+name] = name
		if v, ok := it[name]; ok {
			conditions = append(conditions, "#"+name+" = :"+name)
			values[":"+name] = v
		} else {
			conditions = append(conditions, "attribute_not_exists(#"+name+")")
		}
	}
	if len(values) == 0 { // The item has none of them.
		names["#entry"] = "entry"
		conditions = append(conditions, "attribute_exists(#entry)")
		values = nil
	}

	return strings.Join(conditions, " AND "), names, values
}

// copyUnknown copies to next, which replaces before in the same run, the attributes that only before has: those of a newer
// version, and the token of the last claimed push.
func copyUnknown(before, next item) {
	for name, had := range before {
		now, ok := next[name]
		if !ok {
			next[name] = had
			continue
		}
		next[name] = withUnknown(had, now, name == "parts" || name == "whole")
	}
}

// withUnknown returns next with the fields and elements that only before has.
func withUnknown(before, next types.AttributeValue, deep bool) types.AttributeValue {
	if !deep {
		return next
	}
	switch next := next.(type) {
	case *types.AttributeValueMemberM:
		had, ok := before.(*types.AttributeValueMemberM)
		if !ok {
			return next
		}
		for name, value := range had.Value {
			if now, ok := next.Value[name]; ok {
				value = withUnknown(value, now, true)
			}
			next.Value[name] = value
		}
	case *types.AttributeValueMemberL:
		if had, ok := before.(*types.AttributeValueMemberL); ok && len(had.Value) > len(next.Value) {
			next.Value = append(next.Value, had.Value[len(next.Value):]...)
		}
	}

	return next
}
