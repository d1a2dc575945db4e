package states

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"github.com/herald-progress/herald/lib/asl"
)

// The tables of Config.Store.
const (
	tableMachines    = "machines"    // By ARN.
	tableDefinitions = "definitions" // Texts, by their hashes.
	tableActivities  = "activities"  // By ARN.
	tableExecutions  = "executions"  // By sequence.
	tableEvents      = "events"      // By the sequence of the execution and the ID of the first event: some events of a history.
	tableMapRuns     = "mapRuns"     // By sequence.
	tableDatasets    = "datasets"    // By the sequence of the Map run.
)

// A machineRecord is a stored state machine.
type machineRecord struct {
	Name        string            `json:"name,omitzero"`
	Kind        string            `json:"kind,omitzero"`
	Created     time.Time         `json:"created,omitzero"`
	Deleting    bool              `json:"deleting,omitzero"`
	Tags        map[string]string `json:"tags,omitzero"`
	Current     revisionRecord    `json:"current,omitzero"`
	Versions    []versionRecord   `json:"versions,omitzero"`
	LastVersion int               `json:"lastVersion,omitzero"`
	Aliases     []aliasRecord     `json:"aliases,omitzero"`
}

// A revisionRecord is a revision without its definition.
type revisionRecord struct {
	ID         string               `json:"id,omitzero"`
	Definition string               `json:"definition,omitzero"` // The key in tableDefinitions.
	Updated    time.Time            `json:"updated,omitzero"`
	RoleARN    string               `json:"roleArn,omitzero"`
	Logging    LoggingConfiguration `json:"logging,omitzero"`
	Tracing    TracingConfiguration `json:"tracing,omitzero"`
}

type versionRecord struct {
	Number      int            `json:"number,omitzero"`
	Description string         `json:"description,omitzero"`
	Created     time.Time      `json:"created,omitzero"`
	Revision    revisionRecord `json:"revision,omitzero"`
}

type aliasRecord struct {
	Name        string    `json:"name,omitzero"`
	Description string    `json:"description,omitzero"`
	Routes      []Route   `json:"routes,omitzero"`
	Created     time.Time `json:"created,omitzero"`
	Updated     time.Time `json:"updated,omitzero"`
}

// An executionRecord is a stored execution without its history.
type executionRecord struct {
	Sequence       int64           `json:"sequence,omitzero"`
	ARN            string          `json:"arn,omitzero"`
	Name           string          `json:"name,omitzero"`
	Input          string          `json:"input,omitzero"`
	MachineARN     string          `json:"machineArn,omitzero"`
	MachineName    string          `json:"machineName,omitzero"`
	MachineCreated time.Time       `json:"machineCreated,omitzero"` // Another state machine may have had the ARN before.
	Revision       revisionRecord  `json:"revision,omitzero"`
	VersionARN     string          `json:"versionArn,omitzero"`
	AliasARN       string          `json:"aliasArn,omitzero"`
	TestCase       string          `json:"testCase,omitzero"`
	MapRun         int64           `json:"mapRun,omitzero"` // The sequence of the Map run of a child execution, or 0.
	Items          int             `json:"items,omitzero"`
	Index          int             `json:"index,omitzero"`
	Start          time.Time       `json:"start,omitzero"`
	Stop           time.Time       `json:"stop,omitzero"`
	Status         asl.Status      `json:"status,omitzero"`
	Output         json.RawMessage `json:"output,omitzero"`
	Error          *errorRecord    `json:"error,omitzero"`
	Redrives       int             `json:"redrives,omitzero"`
	Redriven       time.Time       `json:"redriven,omitzero"`
	RedriveTokens  []string        `json:"redriveTokens,omitzero"`
}

// A mapRunRecord is a stored Map run.
type mapRunRecord struct {
	Sequence   int64        `json:"sequence,omitzero"`
	ARN        string       `json:"arn,omitzero"`
	Execution  int64        `json:"execution,omitzero"` // The sequence of its execution.
	Status     string       `json:"status,omitzero"`
	Start      time.Time    `json:"start,omitzero"`
	Stop       time.Time    `json:"stop,omitzero"`
	Limits     limitsRecord `json:"limits,omitzero"`
	Executions MapRunCounts `json:"executions,omitzero"`
	Items      MapRunCounts `json:"items,omitzero"`
	Express    bool         `json:"express,omitzero"`
	Incomplete bool         `json:"incomplete,omitzero"`
	Redrives   int          `json:"redrives,omitzero"`
	Redriven   time.Time    `json:"redriven,omitzero"`
}

// An errorRecord is an asl.Error.
type errorRecord struct {
	Name  string `json:"name,omitzero"`
	Cause string `json:"cause,omitzero"`
}

// A limitsRecord is an asl.MapRunLimits.
type limitsRecord struct {
	MaxConcurrency             int      `json:"maxConcurrency,omitzero"`
	ToleratedFailureCount      *int64   `json:"toleratedFailureCount,omitzero"`
	ToleratedFailurePercentage *float64 `json:"toleratedFailurePercentage,omitzero"`
}

// An eventRecord is an asl.Event.
type eventRecord struct {
	ID         int64        `json:"id,omitzero"`
	PreviousID int64        `json:"previousID,omitzero"`
	Time       time.Time    `json:"time,omitzero"`
	Type       string       `json:"type,omitzero"`
	Details    *asl.Details `json:"details,omitzero"`
}

type activityRecord struct {
	Name    string    `json:"name,omitzero"`
	Created time.Time `json:"created,omitzero"`
}

// sequenceKey returns the key of a record with a sequence. Keys sort as sequences do.
func sequenceKey(sequence int64) string { return fmt.Sprintf("%019d", sequence) }

// eventsKey returns the key of a part of a history.
func eventsKey(sequence, firstID int64) string {
	return fmt.Sprintf("%s-%05d", sequenceKey(sequence), firstID)
}

// hash returns the key of the definition in tableDefinitions. The caller holds the lock.
func (r *revision) hash() string {
	if r.hashed != r.definition {
		sum := sha256.Sum256([]byte(r.definition))
		r.hashed, r.digest = r.definition, hex.EncodeToString(sum[:])
	}
	return r.digest
}

func (r *revision) record() revisionRecord {
	return revisionRecord{
		ID: r.id, Definition: r.hash(), Updated: r.updated, RoleARN: r.roleARN, Logging: r.logging, Tracing: r.tracing,
	}
}

func (m *stateMachine) record() machineRecord {
	r := machineRecord{
		Name: m.name, Kind: m.kind, Created: m.created, Deleting: m.deleting, Tags: m.tags, Current: m.current.record(), LastVersion: m.lastVersion,
	}
	for _, v := range m.versions {
		r.Versions = append(r.Versions, versionRecord{v.number, v.description, v.created, v.revision.record()})
	}
	for _, a := range m.aliases {
		r.Aliases = append(r.Aliases, aliasRecord{a.name, a.description, a.routes, a.created, a.updated})
	}
	return r
}

func (x *execution) record() executionRecord {
	r := executionRecord{
		Sequence: x.sequence, ARN: x.arn, Name: x.name, Input: x.input, MachineARN: x.machine.arn, MachineName: x.machine.name,
		MachineCreated: x.machine.created, Revision: x.revision.record(), VersionARN: x.versionARN, AliasARN: x.aliasARN, TestCase: x.testCase, Items: x.items, Index: x.index,
		Start: x.start, Stop: x.stop, Status: x.status, Output: x.result.Output,
		Redrives: x.redrives.count, Redriven: x.redrives.newest, RedriveTokens: x.redrives.tokens,
	}
	if x.result.Error != nil {
		r.Error = &errorRecord{x.result.Error.Name, x.result.Error.Cause}
	}
	if x.mapRun != nil {
		r.MapRun = x.mapRun.sequence
	}
	return r
}

func (r *mapRun) record() mapRunRecord {
	return mapRunRecord{
		r.sequence, r.arn, r.execution.sequence, r.status, r.start, r.stop, limitsRecord(r.limits), r.executions, r.items,
		r.express, r.incomplete, r.redrives.count, r.redrives.newest,
	}
}
