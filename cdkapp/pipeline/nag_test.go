package pipeline_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdklabs/cdk-nag-go/cdknag/v2"

	"github.com/herald-progress/herald/cdkapp/pipeline"
)

// TestNag checks the stack with the AwsSolutions rules: every finding is suppressed with a reason, and every suppression is
// needed.
func TestNag(t *testing.T) {
	accepted := []struct {
		finding *regexp.Regexp
		reason  string
	}{
		{regexp.MustCompile(`IAM5\[Resource::\*\]`), "X-Ray and the log delivery of Step Functions take no narrower resource"},
		{regexp.MustCompile(`IAM5\[.*/POST/@connections/\*\]`), "connection ids are made while it runs; one stage, one method"},
		{
			regexp.MustCompile(`/(Default|Reaper)Role/.*IAM5\[.*/DELETE/@connections/\*\]`),
			"as above; who ends sessions closes their connections",
		},
		{
			regexp.MustCompile(`/SweeperRole/.*IAM5\[.*:states:.*:execution:\*\]`),
			"any workflow of the account and Region may call the notifier; it reads how an execution stands, and no more",
		},
		{regexp.MustCompile(`IAM5\[.*/(uploads|claims|staged|results)/\*\]`), "keys are made while it runs; one prefix each"},
		{regexp.MustCompile(`IAM5\[.*/results/\*/summary\.json\]`), "as above; the one name among the results that the steps read"},
		{regexp.MustCompile(`APIG4`), "the connect function verifies the token, with a body of its own; other routes need its connection"},
		{regexp.MustCompile(`APIG1`), "access logs are a setting, since they need the account's CloudWatch role"},
		{regexp.MustCompile(`SF1`), "failures are logged; a line for each transition would cost more than the transition"},
		{regexp.MustCompile(`SQS3`), "they are dead-letter queues, of rules and of the sweeper"},
		{regexp.MustCompile(`Uploads/Resource AwsSolutions-S1`), "CloudTrail data events do it, where wanted, without a second bucket"},
	}
	app := newApp(t)
	settings := hs256()
	settings.Props.FunctionsDir = stubFunctions(t)
	stack, err := pipeline.NewStack(app, settings)
	if err != nil {
		t.Fatal(err)
	}
	awscdk.Aspects_Of(stack).Add(cdknag.NewAwsSolutionsChecks(nil), nil)
	messages := assertions.Annotations_FromStack(stack)
	rule := assertions.Match_StringLikeRegexp(jsii.String("AwsSolutions-"))
	raw, err := json.Marshal(append(*messages.FindError(jsii.String("*"), rule), *messages.FindWarning(jsii.String("*"), rule)...))
	if err != nil {
		t.Fatal(err)
	}
	var found []struct {
		ID    string `json:"id"`
		Entry struct {
			Data any `json:"data"`
		} `json:"entry"`
	}
	if err := json.Unmarshal(raw, &found); err != nil {
		t.Fatal(err)
	}
	used := map[string]bool{}
	for _, message := range found {
		finding := fmt.Sprint(message.ID, " ", message.Entry.Data)
		known := false
		for _, a := range accepted {
			if a.finding.MatchString(finding) {
				known, used[a.reason] = true, true
			}
		}
		if !known {
			t.Errorf("found: %s", finding)
		}
	}
	for _, a := range accepted {
		if !used[a.reason] {
			t.Errorf("nothing found by %s; the reason can go: %s", a.finding, a.reason)
		}
	}
}
