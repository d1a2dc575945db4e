package pipeline

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"

	"github.com/herald-progress/herald/lib/message"
)

// check returns the rules of requests that the props break. Expressions break none.
func (props NotifyProps) check() error {
	decoded, err := decodeMessage(props.Type, props.Data)
	if err != nil || decoded == nil {
		return err
	}
	request := message.Request{UserID: "user", Execution: props.Execution, Message: decoded}
	_, anyUser := expression(props.UserID)
	if anyUser = anyUser || props.UserID == ""; !anyUser {
		request.UserID = props.UserID
	}
	if _, ok := expression(props.Execution); ok {
		request.Execution = ""
	}
	if props.Part != nil {
		if request.Part, err = decodePart(props.Part); err != nil {
			return err
		}
	}
	var invalid *message.Invalid
	if err := request.Validate(); !errors.As(err, &invalid) {
		return err
	}
	if anyUser { // a result in S3 is the user's own, whoever that is
		return withoutSamples(invalid, map[string]int{"result": 0})
	}

	return invalid
}

// partSamples are values for the fields of a part, which fit to all valid values of the others.
var partSamples = map[string]any{"id": "1", "done": 0, "total": int64(message.MaxSteps), "failed": 0, "from": 0, "to": 0}

// decodePart decodes a part as the notifier does, with samples in the place of expressions.
func decodePart(part map[string]any) (*message.Part, error) {
	sampled := maps.Clone(part)
	for field, value := range part {
		if _, ok := expression(value); ok && partSamples[field] != nil {
			sampled[field] = partSamples[field]
		}
	}
	// Some steps are done if some have failed.
	if _, ok := expression(part["done"]); ok {
		sampled["done"] = sampled["total"]
	}
	raw, err := json.Marshal(sampled)
	if err != nil {
		return nil, fmt.Errorf("encode part: %w", err)
	}
	decoded := new(message.Part)
	if err := message.DecodeObject(raw, "part.", decoded); err != nil {
		return nil, err
	}

	return decoded, nil
}

// samples are values of which one is valid in each field of a message. They stand for the values of expressions.
var samples = []any{
	"x", 1, message.MinExpectEvery, message.MaxEndAfter, "https://example.com", string(message.StatusSucceeded), string(message.SeverityInfo),
	[]any{}, map[string]any{},
}

// decodeMessage decodes a message as the notifier does, with samples in the place of expressions. It returns the error for which no
// sample is to blame. If no samples fit together, it returns nil.
func decodeMessage(kind message.Type, data map[string]any) (message.Data, error) {
	tried, sampled := map[string]int{}, maps.Clone(data)
	for field, value := range data {
		if _, ok := expression(value); ok {
			tried[field], sampled[field] = 0, samples[0]
		}
	}
	for {
		raw, err := json.Marshal(map[string]any{"type": kind, "data": sampled})
		if err != nil {
			return nil, fmt.Errorf("encode data: %w", err)
		}
		decoded, err := message.Decode(raw)
		var invalid *message.Invalid
		if !errors.As(err, &invalid) {
			return decoded, err
		}
		field, ok := blamed(invalid, tried)
		if !ok {
			return nil, withoutSamples(invalid, tried)
		}
		tried[field]++
		sampled[field] = samples[tried[field]]
	}
}

// withoutSamples returns the problems that are not about the value of a sample, or nil: only the execution knows the value of an
// expression. A field that does not exist has no sample.
func withoutSamples(invalid *message.Invalid, tried map[string]int) error {
	var left []message.Problem
	for _, problem := range invalid.Problems {
		if _, isSample := tried[strings.TrimPrefix(problem.Field, "data.")]; !isSample || problem.Rule == message.RuleKnownField {
			left = append(left, problem)
		}
	}
	if len(left) == 0 {
		return nil
	}

	return &message.Invalid{Problems: left}
}

// blamed returns a field of a problem that has a sample after which there are others. It returns false if there is none.
func blamed(invalid *message.Invalid, tried map[string]int) (string, bool) {
	for _, problem := range invalid.Problems {
		field := strings.TrimPrefix(problem.Field, "data.")
		if n, isSample := tried[field]; isSample && n+1 < len(samples) {
			return field, true
		}
	}
	return "", false
}
