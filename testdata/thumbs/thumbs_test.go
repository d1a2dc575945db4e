package thumbs

import (
	"context"
	"os"
	"testing"

	"github.com/herald-progress/herald/lib/asl/asltest"
)

const input = `{"userId": "dev", "jobId": "thumbs-1", "width": 200}`

func resize(_ context.Context, in struct{ Width int }) (int, error) { return in.Width / 2, nil }

var thumbs = asltest.Machine{
	File: "thumbs.asl.json",
	Substitutions: map[string]string{
		"NotifierFunctionArn": "arn:aws:lambda:us-east-1:123456789012:function:notifier",
		"ResizeFunctionArn":   "arn:aws:lambda:us-east-1:123456789012:function:resize",
	},
	Tasks: asltest.Tasks{"notifier": asltest.Return(nil), "resize": asltest.Func(resize)},
}

func TestMain(m *testing.M) { os.Exit(asltest.RequireCoverage(m, 1, thumbs)) }

func TestResize(t *testing.T) {
	asltest.Run(t, thumbs, input).WantOutput(`100`)
}

func TestTheNotifierFails(t *testing.T) {
	asltest.Run(t, thumbs, input, asltest.Tasks{"notifier": asltest.Fail("StoreError", "")}).WantOutput(`100`)
}

func TestBusy(t *testing.T) {
	run := asltest.Run(t, thumbs, input, asltest.Tasks{"resize": asltest.Fail("Busy", "")})
	run.WantError("Failed", "")
	run.WantRetries("Resize", 2)
}
