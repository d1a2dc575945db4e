// Package csvimport imports parts lists, CSV files of up to 1 GiB, in constant memory.
//
// An import has three steps. [Plan] claims an upload, reads it once and splits it into ranges of whole records. [Chunk] parses
// and validates one range. [Finish] publishes the results. Each step is a handler that a workflow calls, and may call again.
//
// # Files
//
// The text is UTF-8, or UTF-16 or UTF-32 with a byte order mark. A file without a mark that is not UTF-8 is read as
// Windows-1252, unless its bytes show that it is neither; a file of which more is UTF-8 than not is UTF-8. The whole file decides. Where
// RFC 4180 leaves a choice, the scanner does what Python's csv module does:
//
//   - A line ends at LF, CR LF or a lone CR. The last line may lack its end. Line numbers count these physical lines.
//   - Empty lines are skipped. So are records of blank fields, such as `,,`: they are no rows, and no count includes them.
//   - A field is quoted if its first character is a quote. After a leading blank, a quote is text. Inside quotes,
//     separators and line ends are text, and a doubled quote stands for one quote.
//   - A quote inside an unquoted field is text. Text after a closing quote belongs to the field: `"a"b` is ab.
//   - An unclosed quote makes the file invalid, and so does a record over 1 MiB (without its line end). In these two points the
//     scanner differs from Python's module, which accepts such files.
//   - A quoted field with line ends that goes on after its closing quote is read, but noted in the summary: its opening quote was
//     probably a sign of inches, and has swallowed the lines between.
//
// The header is the first record that names the columns part and quantity, under one of the names in columnNames. It stands at most ten
// lines after the first record. The records before it are skipped, but if one of them is a valid row with as many fields as the header,
// at most half of them blank, the file is invalid. A column color is optional: without it, the rows have no color. If the file has several
// names of one column, the most preferred is taken, and the others are extra columns.
//
// The separator is a comma, a semicolon, a tab or a vertical bar: the one with which the header has most columns. If the first line is
// "sep=" and a character, this is the separator.
//
// Of two columns with one name, in any case, the second is called name.1. A column without a name is called "column" and its number.
// Byte order marks and control characters in names are removed. The header has at most 64 KiB and 1,000 columns. A header without rows
// is a valid file. A file is not CSV if its start is that of an archive or an image, or has many zero bytes, except at its end. A file of
// empty lines is empty.
//
// # Rows
//
// If a row has fewer fields than the header, the missing ones are empty. Blank fields after those of the header are ignored. A row is
// rejected with the first reason that applies:
//
//   - A field is not valid UTF-8, or holds a control character: a byte order mark, or a character of Unicode's category Cc other than
//     tab, LF and CR.
//   - It has more fields than the header, and not all of the surplus ones are blank.
//   - Its part, color or quantity is empty.
//   - Its quantity is not a whole number from 1 to 1,000,000. Leading zeros are accepted, and so are thousands separators (a comma,
//     a blank or an apostrophe, the same one before each group of three digits) and zeros after a decimal point: 1,000 and 2.0. A point
//     before three digits is refused, because 1.000 is a thousand in some countries and one in others. Anything else is refused, too.
//
// rejected.csv shows the value with the reason, cut to 64 bytes and without control characters. If all rows are rejected, the import
// fails with the most frequent reason, but its results are there.
//
// Blanks around part, color and quantity are removed. A field of another column is stored unchanged, or omitted if it is empty. The
// output of a range is at most 64 times its bytes plus 1 MiB, see [MaxGrowth].
//
// # Objects
//
//	uploads/<user>/<upload>/<file>             the uploaded file; <user> is the user's id in unpadded base64url
//	claims/<user>/<upload>/<order>-<claim>     which execution imports one version of the file; <claim> is a hash of its key and
//	                                           version, <order> is made from its sequencer, so that the newest claims come first
//	staged/<claim>/00000.jsonl                 the accepted rows of the first range, until the import is finished
//	staged/<claim>/00000.rejected.csv          the rejected rows of the first range, until then
//	results/<user>/<upload>/<claim>/…          the results of one import:
//	    part-00000.jsonl                       {"line":2,"part":"3001","color":"Red","quantity":4,"extra":{…}}
//	    rejected.csv                           line, column, reason, then the record's fields
//	results/<user>/<upload>/summary.json       a [Summary], written last: the import is finished once it exists
//
// rejected.csv can be mended and uploaded again. It begins with a byte order mark, so that spreadsheets read it as UTF-8. A cell that a
// spreadsheet would run as a formula has an apostrophe before it, and so has a cell that looks like that already. A file whose header
// begins with line, column and reason is a rejected.csv: the importer ignores these three columns and removes the apostrophes. So every
// other field, and every byte in it, comes back as it was.
//
// # Several imports of one upload
//
// The summary names the results of an upload: all results of the newest version that could be imported. Of the results, the summary
// is the only object that is ever replaced. [Finish] replaces it only by the summary of a newer version, and only if it has
// not changed since Finish read it. Then Finish deletes the results of the older version. A reader that finds a part missing
// must therefore read the summary again.
//
// Of two versions with the same key, the newer one has the greater S3 sequencer. Of two versions with different keys, the execution
// of the newer one started later.
//
// An import of a version that is no longer the newest ends with [Superseded], and the user gets no message about it. The
// steps check this when the plan begins, when a chunk begins, before Finish publishes, and when a step fails because of
// the file. Finish deletes the objects of a superseded import. If a chunk stages objects after that, a lifecycle rule of the bucket
// deletes them. If an import is killed after it wrote results and before it wrote its summary, no summary names these
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
	// Publisher publishes the progress. If it is nil, nothing is published.
	Publisher progress.Publisher
	// Logger may be nil: then nothing is logged.
	Logger *slog.Logger
	// RangeBytes is the smallest size of a range (except the last one), in bytes. Zero means [DefaultRangeBytes], or
	// a 64th of the file if that is more.
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
	// Encoding is the encoding of the file: "utf-8", "utf-16le", "utf-16be", "utf-32le", "utf-32be" or "windows-1252".
	Encoding string `json:"encoding"`
	// Claim is part of the keys of this import's claim, staged objects and results: 32 hexadecimal digits, a hash of key
	// and version.
	Claim string `json:"claim"`
	// OrderTime orders the imports of one upload, and is the time in the epoch of the import's states. It is RFC 3339 with
	// milliseconds: the start of the import's execution, or a later time if the import must follow that of an older version (see
	// computeOrderTime).
	OrderTime string `json:"orderTime"`
	// Sequencer orders the versions of one key, see [sequencer].
	Sequencer string `json:"sequencer"`
	// StartedAt is when the plan began, RFC 3339 with milliseconds.
	StartedAt string `json:"startedAt"`
	// StrayQuotes are the quotes that have probably swallowed rows. The plan finds them.
	StrayQuotes StrayQuotes `json:"strayQuotes,omitzero"`
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

// Counts are the counts of a range or of a whole file.
type Counts struct {
	// Rows counts all rows. Rejected counts the rejected ones of them.
	Rows     int64 `json:"rows"`
	Rejected int64 `json:"rejected"`
	// Quantity is the sum of the quantities of the accepted rows.
	Quantity int64 `json:"quantity"`
}
