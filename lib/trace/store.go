package trace

import (
	"context"
	"errors"
	"maps"
	"sync"
	"time"
)

// ErrConflict means that the row was written since it was read. Nothing was written.
var ErrConflict = errors.New("trace: the row has changed")

// How long rows are valid. An expired row counts as absent.
const (
	// AveragesTTL is how long the averages of a state machine are valid after its last execution.
	AveragesTTL = 366 * 24 * time.Hour
	// runningTTL is how long the row of a running execution is valid after its last event: longer than the year that an execution may
	// run. endedTTL is how long it is valid after the end.
	runningTTL = 366 * 24 * time.Hour
	endedTTL   = 24 * time.Hour
)

// Row is what is stored about an execution.
type Row struct {
	// Execution is the ARN of the execution.
	Execution string
	// Version counts the writes of the row from 1. 0 means that there is no row.
	Version int64
	// Ignored is true if the execution has no job: its input has no user, for instance. The other fields are then empty.
	Ignored bool
	// User, Job and Title are those of the job. They are empty as long as they are not known.
	User, Job, Title string
	// Start is when the execution started, as DescribeExecution says it.
	Start time.Time
	// Trace is the encoding of the events.
	Trace []byte
	// Ended is true if the execution has ended: the row expires earlier then.
	Ended bool
	// UpdatedAt is the time of the last write.
	UpdatedAt time.Time
}

// ExpiresAt returns when the row expires: a day after the end of the execution, or a year after its last event.
func (r Row) ExpiresAt() time.Time {
	if r.Ended || r.Ignored {
		return r.UpdatedAt.Add(endedTTL).Truncate(time.Second)
	}
	return r.UpdatedAt.Add(runningTTL).Truncate(time.Second)
}

// Store stores a row for each execution and the averages of each state machine. Its reads are consistent. It may be used concurrently.
type Store interface {
	// Row returns the row of an execution. Without a row, or after its expiry, it returns a row with the Version 0.
	Row(ctx context.Context, execution string) (Row, error)
	// PutRow writes the row with the next Version, which it returns, if the Version of the stored row is that of row. Otherwise it
	// returns [ErrConflict].
	PutRow(ctx context.Context, row Row) (int64, error)
	// Averages returns the encoded averages of a state machine and their version. The version is 0 if there are none.
	Averages(ctx context.Context, machine string) ([]byte, int64, error)
	// PutAverages writes averages if the stored ones have the version. Otherwise it returns [ErrConflict]. They expire [AveragesTTL]
	// after at.
	PutAverages(ctx context.Context, machine string, data []byte, version int64, at time.Time) error
}

// Memory is a [Store] in memory. Its zero value is ready to use.
type Memory struct {
	// Now returns the current time of the store. Nil means time.Now.
	Now func() time.Time

	mu       sync.Mutex
	rows     map[string]Row
	averages map[string]versioned
}

// versioned are averages with their version.
type versioned struct {
	data    []byte
	version int64
	expires time.Time
}

// Row implements [Store].
func (m *Memory) Row(_ context.Context, execution string) (Row, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if row, ok := m.rows[execution]; ok && m.now().Before(row.ExpiresAt()) {
		return row, nil
	}
	return Row{Execution: execution}, nil
}

// PutRow implements [Store].
func (m *Memory) PutRow(_ context.Context, row Row) (int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	stored, ok := m.rows[row.Execution]
	if ok && !m.now().Before(stored.ExpiresAt()) {
		stored = Row{}
	}
	if stored.Version != row.Version {
		return 0, ErrConflict
	}
	row.Version++
	if m.rows == nil {
		m.rows = map[string]Row{}
	}
	m.rows[row.Execution] = row
	maps.DeleteFunc(m.rows, func(_ string, r Row) bool { return len(m.rows) > maxMemoryRows && r.Ended })
	return row.Version, nil
}

// maxMemoryRows is how many rows a Memory has before it removes those of ended executions.
const maxMemoryRows = 10_000

// Averages implements [Store].
func (m *Memory) Averages(_ context.Context, machine string) ([]byte, int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	stored := m.averages[machine]
	if !m.now().Before(stored.expires) {
		return nil, 0, nil
	}
	return stored.data, stored.version, nil
}

// PutAverages implements [Store].
func (m *Memory) PutAverages(_ context.Context, machine string, data []byte, version int64, at time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	stored := m.averages[machine]
	if !m.now().Before(stored.expires) {
		stored = versioned{}
	}
	if stored.version != version {
		return ErrConflict
	}
	if m.averages == nil {
		m.averages = map[string]versioned{}
	}
	m.averages[machine] = versioned{data, version + 1, at.Add(AveragesTTL)}
	return nil
}

func (m *Memory) now() time.Time {
	if m.Now == nil {
		return time.Now()
	}
	return m.Now()
}
