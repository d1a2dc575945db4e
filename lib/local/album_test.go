package local_test

import (
	"context"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"

	"github.com/herald-progress/herald/lib/local"
	"github.com/herald-progress/herald/lib/logtest"
	"github.com/herald-progress/herald/lib/message"
)

// TestTheWorkflowInTheREADMEShowsABar runs the commands that statemachines/README.md shows under "Try your own workflow", and waits as a
// browser for the job.
func TestTheWorkflowInTheREADMEShowsABar(t *testing.T) {
	for _, program := range []string{"go", "node", "python3"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%s is not on the path", program)
		}
	}
	section := sectionOfTheREADME(t, "## Try your own workflow")
	t.Chdir("../..") // The commands are for the folder of the repository.
	out := &logtest.Buffer{}
	config := configOfCommands(section, out)
	if len(config.WorkflowFiles) != 1 || len(config.Processes) != 3 {
		t.Fatalf("the README shows %v and %v", config.WorkflowFiles, config.Processes)
	}
	if flag := regexp.MustCompile(`-mocks (\S+) `).FindStringSubmatch(section); flag != nil {
		config.MockFile = flag[1]
	}
	starts := regexp.MustCompile(`--state-machine-arn (\S+) \\\n  --input '([^']+)'`).FindAllStringSubmatch(section, -1)
	if len(starts) != 2 || config.MockFile == "" {
		t.Fatalf("the README starts %v, with the mocks %q", starts, config.MockFile)
	}

	twin, ended := startWithEnds(t, config)
	dev := openTab(t, twin, "dev")
	start := func(i int) {
		t.Helper()
		if _, err := sfn.NewFromConfig(twin.AWSConfig()).StartExecution(t.Context(), &sfn.StartExecutionInput{
			StateMachineArn: aws.String(starts[i][1]), Input: aws.String(starts[i][2]),
		}); err != nil {
			t.Fatal(err)
		}
	}
	start(0)
	if x := <-ended; x.Status != "SUCCEEDED" || x.Output != `{"thumbnails":5}` {
		t.Fatalf("%s: %s %s %s\n%s", x.Status, x.Output, x.Error, x.Cause, out)
	}
	frames := until(t, dev, func(e message.Envelope) bool {
		state, ok := message.AsUploadProgress(e.Data)
		return ok && state.Status.Terminal()
	})
	last, _ := message.AsUploadProgress(frames[len(frames)-1].Data)
	if last.UploadID != "album-1" || last.Status != message.StatusSucceeded || last.Progress != 100 || last.Message != "Made 5 thumbnails" {
		t.Errorf("the last state is %+v", last)
	}
	for _, line := range []string{"album-plan | found 5 pictures of album-1\n", "album-resize | resize album-1/5.jpg\n", "album-finish | "} {
		out.WaitFor(t, line)
	}

	start(1) // The test case of the mocks.
	if x := <-ended; x.Status != "FAILED" || x.Error != "Runtime.ExitError" {
		t.Errorf("%s: %s %s %s\n%s", x.Status, x.Output, x.Error, x.Cause, out)
	}
	frames = until(t, dev, func(e message.Envelope) bool {
		state, ok := message.AsUploadProgress(e.Data)
		return ok && state.UploadID == "album-2" && state.Status.Terminal()
	})
	if last, _ := message.AsUploadProgress(frames[len(frames)-1].Data); last.Status != message.StatusFailed {
		t.Errorf("the last state of the test case is %+v", last)
	}
}

// sectionOfTheREADME returns the section of statemachines/README.md that begins with a heading.
func sectionOfTheREADME(t *testing.T, heading string) string {
	t.Helper()
	readme, err := os.ReadFile("../../statemachines/README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(readme), heading)
	section, _, _ = strings.Cut(section, "\n## ")
	return section
}

// configOfCommands returns the configuration of the twin that the commands of a section start.
func configOfCommands(section string, out *logtest.Buffer) local.Config {
	config := local.Config{WorkflowFiles: map[string]string{}, Processes: map[string]local.Process{}, Output: out}
	for _, flag := range regexp.MustCompile(`-workflow ([\w-]+)=(\S+) `).FindAllStringSubmatch(section, -1) {
		if flag[1] != "NAME" {
			config.WorkflowFiles[flag[1]] = flag[2]
		}
	}
	for _, flag := range regexp.MustCompile(`-function ([\w-]+)='([^']+)'`).FindAllStringSubmatch(section, -1) {
		config.Processes[flag[1]] = local.Process{Command: flag[2], Timeout: time.Minute}
	}
	return config
}

// TestAnEmptyFolderShowsABar runs the twin as statemachines/README.md does under "From an empty folder", in a folder that has the files of
// the section and nothing else, and starts the workflow with the request that its curl sends.
func TestAnEmptyFolderShowsABar(t *testing.T) {
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip("python3 is not on the path")
	}
	section, _, _ := strings.Cut(sectionOfTheREADME(t, "## From an empty folder"), "- **In Node.js**")
	request := regexp.MustCompile(`X-Amz-Target: (\S+)' -d '([^']+)'`).FindStringSubmatch(section)
	if request == nil {
		t.Fatal("the README sends no request")
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("../../testdata/thumbs")); err != nil {
		t.Fatal(err)
	}
	client, err := os.ReadFile("../../testdata/workflow/plan/runtime.py")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "runtime.py"), client, 0o600); err != nil {
		t.Fatal(err)
	}

	t.Chdir(dir)
	out := &logtest.Buffer{}
	twin, ended := startWithEnds(t, configOfCommands(section, out))
	dev := openTab(t, twin, "dev")
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, twin.Endpoint(), strings.NewReader(request[2]))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Amz-Target", request[1])
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded") // As curl does.
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		t.Fatal(answer.Status)
	}
	if x := <-ended; x.Status != "SUCCEEDED" || x.Output != "100" {
		t.Fatalf("%s: %s %s %s\n%s", x.Status, x.Output, x.Error, x.Cause, out)
	}
	frames := until(t, dev, func(e message.Envelope) bool {
		state, ok := message.AsUploadProgress(e.Data)
		return ok && state.Status.Terminal()
	})
	if last, _ := message.AsUploadProgress(frames[len(frames)-1].Data); last.UploadID != "thumbs-1" || last.Status != message.StatusSucceeded {
		t.Errorf("the last state is %+v", last)
	}
	out.WaitFor(t, "resize | make a thumbnail of thumbs-1\n")
}

// TestTheFunctionsOfATwinEndWithIt closes a twin while a function runs.
func TestTheFunctionsOfATwinEndWithIt(t *testing.T) {
	t.Parallel()
	out := &logtest.Buffer{}
	twin, err := local.Start(t.Context(), local.Config{
		Processes: map[string]local.Process{"slow": {Command: "echo started; sleep 600"}}, Output: out,
	})
	if err != nil {
		t.Fatal(err)
	}
	out.WaitFor(t, "slow | started\n")
	if err := twin.Close(context.WithoutCancel(t.Context())); err != nil {
		t.Errorf("close: %v", err)
	}
	if strings.Contains(out.String(), "does not start") {
		t.Errorf("the end of the twin is reported as a failure: %s", out)
	}
}
