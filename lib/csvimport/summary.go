package csvimport

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/herald-progress/herald/lib/message"
)

// The last parts of the keys of a summary and of the rejected rows.
const (
	summaryName = "summary.json"
	rejectsName = "rejected.csv"
)

// Summary is an import's outcome, and the content of its summary.json.
type Summary struct {
	UserID   string `json:"userId"`
	UploadID string `json:"uploadId"`
	FileName string `json:"fileName"`
	// Claim identifies the import among the imports of one upload, see [File].
	Claim     string `json:"claim"`
	OrderTime string `json:"orderTime"`
	Sequencer string `json:"sequencer"`
	// Bytes is the upload's size.
	Bytes int64 `json:"bytes"`
	// Encoding is the encoding in which the file was read, such as "utf-8". EncodingAssumed is true if nothing in the file names it.
	Encoding        string `json:"encoding"`
	EncodingAssumed bool   `json:"encodingAssumed"`
	// Columns maps part, color and quantity to the names that the file has for them. It has no color if the file has no such
	// column.
	Columns map[string]string `json:"columns"`
	// Notes are sentences for the user about how the file was read, such as "BLItemNo was read as part".
	Notes []string `json:"notes"`
	Counts

	Accepted int64 `json:"accepted"`
	// RejectedBy counts the rejected rows, most frequent first.
	RejectedBy []RejectCount `json:"rejectedBy"`
	// StartedAt and FinishedAt are RFC 3339 with milliseconds; DurationMillis is the time between them.
	StartedAt      string `json:"startedAt"`
	FinishedAt     string `json:"finishedAt"`
	DurationMillis int64  `json:"durationMs"`
	// Prefix is the beginning of the keys of the results. Results and Rejects are the rests of these keys.
	Prefix  string   `json:"prefix"`
	Results []string `json:"results"`
	Rejects string   `json:"rejects"`
}

// RejectCount is the number of rows that were rejected for one reason.
type RejectCount struct {
	Column string `json:"column"`
	Reason string `json:"reason"`
	Rows   int64  `json:"rows"`
}

// summarize returns the summary of an import that ends now.
func summarize(file File, h *header, chunks []ChunkOutput, rejectCounts map[rejection]int64) Summary {
	now := time.Now()
	s := Summary{
		UserID: file.UserID, UploadID: file.UploadID, FileName: file.FileName, Bytes: file.Size,
		Encoding: h.encoding, EncodingAssumed: h.encoding == encodingWindows1252, Columns: h.columns(), Notes: append([]string{}, h.notes...),
		Claim: file.Claim, OrderTime: file.OrderTime, Sequencer: file.Sequencer,
		RejectedBy: []RejectCount{}, StartedAt: file.StartedAt, FinishedAt: message.Time{Time: now}.String(),
		Prefix: file.ResultsPrefix(), Results: []string{}, Rejects: rejectsName,
	}
	if note := file.StrayQuotes.note(); note != "" {
		s.Notes = append(s.Notes, note)
	}
	for _, c := range chunks {
		s.Rows += c.Rows
		s.Rejected += c.Rejected
		s.Quantity += c.Quantity
		s.Results = append(s.Results, partName(c.N))
	}
	s.Accepted = s.Rows - s.Rejected
	for r, rows := range rejectCounts {
		s.RejectedBy = append(s.RejectedBy, RejectCount{Column: r.column, Reason: r.reason, Rows: rows})
	}
	slices.SortFunc(s.RejectedBy, func(a, b RejectCount) int {
		return cmp.Or(-cmp.Compare(a.Rows, b.Rows), cmp.Compare(a.Column, b.Column), cmp.Compare(a.Reason, b.Reason))
	})
	if started, err := time.Parse(time.RFC3339, file.StartedAt); err == nil {
		s.DurationMillis = max(0, now.Sub(started).Milliseconds())
	}
	return s
}

// nothingImported returns the error of an import whose rows were all rejected.
func (s Summary) nothingImported() error {
	most := s.RejectedBy[0]
	reason := most.Reason
	if most.Column != "" {
		reason = fmt.Sprintf("column %q: %s", truncateName(most.Column), reason)
	}
	if s.Rows == 1 {
		return &InvalidFile{Reason: "The only row was not imported: " + reason}
	}
	rows := "1 row"
	if most.Rows > 1 {
		rows = fmt.Sprintf("%d rows", most.Rows)
	}
	return &InvalidFile{Reason: fmt.Sprintf("None of the %d rows was imported. The most frequent reason (%s): %s", s.Rows, rows, reason)}
}

// resultToOffer returns the key of what the end of the job offers its user, see [FinishOutput].
func (f File) resultToOffer(c Counts) string {
	result := f.summaryKey()
	if c.Rejected > 0 {
		result = f.ResultsPrefix() + rejectsName
	}
	end := message.UploadProgress{
		UploadID: f.UploadID, FileName: f.FileName, Phase: "finish", Progress: 100, Status: message.StatusSucceeded, CurrentRow: c.Rows, TotalRows: c.Rows, FailedRows: c.Rejected,
		Message: strings.Repeat("x", maxEndMessage), Result: result,
	}
	if end.Validate() != nil || message.New(end, "", time.Time{}).CheckSize("") != nil {
		return ""
	}
	return result
}

// maxEndMessage is more than the message takes that the workflow ends the job with.
const maxEndMessage = 128

// partName returns the name of the results of range n.
func partName(n int) string { return fmt.Sprintf("part-%05d.jsonl", n) }

// newerThan reports whether the summary belongs to a newer version of the upload than file. OrderTime decides first, then Sequencer,
// then Claim.
func (s Summary) newerThan(file File) bool {
	return cmp.Or(cmp.Compare(s.OrderTime, file.OrderTime), cmp.Compare(s.Sequencer, file.Sequencer), cmp.Compare(s.Claim, file.Claim)) > 0
}

// readSummary returns the stored summary of the file's upload, and the mode for a write that replaces exactly this summary. If there is
// none, it returns IfAbsent and the zero Summary, which is older than any other.
func (c Config) readSummary(ctx context.Context, file File) (Summary, Mode, error) {
	content, etag, err := c.Store.Read(ctx, file.summaryKey())
	if errors.Is(err, ErrNotFound) {
		return Summary{}, IfAbsent, nil
	}
	if err != nil {
		return Summary{}, "", &StoreError{Op: "read summary", Err: err}
	}
	var s Summary
	if err := json.Unmarshal(content, &s); err != nil {
		return Summary{}, "", fmt.Errorf("read summary: %w", err)
	}
	return s, IfMatch(etag), nil
}

// ReadSummary returns the summary of an upload, or [ErrNotFound] if no import of it has ended with results.
func ReadSummary(ctx context.Context, store Store, userID, uploadID string) (Summary, error) {
	s, mode, err := Config{Store: store}.readSummary(ctx, File{UserID: userID, UploadID: uploadID})
	if err == nil && mode == IfAbsent {
		err = ErrNotFound
	}
	return s, err
}

// checkNewest returns a *Superseded if the stored summary belongs to a newer version of the upload.
func (c Config) checkNewest(ctx context.Context, file File) error {
	s, _, err := c.readSummary(ctx, file)
	if err != nil {
		return err
	}
	if s.newerThan(file) {
		return &Superseded{}
	}
	return nil
}
