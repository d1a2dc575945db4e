package statemachines_test

import (
	"testing"
	"testing/synctest"

	"github.com/herald-progress/herald/lib/asl"
	"github.com/herald-progress/herald/lib/asl/asltest"
	"github.com/herald-progress/herald/lib/csvimport"
)

// TestEachStepIsRetriedAfterAPassingError lets the first call of a state fail. The import goes on as if nothing had happened.
func TestEachStepIsRetriedAfterAPassingError(t *testing.T) {
	const invalid = "part\n" // A file without the column quantity.
	superseded := asltest.Tasks{"Chunk": asltest.Fail("Superseded", "")}
	for _, tt := range []struct {
		state, function, error string
		content                string
		others                 asltest.Tasks
		want                   asl.Status
	}{
		{"Plan", "CsvPlan", "Lambda.TooManyRequestsException", fourRows, nil, asl.StatusSucceeded},
		{"Plan", "CsvPlan", "States.Timeout", fourRows, nil, asl.StatusSucceeded},
		{"Chunk", "CsvChunk", "Lambda.Unknown", fourRows, nil, asl.StatusSucceeded},
		{"Chunk", "CsvChunk", "FileReplaced", fourRows, nil, asl.StatusSucceeded},
		{"Finish", "CsvFinish", "Lambda.ServiceException", fourRows, nil, asl.StatusSucceeded},
		{"Finish", "CsvFinish", "Runtime.ExitError", fourRows, nil, asl.StatusSucceeded},
		{"Discard", "CsvFinish", "Sandbox.Timedout", fourRows, superseded, asl.StatusSucceeded},
		{"Identify", "CsvPlan", "Lambda.SdkClientException", invalid, nil, asl.StatusFailed},
	} {
		t.Run(tt.state+" "+tt.error, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &world{t: t}
				once := asltest.Tasks{tt.state: asltest.Sequence(asltest.Fail(tt.error, ""), w.machine().Tasks[tt.function])}
				run := w.run(tt.content, csvimport.UploadKey("auth0|1", "up", "f.csv"), tt.others, once)
				run.WantStatus(tt.want)
				run.WantRetries(tt.state, 1)
			})
		})
	}
}

// TestARejectedNoticeOfAFailureIsNotRetried lets the notifier refuse the messages about a failed import, which fails all the same.
func TestARejectedNoticeOfAFailureIsNotRetried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		run := (&world{t: t}).run("part\n", csvimport.UploadKey("auth0|1", "up", "f.csv"), asltest.Tasks{"Notifier": asltest.Fail("InvalidMessage", "")})
		run.WantError("InvalidFile", "the column quantity is missing")
		run.WantStates("Plan", "Identify", "Explain", "NotifyFailed", "NotifyError", "Failed")
		run.WantRetries("NotifyFailed", 0)
		run.WantRetries("NotifyError", 0)
	})
}
