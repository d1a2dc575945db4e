package trace

import (
	"bytes"
	"compress/flate"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
)

const (
	// MaxAverages is how many states Averages has: those with the first names in the order of bytes.
	MaxAverages = 256
	// weightOfNewest is the weight of an execution in the averages, once there were more than five.
	weightOfNewest = 0.2
	// maxSpread is the largest mean error of the earlier forecasts at a state, relative to the time that is left there, with which the
	// time left is published.
	maxSpread = 0.25
)

// Averages has the average times of the earlier executions of a state machine. It has those of the state machine's own states, not of
// the states inside Parallel and Map states. Its zero value is empty.
type Averages struct {
	states map[string]average
}

// average is what earlier executions took at one state. Times are in milliseconds.
type average struct {
	// Runs is how many executions had the state.
	Runs int64 `json:"n"`
	// Duration is the time from the first entry of the state to its last exit. Of a Map with items, it is that time for one item.
	Duration float64 `json:"d"`
	// Tail is the time from the last exit of the state to the end of the execution.
	Tail float64 `json:"t"`
	// Error is the mean absolute error of the forecasts at the entry of the state. Each was made with what was known before.
	Error float64 `json:"e"`
	// Items is how many items a Map had. It is 0 for other states.
	Items float64 `json:"i,omitzero"`
}

// forecast returns the time from the first entry of the state to the end of the execution. items is 0 for a state that is no Map.
func (a average) forecast(items int64) float64 { return a.duration(items) + a.Tail }

// duration returns the time that the state takes. A Map whose items are not known yet has as many as in earlier executions.
func (a average) duration(items int64) float64 {
	switch {
	case items > 0:
		return a.Duration * float64(items)
	case a.Items > 0:
		return a.Duration * a.Items
	default:
		return a.Duration
	}
}

// isReliable reports whether the forecasts at the state were good enough to show the time left.
func (a average) isReliable(items int64) bool {
	const leastRuns = 2 // with the second run, there is the first error
	return a.Runs >= leastRuns && a.Error <= maxSpread*a.forecast(items)
}

// Learn adds an execution. It reports whether it did: the execution must have succeeded without a redrive, and the trace must be
// [Trace.Complete], so that the averages do not depend on the order of the events.
func (a *Averages) Learn(p *Plan, t *Trace) bool {
	if p == nil || t.end != Succeeded || t.redrives > 0 || !t.Complete() {
		return false
	}
	states := map[string]average{}
	for name, known := range a.states {
		if p.root.states[name] != nil { // otherwise the definition no longer has the state
			states[name] = known
		}
	}
	for name, s := range p.root.states {
		took := t.states[name]
		if took == nil || took.Entered == 0 {
			continue
		}
		exit := max(took.ExitedAt, took.First)
		items := t.itemsOf(s)
		sample := average{Duration: float64(exit - took.First), Tail: float64(max(t.ended-exit, 0)), Items: float64(items)}
		if items > 0 {
			sample.Duration /= float64(items)
		}
		states[name] = states[name].with(sample, items)
	}
	for len(states) > MaxAverages {
		delete(states, slices.Max(slices.Collect(maps.Keys(states))))
	}
	a.states = states
	return true
}

// with returns the average with one more execution.
func (a average) with(sample average, items int64) average {
	a.Runs++
	weight := max(1/float64(a.Runs), weightOfNewest)
	if a.Runs > 1 {
		forecastError := math.Abs(sample.forecast(items) - a.forecast(items))
		a.Error += (forecastError - a.Error) * max(1/float64(a.Runs-1), weightOfNewest)
	}
	a.Duration += (sample.Duration - a.Duration) * weight
	a.Tail += (sample.Tail - a.Tail) * weight
	a.Items += (sample.Items - a.Items) * weight
	return a
}

// itemsOf returns how many items a Map state has. It returns 0 if the state is no Map, or if its items are not known.
func (t *Trace) itemsOf(s *state) int64 {
	if s.kind != kindMap {
		return 0
	}
	return t.items(s.name)
}

// Marshal encodes the averages.
func (a *Averages) Marshal() ([]byte, error) {
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.BestCompression)
	if err != nil {
		return nil, fmt.Errorf("encode averages: %w", err)
	}
	rounded := map[string]average{}
	for name, one := range a.states {
		rounded[name] = average{one.Runs, math.Round(one.Duration*10) / 10, math.Round(one.Tail), math.Round(one.Error), math.Round(one.Items*10) / 10}
	}
	err = json.NewEncoder(w).Encode(rounded)
	if err = errors.Join(err, w.Close()); err != nil {
		return nil, fmt.Errorf("encode averages: %w", err)
	}
	return b.Bytes(), nil
}

// UnmarshalAverages decodes what Marshal returned.
func UnmarshalAverages(data []byte) (*Averages, error) {
	text, err := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(data)), maxEncoded+1))
	a := &Averages{}
	if err != nil || len(text) > maxEncoded || json.Unmarshal(text, &a.states) != nil {
		return nil, errEncoding
	}
	return a, nil
}
