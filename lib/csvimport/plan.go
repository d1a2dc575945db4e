package csvimport

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/herald-progress/herald/lib/message"
	"github.com/herald-progress/herald/lib/progress"
)

// The progress of an import, in percent, at the ends of its steps.
const (
	planned  = 5
	parsed   = 95
	finished = 99 // the workflow itself says 100, when all is done
)

// Event is the detail of an S3 "Object Created" event as EventBridge delivers it
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html).
type Event struct {
	Bucket struct {
		Name string `json:"name"`
	} `json:"bucket"`
	Object struct {
		Key       string `json:"key"`
		Size      int64  `json:"size"`
		ETag      string `json:"etag"`
		VersionID string `json:"version-id"`
		Sequencer string `json:"sequencer"`
	} `json:"object"`
}

// StepIdentify makes [Plan.Handle] say whose upload the event is about, without reading anything.
const StepIdentify = "identify"

// PlanInput is what [Plan.Handle] is asked.
type PlanInput struct {
	// Step is empty, or [StepIdentify].
	Step string `json:"step"`
	// Epoch says which run of the job reports progress, in any form that [message.NormalizeEpoch] reads. Its time, that of
	// the execution's start, says too which of two imports of one upload is newer; without an epoch the time of the call
	// does. The steps that follow report in the epoch of File.Began.
	Epoch string `json:"epoch"`
	// Execution is the ARN of the workflow's execution: it may enter an import that it has claimed again, others may not.
	Execution string `json:"execution"`
	Detail    Event  `json:"detail"`
}

// PlanOutput is how an upload is to be worked on.
type PlanOutput struct {
	// Repeated says that another execution has claimed this upload: there is nothing to do.
	Repeated  bool    `json:"repeated"`
	File      File    `json:"file"`
	TotalRows int64   `json:"totalRows"`
	Ranges    []Range `json:"ranges"`
}

// Plan claims an upload and cuts it into ranges.
type Plan struct{ config Config }

// NewPlan returns the plan step.
func NewPlan(c Config) *Plan { return &Plan{config: c} }

// Handle returns the ranges of the upload. It may be repeated by the execution that has claimed the upload; for any
// other it does nothing. Its errors are an [*InvalidFile], a [*FileDeleted], a [*FileReplaced], a [*Superseded] or a
// [*StoreError].
func (p *Plan) Handle(ctx context.Context, in PlanInput) (PlanOutput, error) {
	file, err := identify(in.Detail)
	if err != nil {
		return PlanOutput{}, err
	}
	var redrives string
	file.Began, redrives = start(in.Epoch)
	out := PlanOutput{File: file, Ranges: []Range{}}
	switch in.Step {
	case StepIdentify:
		return out, nil
	case "":
	default:
		return PlanOutput{}, fmt.Errorf("csvimport: no step %q", in.Step)
	}
	own, err := p.config.claimUpload(ctx, file, in.Execution)
	if err != nil {
		return PlanOutput{}, err
	}
	if out.Repeated = own.Execution != in.Execution; out.Repeated {
		return out, nil
	}
	if out.File.Began, err = p.order(ctx, file, own); err != nil {
		return PlanOutput{}, err
	}
	out.File.StartedAt = message.Time{Time: time.Now()}.String()
	if redrives != "" {
		in.Epoch = out.File.Began + redrives
	}
	c, err := p.cut(ctx, in, out.File)
	if err != nil {
		return PlanOutput{}, p.config.withoutAWord(ctx, out.File, err)
	}
	out.File.HeaderBytes, out.TotalRows = c.header.bytes, c.rows
	out.Ranges = append(out.Ranges, c.ranges...)
	return out, nil
}

// start returns the time of an epoch, and the rest of it: "#" and the redrive count. Without an epoch it returns now.
func start(epoch string) (string, string) {
	normalized, err := message.NormalizeEpoch(epoch)
	if at := strings.IndexByte(normalized, '#'); err == nil && at > 0 {
		return normalized[:at], normalized[at:]
	}
	return message.Time{Time: time.Now()}.String(), ""
}

// order returns when the import of own counts as begun. Its error is a *Superseded where a newer version was there first.
func (p *Plan) order(ctx context.Context, file File, own claim) (string, error) {
	others, err := p.config.otherClaims(ctx, file)
	if err != nil {
		return "", err
	}
	for _, other := range others {
		if other.tied(own) && other.newerThan(own) {
			return "", &Superseded{}
		}
	}
	if file.Began, err = began(own, others); err != nil {
		return "", err
	}

	return file.Began, p.config.newest(ctx, file)
}

// cut reads the upload once, from end to end, and reports how far it is.
func (p *Plan) cut(ctx context.Context, in PlanInput, file File) (*cutting, error) {
	report := p.config.report(ctx, file, progress.Config{Epoch: in.Epoch, Execution: in.Execution})
	defer report.Close(ctx)
	report.Phase(progress.Phase{
		Name: "read", To: planned, Steps: file.Size,
		Text: func(int64, int64) string { return "Reading " + file.FileName },
	})
	if file.Size > MaxBytes {
		return nil, tooLarge()
	}
	body, err := p.config.Store.Get(ctx, file.object(), 0, -1)
	if err != nil {
		return nil, ofUpload("read upload", err)
	}
	defer closeBody(body)
	c, err := cut(body, file.Size, cmp.Or(p.config.RangeBytes, DefaultRangeBytes), report.Update)
	return c, orStore("read upload", err)
}

// report returns a Reporter of the import. An epoch that is none is left out: a report must not fail an import.
func (c Config) report(ctx context.Context, file File, as progress.Config) *progress.Reporter {
	epoch, err := message.NormalizeEpoch(as.Epoch)
	if err != nil && as.Epoch != "" && c.Logger != nil {
		c.Logger.WarnContext(ctx, "report progress", "uploadId", file.UploadID, "err", err)
	}
	as.Publisher, as.Logger, as.Epoch = c.Publisher, c.Logger, epoch
	as.UserID, as.UploadID, as.FileName = file.UserID, file.UploadID, file.FileName
	return progress.New(ctx, as)
}

// closeBody ends a read. What was wanted of the body has been read: its error says nothing more.
func closeBody(body io.Closer) { _ = body.Close() }
