package states_test

import (
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

// resultMachine is a state machine that returns a text.
func resultMachine(text string) *string {
	return aws.String(`{"StartAt":"A","States":{"A":{"Type":"Pass","Result":"` + text + `","End":true}}}`)
}

func TestAVersionRunsItsOwnDefinition(t *testing.T) {
	t.Parallel()
	ended := make(statusChanges, 200)
	service, client := newClient(t, states.Config{StatusChanged: ended.add})
	created, err := client.CreateStateMachine(t.Context(), &sfn.CreateStateMachineInput{
		Name: aws.String("m"), Definition: resultMachine("one"), RoleArn: aws.String(role), Publish: true, VersionDescription: aws.String("first"),
	})
	if err != nil || aws.ToString(created.StateMachineVersionArn) != states.StateMachineARN("m")+":1" {
		t.Fatalf("%+v, %v", created, err)
	}
	arn := created.StateMachineArn
	updated, err := client.UpdateStateMachine(t.Context(), &sfn.UpdateStateMachineInput{StateMachineArn: arn, Definition: resultMachine("two"), Publish: true})
	if err != nil || aws.ToString(updated.StateMachineVersionArn) != *arn+":2" {
		t.Fatalf("%+v, %v", updated, err)
	}
	again, err := client.PublishStateMachineVersion(t.Context(), &sfn.PublishStateMachineVersionInput{StateMachineArn: arn, RevisionId: updated.RevisionId})
	if err != nil || aws.ToString(again.StateMachineVersionArn) != *arn+":2" {
		t.Errorf("published again: %+v, %v; want the same version", again, err)
	}
	_, err = client.PublishStateMachineVersion(t.Context(), &sfn.PublishStateMachineVersionInput{StateMachineArn: arn, RevisionId: aws.String("INITIAL")})
	wiretest.WantCode(t, "old revision", err, "ConflictException")
	if _, err := client.UpdateStateMachine(t.Context(), &sfn.UpdateStateMachineInput{StateMachineArn: arn, Definition: resultMachine("three")}); err != nil {
		t.Fatal(err)
	}

	alias, err := client.CreateStateMachineAlias(t.Context(), &sfn.CreateStateMachineAliasInput{
		Name: aws.String("live"), RoutingConfiguration: routes(*arn, 100, 0),
	})
	if err != nil || aws.ToString(alias.StateMachineAliasArn) != *arn+":live" {
		t.Fatalf("%+v, %v", alias, err)
	}
	for target, want := range map[string]string{*arn: "three", *arn + ":1": "one", *arn + ":2": "two", *arn + ":live": "one"} {
		started, err := client.StartExecution(t.Context(), &sfn.StartExecutionInput{StateMachineArn: aws.String(target)})
		if err != nil {
			t.Fatal(err)
		}
		x := ended.nextEnded()
		version, alias := "", ""
		if target != *arn {
			version = *arn + map[string]string{"one": ":1", "two": ":2"}[want]
		}
		if strings.HasSuffix(target, "live") {
			alias = target
		}
		if x.Output != `"`+want+`"` || x.StateMachineArn != *arn || x.StateMachineVersionArn != version || x.StateMachineAliasArn != alias {
			t.Errorf("%s: %+v", target, x)
		}
		list, err := client.ListExecutions(t.Context(), &sfn.ListExecutionsInput{StateMachineArn: aws.String(target)})
		if err != nil || target != *arn && target != *arn+":1" && (len(list.Executions) != 1 || *list.Executions[0].ExecutionArn != *started.ExecutionArn) {
			t.Errorf("executions of %s: %+v, %v", target, list, err)
		}
	}
	description, err := client.DescribeStateMachine(t.Context(), &sfn.DescribeStateMachineInput{StateMachineArn: aws.String(*arn + ":1")})
	if err != nil || *description.Definition != *resultMachine("one") || aws.ToString(description.Description) != "first" || *description.StateMachineArn != *arn+":1" {
		t.Errorf("%+v, %v", description, err)
	}

	// Both versions of an alias run.
	if _, err := client.UpdateStateMachineAlias(t.Context(), &sfn.UpdateStateMachineAliasInput{
		StateMachineAliasArn: alias.StateMachineAliasArn, RoutingConfiguration: routes(*arn, 50, 50),
	}); err != nil {
		t.Fatal(err)
	}
	wantBothVersions(t, service, ended)
	wantVersionOutlivesAlias(t, client, arn, alias.StateMachineAliasArn)
}

// wantBothVersions starts the alias until both versions have run.
func wantBothVersions(t *testing.T, service *states.StepFunctions, ended statusChanges) {
	t.Helper()
	seen := map[string]bool{}
	for range 1000 {
		if seen[`"one"`] && seen[`"two"`] {
			break
		}
		start(t, service, "m:live", "", "")
		seen[ended.nextEnded().Output] = true
	}
	if len(seen) != 2 {
		t.Errorf("the alias runs %v", seen)
	}
}

// wantVersionOutlivesAlias checks that the version 1 cannot be deleted before the alias.
func wantVersionOutlivesAlias(t *testing.T, client *sfn.Client, arn, alias *string) {
	t.Helper()
	_, err := client.DeleteStateMachineVersion(t.Context(), &sfn.DeleteStateMachineVersionInput{StateMachineVersionArn: aws.String(*arn + ":1")})
	wiretest.WantCode(t, "delete a version of an alias", err, "ConflictException")
	if _, err := client.DeleteStateMachineAlias(t.Context(), &sfn.DeleteStateMachineAliasInput{StateMachineAliasArn: alias}); err != nil {
		t.Error(err)
	}
	_, err = client.DescribeStateMachineAlias(t.Context(), &sfn.DescribeStateMachineAliasInput{StateMachineAliasArn: alias})
	wiretest.WantCode(t, "a deleted alias", err, "ResourceNotFound")
	if _, err := client.DeleteStateMachineVersion(t.Context(), &sfn.DeleteStateMachineVersionInput{StateMachineVersionArn: aws.String(*arn + ":1")}); err != nil {
		t.Error(err)
	}
	_, err = client.StartExecution(t.Context(), &sfn.StartExecutionInput{StateMachineArn: aws.String(*arn + ":1")})
	wiretest.WantCode(t, "a deleted version", err, "StateMachineDoesNotExist")
}

// routes returns the routes to the versions 1 and 2 of a state machine. A weight of 0 stands for no route.
func routes(arn string, one, two int32) []types.RoutingConfigurationListItem {
	list := []types.RoutingConfigurationListItem{{StateMachineVersionArn: aws.String(arn + ":1"), Weight: one}}
	if two > 0 {
		list = append(list, types.RoutingConfigurationListItem{StateMachineVersionArn: aws.String(arn + ":2"), Weight: two})
	}
	return list
}

func TestVersionsAndAliasesAreListedInPages(t *testing.T) {
	t.Parallel()
	_, client := newClient(t, states.Config{})
	arn := create(t, client, "m", *resultMachine("0"), "")
	var versions, aliases []string // The newest version first, the aliases in the order of their names.
	for i := range 5 {
		if _, err := client.UpdateStateMachine(t.Context(), &sfn.UpdateStateMachineInput{
			StateMachineArn: arn, Definition: resultMachine(fmt.Sprint(i)), Publish: true,
		}); err != nil {
			t.Fatal(err)
		}
		versions = append([]string{fmt.Sprint(*arn, ":", i+1)}, versions...)
		if _, err := client.CreateStateMachineAlias(t.Context(), &sfn.CreateStateMachineAliasInput{
			Name: aws.String(fmt.Sprint("alias", i)), RoutingConfiguration: routes(*arn, 100, 0),
		}); err != nil {
			t.Fatal(err)
		}
		aliases = append(aliases, fmt.Sprint(*arn, ":alias", i))
	}
	for _, size := range []int32{0, 1, 2, 5, 6} {
		var gotVersions, gotAliases []string
		for token := (*string)(nil); ; {
			page, err := client.ListStateMachineVersions(t.Context(), &sfn.ListStateMachineVersionsInput{StateMachineArn: arn, MaxResults: size, NextToken: token})
			if err != nil {
				t.Fatal(err)
			}
			for _, v := range page.StateMachineVersions {
				gotVersions = append(gotVersions, *v.StateMachineVersionArn)
			}
			if token = page.NextToken; token == nil {
				break
			}
		}
		for token := (*string)(nil); ; {
			page, err := client.ListStateMachineAliases(t.Context(), &sfn.ListStateMachineAliasesInput{StateMachineArn: arn, MaxResults: size, NextToken: token})
			if err != nil {
				t.Fatal(err)
			}
			for _, a := range page.StateMachineAliases {
				gotAliases = append(gotAliases, *a.StateMachineAliasArn)
			}
			if token = page.NextToken; token == nil {
				break
			}
		}
		if diff := cmp.Diff(versions, gotVersions) + cmp.Diff(aliases, gotAliases); diff != "" {
			t.Errorf("pages of %d: %s", size, diff)
		}
	}
	for name, in := range map[string]sfn.CreateStateMachineAliasInput{
		"weights":      {Name: aws.String("a"), RoutingConfiguration: routes(*arn, 50, 0)},
		"no routes":    {Name: aws.String("a"), RoutingConfiguration: []types.RoutingConfigurationListItem{}},
		"digits":       {Name: aws.String("12"), RoutingConfiguration: routes(*arn, 100, 0)},
		"no version":   {Name: aws.String("a"), RoutingConfiguration: []types.RoutingConfigurationListItem{{StateMachineVersionArn: arn, Weight: 100}}},
		"same version": {Name: aws.String("a"), RoutingConfiguration: append(routes(*arn, 50, 0), routes(*arn, 50, 0)...)},
	} {
		_, err := client.CreateStateMachineAlias(t.Context(), &in)
		wiretest.WantCode(t, name, err, "ValidationException")
	}
}
