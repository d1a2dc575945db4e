package csvimport

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/herald-progress/herald/lib/progress"
)

// StepDiscard makes [Finish.Handle] remove what an import has made that a newer one has superseded.
const StepDiscard = "discard"

// FinishInput is what the chunks of a plan came to.
type FinishInput struct {
	// Step is empty, or [StepDiscard], for which the file is enough.
	Step string `json:"step"`
	// Epoch and Execution are as in [PlanInput].
	Epoch     string `json:"epoch"`
	Execution string `json:"execution"`

	File      File  `json:"file"`
	TotalRows int64 `json:"totalRows"`
	// Chunks are in the order of their ranges.
	Chunks []ChunkOutput `json:"chunks"`
}

// FinishOutput is an import's outcome in short; it stays small however many columns a file has.
type FinishOutput struct {
	Counts

	Accepted int64 `json:"accepted"`
	// Summary is the key of the [Summary].
	Summary string `json:"summary"`
}

var (
	// errIncomplete says that the chunks do not add up to the plan.
	errIncomplete = errors.New("csvimport: the chunks are not what was planned")
	// errContended says that others replaced the summary again and again.
	errContended = errors.New("csvimport: too many write the summary")
)

// Finish makes an import's results visible.
type Finish struct{ config Config }

// NewFinish returns the finish step.
func NewFinish(c Config) *Finish { return &Finish{config: c} }

// Handle copies the staged rows to the results, brings the rejected ones together, writes the summary last, removes
// what was staged and the results of older versions of the upload, and returns the outcome. It may be repeated from any
// point. Its errors are a [*FileDeleted], a [*FileReplaced], a [*Superseded] or a [*StoreError].
//
// Readers find results by the summary: while there is none, nothing is finished. Where there is that of a newer version,
// what this import has made is removed.
func (f *Finish) Handle(ctx context.Context, in FinishInput) (FinishOutput, error) {
	switch in.Step {
	case StepDiscard:
		return FinishOutput{}, f.discard(ctx, in.File)
	case "":
	default:
		return FinishOutput{}, fmt.Errorf("csvimport: no step %q", in.Step)
	}
	if err := in.complete(); err != nil {
		return FinishOutput{}, err
	}
	s, replaced, err := f.publish(ctx, in)
	if err = f.config.withoutAWord(ctx, in.File, err); err != nil {
		if errors.As(err, new(*Superseded)) {
			if failed := f.discard(ctx, in.File); failed != nil {
				return FinishOutput{}, failed
			}
		}
		return FinishOutput{}, err
	}
	out := FinishOutput{Counts: s.Counts, Accepted: s.Accepted, Summary: in.File.summaryKey()}
	if err := f.clean(ctx, in); err != nil {
		return out, err
	}

	return out, f.sweep(ctx, in.File, replaced)
}

// complete returns errIncomplete unless the chunks add up to the plan.
func (in FinishInput) complete() error {
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

// publish makes the results and then their summary, in place of an older one. It returns the summary, which an earlier try
// may have written, and the claim of the one that it replaced. Its error is a *Superseded where there is a newer one.
func (f *Finish) publish(ctx context.Context, in FinishInput) (Summary, string, error) {
	var own Summary
	for range maxPublishes {
		current, mode, err := f.config.summary(ctx, in.File)
		switch {
		case err != nil:
			return Summary{}, "", err
		case mode != IfAbsent && current.Claim == in.File.Claim:
			return current, "", nil
		case current.newerThan(in.File):
			return Summary{}, "", &Superseded{}
		}
		if own.Claim == "" {
			if own, err = f.promote(ctx, in); err != nil {
				return Summary{}, "", err
			}
		}
		content, err := json.MarshalIndent(own, "", "  ")
		if err != nil {
			return Summary{}, "", fmt.Errorf("summary: %w", err)
		}
		err = write(ctx, f.config.Store, in.File.summaryKey(), mode, append(content, '\n'))
		if !errors.Is(err, ErrExists) && !errors.Is(err, ErrReplaced) {
			return own, current.Claim, err
		}
	}

	return Summary{}, "", &StoreError{Op: "write summary", Err: errContended}
}

// promote makes the results, and returns their summary.
func (f *Finish) promote(ctx context.Context, in FinishInput) (Summary, error) {
	var failed int64
	for _, c := range in.Chunks {
		failed += c.Rejected
	}
	report := f.config.report(ctx, in.File, progress.Config{Epoch: in.Epoch, Execution: in.Execution, FailedRows: failed})
	defer report.Close(ctx)
	report.Phase(progress.Phase{
		Name: "finish", From: parsed, To: finished, Steps: int64(len(in.Chunks)), CurrentRow: in.TotalRows, TotalRows: in.TotalRows,
		Text: func(int64, int64) string { return "Saving the results" },
	})
	h, err := f.config.header(ctx, in.File) // first: without its file, an import leaves no results
	if err != nil {
		return Summary{}, err
	}
	prefix := in.File.resultsPrefix()
	group, copying := errgroup.WithContext(ctx)
	group.SetLimit(maxCopies)
	var copied atomic.Int64
	for _, c := range in.Chunks {
		group.Go(func() error {
			if err := f.config.Store.Copy(copying, prefix+partName(c.N), c.Key+rowsSuffix); err != nil {
				return &StoreError{Op: "copy rows", Err: err}
			}
			report.Update(copied.Add(1))
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return Summary{}, err //nolint:wrapcheck // a *StoreError of this package
	}
	report.Update(copied.Load()) // copies may have reported out of order
	by, err := f.rejects(ctx, in, h)
	if err != nil {
		return Summary{}, err
	}

	return summarize(in.File, in.Chunks, by), nil
}

// rejects writes the one rejected.csv and counts why its rows were rejected.
func (f *Finish) rejects(ctx context.Context, in FinishInput, h *header) (map[rejection]int64, error) {
	w := f.config.Store.Create(ctx, in.File.resultsPrefix()+rejectsName, Replace)
	defer w.Abort()
	names := []string{"line", "column", "reason"}
	for _, name := range h.names {
		names = append(names, harmless(name))
	}
	table := csv.NewWriter(w)
	_ = table.Write(names) // the error comes again from Error
	table.Flush()
	if err := table.Error(); err != nil {
		return nil, &StoreError{Op: "write rejects", Err: err}
	}
	by := map[rejection]int64{}
	for _, c := range in.Chunks {
		if c.Rejected == 0 {
			continue
		}
		if err := f.appendRejects(ctx, w, c, by); err != nil {
			return nil, &StoreError{Op: "write rejects", Err: err}
		}
	}
	if err := w.Close(); err != nil {
		return nil, &StoreError{Op: "write rejects", Err: err}
	}

	return by, nil
}

// appendRejects copies what a chunk rejected to w as it is, and counts it.
func (f *Finish) appendRejects(ctx context.Context, w io.Writer, c ChunkOutput, by map[rejection]int64) error {
	body, err := f.config.Store.Get(ctx, Object{Key: c.Key + rejectsSuffix}, 0, -1)
	if err != nil {
		return err //nolint:wrapcheck // the caller does
	}
	defer closeBody(body)
	table := csv.NewReader(io.TeeReader(body, w))
	table.FieldsPerRecord = -1
	table.ReuseRecord = true
	var rows int64
	for {
		record, err := table.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err //nolint:wrapcheck // the caller does
		}
		by[rejection{column: record[1], reason: record[2]}]++
		rows++
	}
	if rows != c.Rejected {
		return errChanged
	}

	return nil
}

// clean removes what the chunks staged.
func (f *Finish) clean(ctx context.Context, in FinishInput) error {
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

// discard removes all that the import has made. Its results are removed only where those of a newer version are there, so
// that no other try of this step may publish them any more.
func (f *Finish) discard(ctx context.Context, file File) error {
	everything := func(string) (bool, error) { return false, nil }
	if err := remove(ctx, f.config.Store, file.stagedPrefix(), everything); err != nil {
		return err
	}
	s, _, err := f.config.summary(ctx, file)
	if err != nil || !s.newerThan(file) {
		return err
	}
	return remove(ctx, f.config.Store, file.resultsPrefix(), everything)
}

// sweep removes what older imports of the upload have left among the results: that whose summary has just been replaced, and
// those that were killed before they wrote one.
func (f *Finish) sweep(ctx context.Context, file File, replaced string) error {
	prefix := file.of(resultsPrefix)
	kept := map[string]bool{file.Claim: true, replaced: false}
	return remove(ctx, f.config.Store, prefix, func(key string) (bool, error) {
		name, _, nested := strings.Cut(strings.TrimPrefix(key, prefix), "/")
		if !nested { // of the time when results had no prefix of their own
			return name == summaryName, nil
		}
		keep, known := kept[name]
		if !known {
			older, err := f.older(ctx, file, name)
			if err != nil {
				return false, err
			}
			keep, kept[name] = !older, !older
		}

		return keep, nil
	})
}

// older reports whether the import of a claim, which has results, began before that of the file for certain: whoever has
// results had listed the claims before, so that what is listed now tells no earlier time.
func (f *Finish) older(ctx context.Context, file File, name string) (bool, error) {
	claims, err := f.config.otherClaims(ctx, file)
	if err != nil || len(claims) >= maxClaims-1 {
		return false, err
	}
	for i, c := range claims {
		if c.name == name {
			claims[i] = file.claim()
			at, err := began(c, claims)
			return at < file.Began, err
		}
	}

	return true, nil // its claim has expired
}
