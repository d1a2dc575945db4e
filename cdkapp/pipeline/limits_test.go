package pipeline_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"

	"github.com/herald-progress/herald/cdkapp/pipeline"
)

func TestStackNameMayBeEmptyButNotInvalid(t *testing.T) {
	settings := hs256()
	settings.StackName = ""
	if name := lookUp(synthesise(t, settings).one(t, "AWS::ApiGatewayV2::Api", "").properties, "Name"); name != "Herald" {
		t.Errorf("the API is named %v", name)
	}
	settings.StackName, settings.Props.FunctionsDir = "my stack", stubFunctions(t)
	if _, err := pipeline.NewStack(newApp(t), settings); err == nil || !strings.Contains(err.Error(), `stackName: "my stack" is not`) {
		t.Errorf("error %v", err)
	}
}

func TestFolderOfFunctionsHasAllPrograms(t *testing.T) {
	settings := hs256()
	for _, dir := range []string{"", t.TempDir()} {
		settings.Props.FunctionsDir = dir
		if _, err := pipeline.NewStack(newApp(t), settings); !errors.Is(err, pipeline.ErrFunctionsDir) {
			t.Errorf("%q: error %v", dir, err)
		}
	}
}

// TestNamesAreAsLongAsAWSAllows has the longest names that are accepted, with all that is named after the stack.
func TestNamesAreAsLongAsAWSAllows(t *testing.T) {
	settings := fullSettings()
	settings.StackName = strings.Repeat("a", 69)
	synthesise(t, settings)
	settings.StackName, settings.Props.CSVImport = strings.Repeat("a", 128), false
	if title, _ := lookUp(synthesise(t, settings).one(t, "AWS::SNS::Topic", "").properties, "DisplayName").(string); len(title) > 100 {
		t.Errorf("the topic is titled %s", title)
	}

	settings.Props.FunctionsDir, settings.Props.CSVImport = stubFunctions(t), true
	stack := awscdk.NewStack(newApp(t), jsii.String(strings.Repeat("a", 60)), nil)
	if _, err := pipeline.New(stack, strings.Repeat("b", 10), settings.Props); err == nil || !strings.HasPrefix(err.Error(), "stackName: the name of the state machine") {
		t.Errorf("error %v", err)
	}
}
