package trace

import (
	"bytes"
	"compress/flate"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// maxEncoded bounds what Unmarshal decompresses, in bytes. The largest Trace is smaller, see TestATraceIsBounded.
const maxEncoded = 1 << 20

// errEncoding means that Unmarshal got something else than Marshal returned.
var errEncoding = errors.New("trace: not an encoded trace")

// encoded is the encoding of a Trace, as compressed JSON.
type encoded struct {
	Seen        []byte                 `json:"seen,omitempty"`
	States      map[string]*stateTrace `json:"states,omitempty"`
	MapRuns     map[int64]mapRun       `json:"mapRuns,omitempty"`
	Failures    map[int64]bool         `json:"failures,omitempty"`
	Redrives    int64                  `json:"redrives,omitzero"`
	End         Status                 `json:"end,omitzero"`
	EndID       int64                  `json:"endId,omitzero"`
	Started     int64                  `json:"started,omitzero"`
	Ended       int64                  `json:"ended,omitzero"`
	Newest      int64                  `json:"newest,omitzero"`
	LastID      int64                  `json:"lastId,omitzero"`
	LastFailure bool                   `json:"lastFailure,omitzero"`
}

// Marshal encodes the trace. Equal traces have equal encodings.
func (t *Trace) Marshal() ([]byte, error) {
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.BestCompression)
	if err != nil {
		return nil, fmt.Errorf("encode trace: %w", err)
	}
	err = json.NewEncoder(w).Encode(encoded{
		t.seen, t.states, t.mapRuns, t.failures, t.redrives, t.end, t.endID, t.started, t.ended, t.newest, t.lastID, t.lastFailure,
	})
	if err = errors.Join(err, w.Close()); err != nil {
		return nil, fmt.Errorf("encode trace: %w", err)
	}
	return b.Bytes(), nil
}

// Unmarshal decodes what Marshal returned.
func Unmarshal(data []byte) (*Trace, error) {
	text, err := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(data)), maxEncoded+1))
	var e encoded
	if err != nil || len(text) > maxEncoded || json.Unmarshal(text, &e) != nil || len(e.Seen) > MaxEventID/8 {
		return nil, errEncoding
	}
	for _, s := range e.States {
		if s == nil {
			return nil, errEncoding
		}
	}
	return &Trace{
		e.Seen, e.States, e.MapRuns, e.Failures, e.Redrives, e.End, e.EndID, e.Started, e.Ended, e.Newest, e.LastID, e.LastFailure,
	}, nil
}
