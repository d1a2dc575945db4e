package message

import "time"

// The limits of all messages. Every package uses these constants. TestEveryLimitIsEnforcedFromRequestToClient in lib/cloud
// sends messages at each limit from the request to the client.
//
//	what                                   limit             why
//	a user's or a connection's id          255 bytes         OpenID Connect's longest sub; its base64url fits a key of S3
//	a job's id                             256 bytes         a sort key of DynamoDB and a key of S3 have at most 1,024 bytes
//	a part's id                            16 bytes          a job's row contains the ids of all its parts
//	an idempotency key                     1,024 bytes       fits an execution's ARN, a state's name, a time and an index
//	an execution's ARN                     256 characters    Step Functions' limit
//	a file's name, a title, a code         1,024 bytes *     a file system's longest name: 255 characters
//	a phase                                256 bytes *
//	the steps that a job lists             32
//	a step's name, and its title           320 bytes *       a state of Step Functions has at most 80 characters
//	an attempt, and attempts at most       9,999
//	silence until a job is stalled         5 to 86,400 seconds, which is a day
//	silence until a job ends               60 to 2,592,000 seconds, which is 30 days
//	a link                                 4,096 bytes *     a presigned URL of S3 with a session's token
//	a result                               1,024 bytes as a key of S3, 4,096 * as a link; the limit of a state counts, too
//	an error's details                     4,096 bytes of JSON
//	a job's state                          2,560 bytes of JSON; its message may always have 480 *, without expectEvery, endAfter, result and steps
//	a note                                 8,192 bytes of JSON; its message may always have 480 *
//	the parts of a job                     256
//	the steps of a job, and all counts     2^53              a JSON number is exact up to it
//	an epoch                               5 minutes ahead of the notifier's clock
//	the time sentAt                        5 seconds ahead of the notifier's clock, or else it is ignored
//	a frame to a browser                   131,072 bytes     API Gateway's limit
//	a batch of frames                      32,768 bytes      API Gateway charges each 32 KB of a frame as a message
//	a frame from a browser                 32,768 bytes      API Gateway's limit; a larger frame closes the connection (1009)
//	jobs in the field have of a sync       1,000, and 24,576 bytes of JSON
//	the cursor of a sync                   4,096 bytes       three ids of jobs, in base64url of JSON
//	an uploaded file                       2^30 bytes        the importer's largest file; 64 parts
//	an uploaded file's name                640 bytes         a key of S3 has 1,024 bytes, 384 of them for the user and the upload
//	a content type                         255 bytes
//	the request of a message               64 bytes          a UUID has 36
//	open uploads of a user                 5
//	a parts list's header                  65,536 bytes, and 1,000 columns
//	another record of a parts list         1,048,576 bytes
//	the quantity of a row                  1 to 1,000,000
//	lines before a parts list's header     10
//	a value or a column's name in a reason 64 bytes          a reason must fit a job's state
//	columns that a reason lists            240 bytes
//	notes about the columns of a file      20, and one that says that there are more
//	lines of quotes that a warning names   10
//
// * Bytes of JSON: a quote, a backslash and a line break count as two, most other control characters as six.
const (
	// MaxUserID bounds the id of a user or of a connection, in bytes.
	MaxUserID = 255
	// MaxID bounds the id of a job, in bytes.
	MaxID = 256
	// MaxPartID bounds the id of a part, in bytes.
	MaxPartID = 16
	// MaxKey bounds an idempotency key, in bytes.
	MaxKey = 1024
	// MaxExecution bounds the ARN of an execution, in characters
	// (https://docs.aws.amazon.com/step-functions/latest/apireference/API_DescribeExecution.html).
	MaxExecution = 256
	// MaxName bounds file names, titles and codes, in bytes of JSON.
	MaxName = 1024
	// MaxPhase bounds the name of a phase, in bytes of JSON.
	MaxPhase = 256
	// MaxListedSteps is how many [Steps] a state may list.
	MaxListedSteps = 32
	// MaxStepName bounds the name of a step, and its title, in bytes of JSON.
	MaxStepName = 320
	// MaxAttempt bounds the number of a try, and how many tries there are at most.
	MaxAttempt = 9999
	// MinExpectEvery and MaxExpectEvery bound after how many seconds without news a job counts as stalled.
	MinExpectEvery = 5
	MaxExpectEvery = 24 * 60 * 60
	// MinEndAfter and MaxEndAfter bound after how many seconds without news a job ends as failed.
	MinEndAfter = 60
	MaxEndAfter = 30 * 24 * 60 * 60
	// MaxURL bounds the action URL of a notification, and the result of a job that is a link, in bytes of JSON.
	MaxURL = 4096
	// MaxResultKey bounds the result of a job that is a key of S3, in bytes.
	MaxResultKey = 1024
	// DownloadLife is how long the URL of a download is valid.
	DownloadLife = 5 * time.Minute
	// MaxDetails bounds an error's details, in bytes.
	MaxDetails = 4096
	// MaxText is how long the message of a state or note may always be, in bytes of JSON, whatever the other fields contain, except
	// the optional fields expectEvery, endAfter, result and steps of a state. A longer message is valid if the whole state or note is
	// within MaxState or MaxNote.
	MaxText = 480
	// MaxState bounds the data of a job's state, in bytes of JSON, so that the job's row without parts is at most 4 KB.
	MaxState = 2560
	// MaxNote bounds the data of a note, in bytes of JSON.
	MaxNote = 8192
	// MaxParts is how many parts a job may have.
	MaxParts = 256
	// MaxSteps bounds the steps of a job and every other count. JSON numbers are exact up to MaxSteps, and the sum of a count
	// over all parts fits 64 bits.
	MaxSteps = 1 << 53
	// MaxEpochAhead is how far an epoch may be ahead of the notifier's clock. If a job had an epoch in the future, every run that starts
	// before that time would be stale.
	MaxEpochAhead = 5 * time.Minute
	// MaxSentAhead is how far the time at which a state was sent may be ahead of the notifier's clock. A time that is further ahead counts
	// as none: it would hide the states of workers whose clocks are right, and a wrong clock must not fail a job.
	MaxSentAhead = 5 * time.Second
	// MaxFrame is the largest frame that API Gateway accepts at @connections, in bytes
	// (https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html).
	MaxFrame = 131_072
	// MaxBatch bounds a [Batch], in bytes of JSON, because API Gateway charges each 32 KB of a frame as a message.
	MaxBatch = 32_768
)

// The limits of frames from a browser.
const (
	// MaxClientFrame is the largest frame that API Gateway accepts from a browser, in bytes. API Gateway closes the connection
	// with code 1009 after a larger frame. The source is the page named at MaxFrame.
	MaxClientFrame = 32_768
	// MaxHave is how many jobs a sync may contain in its field have: the jobs whose states the client has.
	MaxHave = 1000
	// MaxHaveBytes is how large a client should make the field have, in bytes of JSON, so that the whole sync fits
	// [MaxClientFrame]. The server sends the states of jobs that are not in have again, and the client drops those states.
	MaxHaveBytes = 24_576
	// NoteOverlap is how much older than the id in the field since a note may be, so that a sync sends it again. The client may
	// have missed such a note: a note that is stored later may have an earlier id, because the clocks of writers differ.
	NoteOverlap = 5 * time.Minute
	// MaxOverlap is how many of these older notes a sync sends.
	MaxOverlap = 200
	// MaxCursor is the maximum length of the cursor of a sync, in bytes.
	MaxCursor = 4096
)

// The limits of uploads from browsers.
const (
	// MaxUploadBytes is the size of the largest file, in bytes. The importer accepts no larger one.
	MaxUploadBytes = 1 << 30
	// MaxUploadName bounds the name of an uploaded file, in bytes, so that its key has at most 1,024 bytes.
	MaxUploadName = 640
	// MaxContentType bounds the content type of an uploaded file, in bytes.
	MaxContentType = 255
	// MaxRequest bounds the request of a message, which its answer repeats, in bytes.
	MaxRequest = 64
	// MaxOpenUploads is how many uploads of a user may be open at once.
	MaxOpenUploads = 5
	// MaxSinglePut is the size of the largest file that is uploaded by a single PUT, in bytes. A larger one has parts.
	MaxSinglePut = 64 << 20
	// UploadPartBytes is the size of each part of a large file, in bytes. Only the last part may be smaller.
	UploadPartBytes = 16 << 20
	// MaxPartURLs is the maximum number of URLs of parts in one frame.
	MaxPartURLs = 16
	// MaxUploadFrame bounds a frame with URLs, in bytes of JSON, because API Gateway charges each 32 KB of a frame as a message. If
	// the URLs are long, fewer than MaxPartURLs are sent, and at least one.
	MaxUploadFrame = 32_768
	// UploadLife is how long an upload may stay open after its first message. It is also how long the store remembers an upload
	// after its end.
	UploadLife = 24 * time.Hour
	// SinglePutLife is how long the URL of a single PUT is valid, and PartLife how long the URL of a part is.
	SinglePutLife = 5 * time.Minute
	PartLife      = time.Hour
)

// The limits of parts lists. Package csvimport, which enforces them, has further ones that only bound its own work.
const (
	// MaxListHeader bounds the header of a file, and MaxListRecord every other record, in bytes without the line end.
	MaxListHeader = 64 << 10
	MaxListRecord = 1 << 20
	// MaxColumns bounds the columns of a header. A record with more fields that are not blank is rejected.
	MaxColumns = 1000
	// MaxQuantity is the largest quantity of a row; the smallest is 1.
	MaxQuantity = 1_000_000
	// MaxTitleLines is how many lines may stand between the first line with text and the header.
	MaxTitleLines = 10
	// MaxShown is the length to which a value or the name of a column is cut in a reason, in bytes.
	MaxShown = 64
	// MaxListed bounds the list of columns in a reason, in bytes.
	MaxListed = 240
	// MaxHeaderNotes bounds the notes of a summary about the columns. After them, one note says that there are more.
	MaxHeaderNotes = 20
	// MaxStrayQuotes bounds the lines that a warning of stray quotes names.
	MaxStrayQuotes = 10
)

// Coalescing: how often states of a job that are not urgent may be pushed. A person cannot read them faster.
const (
	// MinPushInterval is the shortest time between two pushes.
	MinPushInterval = 250 * time.Millisecond
	// SlowPushInterval is the shortest time between two pushes if progress grew by less than MinPushProgress.
	SlowPushInterval = 2 * time.Second
	// MinPushProgress is the growth of progress, in percentage points, from which a state may be pushed after MinPushInterval.
	MinPushProgress = 1.0
)
