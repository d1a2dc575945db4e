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

// The progress of an import at the end of each step, in percent.
const (
	plannedPercent  = 5
	parsedPercent   = 95
	finishedPercent = 99 // The workflow itself reports 100 after the last step.
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

// StepIdentify makes [Plan.Handle] return the upload and its user from the event alone, without reading the store. If the key is not
// that of an upload, but has a user, it returns an upload and a file's name that messages to that user may contain.
const StepIdentify = "identify"

// PlanInput is the input of [Plan.Handle].
type PlanInput struct {
	// Step is empty, or [StepIdentify].
	Step string `json:"step"`
	// Epoch identifies the run of the job, in any form that [message.NormalizeEpoch] accepts. Its time is the start of the
	// execution, by which the imports of one upload are ordered. If it is empty or invalid, the time of the call is used. The
	// workflow gives the steps that follow another epoch: it has the time of File.OrderTime, and the same redrive count.
	Epoch string `json:"epoch"`
	// Execution is the ARN of the workflow's execution.
	Execution string `json:"execution"`
	Detail    Event  `json:"detail"`
}

// PlanOutput is the output of [Plan.Handle].
type PlanOutput struct {
	// Repeated is true if another execution has claimed this upload, for example because its event came twice. Then there is
	// nothing to do, and the output has no ranges.
	Repeated  bool    `json:"repeated"`
	File      File    `json:"file"`
	TotalRows int64   `json:"totalRows"`
	Ranges    []Range `json:"ranges"`
}

// Plan claims an upload and splits it into ranges.
type Plan struct{ config Config }

// NewPlan returns the plan step.
func NewPlan(c Config) *Plan { return &Plan{config: c} }

// Handle claims the upload and returns its ranges. The execution that has claimed the upload may call Handle again. For any other
// execution, Handle only sets Repeated. Its errors are an [*InvalidFile], a [*FileDeleted], a [*FileReplaced], a [*Superseded] or
// a [*StoreError].
func (p *Plan) Handle(ctx context.Context, in PlanInput) (PlanOutput, error) {
	file, err := identify(in.Detail)
	reportable := in.Step == StepIdentify && file.UserID != ""
	if err != nil && !reportable {
		p.config.logBadKey(ctx, file, in.Detail, err)
		return PlanOutput{}, err
	}
	var redriveCount string
	file.OrderTime, redriveCount = splitEpoch(in.Epoch)
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
	if out.File.OrderTime, err = p.orderTime(ctx, file, own); err != nil {
		return PlanOutput{}, err
	}
	out.File.StartedAt = message.Time{Time: time.Now()}.String()
	if redriveCount != "" {
		in.Epoch = out.File.OrderTime + redriveCount
	}
	split, err := p.split(ctx, in, out.File)
	if err != nil {
		return PlanOutput{}, p.config.asSuperseded(ctx, out.File, err)
	}
	out.File.HeaderBytes, out.File.Encoding, out.File.StrayQuotes = split.headerBytes, split.header.encoding, split.strayQuotes
	out.TotalRows = split.rows
	out.Ranges = append(out.Ranges, split.ranges...)
	return out, nil
}

// logBadKey logs that an object under [UploadsPrefix] is no upload. If it has no user, nobody else is told.
func (c Config) logBadKey(ctx context.Context, file File, e Event, err error) {
	if c.Logger != nil {
		c.Logger.WarnContext(ctx, "no upload", "key", message.Truncate(e.Object.Key, message.MaxName), "hasUser", file.UserID != "", "err", err)
	}
}

// splitEpoch splits an epoch into its time and its redrive count, with the "#" before it. If the epoch is empty or invalid, it returns
// the time of the call and an empty redrive count.
func splitEpoch(epoch string) (string, string) {
	normalized, err := message.NormalizeEpoch(epoch)
	if at := strings.IndexByte(normalized, '#'); err == nil && at > 0 {
		return normalized[:at], normalized[at:]
	}
	return message.Time{Time: time.Now()}.String(), ""
}

// orderTime returns the OrderTime of the import with the claim own. The error is a *Superseded if a newer version was already claimed
// or imported.
func (p *Plan) orderTime(ctx context.Context, file File, own claim) (string, error) {
	others, err := p.config.otherClaims(ctx, file, maxClaims)
	if err != nil {
		return "", err
	}
	for _, other := range others {
		if other.sameKeyOrStart(own) && other.newerThan(own) {
			return "", &Superseded{}
		}
	}
	if file.OrderTime, err = computeOrderTime(own, others); err != nil {
		return "", err
	}
	return file.OrderTime, p.config.checkNewest(ctx, file)
}

// split reads the upload once from start to end, splits it into ranges and reports the progress.
func (p *Plan) split(ctx context.Context, in PlanInput, file File) (*rangeSplit, error) {
	reporter := p.config.newReporter(ctx, file, progress.Config{Epoch: in.Epoch, Execution: in.Execution})
	defer reporter.Close(ctx)
	reporter.Phase(progress.Phase{
		Name: "read", To: plannedPercent, Steps: file.Size,
		Text: func(int64, int64) string { return "Reading " + file.FileName },
	})
	if file.Size > MaxBytes {
		return nil, tooLarge()
	}
	body, err := p.config.Store.Get(ctx, file.object(), 0, toEnd)
	if err != nil {
		return nil, asUploadError("read upload", err)
	}
	defer closeBody(body)
	split, err := splitRanges(body, file.Size, p.config.rangeBytes(file.Size), reporter.Update)
	return split, asStoreError("read upload", err)
}

// rangeBytes returns the smallest size of a range in a file of size bytes.
func (c Config) rangeBytes(size int64) int64 {
	return cmp.Or(c.RangeBytes, max(DefaultRangeBytes, (size+defaultRanges-1)/defaultRanges)) // rounded up
}

// newReporter returns a Reporter with the given config, to which it adds the fields of the file and of c. It logs and omits an
// invalid epoch, because a report must not fail an import.
func (c Config) newReporter(ctx context.Context, file File, config progress.Config) *progress.Reporter {
	epoch, err := message.NormalizeEpoch(config.Epoch)
	if err != nil && config.Epoch != "" && c.Logger != nil {
		c.Logger.WarnContext(ctx, "report progress", "uploadId", file.UploadID, "err", err)
	}
	config.Publisher, config.Logger, config.Epoch = c.Publisher, c.Logger, epoch
	config.UserID, config.UploadID, config.FileName = file.UserID, file.UploadID, file.FileName
	return progress.New(ctx, config)
}

// closeBody closes a body whose content has been read. The error of Close does not matter then.
func closeBody(body io.Closer) { _ = body.Close() }
