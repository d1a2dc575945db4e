package pipeline_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/jsii-runtime-go"
	"github.com/google/go-cmp/cmp"

	"github.com/herald-progress/herald/cdkapp/pipeline"
)

func TestRefusedSettingsDeployNothing(t *testing.T) {
	stack := pipeline.NewRefusal(newApp(t), "Herald", errors.Join(errors.New("authMode: not set"), errors.New("tableName: wrong")))
	assertions.Annotations_FromStack(stack).HasError(jsii.String("/Herald"), jsii.String("authMode: not set\ntableName: wrong"))
	template := decode(t, stack)
	// The CDK would delete a stack without resources, and CloudFormation refuses a false assertion.
	if resources, _ := template.all["Resources"].(map[string]any); len(resources) != 1 {
		t.Errorf("resources: %v, want one", resources)
	}
	want := map[string]any{"Fn::Equals": []any{"settings", "refused"}}
	if diff := cmp.Diff(want, lookUp(template.all["Rules"], "Settings", "Assertions", 0, "Assert")); diff != "" {
		t.Errorf("assertion (-want +got):\n%s", diff)
	}
}

func TestStackNameIsKnownWithoutOtherSettings(t *testing.T) {
	tests := []struct {
		name    string
		context map[string]any
		want    string
		refused string
	}{
		{"nothing is set", nil, "Herald", ""},
		{"only the stack's name", map[string]any{"stackName": "HeraldStaging"}, "HeraldStaging", ""},
		{"another setting is wrong", map[string]any{"stackName": "Two", "tableName": "a b"}, "Two", ""},
		{"a wrong name", map[string]any{"stackName": "1st"}, "", `stackName: "1st" is not 1 to 128 letters, digits and hyphens that start with a letter`},
		{"a misspelt key", map[string]any{"stackname": "Two"}, "", "stackname: unknown setting; the settings are "},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := pipeline.ParseStackName(test.context)
			if test.refused != "" {
				if err == nil || len(err.Error()) < len(test.refused) || err.Error()[:len(test.refused)] != test.refused {
					t.Errorf("error %v, want %s", err, test.refused)
				}
				return
			}
			if err != nil || got != test.want {
				t.Errorf("got %q and error %v, want %q", got, err, test.want)
			}
		})
	}
}

func TestRenamedTableIsRefused(t *testing.T) {
	settings := hs256()
	settings.Props.FeedTableName = "feed_2"
	checkRenameRefusal(t, synthesise(t, settings), map[string]string{"DeployedTable": "websocket_connections", "DeployedFeedTable": "feed_2"})
}

// checkRenameRefusal checks the rules by which CloudFormation refuses tables with other names than those deployed. The keys of names
// are the parameters that hold the names deployed.
func checkRenameRefusal(tb testing.TB, template template, names map[string]string) {
	tb.Helper()
	for parameter, name := range names {
		if got := lookUp(template.all["Parameters"], parameter, "Type"); got != "String" {
			tb.Errorf("%s has the type %v", parameter, got)
		}
		if got := lookUp(template.all["Parameters"], parameter, "Default"); got != name {
			tb.Errorf("%s is %v at the first deployment, want %s", parameter, got, name)
		}
		want := map[string]any{"Fn::Equals": []any{map[string]any{"Ref": parameter}, name}}
		if diff := cmp.Diff(want, lookUp(template.all["Rules"], parameter+"Rule", "Assertions", 0, "Assert")); diff != "" {
			tb.Errorf("%s: assertion (-want +got):\n%s", parameter, diff)
		}
		if assertions := asList(lookUp(template.all["Rules"], parameter+"Rule", "Assertions")); len(assertions) != 1 {
			tb.Errorf("%s has %d assertions", parameter, len(assertions))
		}
		reason := fmt.Sprint(lookUp(template.all["Rules"], parameter+"Rule", "Assertions", 0, "AssertDescription"))
		if !strings.HasSuffix(reason, " To deploy the new one: --parameters "+parameter+"="+name) {
			tb.Errorf("%s does not say how to deploy another table: %s", parameter, reason)
		}
	}
}
