package dynamo

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/herald-progress/herald/lib/feed"
)

// storedRow is a job's row and the item from which it was decoded.
type storedRow struct {
	feed.Row

	// item may have attributes that this version does not know. It is nil if the job has no row.
	item item
}

// decodeStored decodes the item of a job's row. If that fails, it logs the error and returns an Unreadable row with the epoch
// and seq of the item.
func (f *Feed) decodeStored(ctx context.Context, owner, job string, it item) storedRow {
	if it == nil {
		return storedRow{Row: feed.Row{Owner: owner}}
	}
	row, err := decodeJob(it)
	if err != nil {
		f.log().WarnContext(ctx, "decode job's row", "uploadId", job, "err", err)
		row = partialRow(owner, it, f.now())
	}
	return storedRow{Row: row, item: it}
}

// partialRow returns an Unreadable row with those attributes of an item that can be decoded. If its epoch or its seq cannot be
// decoded, it returns a row whose Seq is 0. If its time cannot be decoded, UpdatedAt is now.
func partialRow(owner string, it item, now time.Time) feed.Row {
	stringOf := func(name string) (string, bool) {
		v, ok := it[name].(*types.AttributeValueMemberS)
		if !ok {
			return "", false
		}
		return v.Value, true
	}
	epoch, hasEpoch := stringOf("epoch")
	number, hasSeq := it["seq"].(*types.AttributeValueMemberN)
	if !hasEpoch || !hasSeq {
		return feed.Row{Owner: owner}
	}
	seq, err := strconv.ParseInt(number.Value, 10, 64)
	if err != nil || seq < 1 {
		return feed.Row{Owner: owner}
	}
	row := feed.Row{Owner: owner, Epoch: epoch, Seq: seq, Unreadable: true}
	row.Execution, _ = stringOf("execution")
	row.UpdatedAt = now
	if text, ok := stringOf("updatedAt"); ok {
		if at, err := parseTime("updatedAt", text); err == nil {
			row.UpdatedAt = at
		}
	}
	if named, ok := stringOf("namedEpoch"); ok {
		row.NamedEpoch, row.EpochFromTime = named, named == ""
	}
	if end, ok := it["terminal"].(*types.AttributeValueMemberBOOL); ok {
		row.UnknownTerminal = end.Value
	}
	return row
}

// versionAttributes identify the version of a row. Each update changes seq, and each claimed push pushedSeq. A new run, which begins
// again with seq 1, changes epoch. A row that TTL deleted and that was written again has another id.
var versionAttributes = []string{"epoch", "seq", "id", "pushedSeq"}

// unchangedCondition returns the condition that the stored item is still the same version as it, or that there is still no item if
// it is nil. It also returns the names and values of the condition.
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
	if len(values) == 0 { // The item has none of these attributes.
		names["#entry"] = "entry"
		conditions = append(conditions, "attribute_exists(#entry)")
		values = nil
	}
	return strings.Join(conditions, " AND "), names, values
}

// removableAttributes are those of this version that a row may lose within a run: a later attempt continues a failed run and begins
// without a sentAt, and the last state decides about the type.
var removableAttributes = []string{"terminal", "type", "sentAt"}

// copyUnknown copies the attributes that only before has to next, which is to replace before in the same run. These are attributes
// of a newer version, and the token of the last claimed push. It does not copy removableAttributes.
func copyUnknown(before, next item) {
	for name, oldValue := range before {
		newValue, ok := next[name]
		switch {
		case !ok && slices.Contains(removableAttributes, name):
			continue
		case !ok:
			next[name] = oldValue
			continue
		}
		next[name] = withUnknown(oldValue, newValue, name == "parts" || name == "scope")
	}
}

// withUnknown returns next. If deep is true, it adds to the maps and lists in next the fields and elements that only before has. It
// changes the maps and lists of next for that.
func withUnknown(before, next types.AttributeValue, deep bool) types.AttributeValue {
	if !deep {
		return next
	}
	switch next := next.(type) {
	case *types.AttributeValueMemberM:
		old, ok := before.(*types.AttributeValueMemberM)
		if !ok {
			return next
		}
		for name, value := range old.Value {
			if newValue, ok := next.Value[name]; ok {
				value = withUnknown(value, newValue, true)
			}
			next.Value[name] = value
		}
	case *types.AttributeValueMemberL:
		if old, ok := before.(*types.AttributeValueMemberL); ok && len(old.Value) > len(next.Value) {
			next.Value = append(next.Value, old.Value[len(next.Value):]...)
		}
	}
	return next
}
