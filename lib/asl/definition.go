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
	kind    string
	jsonata bool
	next    string

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

	result      template // Pass; if it is nil, the input is the result.
	resource    string   // Task
	timeout     secondsField
	heartbeat   secondsField
	credentials template
	choices     []choice
	defaultNext string // Choice: Default.
	wait        waitFields
	failError   textField
	failCause   textField
	branches    []*flow
	mapFields   *mapFields
}

// An ioPath is an InputPath or OutputPath: a reference, or null, which stands for an empty object. The zero value selects the
// whole input or output.
type ioPath struct {
	ref  *reference
	null bool
}

// A secondsField is a number of seconds: a literal or an expression (seconds), or a path. It has neither if the definition
// has no such field.
type secondsField struct {
	name    string // The name of the field in error texts, with Path if it is a path.
	seconds template
	path    *reference
}

// waitFields are the fields of a Wait state; one of them is set.
type waitFields struct {
	seconds       template
	timestamp     template
	secondsPath   *reference
	timestampPath *reference
}

// A textField is the Error or Cause of a Fail state: a literal or an expression (value), or a path. It has neither if the
// definition has no such field.
type textField struct {
	name     string // The name of the field in error texts, with Path if it is a path.
	value    template
	path     pathValue
	pathText string
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

// A numberField is a number of a Map state: a literal or an expression (value), or a path. It has neither if the definition
// has no such field.
type numberField struct {
	name  string // The name of the field in error texts, with Path if it is a path.
	value template
	path  *reference
}

// A retrier is one item of Retry.
type retrier struct {
	errors   []string
	interval time.Duration
	attempts int
	backoff  float64
	maxDelay time.Duration
	jitter   bool
}

// A catcher is one item of Catch.
type catcher struct {
	errors     []string
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
