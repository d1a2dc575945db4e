package local_test

import (
	"context"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/herald-progress/herald/lib/local"
)

func TestFunctionsAreReplaced(t *testing.T) {
	twin, err := local.Start(t.Context(), local.Config{Functions: map[string]any{"notifier": func() (string, error) { return "replaced", nil }}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := twin.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Errorf("close the twin: %v", err)
		}
	}()
	out, err := lambda.NewFromConfig(twin.AWSConfig()).Invoke(t.Context(), &lambda.InvokeInput{FunctionName: aws.String(local.NotifierName)})
	if err != nil {
		t.Fatal(err)
	}
	if string(out.Payload) != `"replaced"` {
		t.Errorf("the notifier answers %s, want the replacement's answer", out.Payload)
	}
}

func TestAnUnknownFunctionCannotBeReplaced(t *testing.T) {
	_, err := local.Start(t.Context(), local.Config{Functions: map[string]any{"herald-notifier": func() {}}})
	if err == nil || !strings.Contains(err.Error(), `there is no function "herald-notifier"`) {
		t.Errorf("Start: %v, want the unknown name", err)
	}
}
