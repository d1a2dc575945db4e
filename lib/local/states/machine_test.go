package states_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"
	"github.com/google/go-cmp/cmp"

	"github.com/herald-progress/herald/lib/local/awswire/wiretest"
	"github.com/herald-progress/herald/lib/local/states"
)

const role = "arn:aws:iam::000000000000:role/mine"

// newClient returns a StepFunctions without state machines, and the SDK's client for it.
func newClient(t *testing.T, cfg states.Config) (*states.StepFunctions, *sfn.Client) {
	t.Helper()
	service := newService(t, cfg, nil)
	return service, sfn.NewFromConfig(wiretest.Config(t, service))
}

// create creates a state machine and returns its ARN.
func create(t *testing.T, client *sfn.Client, name, definition string, kind types.StateMachineType) *string {
	t.Helper()
	out, err := client.CreateStateMachine(t.Context(), &sfn.CreateStateMachineInput{
		Name: &name, Definition: &definition, RoleArn: aws.String(role), Type: kind,
	})
	if err != nil || out.CreationDate == nil {
		t.Fatalf("create %s: %+v, %v", name, out, err)
	}
	return out.StateMachineArn
}

func TestAStateMachineIsCreatedUpdatedAndDeleted(t *testing.T) {
	t.Parallel()
	ended := make(statusChanges, 10)
	service, client := newClient(t, states.Config{StatusChanged: ended.add})
	arn := create(t, client, "mine", waitMachine, "")
	if *arn != states.StateMachineARN("mine") {
		t.Errorf("ARN %s", *arn)
	}
	old, err := client.StartExecution(t.Context(), &sfn.StartExecutionInput{StateMachineArn: arn, Name: aws.String("old")})
	if err != nil {
		t.Fatal(err)
	}

	updated, err := client.UpdateStateMachine(t.Context(), &sfn.UpdateStateMachineInput{
		StateMachineArn: arn, Definition: aws.String(passMachine),
	})
	if err != nil || updated.UpdateDate == nil || aws.ToString(updated.RevisionId) == "" {
		t.Fatalf("update: %+v, %v", updated, err)
	}
	description, err := client.DescribeStateMachine(t.Context(), &sfn.DescribeStateMachineInput{StateMachineArn: arn})
	if err != nil {
		t.Fatal(err)
	}
	if aws.ToString(description.Definition) != passMachine || aws.ToString(description.RoleArn) != role ||
		description.Status != types.StateMachineStatusActive || description.Type != types.StateMachineTypeStandard ||
		aws.ToString(description.RevisionId) != aws.ToString(updated.RevisionId) ||
		description.LoggingConfiguration.Level != types.LogLevelOff || description.TracingConfiguration.Enabled {
		t.Errorf("described as %+v", description)
	}

	// The execution that runs goes on with its own definition, a new one has the new definition.
	running, err := client.DescribeStateMachineForExecution(t.Context(), &sfn.DescribeStateMachineForExecutionInput{ExecutionArn: old.ExecutionArn})
	if err != nil || aws.ToString(running.Definition) != waitMachine || aws.ToString(running.Name) != "mine" ||
		aws.ToString(running.StateMachineArn) != *arn || running.RevisionId != nil || running.UpdateDate == nil {
		t.Errorf("described as %+v, %v", running, err)
	}
	if x := describe(t, service, runToEnd(t, service, ended, "mine")); x.Status != "SUCCEEDED" {
		t.Errorf("the new definition ended as %s", x.Status)
	}

	// The state machine waits for its execution.
	deletion := &sfn.DeleteStateMachineInput{StateMachineArn: arn}
	if _, err := client.DeleteStateMachine(t.Context(), deletion); err != nil {
		t.Fatal(err)
	}
	description, err = client.DescribeStateMachine(t.Context(), &sfn.DescribeStateMachineInput{StateMachineArn: arn})
	if err != nil || description.Status != types.StateMachineStatusDeleting {
		t.Errorf("described as %+v, %v; want that it is being deleted", description, err)
	}
	_, err = client.StartExecution(t.Context(), &sfn.StartExecutionInput{StateMachineArn: arn})
	wiretest.WantCode(t, "start", err, "StateMachineDeleting")
	_, err = client.UpdateStateMachine(t.Context(), &sfn.UpdateStateMachineInput{StateMachineArn: arn, RoleArn: aws.String(role)})
	wiretest.WantCode(t, "update", err, "StateMachineDeleting")
	_, err = client.CreateStateMachine(t.Context(), &sfn.CreateStateMachineInput{
		Name: aws.String("mine"), Definition: aws.String(passMachine), RoleArn: aws.String(role),
	})
	wiretest.WantCode(t, "create", err, "StateMachineDeleting")

	if _, err := client.StopExecution(t.Context(), &sfn.StopExecutionInput{ExecutionArn: old.ExecutionArn}); err != nil {
		t.Fatal(err)
	}
	_, err = client.DescribeStateMachine(t.Context(), &sfn.DescribeStateMachineInput{StateMachineArn: arn})
	wiretest.WantCode(t, "describe", err, "StateMachineDoesNotExist")
	if _, err := client.DeleteStateMachine(t.Context(), deletion); err != nil {
		t.Errorf("delete again: %v", err)
	}

	// A new state machine of that name has no executions, and their names are free.
	create(t, client, "mine", passMachine, "")
	list, err := client.ListExecutions(t.Context(), &sfn.ListExecutionsInput{StateMachineArn: arn})
	if err != nil || len(list.Executions) != 0 {
		t.Errorf("executions %+v, %v", list, err)
	}
	if _, err := client.StartExecution(t.Context(), &sfn.StartExecutionInput{StateMachineArn: arn, Name: aws.String("old")}); err != nil {
		t.Error(err)
	}
}

func TestCreateStateMachineIsIdempotent(t *testing.T) {
	t.Parallel()
	_, client := newClient(t, states.Config{})
	in := sfn.CreateStateMachineInput{Name: aws.String("mine"), Definition: aws.String(passMachine), RoleArn: aws.String(role)}
	first, err := client.CreateStateMachine(t.Context(), &in)
	if err != nil {
		t.Fatal(err)
	}
	again := in
	again.RoleArn, again.Tags = aws.String(role+"2"), []types.Tag{{Key: aws.String("a"), Value: aws.String("b")}}
	second, err := client.CreateStateMachine(t.Context(), &again)
	if err != nil || !second.CreationDate.Equal(*first.CreationDate) || *second.StateMachineArn != *first.StateMachineArn {
		t.Errorf("created again: %+v, %v; want the first one", second, err)
	}
	for name, change := range map[string]func(*sfn.CreateStateMachineInput){
		"definition": func(in *sfn.CreateStateMachineInput) { in.Definition = aws.String(waitMachine) },
		"type":       func(in *sfn.CreateStateMachineInput) { in.Type = types.StateMachineTypeExpress },
		"tracing": func(in *sfn.CreateStateMachineInput) {
			in.TracingConfiguration = &types.TracingConfiguration{Enabled: true}
		},
		"logging": func(in *sfn.CreateStateMachineInput) {
			in.LoggingConfiguration = &types.LoggingConfiguration{IncludeExecutionData: true}
		},
	} {
		other := in
		change(&other)
		_, err := client.CreateStateMachine(t.Context(), &other)
		var exists *types.StateMachineAlreadyExists
		if !errors.As(err, &exists) {
			t.Errorf("another %s: %v", name, err)
		}
	}
}

func TestStateMachineErrorsHaveTheCodesOfAWS(t *testing.T) {
	t.Parallel()
	_, client := newClient(t, states.Config{})
	arn := create(t, client, "mine", passMachine, "")
	createErr := func(change func(*sfn.CreateStateMachineInput)) error {
		in := sfn.CreateStateMachineInput{Name: aws.String("new"), Definition: aws.String(passMachine), RoleArn: aws.String(role)}
		change(&in)
		_, err := client.CreateStateMachine(t.Context(), &in)
		return err
	}
	updateErr := func(in sfn.UpdateStateMachineInput) error {
		_, err := client.UpdateStateMachine(t.Context(), &in)
		return err
	}
	for name, tt := range map[string]struct {
		err  error
		code string
	}{
		"space in the name": {createErr(func(in *sfn.CreateStateMachineInput) { in.Name = aws.String("a b") }), "InvalidName"},
		"81 characters":     {createErr(func(in *sfn.CreateStateMachineInput) { in.Name = aws.String(strings.Repeat("a", 81)) }), "InvalidName"},
		"no role":           {createErr(func(in *sfn.CreateStateMachineInput) { in.RoleArn = aws.String("mine") }), "InvalidArn"},
		"no type":           {createErr(func(in *sfn.CreateStateMachineInput) { in.Type = "FAST" }), "ValidationException"},
		"no version":        {createErr(func(in *sfn.CreateStateMachineInput) { in.VersionDescription = aws.String("v") }), "ValidationException"},
		"log level": {createErr(func(in *sfn.CreateStateMachineInput) {
			in.LoggingConfiguration = &types.LoggingConfiguration{Level: types.LogLevelAll}
		}), "InvalidLoggingConfiguration"},
		"no state":  {createErr(func(in *sfn.CreateStateMachineInput) { in.Definition = aws.String(`{"StartAt":"A","States":{}}`) }), "InvalidDefinition"},
		"no JSON":   {createErr(func(in *sfn.CreateStateMachineInput) { in.Definition = aws.String(`{`) }), "InvalidDefinition"},
		"large":     {createErr(func(in *sfn.CreateStateMachineInput) { in.Definition = aws.String(strings.Repeat(" ", 1_048_577)) }), "ValidationException"},
		"51 tags":   {createErr(func(in *sfn.CreateStateMachineInput) { in.Tags = manyTags(51) }), "TooManyTags"},
		"no change": {updateErr(sfn.UpdateStateMachineInput{StateMachineArn: arn}), "MissingRequiredParameter"},
		"wrong change": {
			updateErr(sfn.UpdateStateMachineInput{StateMachineArn: arn, Definition: aws.String(`{"StartAt":"A","States":{}}`)}), "InvalidDefinition",
		},
		"unknown": {
			updateErr(sfn.UpdateStateMachineInput{StateMachineArn: aws.String(*arn + "2"), RoleArn: aws.String(role)}), "StateMachineDoesNotExist",
		},
		"no ARN": {updateErr(sfn.UpdateStateMachineInput{StateMachineArn: aws.String("mine"), RoleArn: aws.String(role)}), "InvalidArn"},
	} {
		wiretest.WantCode(t, name, tt.err, tt.code)
	}
	description, err := client.DescribeStateMachine(t.Context(), &sfn.DescribeStateMachineInput{StateMachineArn: arn})
	if err != nil || *description.Definition != passMachine {
		t.Errorf("after refused updates: %+v, %v", description, err)
	}
	_, err = client.StartSyncExecution(t.Context(), &sfn.StartSyncExecutionInput{StateMachineArn: arn}, withoutHostPrefix)
	wiretest.WantCode(t, "sync of a Standard workflow", err, "StateMachineTypeNotSupported")
}

// manyTags returns n tags.
func manyTags(n int) []types.Tag {
	tags := make([]types.Tag, n)
	for i := range tags {
		tags[i] = types.Tag{Key: aws.String(fmt.Sprint("key", i)), Value: aws.String("v")}
	}
	return tags
}

func TestStateMachinesAreListedInPages(t *testing.T) {
	t.Parallel()
	_, client := newClient(t, states.Config{})
	var want []string
	for i := range 5 {
		want = append(want, *create(t, client, fmt.Sprint("m", i), passMachine, ""))
	}
	for _, size := range []int32{0, 1, 2, 5, 6} {
		var got []string
		pages := sfn.NewListStateMachinesPaginator(client, &sfn.ListStateMachinesInput{MaxResults: size})
		for pages.HasMorePages() {
			page, err := pages.NextPage(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range page.StateMachines {
				got = append(got, *m.StateMachineArn)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("pages of %d: %s", size, diff)
		}
	}
	_, err := client.ListStateMachines(t.Context(), &sfn.ListStateMachinesInput{NextToken: aws.String("no")})
	wiretest.WantCode(t, "token", err, "InvalidToken")
}

func TestStateMachinesHaveTags(t *testing.T) {
	t.Parallel()
	_, client := newClient(t, states.Config{})
	arn := create(t, client, "mine", passMachine, "")
	if _, err := client.TagResource(t.Context(), &sfn.TagResourceInput{ResourceArn: arn, Tags: manyTags(50)}); err != nil {
		t.Fatal(err)
	}
	_, err := client.TagResource(t.Context(), &sfn.TagResourceInput{ResourceArn: arn, Tags: manyTags(51)})
	wiretest.WantCode(t, "51 tags", err, "TooManyTags")
	keys := make([]string, 49)
	for i := range keys {
		keys[i] = fmt.Sprint("key", i)
	}
	if _, err := client.UntagResource(t.Context(), &sfn.UntagResourceInput{ResourceArn: arn, TagKeys: keys}); err != nil {
		t.Fatal(err)
	}
	list, err := client.ListTagsForResource(t.Context(), &sfn.ListTagsForResourceInput{ResourceArn: arn})
	if err != nil || len(list.Tags) != 1 || *list.Tags[0].Key != "key49" || *list.Tags[0].Value != "v" {
		t.Errorf("tags %+v, %v", list, err)
	}
	_, err = client.ListTagsForResource(t.Context(), &sfn.ListTagsForResourceInput{ResourceArn: aws.String(*arn + "2")})
	wiretest.WantCode(t, "unknown", err, "ResourceNotFound")
}
