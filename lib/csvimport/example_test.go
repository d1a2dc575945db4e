package csvimport_test

import (
	"context"
	"fmt"
	"io"

	"github.com/herald-progress/herald/lib/csvimport"
)

// The steps of an import, one after the other, as a workflow calls them.
func Example() {
	ctx, config := context.Background(), csvimport.Config{Store: &csvimport.Memory{}}
	var event csvimport.Event
	event.Object.Key = csvimport.UploadKey("user-1", "upload-1", "parts.csv")
	upload := config.Store.Create(ctx, event.Object.Key, csvimport.Replace)
	_, _ = io.WriteString(upload, "part,color,quantity\n3001,Red,4\n3003,Blue,none\n")
	_ = upload.Close()

	plan, err := csvimport.NewPlan(config).Handle(ctx, csvimport.PlanInput{Execution: "execution-1", Detail: event})
	if err != nil {
		fmt.Println(err)
		return
	}
	in := csvimport.FinishInput{File: plan.File, TotalRows: plan.TotalRows}
	for _, r := range plan.Ranges {
		chunk, err := csvimport.NewChunk(config).Handle(ctx, csvimport.ChunkInput{File: plan.File, TotalRows: plan.TotalRows, Range: r})
		if err != nil {
			fmt.Println(err)
			return
		}
		in.Chunks = append(in.Chunks, chunk)
	}
	out, err := csvimport.NewFinish(config).Handle(ctx, in)
	fmt.Println(out.Accepted, "of", out.Rows, err)
	fmt.Println(out.Summary)
	// Output:
	// 1 of 2 <nil>
	// results/dXNlci0x/upload-1/summary.json
}
