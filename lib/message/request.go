package message

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Request is what the notifier is asked to tell: a message for one target.
type Request struct {
	// UserID is every connection of a user; ConnectionID is just one. Exactly one of the two is set.
	UserID       string
	ConnectionID string
	Message      Data
	// Epoch says which run of a job the state belongs to, in any form that [NormalizeEpoch] reads. Empty is the run that is
	// stored.
	Epoch string
	// Key makes a repetition of the request known as one. Empty is never a repetition.
	Key string
	// Execution is the ARN of the workflow's execution whose end is the job's end. Empty is none.
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
	_, err := r.Normalize()

	return err
}

// Normalize returns the request as it is carried out, whoever sent it: the epoch as [NormalizeEpoch] returns it, and the
// message by value. Its error is that of Validate.
func (r Request) Normalize() (Request, error) {
	var c check
	switch {
	case (r.UserID == "") == (r.ConnectionID == ""):
		c.that("userId, connectionId", false, "exactly one of the two is required")
	case r.UserID != "":
		c.id("userId", r.UserID, MaxUserID)
	default:
		c.id("connectionId", r.ConnectionID, MaxUserID)
	}
	if r.Epoch != "" {
		epoch, err := NormalizeEpoch(r.Epoch)
		c.that("epoch", err == nil, RuleEpoch)
		r.Epoch = epoch
	}
	if r.Key != "" {
		c.that("key", len(r.Key) <= MaxKey, fmt.Sprintf("must be 1 to %d bytes", MaxKey))
		c.that("key", utf8.ValidString(r.Key), ruleUTF8)
		c.that("key", !strings.ContainsRune(r.Key, utf8.RuneError) || !utf8.ValidString(r.Key), ruleKey)
	}
	if r.Execution != "" {
		c.execution(r.Execution)
	}
	r.Message = byValue(r.Message)
	if r.Part != nil {
		c.part(*r.Part, r)
	}
	if err := validate(r.Message); err != nil {
		c.problems = append(c.problems, err.Problems...)
	}
	if err := c.err(); err != nil {
		return Request{}, err
	}

	return r, nil
}

// byValue returns what a producer may send by value, and nil for what holds nothing.
func byValue(data Data) Data {
	switch p := data.(type) {
	case *UploadProgress:
		return deref(p)
	case *Notification:
		return deref(p)
	case *Error:
		return deref(p)
	default:
		return data
	}
}

func deref[T Data](p *T) Data {
	if p == nil {
		return nil
	}

	return *p
}

// validate returns the broken rules of a message that a producer may send.
func validate(data Data) *Invalid {
	switch data.(type) {
	case nil:
		return invalid("message", ruleRequired)
	case UploadProgress, Notification, Error:
		var bad *Invalid
		errors.As(data.Validate(), &bad)

		return bad
	default:
		return invalid("type", ruleType)
	}
}

func (c *check) execution(arn string) {
	if utf8.RuneCountInString(arn) > MaxExecution {
		c.that("execution", false, fmt.Sprintf("must be at most %d characters", MaxExecution))

		return
	}
	_, ok := ParseExecution(arn)
	c.that("execution", ok, RuleExecution)
}

func (c *check) part(p Part, r Request) {
	c.id("part.id", p.ID, MaxPartID)
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

const (
	// RuleExecution says what an execution must be.
	RuleExecution = "must be the ARN of an execution of a workflow, such as Step Functions' Execution.Id"
	// RuleEpoch says what an epoch must be.
	RuleEpoch = `must be an RFC 3339 time, such as Step Functions' Execution.StartTime, and may end with # and a redrive count to 9999`

	ruleKey = "must not hold U+FFFD"
)

// redrives splits an epoch into its time and its redrive count.
var redrives = regexp.MustCompile(`^([^#]*)(?:#([0-9]{1,4}))?$`)

// NormalizeEpoch returns an epoch so that epochs sort as text: the time in UTC with milliseconds, "#", the redrive count in
// four digits. A bare …:13Z would sort after …:13.192Z. What is not an epoch is an [*Invalid].
func NormalizeEpoch(s string) (string, error) {
	parts := redrives.FindStringSubmatch(s)
	if parts == nil {
		return "", invalid("epoch", RuleEpoch)
	}
	at, err := time.Parse(time.RFC3339Nano, parts[1])
	if err != nil || at.UTC().Year() < 1 || at.UTC().Year() > 9999 {
		return "", invalid("epoch", RuleEpoch)
	}
	count := 0
	if parts[2] != "" {
		if count, err = strconv.Atoi(parts[2]); err != nil {
			return "", invalid("epoch", RuleEpoch)
		}
	}

	return fmt.Sprintf("%s#%04d", at.UTC().Format(timeLayout), count), nil
}
