package dynamo

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"

	"github.com/herald-progress/herald/lib/feed"
	"github.com/herald-progress/herald/lib/message"
)

// noon is the time of the rows of these tests.
var noon = time.Date(2026, 11, 22, 12, 0, 0, 123_000_000, time.UTC)

// sampleRow returns a row that has every attribute of an item except namedEpoch and push.
func sampleRow() feed.Row {
	return feed.Row{
		Owner: feed.User("u1"), Epoch: "2026-11-22T10:00:00.123Z#0000", Seq: 17, ID: "01JD9",
		Type: message.TypeJobProgress, Attempt: 2, ExpectEvery: 60, EndAfter: 600, StalledSeq: 9,
		State: message.UploadProgress{
			UploadID: "job", FileName: "f.csv", Progress: 42.5, Message: "Over", TotalRows: 100, Status: message.StatusFailed, Phase: "parse",
			Attempt: 2, Of: 3,
		},
		UpdatedAt: noon, SentAt: noon.Add(-2 * time.Second), Execution: "arn:aws:states:x", Keys: []string{"a", "b"},
		Parts: map[string]feed.PartCount{"1": {Done: 30, Failed: 2}}, PartsDone: 30, PartsFailed: 2,
		Scope:    feed.Scope{Total: 100, From: 10, To: 90, Since: noon.Add(-time.Minute)},
		PushedAt: noon.Add(-time.Second), PushedSeq: 16, PushedProgress: 41,
	}
}

// attributeValues returns the values of an item as Go values.
func attributeValues(t *testing.T, it item) map[string]any {
	t.Helper()
	var got map[string]any
	if err := attributevalue.UnmarshalMap(it, &got); err != nil {
		t.Fatal(err)
	}
	return got
}

func TestFeedItemFormat(t *testing.T) {
	it, err := encodeJob(sampleRow())
	if err != nil {
		t.Fatal(err)
	}
	end := float64(noon.Add(24 * time.Hour).Unix())
	want := map[string]any{ // The ID is in the entry, and the message is an attribute of its own, so data leaves both empty.
		"owner": "user/u1", "entry": "job#job", "expiresAt": end, "epoch": "2026-11-22T10:00:00.123Z#0000", "seq": 17.0, "id": "01JD9",
		"data": `{"uploadId":"","fileName":"f.csv","progress":42.5,"message":"","totalRows":100,"status":"failed","phase":"parse","attempt":2,"of":3}`,
		"type": "job_progress", "attempt": 2.0, "expectEvery": 60.0, "endAfter": 600.0, "stalledSeq": 9.0,
		"message": "Over", "terminal": true, "updatedAt": "2026-11-22T12:00:00.123Z", "sentAt": float64(noon.Add(-2 * time.Second).UnixMilli()), "execution": "arn:aws:states:x",
		"keys": []any{"a", "b"}, "parts": map[string]any{"1": 30.0}, "failures": map[string]any{"1": 2.0}, "partsDone": 30.0, "partsFailed": 2.0,
		"scope":    map[string]any{"total": 100.0, "from": 10.0, "to": 90.0, "since": "2026-11-22T11:59:00.123Z"},
		"pushedAt": "2026-11-22T11:59:59.123Z", "pushedSeq": 16.0, "pushedProgress": 41.0,
	}
	if diff := cmp.Diff(want, attributeValues(t, it)); diff != "" {
		t.Errorf("a job's row (-want +got):\n%s", diff)
	}

	it, err = encodeJob(feed.Row{Owner: "user/u1", Seq: 1, State: message.UploadProgress{UploadID: "job"}, UpdatedAt: noon, PushedAt: noon})
	if err != nil {
		t.Fatal(err)
	}
	for _, attribute := range []string{"terminal", "execution", "keys", "scope", "sentAt", "type", "attempt", "expectEvery", "endAfter", "stalledSeq"} {
		if it[attribute] != nil {
			t.Errorf("a row without %s has %v", attribute, it[attribute])
		}
	}
	for _, attribute := range []string{"parts", "failures"} {
		if m, ok := it[attribute].(*types.AttributeValueMemberM); !ok || len(m.Value) != 0 {
			t.Errorf("a row without parts has the %s %v: no part could be written into it", attribute, it[attribute])
		}
	}

	it, err = encodeNote("user/u1", feed.Note{ID: "01JD9", At: noon, Data: message.Error{Code: "C", Message: "a < b"}, Key: "k"})
	if err != nil {
		t.Fatal(err)
	}
	want = map[string]any{
		"owner": "user/u1", "entry": "note#01JD9", "expiresAt": float64(noon.Add(7 * 24 * time.Hour).Unix()),
		"at": "2026-11-22T12:00:00.123Z", "type": "error", "data": `{"code":"C","message":"a < b"}`,
	}
	if diff := cmp.Diff(want, attributeValues(t, it)); diff != "" {
		t.Errorf("a note's row (-want +got):\n%s", diff)
	}
	if owner := pointerOwner("arn:aws:states:x"); !strings.HasPrefix(owner, "exec/0") || len(owner) != len("exec/0f") {
		t.Errorf("the owner of pointers is %q", owner)
	}
}

// DynamoDB bills reads in units of 4 KB, by the size of the names and values of the attributes
// (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html). The test makes the largest row
// without parts: the texts have their maximum, and the message is as long as MaxState allows.
func TestJobWithoutPartsFitsIn4KB(t *testing.T) {
	text := func(n int) string { return strings.Repeat("x", n) }
	row := feed.Row{
		Owner: feed.User(text(message.MaxUserID)), Epoch: "2026-11-22T10:00:00.123Z#0000", Seq: 1 << 40, ID: text(26),
		State: message.UploadProgress{
			UploadID: text(message.MaxID), FileName: text(message.MaxName), Phase: text(message.MaxPhase), Progress: 42.51, Status: message.StatusCancelled,
			Attempt: message.MaxAttempt, Of: message.MaxAttempt, ExpectEvery: message.MaxExpectEvery, EndAfter: message.MaxEndAfter,
			Steps: message.NewSteps(message.Step{Name: text(100), At: message.Time{Time: noon}, Status: message.StepSucceeded, Title: text(100)}),
		},
		Type: message.TypeJobProgress, Attempt: message.MaxAttempt, ExpectEvery: message.MaxExpectEvery, EndAfter: message.MaxEndAfter, StalledSeq: 1 << 40,
		UpdatedAt: noon, SentAt: noon, Execution: text(message.MaxExecution),
		PushedAt: noon, PushedSeq: 1 << 40, PushedProgress: 42.51,
	}
	for range 16 { // the maximum of keys, whose hashes have 16 characters
		row.Keys = append(row.Keys, text(16))
	}
	for _, letter := range []string{"x", "<"} { // "<" would take more bytes with HTML escapes.
		row.State.FileName, row.State.Message = strings.Repeat(letter, message.MaxName), ""
		for message.New(message.AsType(row.Type, row.State), "", noon).CheckSize("") == nil {
			row.State.Message += letter
		}
		it, err := encodeJob(row)
		if err != nil {
			t.Fatal(err)
		}
		it["push"] = stringValue(text(26)) // as long as the token of a push
		if got := size(&types.AttributeValueMemberM{Value: it}); got > 4096 || len(row.State.Message) < 100 {
			t.Errorf("the largest row of %q takes %d bytes, with a message of %d", letter, got, len(row.State.Message))
		}
	}
}

// ItemSize returns the size of an item in bytes, as DynamoDB bills it.
func ItemSize(it item) int {
	sum := 0
	for name, value := range it {
		sum += len(name) + size(value)
	}
	return sum
}

// size returns the size of a value in bytes, as DynamoDB bills it.
func size(v types.AttributeValue) int {
	const nested = 3 // the overhead of a list or map
	switch v := v.(type) {
	case *types.AttributeValueMemberS:
		return len(v.Value)
	case *types.AttributeValueMemberN:
		return (len(v.Value)+1)/2 + 1 // a byte for two digits, and one more
	case *types.AttributeValueMemberL:
		sum := nested
		for _, element := range v.Value {
			sum += 1 + size(element)
		}
		return sum
	case *types.AttributeValueMemberM:
		sum := nested
		for name, value := range v.Value {
			sum += 1 + len(name) + size(value)
		}
		return sum
	default:
		return 1
	}
}

func TestDecodeJobRejectsDamagedItems(t *testing.T) {
	number := func(n string) types.AttributeValue { return &types.AttributeValueMemberN{Value: n} }
	list := func(values ...types.AttributeValue) types.AttributeValue {
		return &types.AttributeValueMemberL{Value: values}
	}
	dict := func(values item) types.AttributeValue { return &types.AttributeValueMemberM{Value: values} }
	for _, tt := range []struct {
		attribute string
		value     types.AttributeValue // nil deletes it
		want      string
	}{
		{"entry", stringValue("note#1"), "entry: is not that of a job"},
		{"entry", nil, "entry: is not that of a job"},
		{"seq", nil, "seq: 0 is under 1"},
		{"seq", number("-1"), "seq: -1 is under 1"},
		{"seq", stringValue("1"), "row: "},
		{"seq", number("1e19"), "row: "},
		{"data", nil, "data: "},
		{"data", stringValue("{"), "data: "},
		{"data", stringValue(`{"progress":"1"}`), "data: "},
		{"data", list(), "row: "},
		{"terminal", nil, `terminal: is false, with the status "failed"`},
		{"terminal", stringValue("true"), "row: "},
		{"updatedAt", nil, "updatedAt: "},
		{"updatedAt", stringValue("yesterday"), "updatedAt: "},
		{"pushedAt", stringValue(""), "pushedAt: "},
		{"keys", stringValue("k"), "row: "},
		{"keys", list(list()), "row: "},
		{"parts", list(), "row: "},
		{"parts", dict(item{"1": number("5.5")}), "row: "},
		{"parts", dict(item{"1": stringValue("5")}), "row: "},
		{"failures", nil, `failures: is missing, with the part "1"`},
		{"failures", number("2"), "row: "},
		{"failures", dict(item{"1": list()}), "row: "},
		{"parts", dict(item{"1": list()}), `parts: "1" has 0 numbers`},
		{"parts", dict(item{"1": list(stringValue("1"), number("2"))}), "row: "},
		{"scope", dict(item{}), "scope.since: "},
		{"scope", dict(item{"since": stringValue(formatTime(noon)), "from": stringValue("0")}), "row: "},
	} {
		t.Run(fmt.Sprint(tt.attribute, " ", tt.want), func(t *testing.T) {
			it, err := encodeJob(sampleRow())
			if err != nil {
				t.Fatal(err)
			}
			damage(it, tt.attribute, tt.value)
			if row, err := decodeJob(it); err == nil || !strings.HasPrefix(err.Error(), tt.want) {
				t.Errorf("decodeJob: %+v, %v, want %q", row, err, tt.want)
			}
		})
	}
}

// damage sets an attribute, or deletes it if value is nil.
func damage(it item, attribute string, value types.AttributeValue) {
	if value == nil {
		delete(it, attribute)
		return
	}
	it[attribute] = value
}

func TestDecodeRejectsDamagedNotesAndPointers(t *testing.T) {
	note, err := encodeNote("user/u1", feed.Note{ID: "01JD9", At: noon, Data: message.Error{Code: "C", Message: "m"}})
	if err != nil {
		t.Fatal(err)
	}
	pointer, err := marshal(pointerRow{Owner: "exec/00", Entry: "exec#arn#0123", At: formatTime(noon), User: "user/u1", Job: "job"})
	if err != nil {
		t.Fatal(err)
	}
	dict := &types.AttributeValueMemberM{}
	for _, tt := range []struct {
		of        string
		attribute string
		value     types.AttributeValue
		want      string
	}{
		{"note", "entry", stringValue("job#1"), "entry: is not that of a note"},
		{"note", "at", nil, "at: "},
		{"note", "type", nil, "data: "},
		{"note", "data", nil, "data: "},
		{"note", "data", stringValue("{"), "data: "},
		{"note", "data", stringValue("[]"), "data: "},
		{"note", "data", dict, "row: "},
		{"pointer", "entry", nil, "entry: is not that of a pointer"},
		{"pointer", "entry", stringValue("exec#arn"), "entry: is not that of a pointer"},
		{"pointer", "entry", stringValue("job#1#2"), "entry: is not that of a pointer"},
		{"pointer", "at", stringValue("x"), "at: "},
		{"pointer", "job", dict, "row: "},
	} {
		t.Run(fmt.Sprint(tt.of, " ", tt.attribute), func(t *testing.T) {
			var err error
			if tt.of == "note" {
				it := maps.Clone(note)
				damage(it, tt.attribute, tt.value)
				_, err = decodeNote(it)
			} else {
				it := maps.Clone(pointer)
				damage(it, tt.attribute, tt.value)
				_, err = decodePointer(it)
			}
			if err == nil || !strings.HasPrefix(err.Error(), tt.want) {
				t.Errorf("the error is %v, want %q", err, tt.want)
			}
		})
	}
}

func TestDecodeNoteAcceptsUnknownTypes(t *testing.T) {
	it, err := marshal(noteRow{Owner: "user/u1", Entry: "note#1", At: formatTime(noon), Type: "gossip", Data: `{"a":1}`})
	if err != nil {
		t.Fatal(err)
	}
	n, err := decodeNote(it)
	if err != nil || n.Data.Type() != "gossip" {
		t.Errorf("decodeNote: %+v, %v", n, err)
	}
}

func TestRowCacheIsBounded(t *testing.T) {
	var cache rowCache
	row := sampleRow()
	row.State.Status = message.StatusRunning
	for n := range 3 * maxCachedRows {
		row.State.UploadID = fmt.Sprint(n)
		cache.put(storedRow{Row: row})
		if got, ok := cache.get(row.Owner, row.State.UploadID); !ok || got.State.UploadID != row.State.UploadID || len(cache.rows) > maxCachedRows {
			t.Fatalf("after %d rows, %d are cached; the last row is cached: %t", n+1, len(cache.rows), ok)
		}
	}
	for _, tt := range []struct {
		after time.Duration
		want  bool
	}{{0, true}, {cachedRowAge - 1, true}, {cachedRowAge, false}, {-cachedRowAge, false}} {
		if _, ok := cache.getRecent(row.Owner, row.State.UploadID, noon.Add(tt.after)); ok != tt.want {
			t.Errorf("after %v the row is recent: %t", tt.after, ok)
		}
	}
	row.State.Status = message.StatusFailed
	cache.put(storedRow{Row: row})
	if _, ok := cache.get(row.Owner, row.State.UploadID); ok {
		t.Error("a job that has ended is still cached")
	}
}

// FuzzDecodeJob checks that decodeJob never panics, and that a decoded row stays the same when it is encoded and decoded again.
func FuzzDecodeJob(f *testing.F) {
	f.Add(`{"fileName":"f","progress":1}`, "2026-11-22T10:00:00.123Z", "2026-11-22T10:00:00.123Z#0000", int64(1), false)
	f.Add(`{"progress":1,"status":"paused","steps":[{"a":"<"}]}`, "2026-11-22T10:00:00.123Z", "", int64(9), false)
	f.Add(`{"progress":1,"steps":[{"name":"a","at":"2026-11-22T10:00:00Z"}]}`, "2026-11-22T10:00:00.123Z", "", int64(9), false)
	f.Add(`{"status":"skipped","Progress":7}`, "2026-11-22T10:00:00.123Z", "x", int64(9), true)
	f.Fuzz(func(t *testing.T, data, at, namedEpoch string, seq int64, terminal bool) {
		it, err := encodeJob(sampleRow())
		if err != nil {
			t.Fatal(err)
		}
		it["data"], it["updatedAt"], it["namedEpoch"], it["seq"] = stringValue(data), stringValue(at), stringValue(namedEpoch), numberValue(seq)
		delete(it, "terminal")
		if terminal {
			it["terminal"] = &types.AttributeValueMemberBOOL{Value: true}
		}
		row, err := decodeJob(it)
		if err != nil {
			return
		}
		again, err := encodeJob(row)
		if err != nil {
			t.Fatalf("%+v: %v", row, err)
		}
		if got, err := decodeJob(again); err != nil || !cmp.Equal(row, got) {
			t.Errorf("%v, row (-want +got):\n%s", err, cmp.Diff(row, got))
		}
	})
}

// FuzzDecodeNoteAndPointer checks that decodeNote and decodePointer never panic.
func FuzzDecodeNoteAndPointer(f *testing.F) {
	f.Add("note#1", "2026-11-22T10:00:00.123Z", "error", `{"code":"C","message":"m"}`)
	f.Add("exec#arn#0123", "2026-11-22T10:00:00.123Z", "gossip", `{"a":[1]}`)
	f.Fuzz(func(t *testing.T, entry, at, kind, data string) {
		it := item{"owner": stringValue("user/u1"), "entry": stringValue(entry), "at": stringValue(at), "type": stringValue(kind), "data": stringValue(data), "job": stringValue(data)}
		if n, err := decodeNote(it); err == nil && noteEntry(n.ID) != entry {
			t.Errorf("the note of %q is %+v", entry, n)
		}
		if p, err := decodePointer(it); err == nil && !strings.HasPrefix(entry, pointerEntryPrefix(p.Execution)) {
			t.Errorf("the pointer of %q is %+v", entry, p)
		}
	})
}
