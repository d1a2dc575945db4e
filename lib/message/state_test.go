package message

import (
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestTypesOfStatesShareTheirFields: all packages handle states as UploadProgress, so the data of each type of state must have the same
// fields in the same order, except the names of the first two.
func TestTypesOfStatesShareTheirFields(t *testing.T) {
	want := reflect.TypeFor[UploadProgress]()
	states := 0
	for _, entry := range registry {
		if entry.kind != kindState {
			continue
		}
		states++
		got := reflect.TypeOf(entry.zero)
		if got.NumField() != want.NumField() {
			t.Fatalf("%s has %d fields, want %d", entry.name, got.NumField(), want.NumField())
		}
		for i := range want.NumField() {
			got, want := got.Field(i), want.Field(i)
			isName := i < 2
			if got.Type != want.Type || !isName && (got.Name != want.Name || got.Tag != want.Tag) {
				t.Errorf("%s has the field %s %s %s, want %s %s %s", entry.name, got.Name, got.Type, got.Tag, want.Name, want.Type, want.Tag)
			}
		}
	}
	if states < 2 {
		t.Errorf("%d types of states", states)
	}
}

// TestEveryTypeOfStateIsAStateOfAJob fills every field of a state, and requires that it survives the way to each type and back.
func TestEveryTypeOfStateIsAStateOfAJob(t *testing.T) {
	full := UploadProgress{
		UploadID: "job", FileName: "name", Progress: 1.5, Message: "m", CurrentRow: 2, TotalRows: 3, Status: StatusRetrying, Phase: "p",
		RowsPerSecond: 4.5, ETAMillis: 5, FailedRows: 6, Attempt: 7, Of: 8, ExpectEvery: 9, EndAfter: 10, Result: "results/dQ/x",
		Steps: NewSteps(Step{Name: "s"}),
	}
	for i := range reflect.TypeFor[UploadProgress]().NumField() {
		if reflect.ValueOf(full).Field(i).IsZero() {
			t.Errorf("the test does not fill the field %s", reflect.TypeFor[UploadProgress]().Field(i).Name)
		}
	}
	for _, entry := range registry {
		if entry.kind != kindState {
			if _, ok := AsUploadProgress(entry.zero); ok {
				t.Errorf("%s is a state", entry.name)
			}
			continue
		}
		data := AsType(entry.name, full)
		if data.Type() != entry.name {
			t.Errorf("a state as %s is of the type %s", entry.name, data.Type())
		}
		pointer := reflect.New(reflect.TypeOf(data))
		pointer.Elem().Set(reflect.ValueOf(data))
		for _, data := range []Data{data, pointer.Interface().(Data)} {
			if got, ok := AsUploadProgress(data); !ok || got != full {
				t.Errorf("%T (-want +got): %v\n%s", data, ok, cmp.Diff(full, got))
			}
			if e := New(data, "id", time.Now()); e.Job != "job" || e.Type != entry.name {
				t.Errorf("the frame of %T is of the job %q and the type %s", data, e.Job, e.Type)
			}
		}
		none := reflect.Zero(pointer.Type()).Interface().(Data)
		if _, ok := AsUploadProgress(none); ok {
			t.Errorf("a nil %T is a state", none)
		}
	}
	if got := AsType("of a newer version", full); got != Data(full) {
		t.Errorf("a state of an unknown type is %+v", got)
	}
}

func TestOnlyThreeStatusesAreEnds(t *testing.T) {
	for _, name := range statusNames {
		status := Status(name)
		end := status == StatusSucceeded || status == StatusFailed || status == StatusCancelled
		if status.Terminal() != end {
			t.Errorf("%q is an end: %v", name, status.Terminal())
		}
		running := status == "" || status == StatusRunning
		if status.Other(StatusRunning) == running || Status("").Other(status) == running || status.Other(status) {
			t.Errorf("%q is wrongly compared with running", name)
		}
	}
}
