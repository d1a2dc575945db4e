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
	end     bool   // End

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

// language returns the state's query language.
func (s *state) language() string {
	if s.jsonata {
		return languageJSONata
	}
	return languageJSONPath
}

// hasResult reports whether $states.result exists in the state's Output and Assign.
func (s *state) hasResult() bool {
	return s.kind == kindTask || s.kind == kindParallel || s.kind == kindMap
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
	processorName       string // ItemProcessor or Iterator.
	distributed         bool
	express             bool       // The child executions of a Distributed Map are Express workflows.
	items               template   // JSONata
	itemsPath           *reference // JSONPath
	itemSelector        template
	maxConcurrency      numberField
	toleratedCount      numberField
	toleratedPercentage numberField

	// Only of a Distributed Map.
	label   string        // The name of the Map state in ARNs: Label, or the state's name.
	reader  *itemReader   // Nil if the items come from the state's input.
	batcher *itemBatcher  // Nil if each child execution gets one item.
	writer  *resultWriter // Nil if the results are the state's output.
}

// An itemReader is the ItemReader of a Map state: it reads the items from Amazon S3.
type itemReader struct {
	lists      bool     // The items are the objects of a bucket. Otherwise they are in an object.
	location   template // Parameters or Arguments: Bucket with Key or Prefix.
	inputType  string   // InputType
	isAthena   bool     // The object lists the objects that hold the items, one a line. Otherwise a MANIFEST is an inventory.
	flatten    bool     // The items are in the listed objects.
	headers    []string // CSVHeaders; nil if they are in the first row.
	delimiter  rune
	pointer    string // ItemsPointer
	maxItems   numberField
	fieldNames string // The name of the field with the location, in error texts.
}

// An itemBatcher is the ItemBatcher of a Map state: it makes each child execution's input from several items.
type itemBatcher struct {
	maxItems numberField
	maxBytes numberField
	input    template // BatchInput
}

// A resultWriter is the ResultWriter of a Map state: it writes the results of the child executions to Amazon S3.
type resultWriter struct {
	location       template // Parameters or Arguments: Bucket and Prefix; nil if the results are only transformed.
	locationName   string   // The name of the field with the location, in error texts.
	transformation string   // Of WriterConfig.
	isLines        bool     // The output type is JSONL.
}

// A numberField is a number of a Map state. value is set if it is a literal or an expression, path if it is a path. Neither is set if
// the definition has no such field.
type numberField struct {
	name  string // The field's name in error texts: with the suffix Path if path is set.
	value template
	path  *reference
}

// isSet reports whether the definition has the field.
func (n numberField) isSet() bool { return n.value != nil || n.path != nil }

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
