package local_test

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/herald-progress/herald/lib/client"
	"github.com/herald-progress/herald/lib/local"
	"github.com/herald-progress/herald/lib/message"
)

// reporterLanguage is a language of workers besides Go: how its programs are found and run.
type reporterLanguage struct {
	fence, file string
	// find skips the test if the machine lacks the language or its AWS SDK, and makes folder so that programs in it find both the
	// SDK and the Reporter. It returns the variables that they need.
	find func(t *testing.T, folder string) []string
	// call returns the command that calls handler in the file with an event.
	call func(path, event string) []string
}

var reporterLanguages = map[string]reporterLanguage{
	"python": {
		fence: "```python\n", file: "worker.py",
		find: func(t *testing.T, _ string) []string {
			t.Helper()
			if err := exec.CommandContext(t.Context(), reporterPython(), "-c", "import boto3").Run(); err != nil {
				t.Skipf("%s has no boto3; set BOTO3_PYTHON to a Python that has it", reporterPython())
			}
			return []string{"PYTHONPATH=" + absolute(t, "../progress/python/src"), "PYTHONDONTWRITEBYTECODE=1"}
		},
		call: func(path, event string) []string {
			const program = "import json, sys; sys.path.insert(0, sys.argv[1]); import worker; worker.handler(json.loads(sys.argv[2]), None)"
			return []string{reporterPython(), "-c", program, filepath.Dir(path), event}
		},
	},
	"node": {
		fence: "```js\n", file: "worker.mjs",
		find: func(t *testing.T, folder string) []string {
			t.Helper()
			modules := os.Getenv("S3_NODE_MODULES")
			if _, err := os.Stat(filepath.Join(modules, "@aws-sdk", "client-lambda")); modules == "" || err != nil {
				t.Skip("S3_NODE_MODULES is not set, or has no @aws-sdk/client-lambda")
			}
			for name, target := range map[string]string{"@aws-sdk": filepath.Join(modules, "@aws-sdk"), "@herald-progress/reporter": absolute(t, "../progress/node")} {
				link := filepath.Join(folder, "node_modules", name)
				if err := os.MkdirAll(filepath.Dir(link), 0o700); err != nil {
					t.Fatal(err)
				}
				if err := os.Symlink(target, link); err != nil {
					t.Fatal(err)
				}
			}
			return []string{"NODE_NO_WARNINGS=1"} // the SDK warns of old versions of Node.js
		},
		call: func(path, event string) []string {
			const program = "const { handler } = await import(process.argv[1]); await handler(JSON.parse(process.argv[2]))"
			return []string{"node", "--input-type=module", "-e", program, path, event}
		},
	},
}

func reporterPython() string { return cmp.Or(os.Getenv("BOTO3_PYTHON"), "python3") }

func absolute(t *testing.T, path string) string {
	t.Helper()
	path, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// runWorker runs a worker with a client of the AWS SDK that invokes the twin's notifier. It returns the worker's output and error.
func (l reporterLanguage) runWorker(t *testing.T, twin *local.Twin, source string, event map[string]any) (string, error) {
	t.Helper()
	folder := t.TempDir()
	variables := l.find(t, folder)
	path := filepath.Join(folder, l.file)
	writeFile(t, path, source)
	input, err := json.Marshal(event)
	if err != nil {
		t.Fatal(err)
	}
	arguments := l.call(path, string(input))
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	command := exec.CommandContext(ctx, arguments[0], arguments[1:]...)
	command.Dir = folder
	command.Env = append(append(os.Environ(), variables...), "AWS_ENDPOINT_URL="+twin.Endpoint(), "AWS_REGION=us-east-1", "AWS_DEFAULT_REGION=us-east-1",
		"AWS_ACCESS_KEY_ID=x", "AWS_SECRET_ACCESS_KEY=secret-key", "NOTIFIER_FUNCTION_NAME="+local.NotifierName)
	out, err := command.CombinedOutput()
	if strings.Contains(string(out), "secret-key") {
		t.Error("the output has a secret")
	}
	return string(out), err
}

// workerEvent is what a workflow passes to the workers.
func workerEvent(job string) map[string]any {
	return map[string]any{
		"userId": "ann", "jobId": job, "title": "Holiday", "attempt": 1, "epoch": "2026-11-22T10:00:00.000Z#0000",
		"execution": "arn:aws:states:us-east-1:000000000000:execution:album:" + job,
	}
}

// statesUntilEnd returns the states of a job that a tab gets, up to its end. Their progress must not fall.
func statesUntilEnd(t *testing.T, tab *client.Conn, job string) []message.UploadProgress {
	t.Helper()
	var all []message.UploadProgress
	until(t, tab, func(e message.Envelope) bool {
		state, ok := message.AsUploadProgress(e.Data)
		if !ok || state.UploadID != job {
			return false
		}
		if n := len(all); n > 0 && state.Progress < all[n-1].Progress {
			t.Errorf("progress falls from %v to %v", all[n-1].Progress, state.Progress)
		}
		all = append(all, state)
		return state.Status.Terminal()
	})
	return all
}

// TestTheWorkersInTheREADMEShowABar runs the workers in Python and Node.js that statemachines/README.md shows.
func TestTheWorkersInTheREADMEShowABar(t *testing.T) {
	t.Parallel()
	section := sectionOfTheREADME(t, "## From a worker")
	for name, language := range reporterLanguages {
		t.Run(name, func(t *testing.T) {
			_, source, found := strings.Cut(section, language.fence)
			source, _, _ = strings.Cut(source, "```")
			if !found {
				t.Fatal("the README shows no worker")
			}
			twin, _ := startTwin(t)
			tab := openTab(t, twin, "ann")
			if out, err := language.runWorker(t, twin, source, workerEvent("album-1")); err != nil || out != "" {
				t.Fatalf("%v\n%s", err, out)
			}
			all := statesUntilEnd(t, tab, "album-1")
			last := all[len(all)-1]
			if last.Status != message.StatusSucceeded || last.Progress != 100 || last.Message != "Made 3 thumbnails" || last.Phase != "thumbnails" {
				t.Errorf("the last state is %+v", last)
			}
		})
	}
}

// TestReportersWithRealClients runs the workers in testdata/reporters, which work for some seconds of real time.
func TestReportersWithRealClients(t *testing.T) {
	t.Parallel()
	for name, language := range reporterLanguages {
		source, err := os.ReadFile(filepath.Join("testdata", "reporters", language.file))
		if err != nil {
			t.Fatal(err)
		}
		run := func(t *testing.T, twin *local.Twin, mode string) (string, error) {
			t.Helper()
			event := workerEvent("album-" + mode)
			event["mode"] = mode
			if mode == "refused" {
				event["epoch"] = time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
			}
			return language.runWorker(t, twin, string(source), event)
		}
		t.Run(name+"/all states count", func(t *testing.T) {
			t.Parallel()
			twin, _ := startTwin(t)
			tab := openTab(t, twin, "ann")
			if out, err := run(t, twin, "steady"); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			all := statesUntilEnd(t, tab, "album-steady")
			if last := all[len(all)-1]; last.Progress != 100 || last.Status != message.StatusSucceeded || last.CurrentRow != 100 {
				t.Errorf("the tab got %+v", all)
			}
			began := message.Time{Time: time.Date(2026, time.November, 22, 10, 0, 0, 0, time.UTC)}
			steps := message.NewSteps(
				message.Step{Name: "fetch", At: began, Status: message.StepSucceeded}, message.Step{Name: "thumbnails", Title: `Making "thumbnails"`})
			for i, state := range all {
				if state.Steps != steps || (state.Result != "") != (i == len(all)-1) {
					t.Errorf("state %d is %+v, want the steps %s, and a result only at the end", i, state, steps)
				}
			}
			if last, want := all[len(all)-1], message.ResultPrefix("ann")+"album.zip"; last.Result != want {
				t.Errorf("the result is %q, want %q", last.Result, want)
			}
		})
		t.Run(name+"/the process ends without a close", func(t *testing.T) {
			t.Parallel()
			twin, _ := startTwin(t)
			tab := openTab(t, twin, "ann")
			if out, err := run(t, twin, "unclosed"); err != nil || out != "" {
				t.Fatalf("%v\n%s", err, out)
			}
			if all := statesUntilEnd(t, tab, "album-unclosed"); len(all) != 1 || all[0].Message != "not closed" {
				t.Errorf("the tab got %+v", all)
			}
		})
		t.Run(name+"/a crash leaves what was sent", func(t *testing.T) {
			t.Parallel()
			twin, _ := startTwin(t)
			if out, err := run(t, twin, "crash"); err == nil {
				t.Fatalf("the worker has not crashed\n%s", out)
			}
			frames := synced(t, openTab(t, twin, "ann"))
			at := slices.IndexFunc(frames, func(e message.Envelope) bool { return e.Job == "album-crash" })
			if at < 0 {
				t.Fatal("the job is not stored")
			}
			if state, _ := message.AsUploadProgress(frames[at].Data); state.Progress != 50 || state.Status.Terminal() {
				t.Errorf("stored %+v, want what the worker flushed before it crashed", state)
			}
		})
		t.Run(name+"/a refused request is an error of the worker", func(t *testing.T) {
			t.Parallel()
			twin, _ := startTwin(t)
			out, err := run(t, twin, "refused")
			const want = "epoch must be at most 5 minutes ahead of the notifier's clock"
			if err == nil || !strings.Contains(out, "InvalidMessage") || !strings.Contains(out, want) || strings.Contains(out, "Holiday") {
				t.Errorf("%v, want that InvalidMessage says %s:\n%s", err, want, out)
			}
		})
		t.Run(name+"/parts of two workers", func(t *testing.T) {
			t.Parallel()
			twin, _ := startTwin(t)
			for _, part := range []string{"part-1", "part-2"} {
				if out, err := run(t, twin, part); err != nil {
					t.Fatalf("%v\n%s", err, out)
				}
			}
			frames := synced(t, openTab(t, twin, "ann"))
			at := slices.IndexFunc(frames, func(e message.Envelope) bool { return e.Job == "album-parts" })
			if at < 0 {
				t.Fatal("the job is not stored")
			}
			if state, _ := message.AsUploadProgress(frames[at].Data); fmt.Sprint(state.Progress, state.CurrentRow, state.FailedRows) != "80 8 2" {
				t.Errorf("stored %+v, want 8 rows, of them 2 failed", state)
			}
		})
	}
}
