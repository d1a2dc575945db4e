package dynamo

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/herald-progress/herald/lib/feed"
	"github.com/herald-progress/herald/lib/message"
)

// item is an item as the AWS SDK represents it.
type item = map[string]types.AttributeValue

// jobRow is the item of a job.
type jobRow struct {
	Owner string `dynamodbav:"owner"`
	Entry string `dynamodbav:"entry"`
	// ExpiresAt is the TTL attribute of the table, in epoch seconds.
	ExpiresAt int64  `dynamodbav:"expiresAt"`
	Epoch     string `dynamodbav:"epoch"`
	// NamedEpoch is absent if Epoch is the epoch in the updates. It is present and empty if no update of the run had an epoch yet.
	NamedEpoch *string `dynamodbav:"namedEpoch,omitempty"`
	Seq        int64   `dynamodbav:"seq"`
	ID         string  `dynamodbav:"id"`
	// Data is the state as JSON. Its uploadId and message are empty, because Entry and Message contain them.
	Data    string `dynamodbav:"data"`
	Message string `dynamodbav:"message"`
	// Type is absent if the state is an upload_progress. Data has the same form for all types.
	Type string `dynamodbav:"type,omitempty"`
	// Attempt is absent if no state of the run has named an attempt.
	Attempt int64 `dynamodbav:"attempt,omitempty"`
	// ExpectEvery, EndAfter and StalledSeq are absent if they are 0.
	ExpectEvery int64 `dynamodbav:"expectEvery,omitempty"`
	EndAfter    int64 `dynamodbav:"endAfter,omitempty"`
	StalledSeq  int64 `dynamodbav:"stalledSeq,omitempty"`
	// Terminal is absent if the state is not terminal.
	Terminal  bool   `dynamodbav:"terminal,omitempty"`
	UpdatedAt string `dynamodbav:"updatedAt"`
	// SentAt is in milliseconds since 1970. It is absent if no state of the run has such a time.
	SentAt int64 `dynamodbav:"sentAt,omitempty"`

	Execution string   `dynamodbav:"execution,omitempty"`
	Keys      []string `dynamodbav:"keys,omitempty"`
	// Parts and Failures are always present, because an UpdateItem cannot write into a missing map. Failures has the failed steps of
	// the parts that have some. An older version began a run without Failures: then each part is a list, see partRow.
	Parts       map[string]partRow `dynamodbav:"parts"`
	Failures    map[string]int64   `dynamodbav:"failures"`
	PartsDone   int64              `dynamodbav:"partsDone"`
	PartsFailed int64              `dynamodbav:"partsFailed"`
	Scope       *scopeRow          `dynamodbav:"scope,omitempty"`

	PushedAt       string  `dynamodbav:"pushedAt"`
	PushedSeq      int64   `dynamodbav:"pushedSeq"`
	PushedProgress float64 `dynamodbav:"pushedProgress"`
	// Push is the token of the last claimed push.
	Push string `dynamodbav:"push,omitempty"`
}

// scopeRow is the attribute of a [feed.Scope].
type scopeRow struct {
	Total int64   `dynamodbav:"total"`
	From  float64 `dynamodbav:"from"`
	To    float64 `dynamodbav:"to"`
	Since string  `dynamodbav:"since"`
}

func newScopeRow(s feed.Scope) *scopeRow {
	if s.Total == 0 {
		return nil
	}
	return &scopeRow{Total: s.Total, From: s.From, To: s.To, Since: formatTime(s.Since)}
}

// formatTime returns a time in the format of the table.
func formatTime(at time.Time) string { return at.UTC().Format(timeLayout) }

// formatMillis returns a time in milliseconds since 1970, or 0 for the zero time. A number takes less of an item than a text.
func formatMillis(at time.Time) int64 {
	if at.IsZero() {
		return 0
	}
	return at.UnixMilli()
}

// parseMillis returns the time that formatMillis has formatted.
func parseMillis(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// encodeJob returns the item of a job's row.
func encodeJob(r feed.Row) (item, error) { return encodeJobAfter(r, nil) }

// encodeJobAfter returns the item of a job's row that replaces the item before in the same run. Its parts have the form that they
// have in before. If before is nil, the row begins a run.
func encodeJobAfter(r feed.Row, before item) (item, error) {
	state := r.State
	state.UploadID, state.Message = "", ""
	data, err := r.StateJSON(state)
	if err != nil {
		return nil, fmt.Errorf("data: %w", err)
	}
	row := jobRow{
		Owner: r.Owner, Entry: jobEntry(r.State.UploadID), ExpiresAt: r.ExpiresAt().Unix(),
		Epoch: r.Epoch, Seq: r.Seq, ID: r.ID, Data: string(data), Message: r.State.Message,
		Type: string(r.Type), Attempt: r.Attempt, ExpectEvery: r.ExpectEvery, EndAfter: r.EndAfter, StalledSeq: r.StalledSeq,
		Terminal: r.Terminal(), UpdatedAt: formatTime(r.UpdatedAt), Execution: r.Execution, Keys: r.Keys,
		PartsDone: r.PartsDone, PartsFailed: r.PartsFailed, Scope: newScopeRow(r.Scope),
		SentAt: formatMillis(r.SentAt), PushedAt: formatTime(r.PushedAt), PushedSeq: r.PushedSeq, PushedProgress: r.PushedProgress,
	}
	if r.EpochFromTime || r.NamedEpoch != "" {
		row.NamedEpoch = &r.NamedEpoch
	}
	hasFailures := before == nil || before[failuresAttribute] != nil
	row.Parts, row.Failures = encodeParts(r.Parts, before, hasFailures)
	it, err := marshal(row)
	if !hasFailures {
		delete(it, failuresAttribute)
	}
	return it, err
}

// decodeJob decodes the item of a job's row.
func decodeJob(it item) (feed.Row, error) {
	var row jobRow
	if err := attributevalue.UnmarshalMap(it, &row); err != nil {
		return feed.Row{}, fmt.Errorf("row: %w", err)
	}
	r := feed.Row{
		Owner: row.Owner, Epoch: row.Epoch, Seq: row.Seq, ID: row.ID, Execution: row.Execution, Keys: row.Keys,
		Type: message.Type(row.Type), Attempt: row.Attempt, ExpectEvery: row.ExpectEvery, EndAfter: row.EndAfter, StalledSeq: row.StalledSeq,
		SentAt: parseMillis(row.SentAt), PushedSeq: row.PushedSeq, PushedProgress: row.PushedProgress,
	}
	if row.Seq < 1 {
		return feed.Row{}, fmt.Errorf("seq: %d is under 1", row.Seq)
	}
	job, ok := strings.CutPrefix(row.Entry, jobEntry(""))
	if !ok {
		return feed.Row{}, errors.New("entry: is not that of a job")
	}
	var err error
	if r.State, r.UnknownFields, err = decodeState(row.Data); err != nil {
		return feed.Row{}, fmt.Errorf("data: %w", err)
	}
	r.State.UploadID, r.State.Message = job, row.Message
	if r.State.Status.Terminal() && !row.Terminal {
		return feed.Row{}, fmt.Errorf("terminal: is false, with the status %q", r.State.Status)
	}
	r.UnknownTerminal = row.Terminal && !r.State.Status.Terminal()
	if row.NamedEpoch != nil {
		r.NamedEpoch, r.EpochFromTime = *row.NamedEpoch, *row.NamedEpoch == ""
	}
	if r.UpdatedAt, err = parseTime("updatedAt", row.UpdatedAt); err != nil {
		return feed.Row{}, err
	}
	if r.PushedAt, err = parseTime("pushedAt", row.PushedAt); err != nil {
		return feed.Row{}, err
	}
	if err := decodeParts(&r, row); err != nil {
		return feed.Row{}, err
	}
	return r, nil
}

// decodeState decodes the JSON of a state. It returns the fields that this version does not know as a JSON object, or an empty
// string if there are none.
func decodeState(data string) (state message.UploadProgress, unknown string, err error) {
	// Most states have no unknown fields.
	strict := json.NewDecoder(strings.NewReader(data))
	strict.DisallowUnknownFields()
	if strict.Decode(&state) == nil && !strict.More() {
		return state, "", nil
	}
	state = message.UploadProgress{}
	fields := map[string]json.RawMessage{}
	if err := json.Unmarshal([]byte(data), &state); err != nil {
		return state, "", fmt.Errorf("decode state: %w", err)
	}
	if err := json.Unmarshal([]byte(data), &fields); err != nil {
		return state, "", fmt.Errorf("decode fields: %w", err)
	}
	for field := range reflect.TypeFor[message.UploadProgress]().Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		delete(fields, name)
	}
	if len(fields) == 0 {
		return state, "", nil
	}
	text, err := json.Marshal(fields)
	return state, string(text), err
}

// decodeParts decodes the parts of a job, their sums and their scope. It computes the sums: a process of a version that stores parts as
// lists cannot read those of a run that this version began, and stores 0 with a state.
func decodeParts(r *feed.Row, row jobRow) error {
	if len(row.Parts) > 0 {
		r.Parts = make(map[string]feed.PartCount, len(row.Parts))
	}
	for id, part := range row.Parts {
		switch {
		case !part.isList && row.Failures == nil:
			return fmt.Errorf("failures: is missing, with the part %q", id)
		case !part.isList:
			r.Parts[id] = feed.PartCount{Done: part.numbers[0], Failed: row.Failures[id]}
		case len(part.numbers) < 2: // [done, failed], to which a newer version may add numbers.
			return fmt.Errorf("parts: %q has %d numbers", id, len(part.numbers))
		default:
			r.Parts[id] = feed.PartCount{Done: part.numbers[0], Failed: part.numbers[1]}
		}
		r.PartsDone += r.Parts[id].Done
		r.PartsFailed += r.Parts[id].Failed
	}
	if row.Scope == nil {
		return nil
	}
	since, err := parseTime("scope.since", row.Scope.Since)
	if err != nil {
		return err
	}
	r.Scope = feed.Scope{Total: row.Scope.Total, From: row.Scope.From, To: row.Scope.To, Since: since}
	return nil
}

// noteRow is the item of a note.
type noteRow struct {
	Owner     string `dynamodbav:"owner"`
	Entry     string `dynamodbav:"entry"`
	ExpiresAt int64  `dynamodbav:"expiresAt"`
	At        string `dynamodbav:"at"`
	Type      string `dynamodbav:"type"`
	// Data is the note's data as JSON.
	Data string `dynamodbav:"data"`
}

// encodeNote returns the item of a note. It does not contain the key of the note.
func encodeNote(owner string, n feed.Note) (item, error) {
	data, err := feed.MarshalData(n.Data)
	if err != nil {
		return nil, fmt.Errorf("data: %w", err)
	}
	return marshal(noteRow{
		Owner: owner, Entry: noteEntry(n.ID), ExpiresAt: n.ExpiresAt().Unix(), At: formatTime(n.At), Type: string(n.Data.Type()), Data: string(data),
	})
}

// decodeNote decodes the item of a note. Like a client, it accepts types and fields of newer versions.
func decodeNote(it item) (feed.Note, error) {
	var row noteRow
	if err := attributevalue.UnmarshalMap(it, &row); err != nil {
		return feed.Note{}, fmt.Errorf("row: %w", err)
	}
	id, ok := strings.CutPrefix(row.Entry, noteEntry(""))
	if !ok {
		return feed.Note{}, errors.New("entry: is not that of a note")
	}
	at, err := parseTime("at", row.At)
	if err != nil {
		return feed.Note{}, err
	}
	frame, err := json.Marshal(map[string]any{"type": row.Type, "data": json.RawMessage(row.Data)})
	if err != nil {
		return feed.Note{}, fmt.Errorf("data: %w", err)
	}
	envelope, err := message.Parse(frame)
	if err != nil {
		return feed.Note{}, fmt.Errorf("data: %w", err)
	}
	return feed.Note{ID: id, At: at, Data: envelope.Data}, nil
}

// keyRow is the item of an idempotency key.
type keyRow struct {
	Owner     string `dynamodbav:"owner"`
	Entry     string `dynamodbav:"entry"`
	ExpiresAt int64  `dynamodbav:"expiresAt"`
	// Note and At are the ID and the time of the note that has the key.
	Note string `dynamodbav:"note"`
	At   string `dynamodbav:"at"`
}

// pointerRow is the item of a [feed.Pointer].
type pointerRow struct {
	Owner     string `dynamodbav:"owner"`
	Entry     string `dynamodbav:"entry"`
	ExpiresAt int64  `dynamodbav:"expiresAt"`
	// User is the owner of the job.
	User  string `dynamodbav:"user"`
	Job   string `dynamodbav:"job"`
	Epoch string `dynamodbav:"epoch"`
	// Attempt is absent if no state of the job had named an attempt.
	Attempt int64  `dynamodbav:"attempt,omitempty"`
	At      string `dynamodbav:"at"`
}

func decodePointer(it item) (feed.Pointer, error) {
	var row pointerRow
	if err := attributevalue.UnmarshalMap(it, &row); err != nil {
		return feed.Pointer{}, fmt.Errorf("row: %w", err)
	}
	entry, ok := strings.CutPrefix(row.Entry, pointerPrefix)
	end := strings.LastIndexByte(entry, '#') // The entry is <ARN>#<hash>, and the hash contains no #.
	if !ok || end < 0 {
		return feed.Pointer{}, errors.New("entry: is not that of a pointer")
	}
	at, err := parseTime("at", row.At)
	if err != nil {
		return feed.Pointer{}, err
	}
	return feed.Pointer{Execution: entry[:end], Owner: row.User, Job: row.Job, Epoch: row.Epoch, Attempt: row.Attempt, At: at}, nil
}

// marshal returns the item of a row, which is a struct with dynamodbav tags.
func marshal(row any) (item, error) {
	it, err := attributevalue.MarshalMap(row)
	if err != nil {
		return nil, fmt.Errorf("row: %w", err)
	}
	return it, nil
}

// parseTime parses the value of an attribute that formatTime has formatted. The error names the attribute.
func parseTime(attribute, s string) (time.Time, error) {
	at, err := time.Parse(timeLayout, s)
	if err != nil {
		return time.Time{}, fmt.Errorf("%s: %w", attribute, err)
	}
	return at, nil
}
