package shape_test

import (
	"testing"

	"github.com/herald-progress/herald/lib/asl/jsontree"
	"github.com/herald-progress/herald/lib/asl/shape"
)

func TestResultsAreCheckedAgainstTheOperation(t *testing.T) {
	for _, test := range []struct {
		service, operation, value string
		requireAll                bool
		want                      string
	}{
		{"events", "putEvents", `{"Entries":[{"EventId":"a"},{"EventId":["b"]}]}`, true, "Field 'EventId' must be a string"},
		{"eventbridge", "putEvents", `{"Entries":{}}`, false, "Field 'Entries' must be an array"},
		{"events", "putEvents", `{"other":1}`, true, ""},
		{"events", "putEvents", `[]`, true, "The result must be an object"},
		{"lambda", "invoke", `{"StatusCode":"200"}`, true, "Field 'StatusCode' must be a number"},
		{"lambda", "getFunction", `{"Configuration":{"MemorySize":127}}`, true, "Field 'MemorySize' is less than the minimum value"},
		{"lambda", "getFunction", `{"Configuration":{"MemorySize":128}}`, true, ""},
		{"lambda", "getFunction", `{"Tags":{"a":1}}`, true, "Field 'a' must be a string"},
		{"s3", "getObject", `{"StorageClass":"Papyrus"}`, true, "Field 'StorageClass' is not an expected value"},
		{"s3", "getObject", `{"DeleteMarker":1}`, true, "Field 'DeleteMarker' must be a boolean"},
		{"states", "startExecution", `{"ExecutionArn":"arn","StartDate":"2026-01-01T00:00:00Z"}`, true, ""},
		{"states", "startExecution", `{"ExecutionArn":"arn"}`, true, "Field 'startDate' is required"},
		{"states", "startExecution", `{"ExecutionArn":"arn"}`, false, ""},
		{"states", "startExecution", `{"ExecutionArn":""}`, false, "Field 'ExecutionArn' is smaller than the minimum length"},
		{"dynamodb", "putItem", `{"Attributes":{"id":{"N":1}}}`, true, "Field 'N' must be a string"},
		{"nobody", "knows", `1`, true, ""},
		{"lambda", "knows", `1`, true, ""},
	} {
		v, err := jsontree.Parse([]byte(test.value))
		if err != nil {
			t.Fatal(err)
		}
		if got := shape.Check(test.service, test.operation, v, test.requireAll); got != test.want {
			t.Errorf("%s:%s %s: got %q, want %q", test.service, test.operation, test.value, got, test.want)
		}
	}
}

func TestEachServiceHasOperations(t *testing.T) {
	for _, operation := range []string{
		"lambda:invoke", "dynamodb:getItem", "s3:listObjectsV2", "sqs:sendMessage", "sns:publish", "events:putEvents", "kms:encrypt",
		"sfn:startSyncExecution", "secretsmanager:getSecretValue", "sts:assumeRole", "scheduler:createSchedule",
	} {
		service, name := operation[:len(operation)-len(after(operation))-1], after(operation)
		if got := shape.Check(service, name, "text", false); got == "" {
			t.Errorf("%s is not known", operation)
		}
	}
}

// after returns the text after the colon.
func after(text string) string {
	for i, c := range text {
		if c == ':' {
			return text[i+1:]
		}
	}
	return ""
}

func FuzzCheck(f *testing.F) {
	f.Add("lambda", "getFunction", `{"Configuration":{"Layers":[{"CodeSize":1}]}}`)
	f.Add("dynamodb", "query", `{"Items":[{"a":{"M":{"b":{"L":[{"S":"c"}]}}}}]}`)
	f.Fuzz(func(t *testing.T, service, operation, text string) {
		if v, err := jsontree.Parse([]byte(text)); err == nil {
			_ = shape.Check(service, operation, v, true)
		}
	})
}
