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
	// Epoch identifies the run of the job, see [PlanInput].
	Epoch string `json:"epoch"`
	// Execution is the ARN of the workflow's execution.
	Execution string `json:"execution"`

	File File `json:"file"`
	// TotalRows is the number of rows of the whole file.
	TotalRows int64 `json:"totalRows"`
	Range     Range `json:"range"`
}

// ChunkOutput is the outcome of one range. Its JSON is shorter than 200 bytes.
type ChunkOutput struct {
	// N is the index of the range.
	N int `json:"n"`
	Counts

	// Key is the key of the staged objects without their suffixes.
	Key string `json:"key"`
}

// flushBytes is the size of the encoded rows that are staged in one Write. Only the last row of them may exceed it.
const flushBytes = 32 << 10

// errRangeChanged means that a range does not have as many rows as the plan counted.
var errRangeChanged = errors.New("csvimport: the range has another number of rows than planned")

// Chunk parses and validates one range.
type Chunk struct{ config Config }

// NewChunk returns the chunk step.
func NewChunk(c Config) *Chunk { return &Chunk{config: c} }

// Handle stages the range's accepted rows as JSON lines, and its rejected rows, if any, as CSV. It may be called again: then it
// writes the same objects again. Its errors are an [*InvalidFile], a [*FileDeleted], a [*FileReplaced], a [*Superseded] or
// a [*StoreError].
func (c *Chunk) Handle(ctx context.Context, in ChunkInput) (ChunkOutput, error) {
	if err := c.config.checkNewest(ctx, in.File); err != nil {
		return ChunkOutput{}, err
	}
	out, err := c.parse(ctx, in)
	if err != nil {
		return ChunkOutput{}, c.config.asSuperseded(ctx, in.File, err)
	}
	return out, nil
}

// parse reads the range and stages its accepted and rejected rows.
func (c *Chunk) parse(ctx context.Context, in ChunkInput) (ChunkOutput, error) {
	h, err := c.config.readFileHeader(ctx, in.File)
	if err != nil {
		return ChunkOutput{}, err
	}
	reporter := c.config.newReporter(ctx, in.File, progress.Config{
		Epoch: in.Epoch, Execution: in.Execution, Part: strconv.Itoa(in.Range.N),
	})
	defer reporter.Close(ctx)
	reporter.Phase(progress.Phase{
		Name: "parse", From: plannedPercent, To: parsedPercent, Steps: in.TotalRows, Rows: true,
		// The text is about the whole job, because all ranges report it.
		Text: func(_, steps int64) string { return fmt.Sprintf("Importing %d rows", steps) },
	})
	body, err := c.config.Store.Get(ctx, in.File.object(), in.Range.Offset, in.Range.Bytes)
	if err != nil {
		return ChunkOutput{}, asUploadError("read range", err)
	}
	defer closeBody(body)
	w := newRangeWriter(ctx, c.config.Store, h, in.File.stagedKey(in.Range.N), in.Range.Bytes)
	defer w.abort()
	s := newRowReader(body, h, in.Range)
	for {
		fields, line, err := s.next()
		if err != nil {
			if errors.Is(err, io.EOF) {
				break
			}
			return ChunkOutput{}, asStoreError("read range", err)
		}
		accepted, err := w.add(line, fields, s.plain)
		if err != nil {
			return ChunkOutput{}, err
		}
		if !accepted {
			reporter.Reject(1)
		}
		reporter.Update(w.counts.Rows)
	}
	if w.counts.Rows != in.Range.Rows {
		return ChunkOutput{}, &StoreError{Op: "read range", Err: errRangeChanged}
	}
	if err := w.close(); err != nil {
		return ChunkOutput{}, err
	}
	return ChunkOutput{N: in.Range.N, Counts: w.counts, Key: w.key}, nil
}

// rangeWriter stages the rows of one range.
type rangeWriter struct {
	ctx    context.Context
	store  Store
	header *header
	key    string // of the staged objects, without their suffixes
	counts Counts // of the rows so far

	row           row // the last accepted one
	encoder       *rowEncoder
	rowsWriter    Writer
	rejectsWriter Writer // nil until a row is rejected
	rejectsCSV    *csv.Writer
	record        []string // the line of the last rejected row, whose memory the next one uses again

	remaining int64 // the bytes that may still be staged; negative if too many were staged
}

// newRangeWriter returns a writer for a range that has this many bytes.
func newRangeWriter(ctx context.Context, store Store, h *header, key string, bytes int64) *rangeWriter {
	w := &rangeWriter{ctx: ctx, store: store, header: h, key: key, encoder: newRowEncoder(h), remaining: MaxGrowth*bytes + growthAllowance}
	w.rowsWriter = store.Create(ctx, key+rowsSuffix, Replace)
	return w
}

// budgetWriter is a Writer that subtracts the bytes that it writes from *remaining.
type budgetWriter struct {
	Writer

	remaining *int64
}

func (w *budgetWriter) Write(p []byte) (int, error) {
	n, err := w.Writer.Write(p)
	*w.remaining -= int64(n)
	return n, err
}

// add stages one record as accepted or rejected, and reports whether it was accepted. plain is that of the scanner. The error is an *InvalidFile if the output is
// larger than [MaxGrowth] allows.
func (w *rangeWriter) add(line int64, fields [][]byte, plain bool) (bool, error) {
	if w.remaining < 0 {
		return false, &InvalidFile{Line: line, Reason: fmt.Sprintf("the results would be more than %d times as large as the file, "+
			"because each row repeats the long names of its columns; shorten the names of the columns", MaxGrowth)}
	}
	w.counts.Rows++
	if rejected := w.header.parseRow(&w.row, fields, plain); rejected != nil {
		w.counts.Rejected++
		return false, w.reject(line, rejected, fields)
	}
	w.counts.Quantity += w.row.quantity
	before := len(w.encoder.buf)
	w.encoder.encode(line, &w.row, fields, plain)
	w.remaining -= int64(len(w.encoder.buf) - before)
	if len(w.encoder.buf) < flushBytes {
		return true, nil
	}
	return true, w.flush()
}

// flush stages the rows that are encoded.
func (w *rangeWriter) flush() error {
	_, err := w.rowsWriter.Write(w.encoder.buf)
	w.encoder.buf = w.encoder.buf[:0]
	if err != nil {
		return &StoreError{Op: "stage rows", Err: err}
	}
	return nil
}

// reject stages a rejected record. The first one opens the object of the rejected rows.
func (w *rangeWriter) reject(line int64, rejected *rejection, fields [][]byte) error {
	if w.rejectsWriter == nil {
		w.rejectsWriter = &budgetWriter{w.store.Create(w.ctx, w.key+rejectsSuffix, Replace), &w.remaining}
		w.rejectsCSV = csv.NewWriter(w.rejectsWriter)
	}
	w.record = rejectFields(w.record, line, rejected, fields)
	if err := w.rejectsCSV.Write(w.record); err != nil {
		return &StoreError{Op: "stage rejects", Err: err}
	}
	return nil
}

// close makes the staged objects visible.
func (w *rangeWriter) close() error {
	if w.rejectsWriter != nil {
		w.rejectsCSV.Flush()
		if err := w.rejectsCSV.Error(); err != nil {
			return &StoreError{Op: "stage rejects", Err: err}
		}
		if err := w.rejectsWriter.Close(); err != nil {
			return &StoreError{Op: "stage rejects", Err: err}
		}
	}
	if err := w.flush(); err != nil {
		return err
	}
	if err := w.rowsWriter.Close(); err != nil {
		return &StoreError{Op: "stage rows", Err: err}
	}
	return nil
}

// abort discards the objects that close has not made visible.
func (w *rangeWriter) abort() {
	w.rowsWriter.Abort()
	if w.rejectsWriter != nil {
		w.rejectsWriter.Abort()
	}
}
