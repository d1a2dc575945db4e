package csvimport_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/herald-progress/herald/lib/csvimport"
	"github.com/herald-progress/herald/lib/message"
)

// These tests run the steps as a workflow does. put uploads a file and returns its event, run imports it, rows and object return the
// results.

const (
	user     = "auth0|4711/ä"
	upload   = "up-1"
	fileName = "parts list.csv"
	epoch    = "2026-11-22T10:00:00Z#1"
	// arnPrefix is the ARN of an execution without the execution's name.
	arnPrefix = "arn:aws:states:us-east-1:123456789012:execution:csv_import:"
)

// key is the key of the upload.
var key = csvimport.UploadKey(user, upload, fileName)

// put writes an upload and returns its event.
func put(t *testing.T, store csvimport.Store, content []byte) csvimport.Event {
	t.Helper()
	w := store.Create(t.Context(), key, csvimport.Replace)
	if _, err := w.Write(content); err != nil {
		t.Fatalf("write upload: %v", err)
	}
	if err := w.Close(); err != nil {
		t.Fatalf("write upload: %v", err)
	}
	var e csvimport.Event
	e.Object.Key, e.Object.Size, e.Object.ETag, e.Object.Sequencer = key, int64(len(content)), csvimport.ETag(content), "0062"
	return e
}

// object returns the content of an object.
func object(t *testing.T, store csvimport.Store, key string) string {
	t.Helper()
	body, err := store.Get(t.Context(), csvimport.Object{Key: key}, 0, -1) // -1: up to the end
	if err != nil {
		t.Fatalf("get %s: %v", key, err)
	}
	content, err := io.ReadAll(body)
	if err := errors.Join(err, body.Close()); err != nil {
		t.Fatalf("read %s: %v", key, err)
	}
	return string(content)
}

// handler is a step of the import.
type handler[In, Out any] interface {
	Handle(ctx context.Context, in In) (Out, error)
}

// call runs a step with JSON input and output, as a workflow does. It returns the output as a Next. After a StoreError it runs the
// step again, at most retries times.
func call[In, Out, Next any](t *testing.T, h handler[In, Out], in any, retries int) (Next, error) {
	t.Helper()
	var output Next
	text, err := json.Marshal(in)
	if err != nil {
		t.Fatalf("marshal input: %v", err)
	}
	var typed In
	if err := json.Unmarshal(text, &typed); err != nil {
		t.Fatalf("unmarshal input: %v", err)
	}
	out, err := h.Handle(t.Context(), typed)
	for ; err != nil && retries > 0; retries-- {
		var storeErr *csvimport.StoreError
		if !errors.As(err, &storeErr) {
			return output, err
		}
		out, err = h.Handle(t.Context(), typed)
	}
	if err != nil {
		return output, err
	}
	if text, err = json.Marshal(out); err != nil {
		t.Fatalf("marshal output: %v", err)
	}
	if err := json.Unmarshal(text, &output); err != nil {
		t.Fatalf("unmarshal output: %v", err)
	}
	return output, nil
}

// run imports the upload as the workflow does: one step after the other, each with at most retries retries. execution is the name of
// the execution. run returns the summary, or the error of a step. If all rows were rejected, it returns both.
func run(t *testing.T, c csvimport.Config, e csvimport.Event, execution string, retries int) (csvimport.Summary, error) {
	t.Helper()
	var s csvimport.Summary
	execution = arnPrefix + execution
	in := csvimport.PlanInput{Epoch: epoch, Execution: execution, Detail: e}
	plan, err := call[csvimport.PlanInput, csvimport.PlanOutput, csvimport.PlanOutput](t, csvimport.NewPlan(c), in, retries)
	if err != nil || plan.Repeated {
		return s, err
	}
	finish := csvimport.FinishInput{Epoch: epoch, Execution: execution, File: plan.File, TotalRows: plan.TotalRows}
	if publisher, ok := c.Publisher.(*recordingPublisher); ok {
		publisher.publishStarted(plan)
	}
	for _, r := range plan.Ranges {
		in := csvimport.ChunkInput{Epoch: epoch, Execution: execution, File: plan.File, TotalRows: plan.TotalRows, Range: r}
		out, err := call[csvimport.ChunkInput, csvimport.ChunkOutput, csvimport.ChunkOutput](t, csvimport.NewChunk(c), in, retries)
		if err != nil {
			return s, err
		}
		finish.Chunks = append(finish.Chunks, out)
	}
	out, err := call[csvimport.FinishInput, csvimport.FinishOutput, csvimport.FinishOutput](t, csvimport.NewFinish(c), finish, retries)
	if nothing := (*csvimport.InvalidFile)(nil); errors.As(err, &nothing) {
		s, readErr := csvimport.ReadSummary(t.Context(), c.Store, plan.File.UserID, plan.File.UploadID)
		return s, errors.Join(err, readErr)
	}
	if err != nil {
		return s, err
	}
	if f, ok := c.Store.(*flakyStore); ok {
		f.failAt = -1 // The import has ended. The calls below, with which the test reads the results, must not fail.
	}
	if err := json.Unmarshal([]byte(object(t, c.Store, out.Summary)), &s); err != nil {
		t.Fatalf("summary: %v", err)
	}
	if s.Counts != out.Counts || s.Accepted != out.Accepted {
		t.Errorf("output is %+v, summary says %+v", out, s)
	}
	result := out.Summary
	if s.Rejected > 0 {
		result = s.Prefix + s.Rejects
	}
	if out.Result != "" && out.Result != result || !message.IsResultOf(s.UserID, result) {
		t.Errorf("the result is %q, want %q", out.Result, result)
	}
	return s, nil
}

// rows returns the accepted rows, in order.
func rows(t *testing.T, store csvimport.Store, s csvimport.Summary) string {
	t.Helper()
	var all strings.Builder
	for _, name := range s.Results {
		all.WriteString(object(t, store, s.Prefix+name))
	}
	return all.String()
}

func TestImportStoresRowsRejectsAndASummary(t *testing.T) {
	store := &csvimport.Memory{}
	content := "\xEF\xBB\xBFDescription;COLOR; Part ;quantity\r\n" +
		"\"Brick\r\n2 x 4; \"\"old\"\"\"; Red ;3001;4\r\n" +
		"\r\n" +
		"Plate;Blue;3020;0\n" +
		"=cmd();;3020;1\n" +
		"Tile\t;White;3068b; 1000000"
	s, err := run(t, csvimport.Config{Store: store, RangeBytes: 1}, put(t, store, []byte(content)), "x", 0)
	if err != nil {
		t.Fatalf("import: %v", err)
	}
	want := csvimport.Summary{
		UserID: user, UploadID: upload, FileName: fileName, Bytes: int64(len(content)),
		Encoding: "utf-8", Columns: map[string]string{"part": "Part", "color": "COLOR", "quantity": "quantity"}, Notes: []string{},
		Claim: s.Claim, OrderTime: "2026-11-22T10:00:00.000Z", Sequencer: "0062",
		Counts: csvimport.Counts{Rows: 4, Rejected: 2, Quantity: 1_000_004}, Accepted: 2,
		RejectedBy: []csvimport.RejectCount{
			{Column: "COLOR", Reason: "missing value", Rows: 1},
			{Column: "quantity", Reason: "not a whole number from 1 to 1,000,000", Rows: 1},
		},
		StartedAt: s.StartedAt, FinishedAt: s.FinishedAt, DurationMillis: s.DurationMillis,
		Prefix:  "results/YXV0aDB8NDcxMS_DpA/up-1/" + s.Claim + "/",
		Results: []string{"part-00000.jsonl", "part-00001.jsonl", "part-00002.jsonl", "part-00003.jsonl"},
		Rejects: "rejected.csv",
	}
	if diff := cmp.Diff(want, s); diff != "" {
		t.Errorf("summary (-want +got):\n%s", diff)
	}
	wantRows := `{"line":2,"part":"3001","color":"Red","quantity":4,"extra":{"Description":"Brick\r\n2 x 4; \"old\""}}
{"line":7,"part":"3068b","color":"White","quantity":1000000,"extra":{"Description":"Tile\t"}}
`
	if diff := cmp.Diff(wantRows, rows(t, store, s)); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	wantRejects := "\uFEFF" + `line,column,reason,Description,COLOR,Part,quantity
5,quantity,"not a whole number from 1 to 1,000,000: ""0""",Plate,Blue,3020,0
6,COLOR,missing value,'=cmd(),,3020,1
`
	if diff := cmp.Diff(wantRejects, object(t, store, s.Prefix+s.Rejects)); diff != "" {
		t.Errorf("rejected.csv (-want +got):\n%s", diff)
	}
	if left := store.Keys("staged/"); left != nil {
		t.Errorf("staged objects are left: %v", left)
	}
}

func TestInvalidRowsAreRejectedWithAReason(t *testing.T) {
	const (
		// A rejection is the column, or nothing, and the reason.
		fields   = ": wrong number of fields"
		number   = "quantity: not a whole number from 1 to 1,000,000"
		point    = "quantity: the point may mean thousands, so write the number without it"
		control  = ": holds a control character"
		accepted = ""
	)
	for _, tt := range []struct{ row, want string }{
		{"3001,Red,1", accepted}, {"3001,Red,1000000", accepted}, {"3001,Red,0001", accepted}, {`"3001","Red","1"`, accepted},
		{"3001 , Red,\t7 ", accepted}, {"\u00a03001,Red,1", accepted}, {"3001,Rød,1", accepted},
		{"3001,Red, 3 ", accepted}, {`3001,Red,"1,000"`, accepted}, {"3001,Red,2.0", accepted}, {"3001,Red,1.000", point},
		{"3001,Red,0", number}, {"3001,Red,1000001", number}, {"3001,Red,99999999999999999999", number}, {"3001,Red,-1", number},
		{"3001,Red,+1", number}, {"3001,Red,1e3", number}, {"3001,Red,x", number}, {"3001,Red,3 pcs", number},
		{"3001,Red,1 2", number}, {"3001,Red,٣", number}, {"3001,Red,0x10", number},
		{",Red,1", "part: missing value"}, {"  ,Red,1", "part: missing value"}, {`"",Red,1`, "part: missing value"},
		{"3001,,1", "color: missing value"}, {"3001,Red,", "quantity: missing value"},
		{"3001,Red", "quantity: missing value"}, {"3001", "color: missing value"},
		{"3001,Red,1,", accepted}, {`3001,Red,1," ",`, accepted}, {"3001,Red,1,x", fields}, {"3001,Red,1,,x", fields},
		{"3001,Red,1" + strings.Repeat(",", 2000), accepted}, {"3001,Red,1" + strings.Repeat(",", 2000) + "x", fields},
		{"3001,Red,1" + strings.Repeat(",", 1500) + "x" + strings.Repeat(",", 500), fields},
		{"\xff,Red,1", "part: not valid UTF-8"}, {"3001,R\xf8d,1", "color: not valid UTF-8"}, {"3001,Red,1,\xff", ": not valid UTF-8"},
		{"\xed\xa0\x80,Red,1", "part: not valid UTF-8"},
		{"\uFEFF3001,Red,1", "part" + control}, {"3001,Red\x00,1", "color" + control}, {"3001,Red,1\x7f", "quantity" + control},
		{"3001,Red and much more text\x1b,1", "color" + control}, {"3001,Red\u0085,1", "color" + control}, {"3001,Red,1,\x01", control},
		{"3001,\"Dark\r\n\tRed\",1", accepted},
	} {
		t.Run(tt.row, func(t *testing.T) {
			store := &csvimport.Memory{}
			// The byte order mark makes the file UTF-8, whatever the row has.
			s, err := run(t, csvimport.Config{Store: store}, put(t, store, []byte("\uFEFFpart,color,quantity\n"+tt.row)), "x", 0)
			if s.Rows != 1 || (err == nil) != (s.Rejected == 0) {
				t.Fatalf("import has %d rows, %d rejected, error %v, want 1 row", s.Rows, s.Rejected, err)
			}
			got := accepted
			if len(s.RejectedBy) > 0 {
				got = s.RejectedBy[0].Column + ": " + s.RejectedBy[0].Reason
			}
			if got != tt.want {
				t.Errorf("rejected by %q, want %q", got, tt.want)
			}
		})
	}
}

func TestUnnamedColumnsGetANumber(t *testing.T) {
	store := &csvimport.Memory{}
	s, err := run(t, csvimport.Config{Store: store}, put(t, store, []byte("part,color,quantity,,\n3001,Red,1,a,b\n")), "x", 0)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"line":2,"part":"3001","color":"Red","quantity":1,"extra":{"column 4":"a","column 5":"b"}}` + "\n"
	if got := rows(t, store, s); got != want {
		t.Errorf("rows are %s, want %s", got, want)
	}
}

func TestFailingPublisherDoesNotFailTheImport(t *testing.T) {
	store := &csvimport.Memory{}
	c := csvimport.Config{Store: store, Publisher: &recordingPublisher{t: t, fail: errors.New("down")}}
	s, err := run(t, c, put(t, store, []byte("part,color,quantity\n3001,Red,1")), "x", 0)
	if err != nil || s.Accepted != 1 {
		t.Errorf("import accepts %d rows, error %v, want 1", s.Accepted, err)
	}
}

func TestPayloadsFitTheWorkflowsLimits(t *testing.T) {
	store := &csvimport.Memory{}
	content := bytes.Repeat([]byte("3001,Red,1000000\n"), 3000)
	c := csvimport.Config{Store: store, RangeBytes: 1}
	e := put(t, store, append([]byte("part,color,quantity\n"), content...))
	e.Object.Size = 0 // The size in the event is only a hint. Without it, the smallest ranges have one row.
	plan, err := csvimport.NewPlan(c).Handle(t.Context(), csvimport.PlanInput{Detail: e})
	if err != nil || len(plan.Ranges) != csvimport.MaxRanges {
		t.Fatalf("plan has %d ranges, error %v, want %d", len(plan.Ranges), err, csvimport.MaxRanges)
	}
	for i := range plan.Ranges { // Make the numbers as long as those of the largest file.
		r := &plan.Ranges[i]
		r.Offset, r.Bytes, r.Line, r.Rows = r.Offset+1<<30, 1<<30, 1<<30, 1<<30
	}
	// A payload may have 262,144 bytes. The plan must leave most of them to the rest of the workflow's state.
	if text, err := json.Marshal(plan); err != nil || len(text) > 262_144/4 {
		t.Errorf("plan is %d bytes, error %v, want far less than 262,144", len(text), err)
	}
	out := csvimport.ChunkOutput{
		N: csvimport.MaxRanges, Counts: csvimport.Counts{Rows: 1 << 30, Rejected: 1 << 30, Quantity: 1 << 50},
		Key: "staged/" + plan.File.Claim + "/00255",
	}
	if text, err := json.Marshal(out); err != nil || len(text) >= 200 {
		t.Errorf("chunk's output is %d bytes, error %v, want under 200", len(text), err)
	}
}

func TestPartsListIsCountedAsByPython(t *testing.T) {
	const dir = "../../testdata/"
	content, err := os.ReadFile(dir + "parts-list.csv")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(dir + "parts-list.expected.json")
	if err != nil {
		t.Fatal(err)
	}
	type counts struct { // as Python's csv module counted them
		Bytes, Rows, Accepted, Rejected, Quantity int64
		RejectedBy                                []csvimport.RejectCount
	}
	var want counts
	if err := json.Unmarshal(text, &want); err != nil {
		t.Fatal(err)
	}
	for _, minBytes := range []int64{0, 1, 10_000} {
		store := &csvimport.Memory{}
		s, err := run(t, csvimport.Config{Store: store, RangeBytes: minBytes}, put(t, store, content), "x", 0)
		if err != nil {
			t.Fatalf("import: %v", err)
		}
		got := counts{s.Bytes, s.Rows, s.Accepted, s.Rejected, s.Quantity, s.RejectedBy}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("ranges of %d bytes (-expected +got):\n%s", minBytes, diff)
		}
		if lines := strings.Count(rows(t, store, s), "\n"); int64(lines) != want.Accepted {
			t.Errorf("%d lines of results, want %d", lines, want.Accepted)
		}
	}
}
