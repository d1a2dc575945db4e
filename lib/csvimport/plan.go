package csvimport

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
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
	// Epoch says which run of the job reports progress, in any form that [message.NormalizeEpoch] reads.
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
// other it does nothing. Its errors are an [*InvalidFile] or a [*StoreError].
func (p *Plan) Handle(ctx context.Context, in PlanInput) (PlanOutput, error) {
	file, err := identify(in.Detail)
	if err != nil {
		return PlanOutput{}, err
	}
	out := PlanOutput{File: file, Ranges: []Range{}}
	switch in.Step {
	case StepIdentify:
		return out, nil
	case "":
	default:
		return PlanOutput{}, fmt.Errorf("csvimport: no step %q", in.Step)
	}
	out.File.StartedAt = message.Time{Time: time.Now()}.String()
	if out.Repeated, err = p.claimed(ctx, file, in.Execution); err != nil || out.Repeated {
		return out, err
	}
	c, err := p.cut(ctx, in, file)
	if err != nil {
		return PlanOutput{}, err
	}
	out.File.HeaderBytes, out.TotalRows = c.header.bytes, c.rows
	out.Ranges = append(out.Ranges, c.ranges...)

	return out, nil
}

// claim is the content of a claim object.
type claim struct {
	Execution string `json:"execution"`
}

// claimed claims the upload for the execution, and reports whether another has claimed it.
func (p *Plan) claimed(ctx context.Context, file File, execution string) (bool, error) {
	key := claimsPrefix + file.Claim
	content, err := json.Marshal(claim{Execution: execution})
	if err != nil {
		return false, fmt.Errorf("claim: %w", err)
	}
	err = write(ctx, p.config.Store, key, IfAbsent, content)
	if !errors.Is(err, ErrExists) {
		return false, err
	}
	content, _, err = p.config.Store.Read(ctx, key)
	if err != nil {
		return false, &StoreError{Op: "read claim", Err: err}
	}
	var held claim
	if err := json.Unmarshal(content, &held); err != nil {
		return false, fmt.Errorf("claim: %w", err)
	}

	return held.Execution != execution, nil
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
	if errors.Is(err, ErrNotFound) || errors.Is(err, ErrReplaced) {
		return nil, &InvalidFile{Reason: "The file is no longer there"}
	}
	if err != nil {
		return nil, &StoreError{Op: "read upload", Err: err}
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

// orStore returns err as a *StoreError of op, unless it is nil or an *InvalidFile.
func orStore(op string, err error) error {
	var invalid *InvalidFile
	if err == nil || errors.As(err, &invalid) {
		return err
	}

	return &StoreError{Op: op, Err: err}
}

// closeBody ends a read. What was wanted of the body has been read: its error says nothing more.
func closeBody(body io.Closer) { _ = body.Close() }
