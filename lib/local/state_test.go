package local_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	sfntypes "github.com/aws/aws-sdk-go-v2/service/sfn/types"

	"github.com/herald-progress/herald/lib/feed"
	"github.com/herald-progress/herald/lib/local"
	"github.com/herald-progress/herald/lib/local/durable"
	"github.com/herald-progress/herald/lib/local/states"
)

// stateDir is the environment variable with the folder of the twin that serveStored runs.
const stateDir = "HERALD_STATE_DIR"

// serveStored runs a twin with a state, until its input ends or it is killed. It prints the twin's endpoint.
func serveStored(ctx context.Context) (err error) {
	twin, err := local.Start(ctx, local.Config{StateDir: os.Getenv(stateDir), StateMachines: map[string]string{
		"shows": fmt.Sprintf(workflow, "", ""),
		"quick": `{"StartAt":"P","States":{"P":{"Type":"Pass","End":true}}}`,
		"long":  `{"StartAt":"W","States":{"W":{"Type":"Wait","Seconds":600,"End":true}}}`,
	}, Functions: map[string]any{"csvplan": untilCancelled}})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, twin.Close(ctx)) }()
	fmt.Fprintln(os.Stdout, twin.Endpoint())
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// storedTwin is a twin with a state in another process.
type storedTwin struct {
	*self

	workflows *sfn.Client
	objects   *s3.Client
	functions *lambda.Client
}

func startStored(t *testing.T, dir string) *storedTwin {
	t.Helper()
	process := startSelf(t, asStoredTwin, stateDir+"="+dir)
	endpoint, err := process.out.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	config := aws.Config{
		Region: "us-east-1", BaseEndpoint: aws.String(strings.TrimSpace(endpoint)), RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider("local", "local", ""),
	}
	return &storedTwin{
		process, sfn.NewFromConfig(config), s3.NewFromConfig(config, func(o *s3.Options) { o.UsePathStyle = true }), lambda.NewFromConfig(config),
	}
}

// acknowledged is what a twin has acknowledged. After killAfter more answers it calls kill.
type acknowledged struct {
	kill      func()
	killAfter int

	mu                                                sync.Mutex
	machines, quick, long, objects, parts, jobs, tags map[string]bool
}

func (a *acknowledged) add(to *map[string]bool, name string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if *to == nil {
		*to = map[string]bool{}
	}
	(*to)[name] = true
	if a.killAfter--; a.killAfter == 0 {
		a.kill()
	}
}

// work calls all kinds of operations at once, until the twin does not answer any more.
func (a *acknowledged) work(t *testing.T, twin *storedTwin, round int) {
	t.Helper()
	ctx := t.Context()
	upload, err := twin.objects.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: aws.String(local.Bucket), Key: aws.String(fmt.Sprint("parts/", round))})
	if err != nil {
		return // It was killed already.
	}
	role := aws.String("arn:aws:iam::000000000000:role/mine")
	var all sync.WaitGroup
	for _, do := range []func(i int) error{
		func(i int) error {
			name := fmt.Sprintf("made-%d-%d", round, i)
			_, err := twin.workflows.CreateStateMachine(ctx, &sfn.CreateStateMachineInput{Name: &name, RoleArn: role, Definition: aws.String(fmt.Sprintf(`{"Comment":%q,"StartAt":"S","States":{"S":{"Type":"Succeed"}}}`, name))})
			if err == nil {
				a.add(&a.machines, name)
			}
			return err
		},
		func(i int) error {
			name := fmt.Sprintf("x-%d-%d", round, i)
			_, err := twin.workflows.StartExecution(ctx, &sfn.StartExecutionInput{StateMachineArn: aws.String(states.StateMachineARN("quick")), Name: &name})
			if err == nil {
				a.add(&a.quick, name)
			}
			return err
		},
		func(i int) error {
			name := fmt.Sprintf("x-%d-%d", round, i)
			_, err := twin.workflows.StartExecution(ctx, &sfn.StartExecutionInput{StateMachineArn: aws.String(states.StateMachineARN("long")), Name: &name})
			if err == nil {
				a.add(&a.long, name)
			}
			return err
		},
		func(i int) error {
			name := fmt.Sprintf("objects/%d/%d", round, i)
			_, err := twin.objects.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String(local.Bucket), Key: &name, Body: strings.NewReader(strings.Repeat(name, 1000))})
			if err == nil {
				a.add(&a.objects, name)
			}
			return err
		},
		func(i int) error {
			_, err := twin.objects.UploadPart(ctx, &s3.UploadPartInput{
				Bucket: upload.Bucket, Key: upload.Key, UploadId: upload.UploadId, PartNumber: aws.Int32(int32(i%9000 + 1)), Body: strings.NewReader("part"),
			})
			if err == nil {
				a.add(&a.parts, fmt.Sprint(*upload.Key, " ", *upload.UploadId, " ", i%9000+1))
			}
			return err
		},
		func(i int) error {
			name := fmt.Sprintf("u-%d-%d", round, i)
			out, err := twin.functions.Invoke(ctx, &lambda.InvokeInput{FunctionName: aws.String(local.NotifierName), Payload: fmt.Appendf(nil,
				`{"userId":"ann","message":{"type":"upload_progress","data":{"uploadId":%q,"fileName":"f","progress":1,"message":"m"}}}`, name)})
			if err == nil && out.FunctionError == nil {
				a.add(&a.jobs, name)
			}
			return err
		},
		func(i int) error {
			key := fmt.Sprint("k", i%40)
			_, err := twin.workflows.TagResource(ctx, &sfn.TagResourceInput{
				ResourceArn: aws.String(states.StateMachineARN("quick")), Tags: []sfntypes.Tag{{Key: &key, Value: aws.String("v")}},
			})
			if err == nil {
				a.add(&a.tags, key)
			}
			return err
		},
	} {
		all.Go(func() {
			for i := 0; do(i) == nil; i++ {
			}
		})
	}
	all.Wait()
}

// check checks that a twin has what was acknowledged.
func (a *acknowledged) check(t *testing.T, twin *storedTwin) {
	t.Helper()
	ctx := t.Context()
	for name := range a.machines {
		out, err := twin.workflows.DescribeStateMachine(ctx, &sfn.DescribeStateMachineInput{StateMachineArn: aws.String(states.StateMachineARN(name))})
		if err != nil || !strings.Contains(*out.Definition, name) {
			t.Errorf("state machine %s: %v", name, err)
		}
	}
	for machine, names := range map[string]map[string]bool{"quick": a.quick, "long": a.long} {
		for name := range names {
			arn := aws.String(states.ExecutionARN(machine, name))
			x, err := twin.workflows.DescribeExecution(ctx, &sfn.DescribeExecutionInput{ExecutionArn: arn})
			if err != nil {
				t.Errorf("execution %s of %s: %v", name, machine, err)
				continue
			}
			interrupted := x.Status == sfntypes.ExecutionStatusAborted && aws.ToString(x.Error) == "TwinEnded"
			if !interrupted && (machine == "long" || x.Status != sfntypes.ExecutionStatusSucceeded) {
				t.Errorf("execution %s of %s: %s %s", name, machine, x.Status, aws.ToString(x.Error))
			}
			history, err := twin.workflows.GetExecutionHistory(ctx, &sfn.GetExecutionHistoryInput{ExecutionArn: arn, ReverseOrder: true})
			if err != nil || !strings.EqualFold(string(history.Events[0].Type), "Execution"+string(x.Status)) {
				t.Errorf("history of %s of %s: %v", name, machine, err)
			}
		}
	}
	for name := range a.objects {
		out, err := twin.objects.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String(local.Bucket), Key: &name})
		if err != nil {
			t.Errorf("object %s: %v", name, err)
			continue
		}
		if text, err := io.ReadAll(out.Body); err != nil || string(text) != strings.Repeat(name, 1000) {
			t.Errorf("object %s has %d bytes, %v", name, len(text), err)
		}
		_ = out.Body.Close()
	}
	a.checkParts(t, twin)
	tags, err := twin.workflows.ListTagsForResource(ctx, &sfn.ListTagsForResourceInput{ResourceArn: aws.String(states.StateMachineARN("quick"))})
	if err != nil || len(tags.Tags) < len(a.tags) {
		t.Errorf("%d tags of %d, %v", len(tags.Tags), len(a.tags), err)
	}
}

// checkParts lists the parts of all uploads, which can still be completed.
func (a *acknowledged) checkParts(t *testing.T, twin *storedTwin) {
	t.Helper()
	listed := map[string]bool{}
	for part := range a.parts {
		fields := strings.Fields(part)
		pages := s3.NewListPartsPaginator(twin.objects, &s3.ListPartsInput{Bucket: aws.String(local.Bucket), Key: &fields[0], UploadId: &fields[1]})
		for !listed[part] && pages.HasMorePages() {
			page, err := pages.NextPage(t.Context())
			if err != nil {
				t.Fatalf("parts of %s: %v", fields[0], err)
			}
			for _, p := range page.Parts {
				listed[fmt.Sprint(fields[0], " ", fields[1], " ", *p.PartNumber)] = true
			}
		}
		if !listed[part] {
			t.Errorf("part %s is lost", part)
		}
	}
}

// jobsIn returns the ids of the jobs in the state of a twin that has ended.
func jobsIn(t *testing.T, dir string) map[string]feed.Row {
	t.Helper()
	store, err := durable.Open(filepath.Join(dir, "state.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	jobs := map[string]feed.Row{}
	if err := store.Each("feed", func(_ string, value []byte) error {
		var r feed.Record
		err := json.Unmarshal(value, &r)
		if r.Job != nil {
			jobs[r.Job.State.UploadID] = *r.Job
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return jobs
}

// TestAKilledTwinLosesNothingThatItAcknowledged kills a twin at random moments while it works, with a signal that it cannot catch.
func TestAKilledTwinLosesNothingThatItAcknowledged(t *testing.T) {
	t.Parallel()
	const rounds = 4
	dir := filepath.Join(t.TempDir(), "state")
	a := &acknowledged{}
	for round := range rounds {
		twin := startStored(t, dir)
		a.killAfter, a.kill = 1+rand.IntN(200), func() { _ = twin.Process.Kill() }
		a.work(t, twin, round)
		twin.kill(t)
	}
	twin := startStored(t, dir)
	a.check(t, twin)
	twin.kill(t)
	jobs := jobsIn(t, dir)
	for name := range a.jobs {
		if _, ok := jobs[name]; !ok {
			t.Errorf("job %s is lost", name)
		}
	}
	t.Logf("%d state machines, %d and %d executions, %d objects, %d parts, %d jobs", len(a.machines), len(a.quick), len(a.long), len(a.objects), len(a.parts), len(a.jobs))
}
