package message

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"time"
	"unicode/utf8"
)

// Limits of a request, in bytes of UTF-8.
const (
	// MaxUserID bounds the id of a user or of a connection. A token's sub has at most 255.
	MaxUserID = 255
	// MaxKey bounds an idempotency key: an execution's ARN, a state's name, a time, an index.
	MaxKey = 1024
	// MaxExecution bounds the ARN of an execution
	// (https://docs.aws.amazon.com/step-functions/latest/apireference/API_DescribeExecution.html).
	MaxExecution = 256
	// MaxPartID bounds the id of a part: a job's row holds those of all its parts.
	MaxPartID = 16
)

// MaxSteps bounds the steps of a job: JSON numbers are exact up to it, and the sum of all parts fits 64 bits.
const MaxSteps = 1 << 53

// Request is what the notifier is asked to tell: a message for one target.
type Request struct {
	// UserID is every connection of a user; ConnectionID is just one. Exactly one of the two is set.
	UserID       string
	ConnectionID string
	Message      Data
	// Epoch says which run of a job the state belongs to, as [NormalizeEpoch] returns it. Empty is the run that is stored.
	Epoch string
	// Key makes a repetition of the request known as one. Empty is never a repetition.
	Key string
	// Execution is the ARN of the workflow whose end is the job's end. Empty is none.
	Execution string
	// Part is set where the state is that of one part of a job.
	Part *Part
}

// Part is how far one of the parts is that work on a job at the same time.
type Part struct {
	// ID tells the parts of a job apart.
	ID string `json:"id"`
	// Done is how many of the job's steps this part has done. It never falls.
	Done int64 `json:"done"`
	// Total is the number of steps of the whole job, that of all its parts together.
	Total int64 `json:"total"`
	// Failed is how many of the done steps are failed rows.
	Failed int64 `json:"failed,omitzero"`
	// From and To are the job's progress, in percent, before the first step and after the last; To 0 means 100.
	From float64 `json:"from,omitzero"`
	To   float64 `json:"to,omitzero"`
}

// Window returns the job's progress, in percent, before the first step and after the last.
func (p Part) Window() (from, to float64) {
	if p.To == 0 {
		return p.From, percent
	}

	return p.From, p.To
}

const percent = 100

// Validate returns an [*Invalid] that names every broken rule, the message's own included, or nil. Fields of the message
// are named as the message names them.
func (r Request) Validate() error {
	var c requestCheck
	switch {
	case (r.UserID == "") == (r.ConnectionID == ""):
		c.that("userId, connectionId", false, "exactly one of the two is required")
	case r.UserID != "":
		c.text("userId", r.UserID, MaxUserID)
	default:
		c.text("connectionId", r.ConnectionID, MaxUserID)
	}
	if r.Epoch != "" {
		epoch, err := NormalizeEpoch(r.Epoch)
		c.that("epoch", err == nil && epoch == r.Epoch, ruleEpoch)
	}
	if r.Key != "" {
		c.text("key", r.Key, MaxKey)
	}
	if r.Execution != "" {
		c.text("execution", r.Execution, MaxExecution)
	}
	if r.Part != nil {
		c.part(*r.Part, r)
	}
	if r.Message == nil {
		c.that("message", false, ruleRequired)
	} else if err := r.Message.Validate(); err != nil {
		var bad *Invalid
		if !errors.As(err, &bad) {
			return err //nolint:wrapcheck // a Data of another package
		}
		c.problems = append(c.problems, bad.Problems...)
	}
	if len(c.problems) == 0 {
		return nil
	}

	return &Invalid{Problems: c.problems}
}

// requestCheck gathers broken rules of a request.
type requestCheck struct{ problems []Problem }

func (c *requestCheck) that(field string, ok bool, rule string) {
	if !ok {
		c.problems = append(c.problems, Problem{Field: field, Rule: rule})
	}
}

func (c *requestCheck) text(field, s string, limit int) {
	c.that(field, s != "" && len(s) <= limit, fmt.Sprintf("must be 1 to %d bytes", limit))
	c.that(field, utf8.ValidString(s), ruleUTF8)
}

func (c *requestCheck) part(p Part, r Request) {
	c.text("part.id", p.ID, MaxPartID)
	c.that("part.total", p.Total > 0 && p.Total <= MaxSteps, fmt.Sprintf("must be from 1 to %d", int64(MaxSteps)))
	c.that("part.done", p.Done >= 0 && p.Done <= p.Total, "must be from 0 to part.total")
	c.that("part.failed", p.Failed >= 0 && p.Failed <= p.Done, "must be from 0 to part.done")
	from, to := p.Window()
	c.that("part.from, part.to", from >= 0 && from <= to && to <= percent, "must be numbers from 0 to 100, from not over to")
	state, ok := AsUploadProgress(r.Message)
	c.that("part", ok && r.ConnectionID == "", "is only for upload_progress to a userId")
	c.that("part", !state.Status.Terminal(), "must not come with a terminal status: a job ends as a whole")
}

// AsUploadProgress returns data as [UploadProgress], which may stand there by value or by pointer.
func AsUploadProgress(data Data) (UploadProgress, bool) {
	switch p := data.(type) {
	case UploadProgress:
		return p, true
	case *UploadProgress:
		if p != nil {
			return *p, true
		}
	}

	return UploadProgress{}, false
}

const ruleEpoch = `must be an RFC 3339 time, such as Step Functions' Execution.StartTime, and may end with # and a redrive count to 9999`

// redrives splits an epoch into its time and its redrive count.
var redrives = regexp.MustCompile(`^([^#]*)(?:#([0-9]{1,4}))?$`)

// NormalizeEpoch returns an epoch so that epochs sort as text: the time in UTC with milliseconds, "#", the redrive count in
// four digits. A bare …:13Z would sort after …:13.192Z. What is not an epoch is an [*Invalid].
func NormalizeEpoch(s string) (string, error) {
	parts := redrives.FindStringSubmatch(s)
	if parts == nil {
		return "", invalid("epoch", ruleEpoch)
	}
	at, err := time.Parse(time.RFC3339Nano, parts[1])
	if err != nil || at.UTC().Year() < 1 || at.UTC().Year() > 9999 {
		return "", invalid("epoch", ruleEpoch)
	}
	count := 0
	if parts[2] != "" {
		if count, err = strconv.Atoi(parts[2]); err != nil {
			return "", invalid("epoch", ruleEpoch)
		}
	}

	return fmt.Sprintf("%s#%04d", at.UTC().Format(timeLayout), count), nil
}
