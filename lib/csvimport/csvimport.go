// Package csvimport imports parts lists, CSV files of up to 1 GiB, in constant memory.
//
// [Plan] claims an upload, reads it once and cuts it into ranges of whole records; [Chunk] parses and validates one
// range; [Finish] makes the results visible. Each is a handler that a workflow calls, and may repeat.
//
// # Files
//
// The text is UTF-8, with or without a byte order mark. What RFC 4180 leaves open is read as Python's csv module reads
// it:
//
//   - A line ends at LF, CR LF or a lone CR; physical lines are counted so everywhere. The last may lack its end.
//   - Empty lines are skipped. A line of blanks is a record.
//   - A field is quoted when its first character is a quote; a blank before makes the quote text. In quotes, separators
//     and line ends are text, a doubled quote is one.
//   - A quote in an unquoted field is text. Text after a closing quote belongs to the field: `"a"b` is ab.
//   - A quote that is never closed makes the file invalid, as does a record over 1 MiB (without its line end). There
//     Python's module is more lenient.
//   - Of a record with more than 1,001 fields the first 1,001 are kept.
//
// The first record is the header: part, color and quantity in any order and case, blanks around names apart. The
// separator is the one of comma, semicolon and tab under which the header has all three, else most of them. A name
// that appears twice, in any case, makes the file invalid; a column without a name is called "column" and its number. The
// header has at most 64 KiB and 1,000 columns. A header without rows is a valid file. Binary data near the start, UTF-16, and a header that is not UTF-8 are not a CSV
// file; a file of empty lines is empty.
//
// # Rows
//
// A row is rejected, with the first reason that applies, when a field is not valid UTF-8; when it has more or fewer
// fields than the header; when part, color or quantity is empty; when the quantity is not made of the digits of a
// number from 1 to 1,000,000 (leading zeros are fine, a sign, a point and a thousands separator are not). Blanks
// around these three do not count; other columns are kept as they are, and left out of a row where they are empty. What a
// range of rows becomes takes at most 64 times its bytes and 1 MiB, see [MaxGrowth].
//
// # Objects
//
//	uploads/<user>/<upload>/<file>             what was uploaded; <user> is the id in unpadded base64url
//	claims/<user>/<upload>/<order>-<claim>     which execution imports that version; <claim> is made of key and version,
//	                                           <order> of the sequencer, so that the newest come first
//	staged/<claim>/00000.jsonl                 what a chunk accepted, until the import is finished
//	staged/<claim>/00000.rejected.csv          what it rejected
//	results/<user>/<upload>/<claim>/…          the results of one import:
//	    part-00000.jsonl                       {"line":2,"part":"3001","color":"Red","quantity":4,"extra":{…}}
//	    rejected.csv                           line, column, reason, then the record's fields, harmless to spreadsheets
//	results/<user>/<upload>/summary.json       a [Summary], written last: without it nothing is finished
//
// # Several imports of one upload
//
// The results of an upload are those that its summary names: of the newest version that could be imported, whole. The
// summary is the only object that ever changes. [Finish] replaces it on condition that it is still the one that was read,
// and only by that of a newer version. The newer of two objects with the same key is the one with the greater S3 sequencer;
// of two with different keys, the one whose execution started later. The results of the older one are removed then: a reader
// that misses a part reads the summary again.
//
// An import that is not the newest any more ends with [Superseded] and without a word to the user: when its plan begins,
// when a chunk begins, when its results are to be published, and when there is something wrong with its file. [Finish]
// removes its results. What a chunk stages after that is left to the rule by which staged objects expire. An import that is
// killed between its first result and its summary leaves at most its results, which no summary names; the next import of
// the same upload removes them.
package csvimport

import (
	"log/slog"

	"github.com/herald-progress/herald/lib/progress"
)

// Config is what the steps are wired with. Store is required.
type Config struct {
	// Store holds the uploads and takes the results.
	Store Store
	// Publisher takes the progress; nil publishes nothing.
	Publisher progress.Publisher
	// Logger is silent when nil.
	Logger *slog.Logger
	// RangeBytes is the least size of a range; zero means [DefaultRangeBytes].
	RangeBytes int64
}

// File is an upload that an import works on.
type File struct {
	UserID   string `json:"userId"`
	UploadID string `json:"uploadId"`
	FileName string `json:"fileName"`
	// Key, Version and ETag name the object; Version is empty in a bucket without versioning.
	Key     string `json:"key"`
	Version string `json:"version"`
	ETag    string `json:"etag"`
	// Size is the object's length in bytes.
	Size int64 `json:"size"`
	// HeaderBytes is where the header ends and the first range starts.
	HeaderBytes int64 `json:"headerBytes"`
	// Claim names this import's claim, its staged objects and its results: 32 hexadecimal digits made of key and version.
	Claim string `json:"claim"`
	// Began and Sequencer order the imports of one upload. Began is when this one counts as begun, RFC 3339 with
	// milliseconds: the start of its execution, or later. It is also the time in the epoch of the import's states.
	Began     string `json:"began"`
	Sequencer string `json:"sequencer"`
	// StartedAt is when the plan began, RFC 3339 with milliseconds.
	StartedAt string `json:"startedAt"`
}

// Range is a stretch of whole records.
type Range struct {
	N int `json:"n"`
	// Offset and Bytes place the range in the object.
	Offset int64 `json:"offset"`
	Bytes  int64 `json:"bytes"`
	// Line is the physical line, from 1, at which the range starts.
	Line int64 `json:"line"`
	// Rows is the number of rows in this range, at least 1.
	Rows int64 `json:"rows"`
}

// Counts are what a range, or a whole file, came to.
type Counts struct {
	Rows     int64 `json:"rows"`
	Rejected int64 `json:"rejected"`
	// Quantity is the sum over the accepted rows.
	Quantity int64 `json:"quantity"`
}
