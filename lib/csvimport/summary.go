package csvimport

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/herald-progress/herald/lib/message"
)

// The names of an import's results, below their prefix.
const (
	summaryName = "summary.json"
	rejectsName = "rejected.csv"
)

// Summary is an import's outcome, and the content of its summary.json.
type Summary struct {
	UserID   string `json:"userId"`
	UploadID string `json:"uploadId"`
	FileName string `json:"fileName"`
	// Claim tells the imports of one upload's versions apart; Began, Sequencer and Claim, in this order, say which is newer.
	Claim     string `json:"claim"`
	Began     string `json:"began"`
	Sequencer string `json:"sequencer"`
	// Bytes is the upload's size.
	Bytes int64 `json:"bytes"`
	Counts

	Accepted int64 `json:"accepted"`
	// RejectedBy counts the rejected rows, most frequent first.
	RejectedBy []RejectCount `json:"rejectedBy"`
	// StartedAt and FinishedAt are RFC 3339 with milliseconds; DurationMillis is the time between, in milliseconds.
	StartedAt      string `json:"startedAt"`
	FinishedAt     string `json:"finishedAt"`
	DurationMillis int64  `json:"durationMs"`
	// Prefix and one of the names below make the key of a result.
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
func summarize(file File, chunks []ChunkOutput, by map[rejection]int64) Summary {
	now := time.Now()
	s := Summary{
		UserID: file.UserID, UploadID: file.UploadID, FileName: file.FileName, Bytes: file.Size,
		Claim: file.Claim, Began: file.Began, Sequencer: file.Sequencer,
		RejectedBy: []RejectCount{}, StartedAt: file.StartedAt, FinishedAt: message.Time{Time: now}.String(),
		Prefix: file.resultsPrefix(), Results: []string{}, Rejects: rejectsName,
	}
	for _, c := range chunks {
		s.Rows += c.Rows
		s.Rejected += c.Rejected
		s.Quantity += c.Quantity
		s.Results = append(s.Results, partName(c.N))
	}
	s.Accepted = s.Rows - s.Rejected
	for why, rows := range by {
		s.RejectedBy = append(s.RejectedBy, RejectCount{Column: why.column, Reason: why.reason, Rows: rows})
	}
	slices.SortFunc(s.RejectedBy, func(a, b RejectCount) int {
		return cmp.Or(-cmp.Compare(a.Rows, b.Rows), cmp.Compare(a.Column, b.Column), cmp.Compare(a.Reason, b.Reason))
	})
	if started, err := time.Parse(time.RFC3339, file.StartedAt); err == nil {
		s.DurationMillis = max(0, now.Sub(started).Milliseconds())
	}

	return s
}

func partName(n int) string { return fmt.Sprintf("part-%05d.jsonl", n) }

// newerThan reports whether the results are of a newer version of the upload than file.
func (s Summary) newerThan(file File) bool {
	return cmp.Or(cmp.Compare(s.Began, file.Began), cmp.Compare(s.Sequencer, file.Sequencer), cmp.Compare(s.Claim, file.Claim)) > 0
}

// summary returns the summary of the file's upload with the mode in which alone it may be replaced. The zero summary, which
// is older than any, means that there is none.
func (c Config) summary(ctx context.Context, file File) (Summary, Mode, error) {
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

// newest returns a *Superseded where the results of a newer version of the upload are there.
func (c Config) newest(ctx context.Context, file File) error {
	s, _, err := c.summary(ctx, file)
	if err != nil {
		return err
	}
	if s.newerThan(file) {
		return &Superseded{}
	}
	return nil
}
