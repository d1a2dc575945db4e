package process_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"

	"github.com/herald-progress/herald/lib/local/invoke"
	"github.com/herald-progress/herald/lib/local/process"
	"github.com/herald-progress/herald/lib/logtest"
)

// TestMain makes the test binary a Lambda function when it is started as one.
func TestMain(m *testing.M) {
	if os.Getenv("AWS_LAMBDA_RUNTIME_API") == "" {
		os.Exit(m.Run())
	}
	runFunction()
}

// request is what tests send to the function.
type request struct {
	Do   string
	Wait time.Duration
}

// answer is what the function returns.
type answer struct {
	Pid, Child int
	Version    string
	Env        map[string]string
	RequestID  string
	ARN        string
	Left       time.Duration // Until the deadline.
	Text       string
}

type wrongInput struct{}

func (wrongInput) Error() string { return "it is wrong" }

// runFunction runs the function. Its argument, if any, is a file with its version; the version "broken" does not start.
func runFunction() {
	version := ""
	if len(os.Args) > 1 {
		text, err := os.ReadFile(os.Args[1])
		if err != nil {
			panic(err)
		}
		version = string(text)
	}
	switch version {
	case "broken":
		fmt.Fprintln(os.Stdout, "cannot start")
		os.Exit(7)
	case "init error":
		body := strings.NewReader(`{"errorType":"Init.Wrong","errorMessage":"no settings"}`)
		_, _ = http.Post("http://"+os.Getenv("AWS_LAMBDA_RUNTIME_API")+"/2018-06-01/runtime/init/error", "application/json", body)
		os.Exit(1)
	}
	lambda.Start(func(ctx context.Context, in request) (answer, error) {
		out := answer{Pid: os.Getpid(), Version: version, Env: map[string]string{}}
		if lc, ok := lambdacontext.FromContext(ctx); ok {
			out.RequestID, out.ARN = lc.AwsRequestID, lc.InvokedFunctionArn
		}
		if deadline, ok := ctx.Deadline(); ok {
			out.Left = time.Until(deadline)
		}
		time.Sleep(in.Wait)
		switch in.Do {
		case "print":
			fmt.Fprintln(os.Stdout, "to stdout")
			fmt.Fprint(os.Stderr, "to stderr\nand more\n")
		case "env":
			for _, variable := range os.Environ() {
				name, value, _ := strings.Cut(variable, "=")
				out.Env[name] = value
			}
		case "fail":
			return out, wrongInput{}
		case "exit":
			os.Exit(3)
		case "huge":
			out.Text = strings.Repeat("x", 70<<20)
		case "child":
			command := exec.Command("sleep", "600")
			if err := command.Start(); err != nil {
				return out, err
			}
			out.Child = command.Process.Pid
		}
		return out, nil
	})
}

// waitFor waits until done returns true.
func waitFor(t *testing.T, done func() bool, what func() string) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !done(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal(what())
		}
	}
}

// start starts the function in this test's binary, with a Lambda that calls it.
func start(t *testing.T, cfg process.Config, timeout time.Duration, arguments ...string) (*invoke.Lambda, *process.Function, *logtest.Buffer) {
	t.Helper()
	out := &logtest.Buffer{}
	cfg.Name, cfg.Output = "mine", out
	cfg.Command = strings.Join(append([]string{os.Args[0]}, arguments...), " ")
	function, err := process.Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	service := invoke.New(invoke.Config{Functions: map[string]invoke.Function{"mine": {Handler: function, Timeout: timeout}}})
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		if err := errors.Join(service.Close(ctx), function.Close(ctx)); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return service, function, out
}

// call invokes the function.
func call(t *testing.T, service *invoke.Lambda, in request) (answer, invoke.Result) {
	t.Helper()
	payload, _ := json.Marshal(in)
	result, err := service.Invoke(t.Context(), "mine", payload)
	if err != nil {
		t.Errorf("invoke: %v", err)
	}
	var out answer
	if result.Error == nil {
		if err := json.Unmarshal(result.Payload, &out); err != nil {
			t.Errorf("payload %s: %v", result.Payload, err)
		}
	}
	return out, result
}

const long = time.Minute

func TestAFunctionRunsInLambdasEnvironment(t *testing.T) {
	t.Setenv("AWS_SECRET_ACCESS_KEY", "of the user")
	t.Setenv("AWS_PROFILE", "of the user")
	service, _, out := start(t, process.Config{Env: []string{"AWS_ENDPOINT_URL=http://127.0.0.1:1"}}, long)
	got, result := call(t, service, request{Do: "env"})
	for name, want := range map[string]string{
		"AWS_LAMBDA_FUNCTION_NAME": "mine", "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST", "_HANDLER": "mine", "AWS_REGION": "us-east-1",
		"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_SECRET_ACCESS_KEY": "", "AWS_PROFILE": "",
	} {
		if got.Env[name] != want {
			t.Errorf("%s=%q, want %q", name, got.Env[name], want)
		}
	}
	if got.RequestID != result.RequestID || got.ARN != invoke.FunctionARN("mine") || got.Left > long || got.Left < long/2 {
		t.Errorf("%+v, want the request %s", got, result.RequestID)
	}
	call(t, service, request{Do: "print"})
	out.WaitFor(t, "mine | to stdout\n")
	out.WaitFor(t, "mine | to stderr\nmine | and more\n")
}

func TestFailuresAreReportedAsByLambda(t *testing.T) {
	service, _, _ := start(t, process.Config{}, long)
	first, _ := call(t, service, request{})
	for do, want := range map[string]string{
		"fail": `{"errorMessage":"it is wrong","errorType":"wrongInput"}`,
		"exit": `{"errorMessage":"RequestId: ID Error: Runtime exited with error: exit status 3","errorType":"Runtime.ExitError"}`,
	} {
		_, result := call(t, service, request{Do: do})
		var fields map[string]any
		if err := json.Unmarshal(result.Payload, &fields); err != nil {
			t.Fatal(err)
		}
		delete(fields, "stackTrace")
		text, _ := json.Marshal(fields)
		if got := strings.ReplaceAll(string(text), result.RequestID, "ID"); got != want || result.Error == nil || result.Error.Type != fields["errorType"] {
			t.Errorf("%s: %s (%+v), want %s", do, got, result.Error, want)
		}
	}
	if next, _ := call(t, service, request{}); next.Pid == 0 || next.Pid == first.Pid {
		t.Errorf("process %d after the exit of %d", next.Pid, first.Pid)
	}
}

func TestAHugeResponseFailsWithItsSize(t *testing.T) {
	service, _, _ := start(t, process.Config{}, long)
	_, result := call(t, service, request{Do: "huge"})
	want := regexp.MustCompile(`Response payload size \(7340\d{4} bytes\) exceeded maximum allowed payload size \(6291556 bytes\)`)
	if result.Error == nil || result.Error.Type != "Function.ResponseSizeTooLarge" || !want.Match(result.Payload) {
		t.Errorf("the result is %+v, %.200s", result.Error, result.Payload)
	}
}

func TestAFunctionThatTimesOutIsEnded(t *testing.T) {
	const timeout = 2 * time.Second
	service, _, _ := start(t, process.Config{}, timeout)
	before, _ := call(t, service, request{})
	_, result := call(t, service, request{Wait: time.Hour})
	want := `"errorMessage":"RequestId: ` + result.RequestID + ` Error: Task timed out after 2.00 seconds"`
	if result.Error == nil || result.Error.Type != "Sandbox.Timedout" || !strings.Contains(string(result.Payload), want) {
		t.Errorf("%s (%+v), want %s", result.Payload, result.Error, want)
	}
	waitForEnd(t, before.Pid)
	if after, _ := call(t, service, request{}); after.Pid == before.Pid {
		t.Error("the process goes on")
	}
}

// waitForEnd waits until there is no such process.
func waitForEnd(t *testing.T, pid int) {
	t.Helper()
	waitFor(t, func() bool { return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) || isZombie(pid) },
		func() string { return fmt.Sprint("the process ", pid, " is still running") })
}

// isZombie reports whether a process has ended and its parent, the init of a container, has not asked for its status.
func isZombie(pid int) bool {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && strings.Contains(string(status), ") Z ")
}

func TestThereAreAsManyProcessesAsInvocations(t *testing.T) {
	const limit = 3
	service, _, _ := start(t, process.Config{Limit: limit}, long)
	var (
		mu   sync.Mutex
		pids = map[int]int{}
		all  sync.WaitGroup
	)
	for range 4 * limit {
		all.Go(func() {
			got, _ := call(t, service, request{Wait: 100 * time.Millisecond})
			mu.Lock()
			defer mu.Unlock()
			pids[got.Pid]++
		})
	}
	all.Wait()
	if len(pids) == 0 || len(pids) > limit {
		t.Errorf("invocations by process: %v, want at most %d processes", pids, limit)
	}
	first, _ := call(t, service, request{})
	if second, _ := call(t, service, request{}); second.Pid != first.Pid {
		t.Errorf("processes %d and %d, want the same one again", first.Pid, second.Pid)
	}
}

func TestAFunctionThatDoesNotStartSaysWhy(t *testing.T) {
	for version, want := range map[string]string{
		"broken":     `"errorMessage":"RequestId: ID Error: Runtime exited with error: exit status 7","errorType":"Runtime.ExitError"`,
		"init error": `"errorType":"Init.Wrong","errorMessage":"no settings"`,
	} {
		t.Run(version, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "version")
			write(t, file, version)
			service, _, out := start(t, process.Config{}, long, file)
			_, result := call(t, service, request{})
			if got := strings.ReplaceAll(string(result.Payload), result.RequestID, "ID"); !strings.Contains(got, want) {
				t.Errorf("%s, want %s", got, want)
			}
			out.WaitFor(t, "mine | the function does not start: {")
		})
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestAFunctionIsStartedAnewWhenItsFileChanges(t *testing.T) {
	file := filepath.Join(t.TempDir(), "version")
	write(t, file, "one")
	service, _, out := start(t, process.Config{}, long, file)
	old, _ := call(t, service, request{})
	running := make(chan answer)
	go func() {
		got, _ := call(t, service, request{Wait: 3 * time.Second})
		running <- got
	}()

	write(t, file, "two 2")
	out.WaitFor(t, "mine | started anew\n")
	now, _ := call(t, service, request{})
	if old.Version != "one" || now.Version != "two 2" || now.Pid == old.Pid {
		t.Errorf("%+v, then %+v", old, now)
	}
	if got := <-running; got.Version == "" {
		t.Errorf("an invocation that was running ended with %+v", got)
	}
	waitForEnd(t, old.Pid)

	write(t, file, "broken")
	out.WaitFor(t, "mine | cannot start\n")
	out.WaitFor(t, "mine | the changed function does not start, the one before goes on: {")
	if got, _ := call(t, service, request{}); got.Pid != now.Pid {
		t.Errorf("process %d, want %d, the last that started", got.Pid, now.Pid)
	}
}

func TestProcessesEndWithTheFunction(t *testing.T) {
	service, function, _ := start(t, process.Config{}, long)
	got, _ := call(t, service, request{Do: "child"})
	if got.Child == 0 {
		t.Fatalf("%+v", got)
	}
	child := got.Child
	stuck := make(chan error, 1)
	go func() {
		_, err := function.Run(context.Background(), invoke.Call{RequestID: "r", Timeout: time.Hour, Payload: []byte(`{"Wait":3600000000000}`)})
		stuck <- err
	}()
	ctx := context.WithoutCancel(t.Context())
	if err := service.Close(ctx); err != nil {
		t.Error(err)
	}
	if err := function.Close(ctx); err != nil {
		t.Error(err)
	}
	waitForEnd(t, got.Pid)
	waitForEnd(t, child)
	if _, err := function.Run(ctx, invoke.Call{}); err == nil {
		t.Error("a closed function runs")
	}
	if err := <-stuck; err == nil {
		t.Error("an invocation in flight has succeeded")
	}
}
