package asl

import (
	"context"
	"strings"

	"github.com/herald-progress/herald/lib/asl/jsontree"
)

// result returns the result of the Map state: the outputs of the child executions in their order, or where the ResultWriter has written
// them. It does not wait: all child executions must have ended.
func (r *mapRun) result(ctx context.Context) (any, error) {
	w := r.state.state.mapFields.writer
	if w == nil {
		return r.records(transformCompact, StatusSucceeded), nil
	}
	if w.location != nil {
		return r.write(ctx, w)
	}

	records := r.records(w.transformation, StatusSucceeded)
	if w.isLines {
		return linesOf(records), nil
	}
	return records, nil
}

// records returns a record for each child execution with a status, transformed as WriterConfig says. StatusFailed stands for each way to
// fail, and "" for a child that has not started. What has failed is never transformed.
func (r *mapRun) records(transformation string, status Status) []any {
	records := []any{}
	for _, c := range r.children {
		group := c.status
		if group != StatusSucceeded && group != "" {
			group = StatusFailed
		}
		if group != status {
			continue
		}

		items, isArray := c.output.([]any)
		switch {
		case status != StatusSucceeded || transformation == transformNone:
			records = append(records, r.record(c))
		case transformation == transformFlatten && isArray:
			records = append(records, items...)
		default:
			records = append(records, c.output)
		}
	}
	return records
}

// included is the value of InputDetails and OutputDetails.
var included = jsontree.NewObject("Included", true)

// record returns the metadata, input and output of a child execution.
func (r *mapRun) record(c *childRun) *jsontree.Object {
	o := jsontree.NewObject(
		"ExecutionArn", c.execution.ID, "Input", jsontree.Text(c.input), "InputDetails", included, "Name", c.execution.Name,
	)
	if c.failure != nil {
		o.Set("Error", c.failure.name)
		o.Set("Cause", c.failure.cause)
	} else if c.status == StatusSucceeded {
		o.Set("Output", jsontree.Text(c.output))
	}
	o.Set("OutputDetails", included)
	o.Set("RedriveCount", int64(c.execution.RedriveCount))
	if c.execution.RedriveCount > 0 { // AWS shows no redriven child in a file; DescribeExecution has the field.
		o.Set("RedriveDate", formatTimestamp(c.execution.RedriveTime))
	}

	status, reason := "NOT_REDRIVABLE", "Execution is "+string(c.status)+" and cannot be redriven"
	if c.failure != nil {
		status, reason = "REDRIVABLE", ""
	}
	o.Set("RedriveStatus", status)
	if reason != "" {
		o.Set("RedriveStatusReason", reason)
	}
	o.Set("StartDate", formatTimestamp(c.execution.Start))
	o.Set("StateMachineArn", r.state.labelled(":stateMachine:"))
	o.Set("Status", string(c.status))
	o.Set("StopDate", formatTimestamp(c.stop))
	return o
}

// linesOf returns the JSON texts of values, one a line.
func linesOf(values []any) string {
	var text strings.Builder
	for _, v := range values {
		text.WriteString(jsontree.Text(v) + "\n")
	}
	return text.String()
}

// write writes the results and a manifest that lists their files, and returns where the manifest is.
func (r *mapRun) write(ctx context.Context, w *resultWriter) (any, error) {
	s := r.state
	l, err := s.evalLocation(w.location, w.locationName)
	if err != nil {
		return nil, err
	}

	objects, folder := s.thread.run.objects(), r.id
	if l.prefix != "" {
		folder = strings.TrimSuffix(l.prefix, "/") + "/" + r.id
	}
	put := func(name, text string) (key string, err error) {
		key = folder + "/" + name
		if err := objects.PutObject(ctx, l.bucket, key, []byte(text)); err != nil {
			return "", failuref(errorResultWriter, "%s", strings.TrimSpace(err.Error()))
		}
		return key, nil
	}

	files := &jsontree.Object{}
	for _, group := range []struct {
		name   string
		status Status
	}{{"FAILED", StatusFailed}, {"PENDING", ""}, {"SUCCEEDED", StatusSucceeded}} {
		written := []any{}
		if records := r.records(w.transformation, group.status); len(records) > 0 {
			text := jsontree.Text(records)
			if w.isLines {
				text = linesOf(records)
			}
			key, err := put(group.name+"_0.json", text)
			if err != nil {
				return nil, err
			}
			written = append(written, jsontree.NewObject("Key", key, "Size", int64(len(text))))
		}
		files.Set(group.name, written)
	}

	key, err := put("manifest.json", jsontree.Text(jsontree.NewObject(
		"DestinationBucket", l.bucket, "MapRunArn", r.arn, "ResultFiles", files)))
	if err != nil {
		return nil, err
	}
	return jsontree.NewObject("MapRunArn", r.arn, "ResultWriterDetails", jsontree.NewObject("Bucket", l.bucket, "Key", key)), nil
}
