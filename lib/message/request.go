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

// Request is a request to the notifier: a message for one target.
type Request struct {
	// UserID is the user to whose connections the message goes. ConnectionID is the single connection to which it goes. Exactly one
	// of the two is set.
	UserID       string
	ConnectionID string
	Message      Data
	// Epoch names the run of the job that the state belongs to, in any form that [NormalizeEpoch] accepts. Empty means the run
	// that the feed has now.
	Epoch string
	// Key is the idempotency key. Empty means that the request never counts as a repetition.
	Key string
	// Execution is the ARN of the execution or task whose end is the end of the job, see [ParseExecution]. Empty means none.
	Execution string
	// Part is set if the state is that of one part of a job.
	Part *Part
	// SentAt is when the sender made the message, by its own clock, in milliseconds. The feed uses it for the order of running
	// states of one run that arrive in another order. The zero value means that the order is unknown.
	SentAt time.Time
	// NoWait is true if the caller does not want to wait until the state may be pushed. Then a state that may not be pushed now is
	// only stored, and the caller makes sure that a later one is pushed.
	NoWait bool
}

// Part is the progress of one of the parts that work on a job in parallel.
type Part struct {
	// ID identifies the part within the job.
	ID string `json:"id"`
	// Done is how many of the job's steps this part has done. It never decreases.
	Done int64 `json:"done"`
	// Total is the number of steps of the whole job, of all parts together.
	Total int64 `json:"total"`
	// Failed is how many of the done steps failed.
	Failed int64 `json:"failed,omitzero"`
	// From and To are the progress of the job, in percent, before the first step and after the last. A To of 0 means 100.
	From float64 `json:"from,omitzero"`
	To   float64 `json:"to,omitzero"`
}

// ProgressRange returns the progress of the job, in percent, before the first step and after the last.
func (p Part) ProgressRange() (from, to float64) {
	if p.To == 0 {
		return p.From, maxProgress
	}
	return p.From, p.To
}

const maxProgress = 100 // percent

// Validate returns an [*Invalid] that names every broken rule of the request and of its message, or nil.
func (r Request) Validate() error {
	_, err := r.Normalize()
	return err
}

// Normalize returns the request with a normalized epoch (see [NormalizeEpoch]), with SentAt in UTC and whole milliseconds, and with
// its message as a value, not a pointer. It returns the same errors as Validate.
func (r Request) Normalize() (Request, error) {
	var v validator
	switch {
	case (r.UserID == "") == (r.ConnectionID == ""):
		v.require("userId, connectionId", false, "exactly one of the two is required")
	case r.UserID != "":
		v.requireID("userId", r.UserID, MaxUserID)
	default:
		v.requireID("connectionId", r.ConnectionID, MaxUserID)
	}
	if r.Epoch != "" {
		epoch, err := NormalizeEpoch(r.Epoch)
		v.require("epoch", err == nil, RuleEpoch)
		r.Epoch = epoch
	}
	if r.Key != "" {
		v.require("key", len(r.Key) <= MaxKey, fmt.Sprintf("must be 1 to %d bytes", MaxKey))
		v.require("key", utf8.ValidString(r.Key), ruleUTF8)
		// An invalid byte also counts as U+FFFD here; the line before reports it.
		v.require("key", !strings.ContainsRune(r.Key, utf8.RuneError) || !utf8.ValidString(r.Key), ruleKey)
	}
	if r.Execution != "" {
		v.requireExecution(r.Execution)
	}
	if !r.SentAt.IsZero() {
		r.SentAt = r.SentAt.UTC().Truncate(time.Millisecond)
		v.require("sentAt", hasFourDigitYear(r.SentAt), RuleSentAt)
	}
	r.Message, _ = producerValue(r.Message) // validateMessage reports a message that no producer may send
	if r.Part != nil {
		v.requirePart(*r.Part, r)
	}
	if state, ok := AsUploadProgress(r.Message); ok && state.Result != "" {
		v.path = "data."
		v.requireOwnResult(r.UserID, state.Result)
		v.path = ""
	}
	if err := validateMessage(r.Message); err != nil {
		v.problems = append(v.problems, err.Problems...)
	}
	if err := v.err(); err != nil {
		return Request{}, err
	}

	return r, nil
}

// validateMessage returns the broken rules of a message of a producer, or nil.
func validateMessage(data Data) *Invalid {
	if data == nil {
		return invalid("message", ruleRequired)
	}
	if _, ok := producerValue(data); !ok {
		return invalid("type", ruleType())
	}
	var bad *Invalid
	errors.As(data.Validate(), &bad) // a valid message leaves bad nil
	return bad
}

func (v *validator) requireExecution(arn string) {
	if utf8.RuneCountInString(arn) > MaxExecution {
		v.require("execution", false, fmt.Sprintf("must be at most %d characters", MaxExecution))
		return
	}
	_, ok := ParseExecution(arn)
	v.require("execution", ok, RuleExecution)
}

func (v *validator) requirePart(p Part, r Request) {
	v.requireID("part.id", p.ID, MaxPartID)
	v.require("part.total", p.Total > 0 && p.Total <= MaxSteps, fmt.Sprintf("must be from 1 to %d", int64(MaxSteps)))
	v.require("part.done", p.Done >= 0 && p.Done <= p.Total, "must be from 0 to part.total")
	v.require("part.failed", p.Failed >= 0 && p.Failed <= p.Done, "must be from 0 to part.done")
	from, to := p.ProgressRange()
	v.require("part.from, part.to", from >= 0 && from <= to && to <= maxProgress, "must be numbers from 0 to 100, from not over to")
	state, ok := AsUploadProgress(r.Message)
	v.require("part", ok && r.ConnectionID == "", "is only for the state of a job to a userId")
	v.require("part", !state.Status.Terminal(), "must not come with a terminal status: a job ends as a whole")
}

const (
	// RuleExecution is the error text for an invalid execution.
	RuleExecution = "must be the ARN of an execution of a workflow, such as Step Functions' Execution.Id"
	// RuleEpoch is the error text for an invalid epoch.
	RuleEpoch = `must be an RFC 3339 time, such as Step Functions' Execution.StartTime, and may end with # and a redrive count to 9999`

	// RuleSentAt is the error text for an invalid sentAt.
	RuleSentAt = "must be an RFC 3339 time, such as 2026-11-22T10:00:00.123Z"

	ruleKey = "must not hold U+FFFD"
)

// ParseSentAt parses the sentAt of a request, and truncates it to milliseconds. Its error is an [*Invalid].
func ParseSentAt(s string) (time.Time, error) {
	at, err := time.Parse(time.RFC3339Nano, s)
	if err != nil || !hasFourDigitYear(at.UTC()) {
		return time.Time{}, invalid("sentAt", RuleSentAt)
	}

	return at.UTC().Truncate(time.Millisecond), nil
}

func hasFourDigitYear(at time.Time) bool { return at.Year() >= 1 && at.Year() <= 9999 }

// epochPattern matches an epoch. Its groups are the time and the redrive count.
var epochPattern = regexp.MustCompile(`^([^#]*)(?:#([0-9]{1,4}))?$`)

// NormalizeEpoch returns an epoch in a form that sorts as a string: the time in UTC with milliseconds, "#", the redrive count
// in four digits. Without fixed milliseconds, …:13Z would sort after …:13.192Z. Its error is an [*Invalid].
func NormalizeEpoch(s string) (string, error) {
	parts := epochPattern.FindStringSubmatch(s)
	if parts == nil {
		return "", invalid("epoch", RuleEpoch)
	}
	at, err := time.Parse(time.RFC3339Nano, parts[1])
	if err != nil || !hasFourDigitYear(at.UTC()) {
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
