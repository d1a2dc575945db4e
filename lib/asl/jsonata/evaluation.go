package jsonata

import (
	"time"
)

// Limits bound an evaluation. A field that is zero has its default, which is the limit of AWS Step Functions where AWS has one.
type Limits struct {
	// Depth is the number of nested expressions and function calls. The default is 100. A function call in the last place of a
	// function's body does not nest.
	Depth int
	// Steps is the number of evaluated expressions and visited items. The default is 10,000,000.
	Steps int
	// Bytes is the size of the values that the expression makes. The default is 10 MiB: as on AWS, room for an array of
	// 873,782 numbers.
	Bytes int
}

// The default limits.
const (
	defaultDepth = 100
	defaultSteps = 10_000_000
	defaultBytes = 10 << 20
)

// bytesPerStep says how many bytes are made or searched in a step, as a power of two.
const bytesPerStep = 6

// parsedPerStep says how many bytes of JSON text are parsed in a step, as a power of two.
const parsedPerStep = 2

// How many bytes values count for Limits.Bytes.
const (
	baseBytes = 370 // Each evaluation.
	itemBytes = 12  // Each item of an array.
	pairBytes = 24  // Each key of an object, in addition to its text.
)

// maxExport is the number of bytes that the value of an expression may have: parts that occur in it repeatedly count each time.
const maxExport = 64 << 20

// An evaluation is one evaluation of an expression.
type evaluation struct {
	clock    time.Time // See now.
	input    any       // The value of $$.
	limits   Limits
	config   Config
	depth    int
	nodes    int                     // See Limits.Steps.
	bytes    int                     // The size of the values that may still be in use.
	binds    int                     // The number of variables that were set.
	root     frame                   // The variables that the expression sets outside of any block.
	given    frame                   // The caller's variables.
	pictures map[string]*datePicture // By text.
}

func newEvaluation(config Config) *evaluation {
	limits := config.Limits
	if limits.Depth == 0 {
		limits.Depth = defaultDepth
	}
	if limits.Steps == 0 {
		limits.Steps = defaultSteps
	}
	if limits.Bytes == 0 {
		limits.Bytes = defaultBytes
	}
	return &evaluation{limits: limits, config: config, bytes: baseBytes}
}

// now returns the time of $now and $millis: it is the same in the whole evaluation.
func (e *evaluation) now() time.Time {
	if e.clock.IsZero() {
		e.clock = time.Now()
	}
	return e.clock
}

// step counts n steps.
func (e *evaluation) step(n int) error {
	e.nodes += n
	if e.nodes > e.limits.Steps {
		return evalError("U1001", "Expression evaluation timeout: Check for infinite loop")
	}
	return nil
}

// reserve counts n bytes of a new value. It fails before the value is made, so the value is never made.
func (e *evaluation) reserve(n int) error {
	if n > e.limits.Bytes-e.bytes {
		return evalError("U1001", "Expression evaluation memory limit exceeded: Check for excessive memory usage")
	}
	e.bytes += n
	return e.step(1 + n>>bytesPerStep) // What is made takes time, even if it is soon out of use.
}

// reserveItems counts an array of n items.
func (e *evaluation) reserveItems(n int) error {
	if n > e.limits.Bytes/itemBytes {
		return e.reserve(e.limits.Bytes + 1)
	}
	if err := e.step(n); err != nil {
		return err
	}
	return e.reserve(n * itemBytes)
}

// A mark is the state of an evaluation's count of bytes before an expression.
type mark struct{ bytes, binds int }

func (e *evaluation) mark() mark { return mark{bytes: e.bytes, binds: e.binds} }

// release forgets the bytes that were counted since the mark, if result is a simple value: then nothing else is in use, unless a
// variable was set.
func (e *evaluation) release(m mark, result any) {
	if e.binds != m.binds {
		return
	}
	switch v := result.(type) {
	case string:
		e.bytes = min(e.bytes, m.bytes+len(v))
	case bool, nil, int64, float64, undefined:
		e.bytes = min(e.bytes, m.bytes)
	}
}

// A frame holds the variables of a block, a function call or a tuple. The evaluation's lookup continues in the parent frame.
type frame struct {
	parent *frame
	names  []string
	values []any
	given  map[string]any // The caller's variables, in the outermost frame.
}

func (e *evaluation) lookup(f *frame, name string) (any, bool) {
	for ; f != nil; f = f.parent {
		const namesPerStep = 16
		e.nodes += len(f.names) / namesPerStep
		for i := len(f.names) - 1; i >= 0; i-- {
			if f.names[i] == name {
				return f.values[i], true
			}
		}
		if f.given != nil {
			if v, ok := f.given[name]; ok {
				return v, true
			}
		}
	}
	return undefined{}, false
}

func (f *frame) set(name string, v any) {
	for i, other := range f.names {
		if other == name {
			f.values[i] = v
			return
		}
	}
	f.names, f.values = append(f.names, name), append(f.values, v)
}
