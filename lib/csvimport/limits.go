package csvimport

// Limits of the importer. What one upload may cost in memory and in storage follows from them.
const (
	// MaxBytes is the size of the largest file.
	MaxBytes = 1 << 30
	// DefaultRangeBytes is the least size of a range, in bytes.
	DefaultRangeBytes = 8 << 20
	// MaxRanges bounds the ranges of a file: each is a part of the job, of which the feed counts 256, and an item of the
	// workflow's Map, whose payload has at most 262,144 bytes; 256 take some 20,000. They need no manifest, which would be
	// one more object to read and remove.
	MaxRanges = 256

	// MaxHeader bounds the header, and maxRecord every other record, in bytes without the line end. A scanner's buffer is
	// at most about twice as long.
	MaxHeader = 64 << 10
	maxRecord = 1 << 20
	// MaxColumns bounds the columns of a header. Of a longer record, which is rejected, MaxColumns+1 fields are kept.
	MaxColumns = 1000
	// MaxQuantity is the largest quantity of a row; the smallest is 1.
	MaxQuantity = 1_000_000

	// MaxGrowth bounds the output by the input: what is staged of a range takes at most MaxGrowth times the range's bytes,
	// and growthFree bytes. Each row of the output names its columns, so that long names over short values make a file
	// grow. Real files grow five to twenty times.
	MaxGrowth  = 64
	growthFree = 1 << 20

	// maxClaims bounds how many other claims of one upload a step reads.
	maxClaims = 100
	// maxCopies bounds the requests under way at once.
	maxCopies = 8
	// maxPublishes bounds how often finish tries to write the summary while others change it.
	maxPublishes = 10
	// listPage is how many keys are listed at once, the most that Amazon S3 returns.
	listPage = 1000
)
