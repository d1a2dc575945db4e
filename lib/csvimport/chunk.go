package csvimport

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/herald-progress/herald/lib/progress"
)

// ChunkInput is one range of a plan.
type ChunkInput struct {
	// Epoch and Execution are as in [PlanInput].
	Epoch     string `json:"epoch"`
	Execution string `json:"execution"`

	File      File  `json:"file"`
	TotalRows int64 `json:"totalRows"`
	Range     Range `json:"range"`
}

// ChunkOutput is what became of a range, in under 200 bytes of JSON.
type ChunkOutput struct {
	N int `json:"n"`
	Counts

	// Key is the staged objects' key without their suffixes.
	Key string `json:"key"`
}

// errChanged says that a range does not hold what the plan counted.
var errChanged = errors.New("csvimport: the range is not what was planned")

// Chunk parses and validates one range.
type Chunk struct{ config Config }

// NewChunk returns the chunk step.
func NewChunk(c Config) *Chunk { return &Chunk{config: c} }

// Handle stages the range's accepted rows as JSON lines and, where there are any, its rejected ones as CSV. It may be
// repeated: what it stages is replaced by the same. Its errors are an [*InvalidFile], a [*FileDeleted], a [*FileReplaced], a
// [*Superseded] or a [*StoreError].
func (c *Chunk) Handle(ctx context.Context, in ChunkInput) (ChunkOutput, error) {
	if err := c.config.newest(ctx, in.File); err != nil {
		return ChunkOutput{}, err
	}
	out, err := c.parse(ctx, in)
	if err != nil {
		return ChunkOutput{}, c.config.withoutAWord(ctx, in.File, err)
	}
	return out, nil
}

// parse stages what becomes of the range.
func (c *Chunk) parse(ctx context.Context, in ChunkInput) (ChunkOutput, error) {
	h, err := c.config.header(ctx, in.File)
	if err != nil {
		return ChunkOutput{}, err
	}
	report := c.config.report(ctx, in.File, progress.Config{
		Epoch: in.Epoch, Execution: in.Execution, Part: strconv.Itoa(in.Range.N),
	})
	defer report.Close(ctx)
	report.Phase(progress.Phase{
		Name: "parse", From: planned, To: parsed, Steps: in.TotalRows, Rows: true,
		Text: func(_, steps int64) string { return fmt.Sprintf("Importing %d rows", steps) }, // the job's: its parts share one row
	})
	body, err := c.config.Store.Get(ctx, in.File.object(), in.Range.Offset, in.Range.Bytes)
	if err != nil {
		return ChunkOutput{}, ofUpload("read range", err)
	}
	defer closeBody(body)
	st := newStage(ctx, c.config.Store, h, in.File.staged(in.Range.N), in.Range.Bytes)
	defer st.abort()
	s := newScanner(body, h.sep, in.Range.Offset, in.Range.Line)
	for {
		fields, line, err := s.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return ChunkOutput{}, orStore("read range", err)
		}
		accepted, err := st.add(line, fields)
		if err != nil {
			return ChunkOutput{}, err
		}
		if !accepted {
			report.Reject(1)
		}
		report.Update(st.counts.Rows)
	}
	if st.counts.Rows != in.Range.Rows {
		return ChunkOutput{}, &StoreError{Op: "read range", Err: errChanged}
	}
	if err := st.close(); err != nil {
		return ChunkOutput{}, err
	}

	return ChunkOutput{N: in.Range.N, Counts: st.counts, Key: st.key}, nil
}

// header reads the file's header again: it may be too long to travel in the workflow's payload.
func (c Config) header(ctx context.Context, file File) (*header, error) {
	body, err := c.Store.Get(ctx, file.object(), 0, file.HeaderBytes)
	if err != nil {
		return nil, ofUpload("read header", err)
	}
	defer closeBody(body)
	h, _, err := readHeader(body)
	return h, orStore("read header", err)
}

// stage writes what becomes of a range.
type stage struct {
	ctx    context.Context //nolint:containedctx // a stage lives no longer than the call that made it
	store  Store
	header *header
	key    string
	counts Counts

	lines   *lines
	rows    Writer
	rejects Writer // nil until a row is rejected
	table   *csv.Writer
	record  []string

	left int64 // the bytes that may still be staged
}

// newStage returns the stage of a range of so many bytes.
func newStage(ctx context.Context, store Store, h *header, key string, bytes int64) *stage {
	s := &stage{ctx: ctx, store: store, header: h, key: key, lines: newLines(h), left: MaxGrowth*bytes + growthFree}
	s.rows = &countingWriter{store.Create(ctx, key+rowsSuffix, Replace), &s.left}
	return s
}

// countingWriter takes what is written off what may be written.
type countingWriter struct {
	Writer

	left *int64
}

func (w *countingWriter) Write(p []byte) (int, error) {
	n, err := w.Writer.Write(p)
	*w.left -= int64(n)
	return n, err //nolint:wrapcheck // the writer's own
}

// add writes one record to where it belongs and reports whether it was accepted. Its error is an *InvalidFile once the
// range has grown too much.
func (s *stage) add(line int64, fields [][]byte) (bool, error) {
	if s.left < 0 {
		return false, &InvalidFile{Line: line, Reason: fmt.Sprintf("the results would be more than %d times as large as the file, "+
			"because each row repeats the long names of its columns; shorten the names of the columns", MaxGrowth)}
	}
	s.counts.Rows++
	row, why := s.header.read(fields)
	if why != (rejection{}) {
		s.counts.Rejected++
		return false, s.reject(line, why, fields)
	}
	s.counts.Quantity += row.quantity
	if _, err := s.rows.Write(s.lines.line(line, row, fields)); err != nil {
		return false, &StoreError{Op: "stage rows", Err: err}
	}

	return true, nil
}

func (s *stage) reject(line int64, why rejection, fields [][]byte) error {
	if s.rejects == nil {
		s.rejects = &countingWriter{s.store.Create(s.ctx, s.key+rejectsSuffix, Replace), &s.left}
		s.table = csv.NewWriter(s.rejects)
	}
	s.record = rejectFields(s.record, line, why, fields)
	if err := s.table.Write(s.record); err != nil {
		return &StoreError{Op: "stage rejects", Err: err}
	}
	return nil
}

// close makes what was staged visible.
func (s *stage) close() error {
	if s.rejects != nil {
		s.table.Flush()
		if err := s.table.Error(); err != nil {
			return &StoreError{Op: "stage rejects", Err: err}
		}
		if err := s.rejects.Close(); err != nil {
			return &StoreError{Op: "stage rejects", Err: err}
		}
	}
	if err := s.rows.Close(); err != nil {
		return &StoreError{Op: "stage rows", Err: err}
	}

	return nil
}

// abort gives up what close has not made visible.
func (s *stage) abort() {
	s.rows.Abort()
	if s.rejects != nil {
		s.rejects.Abort()
	}
}
