package message

import "time"

// The limits of what is sent and stored. This is the one table of them: every package uses these names, and
// TestEveryLimitHoldsFromEndToEnd in lib/cloud takes each to its edge, from the request to the client.
//
//	what                                   limit             why
//	a user's or a connection's id          255 bytes         OpenID Connect's longest sub; base64url of it fits a key of S3
//	a job's id                             256 bytes         a sort key of DynamoDB has 1,024, and so has a key of S3
//	a part's id                            16 bytes          a job's row holds the ids of all its parts
//	an idempotency key                     1,024 bytes       an execution's ARN, a state's name, a time, an index
//	an execution's ARN                     256 characters    Step Functions'
//	a file's name, a title, a code         1,024 bytes *     a file system's longest name: 255 characters
//	a phase                                256 bytes *
//	a link                                 4,096 bytes *     a presigned URL of S3 with a session's token
//	an error's details                     4,096 bytes of JSON
//	a job's state                          2,560 bytes of JSON: its message may have 480 bytes * at least
//	a note                                 8,192 bytes of JSON: its message may have 480 bytes * at least
//	the parts of a job                     256
//	the steps of a job, and all counts     2^53              a JSON number is exact up to it
//	an epoch                               5 minutes ahead of the notifier's clock
//	a frame to a browser                   131,072 bytes     API Gateway's
//	a frame from a browser                 32,768 bytes      API Gateway's; it closes the connection with 1009 over it
//	jobs in the have of a sync             1,000, and 24,576 bytes of JSON
//
// * As it stands in JSON: a quote, a backslash and a line break count as two, most other control characters as six.
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
	// MaxURL bounds where a notification leads, in bytes of JSON.
	MaxURL = 4096
	// MaxDetails bounds an error's details, in bytes.
	MaxDetails = 4096
	// MaxText is what the message of any state or note may always have, in bytes of JSON. A longer message is valid while the
	// whole fits MaxState or MaxNote.
	MaxText = 480
	// MaxState bounds the data of a job's state, in bytes of JSON, so that the job's row is at most 4 KB, but for its parts.
	MaxState = 2560
	// MaxNote bounds the data of a note, in bytes of JSON.
	MaxNote = 8192
	// MaxParts is how many parts a job may have.
	MaxParts = 256
	// MaxSteps bounds the steps of a job, and every other count: JSON numbers are exact up to it, and the sum of all parts
	// fits 64 bits.
	MaxSteps = 1 << 53
	// MaxEpochAhead is how far an epoch may be ahead of the notifier's clock. An epoch of a later time would make every run
	// until then stale.
	MaxEpochAhead = 5 * time.Minute
	// MaxFrame is the largest frame that API Gateway takes at @connections, in bytes
	// (https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html).
	MaxFrame = 131_072
)

// Limits of what a browser sends.
const (
	// MaxFrameIn is the largest frame that API Gateway takes from a browser, in bytes; it closes with 1009 on a larger one. A
	// sync must fit (the same page of AWS).
	MaxFrameIn = 32_768
	// MaxHave is how many jobs a sync may say that the browser has.
	MaxHave = 1000
	// MaxHaveBytes is how long a browser should let the JSON of these jobs become, so that the sync fits [MaxFrameIn] with
	// all else that it says. The states of jobs that are left out come again, and are dropped.
	MaxHaveBytes = 24_576
)

// How often the state of a job may be told that is not urgent: as often as a person can read it.
const (
	// MinInterval is the least time between two tellings.
	MinInterval = 250 * time.Millisecond
	// SlowInterval is the least time between two when progress moved under MinStep.
	SlowInterval = 2 * time.Second
	// MinStep is the movement, in percent, that is worth telling after MinInterval.
	MinStep = 1.0
)
