package csvimport

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/herald-progress/herald/lib/progress"
)

// FinishInput is what the chunks of a plan came to.
type FinishInput struct {
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

// errIncomplete says that the chunks do not add up to the plan.
var errIncomplete = errors.New("csvimport: the chunks are not what was planned")

// Finish makes an import's results visible.
type Finish struct{ config Config }

// NewFinish returns the finish step.
func NewFinish(c Config) *Finish { return &Finish{config: c} }

// Handle copies the staged rows to the results, brings the rejected ones together, writes the summary last, removes
// what was staged, and returns the outcome. It may be repeated from any point. Its error is a [*StoreError].
//
// Readers find results by the summary: while there is none, nothing is finished. An earlier import of the same upload
// is withdrawn first.
func (f *Finish) Handle(ctx context.Context, in FinishInput) (FinishOutput, error) {
	var rows int64
	for n, c := range in.Chunks {
		if c.N != n {
			return FinishOutput{}, errIncomplete
		}
		rows += c.Rows
	}
	if rows != in.TotalRows {
		return FinishOutput{}, errIncomplete
	}
	s, err := f.summary(ctx, in)
	if err != nil {
		return FinishOutput{}, err
	}

	return FinishOutput{Counts: s.Counts, Accepted: s.Accepted, Summary: s.Prefix + summaryName}, f.clean(ctx, in)
}

// summary returns the import's summary: the one that an earlier try has written, else a new one.
func (f *Finish) summary(ctx context.Context, in FinishInput) (Summary, error) {
	old, err := readSummary(ctx, f.config.Store, in.File.resultsPrefix())
	switch {
	case err != nil:
		return Summary{}, err
	case old != nil && old.Claim == in.File.Claim:
		return *old, nil
	case old != nil:
		if err := f.withdraw(ctx, *old); err != nil {
			return Summary{}, err
		}
	}

	return f.promote(ctx, in)
}

// promote makes the results, the summary last.
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
	by, err := f.rejects(ctx, in)
	if err != nil {
		return Summary{}, err
	}
	s := summarize(in.File, in.Chunks, by)
	content, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return Summary{}, fmt.Errorf("summary: %w", err)
	}

	return s, write(ctx, f.config.Store, prefix+summaryName, Replace, append(content, '\n'))
}

// rejects writes the one rejected.csv and counts why its rows were rejected.
func (f *Finish) rejects(ctx context.Context, in FinishInput) (map[rejection]int64, error) {
	h, err := f.config.header(ctx, in.File)
	if err != nil {
		return nil, orStore("read header", err)
	}
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

// withdraw removes the results of an earlier import, its summary first.
func (f *Finish) withdraw(ctx context.Context, s Summary) error {
	names := make([]string, 0, len(s.Results)+1)
	for _, name := range append(s.Results, s.Rejects) {
		names = append(names, s.Prefix+name)
	}
	for _, keys := range [][]string{{s.Prefix + summaryName}, names} {
		if err := f.config.Store.Delete(ctx, keys...); err != nil {
			return &StoreError{Op: "delete earlier results", Err: err}
		}
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
