package statemachines_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/herald-progress/herald/lib/asl/asltest"
)

// album is the example workflow of the README, with functions that do no work.
var album = asltest.Machine{
	File: "../testdata/workflow/album.asl.json",
	Substitutions: map[string]string{
		"AlbumPlanFunctionArn":   "arn:aws:lambda:eu-central-1:123456789012:function:plan",
		"AlbumResizeFunctionArn": "arn:aws:lambda:eu-central-1:123456789012:function:resize",
		"AlbumFinishFunctionArn": "arn:aws:lambda:eu-central-1:123456789012:function:finish",
	},
	Tasks: asltest.Tasks{
		"plan": asltest.Return(`{"job": {"id": "album-1"}, "pictures": ["a.png", "b.png"]}`),
		"resize": asltest.Func(func(_ context.Context, in struct {
			Picture string
			Index   int
		},
		) (string, error) {
			return fmt.Sprint(in.Index, " ", in.Picture), nil
		}),
		"finish": asltest.Return(`"done"`),
	},
}

func TestAlbumPassesItsJobToEachFunction(t *testing.T) {
	run := asltest.Run(t, album, `{"userId": "u1", "jobId": "album-1"}`)
	run.WantOutput(`"done"`)
	run.WantCalls("resize", `{"job":{"id":"album-1"},"picture":"a.png","index":0}`, `{"job":{"id":"album-1"},"picture":"b.png","index":1}`)
	run.WantCalls("finish", `{"job":{"id":"album-1"},"thumbnails":["0 a.png","1 b.png"]}`)
}

func TestAlbumRetriesABusyFunction(t *testing.T) {
	run := asltest.Run(t, album, `{"userId": "u1", "jobId": "album-1"}`, asltest.Tasks{
		"plan":   asltest.Return(`{"job": {}, "pictures": ["a.png"]}`),
		"resize": asltest.Sequence(asltest.Fail("Busy", ""), asltest.Fail("Busy", ""), asltest.Return(`"a"`)),
	})
	run.WantRetries("Resize", 2)
	run.WantDuration(3 * time.Second)
}
