package asl

import "time"

// A flow is a set of states with a first one: a state machine, a branch of a Parallel state, or the body of a Map state.
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
	resultPath     *path // nil discards the result.
	parameters     template
	resultSelector template
	arguments      template
	output         template
	assign         template
	retry          []retrier
	catch          []catcher

	result      template // Pass: nil passes the input on.
	resource    string   // Task
	timeout     limit
	heartbeat   limit
	credentials template
	choices     []choice
	fallback    string // Choice: Default.
	wait        waitFor
	failError   failText
	failCause   failText
	branches    []*flow
	mapOver     *mapBody
}

// An ioPath is an InputPath or OutputPath: a reference, or null for an empty object. The zero value takes everything.
type ioPath struct {
	ref  *reference
	null bool
}

// A limit is a number of seconds: written, computed by an expression, or read from the input.
type limit struct {
	field   string
	seconds template
	path    *reference
}

// A waitFor is the time of a Wait state; one of its fields is set.
type waitFor struct {
	seconds       template
	timestamp     template
	secondsPath   *reference
	timestampPath *reference
}

// A failText is the Error or Cause of a Fail state; the zero value is none.
type failText struct {
	field string
	value template
	path  pathValue
	text  string
}

// A mapBody is what is special to a Map state.
type mapBody struct {
	flow           *flow
	distributed    bool
	items          template   // JSONata
	itemsPath      *reference // JSONPath
	itemSelector   template
	maxConcurrency count
	toleratedCount count
	toleratedShare count
}

// A count is a number of a Map state: written, computed by an expression, or read from the input.
type count struct {
	field string
	value template
	path  *reference
}

// A retrier is an item of Retry.
type retrier struct {
	errors   []string
	interval time.Duration
	attempts int
	backoff  float64
	maxDelay time.Duration
	jitter   bool
}

// A catcher is an item of Catch.
type catcher struct {
	errors     []string
	next       string
	resultPath *path
	output     template
	assign     template
}

// A choice is an item of Choices at its top level.
type choice struct {
	rule   rule
	next   string
	output template
	assign template
}
