package asltest_test

import (
	"context"
	"embed"
	"os"
	"testing"
	"time"

	"github.com/herald-progress/herald/lib/asl/asltest"
)

// Busy is the error of a function that wants to be called again.
type Busy struct{ Picture string }

func (b *Busy) Error() string { return b.Picture + " is being resized already" }

// plan and resize are Lambda functions.
func plan(_ context.Context, in struct{ Pictures []string }) ([]string, error) {
	return in.Pictures, nil
}

func resize(_ context.Context, picture string) (int, error) {
	if picture == "locked.png" {
		return 0, &Busy{picture}
	}
	return 1, nil
}

//go:embed testdata/album.asl.json
var definitions embed.FS

var album = asltest.Machine{
	File: "testdata/album.asl.json", FS: definitions,
	Substitutions: map[string]string{
		"PlanFunctionArn":   "plan",
		"ResizeFunctionArn": "arn:aws:lambda:us-east-1:123456789012:function:resize",
	},
	Tasks: asltest.Tasks{"plan": asltest.Func(plan), "resize": asltest.Func(resize)},
}

func TestMain(m *testing.M) { os.Exit(asltest.RequireCoverage(m, 1, album)) }

func TestAlbum(t *testing.T) {
	run := asltest.Run(t, album, `{"pictures": ["a.png", "b.png"]}`)
	run.WantOutput(`{"resized": 2}`)
	run.WantDuration(24 * time.Hour)
}

func TestAnEmptyAlbum(t *testing.T) {
	run := asltest.Run(t, album, map[string][]string{"pictures": {}})
	run.WantStates("Plan", "HasPictures", "Empty")
	run.WantCalls("plan", `{"pictures": []}`)
	run.WantCalls("resize")
}

func TestABusyResizeIsRetried(t *testing.T) {
	run := asltest.Run(t, album, `{"pictures": ["a.png"]}`, asltest.Tasks{
		"resize": asltest.Sequence(asltest.Fail("Busy", "try again"), asltest.Func(resize)),
	})
	run.WantOutput(`{"resized": 1}`)
	run.WantRetries("ResizeOne", 1)
	asltest.Golden(t, run, "testdata/busy.golden")
}

func TestALockedPictureFails(t *testing.T) {
	run := asltest.Run(t, album, `{"pictures": ["locked.png"]}`)
	run.WantError("Busy", "is being resized already")
	run.WantRetries("ResizeOne", 2)
}

func TestAMockFile(t *testing.T) {
	mocked := album
	mocked.Mock = asltest.MockFile(t, "testdata/mocks.json", "album", "OnePicture")
	run := asltest.Run(t, mocked, nil)
	run.WantOutput(`{"resized": 1}`)
	run.WantRetries("ResizeOne", 1)
}
