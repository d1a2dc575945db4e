// Package csvimport imports parts lists, CSV files of up to 1 GiB, in constant memory.
//
// [Plan] claims an upload, reads it once and splits it into ranges of whole records. [Chunk] parses and validates one
// range. [Finish] publishes the results. Each is a handler that a workflow calls and may call again.
//
// # Files
//
// The text is UTF-8, with or without a byte order mark. Where RFC 4180 leaves a choice, the scanner does what Python's
// csv module does:
//
//   - A line ends at LF, CR LF or a lone CR. The last line may lack its end. Line numbers count these physical lines.
//   - Empty lines are skipped. A line of blanks is a record.
//   - A field is quoted if its first character is a quote. After a leading blank, a quote is text. Inside quotes,
//     separators and line ends are text, and a doubled quote stands for one quote.
//   - A quote inside an unquoted field is text. Text after a closing quote belongs to the field: `"a"b` is ab.
//   - An unclosed quote makes the file invalid, as does a record over 1 MiB (without its line end). Python's module
//     accepts both.
//   - The scanner returns at most the first 1,001 fields of a record.
//
// The first record is the header. It names the columns part, color and quantity, in any order and case; blanks around
// names are ignored. The separator is a comma, a semicolon or a tab: the first under which the header has all three
// columns, else the one under which it has most of them. A name that appears twice, in any case, makes the file invalid.
// A column without a name is called "column" and its number. The header has at most 64 KiB and 1,000 columns. A header
// without rows is a valid file. A file is not CSV if it is UTF-16, has binary data near the start, or has a header that
// is not UTF-8. A file of empty lines is empty.
//
// # Rows
//
// A row is rejected with the first reason that applies:
//
//   - A field is not valid UTF-8.
//   - It has more or fewer fields than the header.
//   - Its part, color or quantity is empty.
//   - Its quantity is not a number from 1 to 1,000,000, written in digits only. Leading zeros are accepted; a sign, a
//     decimal point and a thousands separator are not.
//
// Blanks around part, color and quantity are removed. Other columns are stored unchanged, or omitted if empty. The output
// of a range is at most 64 times its bytes plus 1 MiB, see [MaxGrowth].
//
// # Objects
//
//	uploads/<user>/<upload>/<file>             the uploaded file; <user> is the user's id in unpadded base64url
//	claims/<user>/<upload>/<order>-<claim>     which execution imports that version; <claim> is a hash of key and version,
//	                                           <order> is made of the sequencer, so that the newest claims come first
//	staged/<claim>/00000.jsonl                 a chunk's accepted rows, until the import is finished
//	staged/<claim>/00000.rejected.csv          its rejected rows
//	results/<user>/<upload>/<claim>/…          the results of one import:
//	    part-00000.jsonl                       {"line":2,"part":"3001","color":"Red","quantity":4,"extra":{…}}
//	    rejected.csv                           line, column, reason, then the record's fields; formulas are escaped
//	results/<user>/<upload>/summary.json       a [Summary], written last: the import is finished once it exists
//
// # Several imports of one upload
//
// The summary names the results of an upload: all those of the newest version that could be imported. The summary is the
// only object that is ever replaced. [Finish] replaces it with the summary of a newer version only, and only if it has
// not changed since it was read. Then Finish deletes the results of the older version: a reader that finds a part missing
// reads the summary again.
//
// Which of two versions is newer: with the same key, the one with the greater S3 sequencer; with different keys, the one
// whose execution started later.
//
// An import of a version that is no longer the newest ends with [Superseded], and the user gets no message about it. The
// steps check this when the plan begins, when a chunk begins, before Finish publishes, and when a step fails because of
// the file. Finish deletes the results of a superseded import; a lifecycle rule of the bucket deletes what a chunk stages
// after that. If an import is killed after it wrote results and before it wrote its summary, no summary names these
// results, and the next import of the same upload deletes them.
package csvimport

import (
	"log/slog"

	"github.com/herald-progress/herald/lib/progress"
)

// Config configures the three steps. Store is required.
type Config struct {
	// Store holds the uploads and the results.
	Store Store
	// Publisher publishes the progress; nil publishes nothing.
	Publisher progress.Publisher
	// Logger is silent when nil.
	Logger *slog.Logger
	// RangeBytes is the smallest size of a range, in bytes; zero means [DefaultRangeBytes].
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
	// Claim is part of the keys of this import's claim, staged objects and results: 32 hexadecimal digits, a hash of key
	// and version.
	Claim string `json:"claim"`
	// OrderTime and Sequencer order the imports of one upload. OrderTime is RFC 3339 with milliseconds: the start of the
	// import's execution, or later if it must follow an older version (see computeOrderTime). It is also the time in the
	// epoch of the import's states.
	OrderTime string `json:"orderTime"`
	Sequencer string `json:"sequencer"`
	// StartedAt is when the plan began, RFC 3339 with milliseconds.
	StartedAt string `json:"startedAt"`
}

// Range is a part of the file that consists of whole records.
type Range struct {
	// N is the range's index, from 0.
	N int `json:"n"`
	// Offset and Bytes are where the range starts in the object and how long it is.
	Offset int64 `json:"offset"`
	Bytes  int64 `json:"bytes"`
	// Line is the physical line, from 1, at which the range starts.
	Line int64 `json:"line"`
	// Rows is the number of rows in this range, at least 1.
	Rows int64 `json:"rows"`
}

// Counts are the number of rows and rejected rows in a range or a whole file, and the sum of the quantities.
type Counts struct {
	Rows     int64 `json:"rows"`
	Rejected int64 `json:"rejected"`
	// Quantity is the sum over the accepted rows.
	Quantity int64 `json:"quantity"`
}
