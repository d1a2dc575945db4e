package csvimport

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/herald-progress/herald/lib/progress"
)

// StepDiscard makes [Finish.Handle] delete the objects of an import that a newer one has superseded.
const StepDiscard = "discard"

// FinishInput is the input of [Finish.Handle].
type FinishInput struct {
	// Step is empty, or [StepDiscard], which needs the File only.
	Step string `json:"step"`
	// Epoch identifies the run of the job, see [PlanInput].
	Epoch string `json:"epoch"`
	// Execution is the ARN of the workflow's execution.
	Execution string `json:"execution"`

	File      File  `json:"file"`
	TotalRows int64 `json:"totalRows"`
	// Chunks are in the order of their ranges.
	Chunks []ChunkOutput `json:"chunks"`
}

// FinishOutput is a short form of an import's [Summary]. Its size does not depend on the number of columns.
type FinishOutput struct {
	Counts

	Accepted int64 `json:"accepted"`
	// Summary is the key of the [Summary].
	Summary string `json:"summary"`
	// Result is the key of what the end of the job offers its user: the rejected rows, or the summary if there are none. It is empty if
	// the ids and the name of the file leave no room for it in the state of a job.
	Result string `json:"result"`
	// Warning is a sentence for the user, if rows may be missing although none was rejected: see [StrayQuotes].
	Warning string `json:"warning,omitempty"`
}

var (
	// errIncomplete means that a chunk is missing, or that the chunks do not have the planned number of rows.
	errIncomplete = errors.New("csvimport: the chunks are not those of the plan")
	// errSummaryContended means that other imports replaced the summary before each of maxPublishes writes.
	errSummaryContended = errors.New("csvimport: too many imports write the summary")
)

// Finish publishes an import's results.
type Finish struct{ config Config }

// NewFinish returns the finish step.
func NewFinish(c Config) *Finish { return &Finish{config: c} }

// Handle publishes the results. It copies the staged rows to the results, joins the rejected rows in one file, and then
// writes the summary, by which readers find the results. Afterwards it deletes the staged objects and the results of older
// versions of the upload. If the stored summary is that of a newer version, Handle deletes the objects of this import instead. It
// may be called again after any failure.
//
// If the file has rows and all of them were rejected, Handle publishes the results, too, but then returns an [*InvalidFile] that names the
// most frequent reason: the user needs rejected.csv to mend the rows.
//
// Its other errors are a [*FileDeleted], a [*FileReplaced], a [*Superseded] or a [*StoreError].
func (f *Finish) Handle(ctx context.Context, in FinishInput) (FinishOutput, error) {
	switch in.Step {
	case StepDiscard:
		return FinishOutput{}, f.discard(ctx, in.File)
	case "":
	default:
		return FinishOutput{}, fmt.Errorf("csvimport: no step %q", in.Step)
	}
	if err := in.checkComplete(); err != nil {
		return FinishOutput{}, err
	}
	summary, replacedClaim, err := f.publish(ctx, in)
	if err = f.config.asSuperseded(ctx, in.File, err); err != nil {
		if errors.As(err, new(*Superseded)) {
			if discardErr := f.discard(ctx, in.File); discardErr != nil {
				return FinishOutput{}, discardErr
			}
		}
		return FinishOutput{}, err
	}
	out := FinishOutput{
		Counts: summary.Counts, Accepted: summary.Accepted, Summary: in.File.summaryKey(), Warning: in.File.StrayQuotes.note(),
		Result: in.File.resultToOffer(summary.Counts),
	}
	if err := f.deleteStaged(ctx, in); err != nil {
		return out, err
	}
	if err := f.deleteOlderResults(ctx, in.File, replacedClaim); err != nil {
		return out, err
	}
	if summary.Rows > 0 && summary.Accepted == 0 {
		return out, f.config.asSuperseded(ctx, in.File, summary.nothingImported())
	}
	return out, nil
}

// checkComplete returns errIncomplete unless there is a chunk for each range, in order, and their rows add up to TotalRows.
func (in FinishInput) checkComplete() error {
	var rows int64
	for n, c := range in.Chunks {
		if c.N != n {
			return errIncomplete
		}
		rows += c.Rows
	}
	if rows != in.TotalRows {
		return errIncomplete
	}
	return nil
}

// publish writes the results and then their summary, which may replace the summary of an older version. It returns the summary of this
// import, which this call or an earlier call has written, and the claim of the summary that this call has replaced, or an empty string.
// The error is a *Superseded if the stored summary is that of a newer version.
func (f *Finish) publish(ctx context.Context, in FinishInput) (Summary, string, error) {
	var own Summary
	for range maxPublishes {
		current, mode, err := f.config.readSummary(ctx, in.File)
		switch {
		case err != nil:
			return Summary{}, "", err
		case mode != IfAbsent && current.Claim == in.File.Claim: // An earlier call has published the import.
			return current, "", nil
		case current.newerThan(in.File):
			return Summary{}, "", &Superseded{}
		}
		if own.Claim == "" { // The results are not written yet.
			if own, err = f.writeResults(ctx, in); err != nil {
				return Summary{}, "", err
			}
		}
		content, err := json.MarshalIndent(own, "", "  ")
		if err != nil {
			return Summary{}, "", fmt.Errorf("summary: %w", err)
		}
		err = writeObject(ctx, f.config.Store, in.File.summaryKey(), mode, append(content, '\n'))
		if !errors.Is(err, ErrExists) && !errors.Is(err, ErrReplaced) {
			return own, current.Claim, err
		}
	}
	return Summary{}, "", &StoreError{Op: "write summary", Err: errSummaryContended}
}

// writeResults writes the results and returns their summary.
func (f *Finish) writeResults(ctx context.Context, in FinishInput) (Summary, error) {
	var failed int64
	for _, c := range in.Chunks {
		failed += c.Rejected
	}
	reporter := f.config.newReporter(ctx, in.File, progress.Config{Epoch: in.Epoch, Execution: in.Execution, FailedRows: failed})
	defer reporter.Close(ctx)
	reporter.Phase(progress.Phase{
		Name: "finish", From: parsedPercent, To: finishedPercent, Steps: int64(len(in.Chunks)), CurrentRow: in.TotalRows, TotalRows: in.TotalRows,
		Text: func(int64, int64) string { return "Saving the results" },
	})
	// The header is read first, so that an import whose file was deleted writes no results.
	h, err := f.config.readFileHeader(ctx, in.File)
	if err != nil {
		return Summary{}, err
	}
	prefix := in.File.ResultsPrefix()
	group, copyCtx := errgroup.WithContext(ctx)
	group.SetLimit(maxParallelRequests)
	var copied atomic.Int64
	for _, c := range in.Chunks {
		group.Go(func() error {
			if err := f.config.Store.Copy(copyCtx, prefix+partName(c.N), c.Key+rowsSuffix); err != nil {
				return &StoreError{Op: "copy rows", Err: err}
			}
			reporter.Update(copied.Add(1))
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return Summary{}, err
	}
	reporter.Update(copied.Load()) // The concurrent copies may have reported out of order.
	rejectCounts, err := f.writeRejects(ctx, in, h)
	if err != nil {
		return Summary{}, err
	}
	return summarize(in.File, h, in.Chunks, rejectCounts), nil
}

// writeRejects writes rejected.csv and counts its rows by rejection.
func (f *Finish) writeRejects(ctx context.Context, in FinishInput, h *header) (map[rejection]int64, error) {
	w := f.config.Store.Create(ctx, in.File.ResultsPrefix()+rejectsName, Replace)
	defer w.Abort()
	names := rejectColumns[:]
	for _, name := range h.names {
		names = append(names, escapeFormula(name))
	}
	_, _ = io.WriteString(w, utf8Mark)
	table := csv.NewWriter(w)
	_ = table.Write(names) // Error returns the error, if there is one.
	table.Flush()
	if err := table.Error(); err != nil {
		return nil, &StoreError{Op: "write rejects", Err: err}
	}
	counts := map[rejection]int64{}
	for _, c := range in.Chunks {
		if c.Rejected == 0 {
			continue
		}
		if err := f.appendRejects(ctx, w, c, counts); err != nil {
			return nil, &StoreError{Op: "write rejects", Err: err}
		}
	}
	if err := w.Close(); err != nil {
		return nil, &StoreError{Op: "write rejects", Err: err}
	}
	return counts, nil
}

// appendRejects copies the rejected rows of a chunk to w unchanged, and counts them.
func (f *Finish) appendRejects(ctx context.Context, w io.Writer, c ChunkOutput, counts map[rejection]int64) error {
	body, err := f.config.Store.Get(ctx, Object{Key: c.Key + rejectsSuffix}, 0, toEnd)
	if err != nil {
		return err
	}
	defer closeBody(body)
	table := csv.NewReader(io.TeeReader(body, w))
	table.FieldsPerRecord = -1 // The number of fields may vary.
	table.ReuseRecord = true
	var rows int64
	for {
		record, err := table.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err //nolint:wrapcheck // the caller names the operation
		}
		counts[parseReject(record)]++
		rows++
	}
	if rows != c.Rejected {
		return errRangeChanged
	}
	return nil
}

// deleteStaged deletes the objects that the chunks staged.
func (f *Finish) deleteStaged(ctx context.Context, in FinishInput) error {
	keys := make([]string, 0, 2*len(in.Chunks))
	for _, c := range in.Chunks {
		keys = append(keys, c.Key+rowsSuffix)
		if c.Rejected > 0 {
			keys = append(keys, c.Key+rejectsSuffix)
		}
	}
	if err := f.config.Store.Delete(ctx, keys...); err != nil {
		return &StoreError{Op: "delete staged", Err: err}
	}
	return nil
}

// discard deletes the import's objects. It deletes the results only if the stored summary is that of a newer version, because
// otherwise another call of this step may still publish them.
func (f *Finish) discard(ctx context.Context, file File) error {
	retainNone := func(string) (bool, error) { return false, nil }
	if err := deleteBelow(ctx, f.config.Store, file.StagedPrefix(), retainNone); err != nil {
		return err
	}
	s, _, err := f.config.readSummary(ctx, file)
	if err != nil || !s.newerThan(file) {
		return err
	}
	return deleteBelow(ctx, f.config.Store, file.ResultsPrefix(), retainNone)
}

// deleteOlderResults deletes the results of older imports of the upload: of the import with the claim replacedClaim, whose
// summary this step has replaced, and of imports that were killed before they wrote a summary.
func (f *Finish) deleteOlderResults(ctx context.Context, file File, replacedClaim string) error {
	prefix := file.keyPrefix(ResultsPrefix)
	// By the name of a claim: whether the results of its import stay. The function below adds further claims.
	retainClaim := map[string]bool{file.Claim: true, replacedClaim: false}
	claims := sync.OnceValues(func() ([]claim, error) { return f.config.otherClaims(ctx, file, listPageSize) })
	return deleteBelow(ctx, f.config.Store, prefix, func(key string) (bool, error) {
		name, _, hasClaim := strings.Cut(strings.TrimPrefix(key, prefix), "/")
		if !hasClaim { // The summary stays. An early version of Herald wrote results without a claim in their keys.
			return name == summaryName, nil
		}
		retain, known := retainClaim[name]
		if !known {
			others, err := claims()
			if err != nil {
				return false, err
			}
			older, err := isOlder(file, name, others)
			if err != nil {
				return false, err
			}
			retain, retainClaim[name] = !older, !older
		}
		return retain, nil
	})
}

// isOlder reports whether another import of the upload, which has written results, is certainly older than the file's import. name is
// the name of its claim. others are the claims on all versions but the file's, listed now.
//
// The other import has listed the claims before it wrote results. The list of now includes the claims of that list. So the OrderTime
// that isOlder computes for the other import is not earlier than the OrderTime that the other import has computed.
func isOlder(file File, name string, others []claim) (bool, error) {
	if len(others) >= listPageSize-1 { // With the file's own claim, the list has a full page, so it may be incomplete.
		return false, nil
	}
	for i, c := range others {
		if c.name == name {
			allButC := slices.Clone(others)
			allButC[i] = file.asClaim()
			at, err := computeOrderTime(c, allButC)
			return at < file.OrderTime, err
		}
	}
	return true, nil // Its claim has expired, so it is old.
}
