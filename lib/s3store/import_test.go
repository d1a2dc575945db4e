package s3store_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/herald-progress/herald/lib/csvimport"
)

// TestImportStagesARangeInSeveralParts runs the steps over HTTP. The rows of one range take several parts of a multipart upload.
func TestImportStagesARangeInSeveralParts(t *testing.T) {
	var content bytes.Buffer
	content.WriteString("part,color,quantity,description\n")
	const rows = 300_000
	for i := range rows {
		fmt.Fprintf(&content, "%d,Dark Bluish Gray,%d,Brick 2 x 4\n", 3001+i%5000, i%100)
	}
	store := open(t)
	var e csvimport.Event
	e.Object.Key, e.Object.Size, e.Object.ETag = csvimport.UploadKey("u|1", "up 1", "a+b ä.csv"), int64(content.Len()), csvimport.ETag(content.Bytes())
	w := store.Create(t.Context(), e.Object.Key, csvimport.Replace)
	if _, err := w.Write(content.Bytes()); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	e.Object.ETag = "" // A multipart upload has another ETag than the same content in one request.

	c := csvimport.Config{Store: store}
	plan, err := csvimport.NewPlan(c).Handle(t.Context(), csvimport.PlanInput{Execution: "x", Detail: e})
	if err != nil {
		t.Fatalf("plan: %v", err)
	}
	in := csvimport.FinishInput{File: plan.File, TotalRows: plan.TotalRows}
	for _, r := range plan.Ranges {
		out, err := csvimport.NewChunk(c).Handle(t.Context(), csvimport.ChunkInput{File: plan.File, TotalRows: plan.TotalRows, Range: r})
		if err != nil {
			t.Fatalf("chunk: %v", err)
		}
		in.Chunks = append(in.Chunks, out)
	}
	out, err := csvimport.NewFinish(c).Handle(t.Context(), in)
	if err != nil {
		t.Fatalf("finish: %v", err)
	}
	const sumOfQuantities = 4950 // of each 100 rows, whose quantities are 0 to 99; the row with 0 is rejected
	want := csvimport.Counts{Rows: rows, Rejected: rows / 100, Quantity: rows / 100 * sumOfQuantities}
	if out.Counts != want || len(plan.Ranges) != 2 {
		t.Errorf("%d ranges with the counts %+v, want 2 with %+v", len(plan.Ranges), out.Counts, want)
	}
	again, err := csvimport.NewFinish(c).Handle(t.Context(), in)
	if err != nil || again != out {
		t.Errorf("a second finish returns %+v, %v, want %+v", again, err, out)
	}
	repeated, err := csvimport.NewPlan(c).Handle(t.Context(), csvimport.PlanInput{Execution: "y", Detail: e})
	if err != nil || !repeated.Repeated {
		t.Errorf("plan of another execution returns %+v, %v, want Repeated", repeated, err)
	}
}
