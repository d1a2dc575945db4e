package asl_test

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/herald-progress/herald/lib/asl"
)

// fatalTasks fails each task with an error that nothing handles.
type fatalTasks struct{}

func (fatalTasks) RunTask(context.Context, asl.Task) (json.RawMessage, error) {
	return nil, &asl.Error{Name: "Broken", Cause: "for good", Fatal: true}
}

func TestNeitherRetryNorCatchHandlesAFatalErrorOfATask(t *testing.T) {
	m, err := asl.Parse([]byte(`{"StartAt":"A","States":{"A":{"Type":"Task","Resource":"arn:aws:states:::sns:publish",
		"Retry":[{"ErrorEquals":["Broken"]}],"Catch":[{"ErrorEquals":["States.ALL"],"Next":"B"}],"End":true},"B":{"Type":"Succeed"}}}`))
	if err != nil {
		t.Fatal(err)
	}
	if got := resultText(m.Run(t.Context(), asl.Execution{Tasks: fatalTasks{}})); got != "FAILED Broken for good" {
		t.Errorf("got %s", got)
	}
}

func TestStateTypesIncludeTheStatesInside(t *testing.T) {
	m, err := asl.Parse([]byte(`{"StartAt":"M","States":{
		"M":{"Type":"Map","ItemProcessor":{"StartAt":"P","States":{"P":{"Type":"Parallel","Branches":[{"StartAt":"W","States":{"W":{"Type":"Wait","Seconds":1,"End":true}}}],"End":true}}},"Next":"F"},
		"F":{"Type":"Fail"}}}`))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"M": "Map", "P": "Parallel", "W": "Wait", "F": "Fail"}, m.StateTypes()); diff != "" {
		t.Error(diff)
	}
}
