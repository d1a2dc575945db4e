package asl

import "time"

// A flow is a set of states and the name of the first: a state machine, a branch of a Parallel state, or the processor of a
// Map state.
type flow struct {
	startAt string
	states  map[string]*state
}

// A state is a state of a definition.
type state struct {
	name    string
	kind    string // Type
	jsonata bool   // The state's query language is JSONata. Otherwise it is JSONPath.
	next    string // Next; empty if there is no next state.

	inputPath      ioPath
	outputPath     ioPath
	resultPath     *path // If it is nil, the result is discarded.
	parameters     template
	resultSelector template
	arguments      template
	output         template
	assign         template
	retry          []retrier
	catch          []catcher

	// The fields below belong to one type of state each.
	result      template     // Pass: Result; if it is nil, the input is the result.
	resource    string       // Task
	timeout     secondsField // Task: TimeoutSeconds.
	heartbeat   secondsField // Task: HeartbeatSeconds.
	credentials template     // Task
	choices     []choice     // Choice
	defaultNext string       // Choice: Default.
	wait        waitFields   // Wait
	failError   textField    // Fail: Error.
	failCause   textField    // Fail: Cause.
	branches    []*flow      // Parallel
	mapFields   *mapFields   // Map; nil for other types.
}

// An ioPath is an InputPath or OutputPath: a reference, or null, which stands for an empty object. The zero value selects the
// whole input or output.
type ioPath struct {
	ref  *reference
	null bool
}

// A secondsField is a number of seconds. seconds is set if it is a literal or an expression, path if it is a path. Neither is set if
// the definition has no such field.
type secondsField struct {
	name    string // The field's name in error texts: with the suffix Path if path is set.
	seconds template
	path    *reference
}

// waitFields are the fields of a Wait state. Exactly one of them is set.
type waitFields struct {
	seconds       template
	timestamp     template
	secondsPath   *reference
	timestampPath *reference
}

// A textField is the Error or Cause of a Fail state. value is set if it is a literal or an expression, path if it is a path or an
// intrinsic function. Neither is set if the definition has no such field.
type textField struct {
	name     string // The field's name in error texts: with the suffix Path if path is set.
	value    template
	path     pathValue
	pathText string // The text of path in the definition.
}

// mapFields are the fields that only a Map state has.
type mapFields struct {
	processor           *flow
	distributed         bool
	items               template   // JSONata
	itemsPath           *reference // JSONPath
	itemSelector        template
	maxConcurrency      numberField
	toleratedCount      numberField
	toleratedPercentage numberField
}

// A numberField is a number of a Map state. value is set if it is a literal or an expression, path if it is a path. Neither is set if
// the definition has no such field.
type numberField struct {
	name  string // The field's name in error texts: with the suffix Path if path is set.
	value template
	path  *reference
}

// A retrier is one item of Retry.
type retrier struct {
	errors   []string      // ErrorEquals
	interval time.Duration // The delay before the first retry.
	attempts int           // The greatest number of retries.
	backoff  float64       // Each further delay is the previous delay times backoff.
	maxDelay time.Duration
	jitter   bool // The delay is a random part of the computed delay.
}

// A catcher is one item of Catch.
type catcher struct {
	errors     []string // ErrorEquals
	next       string
	resultPath *path
	output     template
	assign     template
}

// A choice is one item of Choices.
type choice struct {
	rule   rule
	next   string
	output template
	assign template
}
