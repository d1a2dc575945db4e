package states

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/herald-progress/herald/lib/asl"
	"github.com/herald-progress/herald/lib/local/durable"
)

// A restorer builds what the store has.
type restorer struct {
	s           *StepFunctions
	definitions map[string]string
	parsed      map[string]*asl.Machine  // By hash and kind.
	revisions   map[string]*revision     // By machine, so that a version has the revision of its state machine.
	deleted     map[string]*stateMachine // State machines that only executions have, by ARN and time of creation.
	executions  map[int64]*execution     // By sequence.
	mapRuns     map[int64]*mapRun        // By sequence.
	lost        []durable.Change         // Deletes what nothing uses.
}

// restore reads the store. The executions that ran when the twin ended become ABORTED. The caller is New.
func (s *StepFunctions) restore() error {
	s.saved.definitions, s.saved.maxDefinitions = map[string]bool{}, minDefinitions
	if s.cfg.Store == nil {
		return nil
	}
	r := &restorer{
		s: s, definitions: map[string]string{}, parsed: map[string]*asl.Machine{}, revisions: map[string]*revision{},
		deleted: map[string]*stateMachine{}, executions: map[int64]*execution{}, mapRuns: map[int64]*mapRun{},
	}
	for _, table := range []struct {
		name string
		read func(key string, value []byte) error
	}{
		{tableDefinitions, r.definition}, {tableMachines, r.machine}, {tableActivities, r.activity},
		{tableExecutions, r.execution}, {tableMapRuns, r.mapRun}, {tableDatasets, r.dataset}, {tableExecutions, r.child}, {tableEvents, r.events},
	} {
		if err := s.cfg.Store.Each(table.name, table.read); err != nil {
			return err
		}
	}
	r.finish()
	return s.flush(context.Background())
}

func (r *restorer) definition(key string, value []byte) error {
	r.definitions[key] = string(value)
	r.s.saved.definitions[key] = true
	return nil
}

// revision returns a revision of a state machine.
func (r *restorer) revision(machine, kind string, stored revisionRecord) (*revision, error) {
	id := fmt.Sprint(machine, " ", stored.ID, " ", stored.Definition, " ", stored.Updated.UnixNano())
	if known, ok := r.revisions[id]; ok {
		return known, nil
	}
	definition, ok := r.definitions[stored.Definition]
	if !ok {
		return nil, fmt.Errorf("its definition %s is missing", stored.Definition)
	}
	parsed, ok := r.parsed[kind+stored.Definition]
	if !ok {
		parsed = parseStored(definition, kind)
		r.parsed[kind+stored.Definition] = parsed
	}
	r.revisions[id] = &revision{
		id: stored.ID, definition: definition, parsed: parsed, updated: stored.Updated, roleARN: stored.RoleARN, logging: stored.Logging, tracing: stored.Tracing,
	}
	return r.revisions[id], nil
}

// parseStored parses a definition that was accepted before. If this version of Herald refuses it, the executions say so.
func parseStored(definition, kind string) *asl.Machine {
	parsed, err := parse(definition, kind)
	if err == nil {
		return parsed
	}
	cause := durable.JSON("", "", err.Error()).Value
	parsed, err = parse(`{"StartAt":"Invalid","States":{"Invalid":{"Type":"Fail","Error":"States.Runtime","Cause":`+string(cause)+`}}}`, kind)
	if err != nil { // Cannot happen: it has one valid state.
		panic(err)
	}
	return parsed
}

func (r *restorer) machine(arn string, value []byte) error {
	var stored machineRecord
	if err := durable.Decode(value, &stored); err != nil {
		return err
	}
	current, err := r.revision(arn, stored.Kind, stored.Current)
	if err != nil {
		return err
	}
	m := &stateMachine{
		name: stored.Name, arn: arn, kind: stored.Kind, created: stored.Created, current: current, deleting: stored.Deleting,
		tags: stored.Tags, lastVersion: stored.LastVersion, aliases: map[string]*alias{},
	}
	for _, v := range stored.Versions {
		of, err := r.revision(arn, stored.Kind, v.Revision)
		if err != nil {
			return err
		}
		m.versions = append(m.versions, &version{
			number: v.Number, arn: fmt.Sprint(arn, ":", v.Number), description: v.Description, created: v.Created, revision: of,
		})
	}
	for _, a := range stored.Aliases {
		m.aliases[a.Name] = &alias{
			name: a.Name, arn: arn + ":" + a.Name, description: a.Description, routes: a.Routes, created: a.Created, updated: a.Updated,
		}
	}
	r.s.machines[arn] = m
	return nil
}

func (r *restorer) activity(arn string, value []byte) error {
	var stored activityRecord
	if err := durable.Decode(value, &stored); err != nil {
		return err
	}
	r.s.activities[arn] = &activity{item: ActivityListItem{arn, stored.Name, Timestamp{stored.Created}}}
	return nil
}

// execution restores an execution that is no child execution.
func (r *restorer) execution(_ string, value []byte) error {
	var stored executionRecord
	if err := durable.Decode(value, &stored); err != nil || stored.MapRun != 0 {
		return err
	}
	return r.addExecution(stored, nil, len(value))
}

// child restores a child execution, unless its execution was removed.
func (r *restorer) child(key string, value []byte) error {
	var stored executionRecord
	if err := durable.Decode(value, &stored); err != nil || stored.MapRun == 0 {
		return err
	}
	of := r.mapRuns[stored.MapRun]
	if of == nil {
		r.lost = append(r.lost, durable.Change{Table: tableExecutions, Key: key})
		return nil
	}
	return r.addExecution(stored, of, len(value))
}

func (r *restorer) addExecution(stored executionRecord, of *mapRun, size int) error {
	machine := r.s.machines[stored.MachineARN]
	if machine == nil || !machine.created.Equal(stored.MachineCreated) {
		id := fmt.Sprint(stored.MachineARN, " ", stored.MachineCreated.UnixNano())
		if machine = r.deleted[id]; machine == nil {
			machine = &stateMachine{name: stored.MachineName, arn: stored.MachineARN, kind: typeStandard, created: stored.MachineCreated}
			r.deleted[id] = machine
		}
	}
	revision, err := r.revision(stored.MachineARN, machine.kind, stored.Revision)
	if err != nil {
		return err
	}
	x := &execution{
		sequence: stored.Sequence, arn: stored.ARN, name: stored.Name, input: stored.Input, machine: machine, revision: revision,
		versionARN: stored.VersionARN, aliasARN: stored.AliasARN, testCase: stored.TestCase, mapRun: of, items: stored.Items, index: stored.Index,
		start: stored.Start, stop: stored.Stop, status: stored.Status, done: make(chan struct{}),
		result:   asl.Result{Status: stored.Status, Output: stored.Output},
		redrives: redrives{count: stored.Redrives, newest: stored.Redriven, tokens: stored.RedriveTokens},
	}
	if stored.Error != nil {
		x.result.Error = &asl.Error{Name: stored.Error.Name, Cause: stored.Error.Cause}
	}
	close(x.done)
	x.saved.record = size
	r.s.countSaved(x, int64(size))
	r.executions[x.sequence] = x
	if of != nil {
		of.addChild(x)
	}
	r.s.started = max(r.s.started, x.sequence)
	if newest := r.s.executions[x.arn]; newest == nil || newest.sequence < x.sequence {
		r.s.executions[x.arn] = x
	}
	return nil
}

func (r *restorer) mapRun(key string, value []byte) error {
	var stored mapRunRecord
	if err := durable.Decode(value, &stored); err != nil {
		return err
	}
	x := r.executions[stored.Execution]
	if x == nil {
		r.lost = append(r.lost, durable.Change{Table: tableMapRuns, Key: key})
		return nil
	}
	run := &mapRun{
		sequence: stored.Sequence, arn: stored.ARN, execution: x, status: stored.Status, start: stored.Start, stop: stored.Stop,
		limits: asl.MapRunLimits(stored.Limits), setLimits: func(asl.MapRunLimits) {}, executions: stored.Executions, items: stored.Items,
		express: stored.Express, incomplete: stored.Incomplete, redrives: redrives{count: stored.Redrives, newest: stored.Redriven},
		children: map[int]*execution{},
	}
	if run.status == string(StatusRunning) { // Only the children that have ended are stored.
		run.executions, run.items = newCounts(run.executions.Total), newCounts(run.items.Total)
	}
	x.mapRuns = append(x.mapRuns, run)
	r.mapRuns[run.sequence], r.s.mapRuns[run.arn] = run, run
	r.s.started = max(r.s.started, run.sequence)
	return nil
}

// dataset restores the items of a Map run.
func (r *restorer) dataset(key string, value []byte) error {
	var sequence int64
	if _, err := fmt.Sscanf(key, "%d", &sequence); err != nil {
		return fmt.Errorf("key: %w", err)
	}
	of := r.mapRuns[sequence]
	if of == nil {
		r.lost = append(r.lost, durable.Change{Table: tableDatasets, Key: key})
		return nil
	}
	of.dataset = slices.Clone(value)
	r.s.countSaved(of.execution, int64(len(value)))
	return nil
}

// events restores a part of a history. The parts of one come in their order.
func (r *restorer) events(key string, value []byte) error {
	var (
		sequence, first int64
		events          []eventRecord
	)
	if _, err := fmt.Sscanf(key, "%d-%d", &sequence, &first); err != nil {
		return fmt.Errorf("key: %w", err)
	}
	x := r.executions[sequence]
	if x == nil {
		r.lost = append(r.lost, durable.Change{Table: tableEvents, Key: key})
		return nil
	}
	if err := durable.Decode(value, &events); err != nil {
		return err
	}
	for _, event := range events {
		x.events = append(x.events, asl.Event(event))
	}
	x.saved.events = len(x.events)
	x.saved.chunks = append(x.saved.chunks, first)
	r.s.countSaved(x, int64(len(value)))
	return nil
}

// finish ends what was interrupted, and removes what nothing uses or what is too much.
func (r *restorer) finish() {
	s := r.s
	s.add(r.lost...)
	for _, x := range slices.SortedFunc(maps.Values(r.executions), func(a, b *execution) int { return a.lastChange().Compare(b.lastChange()) }) {
		if x.mapRun != nil {
			s.endedChildren = append(s.endedChildren, x)
			if x.mapRun.status == string(StatusRunning) {
				x.mapRun.move(x, pending, x.status)
			}
			continue
		}
		s.ended = append(s.ended, x)
		if x.status == StatusRunning {
			s.interrupt(x)
		}
	}
	for _, run := range r.mapRuns {
		if run.status == string(StatusRunning) {
			run.status, run.stop = mapRunAborted, now()
			s.saveMapRun(run)
		}
	}
	for _, m := range s.machines {
		if m.deleting { // Its executions have ended.
			s.deleteMachine(m)
		}
	}
	s.removeOldest()
	s.removeDefinitions()
}

// lastChange returns when an execution ended, or now if it did not.
func (x *execution) lastChange() time.Time {
	if x.stop.IsZero() {
		return time.Now()
	}
	return x.stop
}

// interrupt ends an execution that ran when the twin ended.
func (s *StepFunctions) interrupt(x *execution) {
	event := func(kind, name string, details map[string]any) {
		x.events = append(x.events, asl.Event{ID: int64(len(x.events) + 1), Time: now(), Type: kind, Details: asl.NewDetails(name, details)})
	}
	if len(x.events) == 0 { // The twin ended before it stored the first one.
		event("ExecutionStarted", "executionStartedEventDetails", map[string]any{
			"input": x.input, "inputDetails": map[string]any{"truncated": false}, "roleArn": x.revision.roleARN,
		})
	}
	event("ExecutionAborted", "executionAbortedEventDetails", map[string]any{"error": interruption.Name, "cause": interruption.Cause})
	x.end(asl.Result{Status: asl.StatusAborted, Error: interruption})
	s.saveExecution(x)
	s.interrupted = append(s.interrupted, x)
}

// ReportInterrupted calls Config.StatusChanged for each execution that ran when the process before this one ended. Call it once, as soon
// as the caller can receive the calls.
func (s *StepFunctions) ReportInterrupted(ctx context.Context) {
	s.mu.Lock()
	interrupted := s.interrupted
	s.interrupted = nil
	s.mu.Unlock()
	for _, x := range interrupted {
		s.notifyStatusChanged(ctx, x)
	}
}

// setTasks sets what runs the tasks of an execution that was restored. The mocks of a test case count their invocations from 0. The caller
// holds the lock.
func (s *StepFunctions) setTasks(x *execution) error {
	if x.tasks != nil {
		return nil
	}
	of := target{machine: x.machine, revision: x.revision}
	if x.testCase != "" {
		var err error
		if of, err = s.withMocks(of, x.testCase); err != nil {
			return err
		}
	}
	x.tasks = of.tasks(&taskRunner{states: s, executionARN: x.arn})
	return nil
}
