package states

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"github.com/herald-progress/herald/lib/asl"
	"github.com/herald-progress/herald/lib/local/durable"
)

// The tables of Config.Store.
const (
	tableMachines    = "machines"    // By ARN.
	tableDefinitions = "definitions" // Texts, by their hashes.
	tableActivities  = "activities"  // By ARN.
	tableExecutions  = "executions"  // By sequence.
	tableEvents      = "events"      // By the sequence of the execution and the ID of the first event: some events of a history.
	tableMapRuns     = "mapRuns"     // By sequence.
)

// A machineRecord is a stored state machine.
type machineRecord struct {
	Name        string
	Kind        string
	Created     time.Time
	Deleting    bool
	Tags        map[string]string
	Current     revisionRecord
	Versions    []versionRecord
	LastVersion int
	Aliases     []aliasRecord
}

// A revisionRecord is a revision without its definition.
type revisionRecord struct {
	ID         string
	Definition string // The key in tableDefinitions.
	Updated    time.Time
	RoleARN    string
	Logging    LoggingConfiguration
	Tracing    TracingConfiguration
}

type versionRecord struct {
	Number      int
	Description string
	Created     time.Time
	Revision    revisionRecord
}

type aliasRecord struct {
	Name        string
	Description string
	Routes      []Route
	Created     time.Time
	Updated     time.Time
}

// An executionRecord is a stored execution without its history.
type executionRecord struct {
	Sequence       int64
	ARN            string
	Name           string
	Input          string
	MachineARN     string
	MachineName    string
	MachineCreated time.Time // Another state machine may have had the ARN before.
	Revision       revisionRecord
	VersionARN     string
	AliasARN       string
	TestCase       string
	MapRun         int64 // The sequence of the Map run of a child execution, or 0.
	Items          int
	Start          time.Time
	Stop           time.Time
	Status         asl.Status
	Output         json.RawMessage
	Error          *asl.Error
	Redrives       int
	Redriven       time.Time
	RedriveTokens  []string
}

// A mapRunRecord is a stored Map run.
type mapRunRecord struct {
	Sequence   int64
	ARN        string
	Execution  int64 // The sequence of its execution.
	Status     string
	Start      time.Time
	Stop       time.Time
	Limits     asl.MapRunLimits
	Executions MapRunCounts
	Items      MapRunCounts
}

type activityRecord struct {
	Name    string
	Created time.Time
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
		MachineCreated: x.machine.created, Revision: x.revision.record(), VersionARN: x.versionARN, AliasARN: x.aliasARN, TestCase: x.testCase, Items: x.items,
		Start: x.start, Stop: x.stop, Status: x.status, Output: x.result.Output, Error: x.result.Error,
		Redrives: x.redrives.count, Redriven: x.redrives.newest, RedriveTokens: x.redrives.tokens,
	}
	if x.mapRun != nil {
		r.MapRun = x.mapRun.sequence
	}
	return r
}

func (r *mapRun) record() mapRunRecord {
	return mapRunRecord{
		r.sequence, r.arn, r.execution.sequence, r.status, r.start, r.stop, r.limits, r.executions, r.items,
	}
}

// change returns the change that stores a record as JSON.
func change(table, key string, record any) durable.Change {
	text, err := json.Marshal(record)
	if err != nil { // Cannot happen: records have only what JSON has.
		panic(err)
	}
	return durable.Change{Table: table, Key: key, Value: text}
}
