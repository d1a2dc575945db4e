package csvimport

import "github.com/herald-progress/herald/lib/message"

// Limits of the importer. They bound the memory and storage that one upload can use. What a user can see of them is in the table of
// package message.
const (
	// MaxBytes is the size of the largest file.
	MaxBytes = message.MaxUploadBytes
	// DefaultRangeBytes is the smallest size of a range by default, in bytes.
	DefaultRangeBytes = 8 << 20
	// defaultRanges is how many ranges a file has at most by default. DynamoDB charges the update of a part by the size of the job's
	// whole row. With so many parts the row is smaller than 1 KB, which is one write unit.
	defaultRanges = 64
	// MaxRanges bounds the ranges of a file. Each range is a part of the job, and the feed counts up to 256 parts of a job. Each
	// range is also an item of the workflow's Map. The list of items fits the payload, which may have 262,144 bytes, because 256
	// ranges take some 20,000 bytes.
	MaxRanges = 256

	// MaxHeader bounds the header, and maxRecord every other record. A scanner's buffer is at most about twice as long.
	MaxHeader = message.MaxListHeader
	maxRecord = message.MaxListRecord
	// rejectedGrowth is how many times as long a record of a rejected.csv may be. The first columns, quotes and apostrophes make a record
	// of the longest size less than three times as long.
	rejectedGrowth = 4
	// MaxColumns bounds the columns of a header.
	MaxColumns = message.MaxColumns
	// maxFields is how many fields of a record the scanner returns: one more than the columns of the largest rejected.csv.
	maxFields = MaxColumns + len(rejectColumns) + 1
	// MaxQuantity is the largest quantity of a row.
	MaxQuantity = message.MaxQuantity

	// MaxGrowth bounds the output by the input: the staged objects of a range take at most MaxGrowth times the range's
	// bytes, plus growthAllowance. The output is larger because each of its rows repeats the names of the columns. Real
	// files grow five to twenty times.
	MaxGrowth       = 64
	growthAllowance = 1 << 20

	// maxClaims bounds how many claims of one upload a step reads, the newest first. If Finish finds results of imports that it
	// does not know, it reads up to listPageSize claims.
	maxClaims = 100
	// maxParallelRequests bounds the concurrent requests of one step.
	maxParallelRequests = 8
	// maxPublishes bounds how often finish tries to write the summary while other imports replace it.
	maxPublishes = 10
	// listPageSize is the number of keys per page of a list: the most that Amazon S3 returns.
	listPageSize = 1000
)
