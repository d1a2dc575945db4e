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
		{regexp.MustCompile(`IAM5\[.*/POST/@connections/\*\]`), "a role cannot list connection ids, which API Gateway makes; it is limited to one stage and one method"},
		{
			regexp.MustCompile(`/(Default|Reaper)Role/.*IAM5\[.*/DELETE/@connections/\*\]`),
			"as above; a function that ends sessions closes their connections",
		},
		{
			regexp.MustCompile(`/SweeperRole/.*IAM5\[.*:(states:.*:execution:\*|lambda:.*:function:\*/durable-execution/\*)\]`),
			"any workflow of the account and Region may call the notifier; it may only describe executions",
		},
		{
			regexp.MustCompile(`/ObserverRole/.*IAM5\[.*:states:.*:(execution|stateMachine):\*\]`),
			"the state machines that are watched may be of other stacks; it may only describe them and their executions",
		},
		{regexp.MustCompile(`IAM5\[.*/(uploads|claims|staged|results)/\*\]`), "a role cannot list the keys of uploads; it is limited to one prefix"},
		{regexp.MustCompile(`IAM5\[.*/results/\*/summary\.json\]`), "as above; of the results, the steps read only the summary"},
		{regexp.MustCompile(`APIG4`), "the connect function verifies the token and answers with its own body; the other routes need an open connection"},
		{regexp.MustCompile(`APIG1`), "access logs are a setting, because they need the account's CloudWatch role"},
		{regexp.MustCompile(`SF1`), "failures are logged; a line for each transition would cost more than the transition"},
		{regexp.MustCompile(`SQS3`), "these queues are themselves the dead-letter queues of rules and of the sweeper"},
		{regexp.MustCompile(`Uploads/Resource AwsSolutions-S1`), "CloudTrail data events can log the requests without a second bucket"},
	}
	app := newApp(t)
	settings := watching(hs256())
	settings.Props.FunctionsDir = stubFunctions(t)
	settings.Props.UploadOrigins = []string{"https://app.example.com"}
	settings.Props.AlarmEmail, settings.Props.Dashboard = "operators@example.com", true
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
			t.Errorf("no reason accepts the finding %s", finding)
		}
	}
	for _, a := range accepted {
		if !used[a.reason] {
			t.Errorf("nothing matches %s any more; delete its reason: %s", a.finding, a.reason)
		}
	}
}
