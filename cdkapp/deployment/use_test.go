package deployment_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/golang-jwt/jwt/v5"

	"github.com/herald-progress/herald/lib/client"
	"github.com/herald-progress/herald/lib/message"
)

// emulator returns the SDK's configuration for the emulator.
func emulator(endpoint string) aws.Config {
	return aws.Config{
		Region: "us-east-1", BaseEndpoint: aws.String(endpoint),
		Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""),
	}
}

// use uses a deployed stack as a browser, an operator and an uploader do: a token is checked, a note by hand and an import of a
// file arrive in the browser. It returns the job of the import.
func (d *deployer) use(t *testing.T, stack string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	outputs := d.outputs[stack]
	d.leadPostsToEmulator(ctx, t, outputs)
	url := d.webSocketURL(outputs)
	if conn, err := client.Dial(ctx, url, "no.valid.token"); err == nil {
		_ = conn.Drop()
		t.Error("a token that is not signed was accepted")
	} else if refused := new(client.Refused); !errors.As(err, &refused) {
		t.Errorf("a token that is not signed: %v, want a refused handshake", err)
	}

	user, frames := "deployer@"+stack, make(chan message.Envelope, 1000)
	stop := d.connect(ctx, t, url, user, func(e message.Envelope) { frames <- e })
	defer stop()
	d.invokeNotifier(ctx, t, outputs["NotifierFunctionName"], user)
	await(ctx, t, frames, "the note", func(e message.Envelope) bool {
		note, ok := e.Data.(message.Notification)
		return ok && note.Title == "By hand"
	})

	job := fmt.Sprintf("u-%d", time.Now().UnixNano())
	d.upload(ctx, t, outputs["UploadsBucketName"], user, job)
	end := await(ctx, t, frames, "the end of the import", func(e message.Envelope) bool {
		state, ok := e.Data.(message.UploadProgress)
		return ok && state.UploadID == job && state.Status != "" && state.Status != message.StatusRunning
	})
	if state, _ := end.Data.(message.UploadProgress); state.Status != message.StatusSucceeded || state.Progress != 100 {
		t.Errorf("the import ended as %+v", state)
	}
	d.hasSummary(ctx, t, outputs["UploadsBucketName"], job)

	return job
}

// hasJob checks that a browser which connects now sees the first stack's job.
func (d *deployer) hasJob(t *testing.T, stack string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	d.leadPostsToEmulator(ctx, t, d.outputs[stack])
	frames := make(chan message.Envelope, 1000)
	stop := d.connect(ctx, t, d.webSocketURL(d.outputs[stack]), "deployer@"+stack, func(e message.Envelope) { frames <- e })
	defer stop()
	await(ctx, t, frames, "the stored job", func(e message.Envelope) bool { return e.Job == d.job })
}

// leadPostsToEmulator replaces the URL of @connections, a name under amazonaws.com, by the emulator's in all functions.
func (d *deployer) leadPostsToEmulator(ctx context.Context, t *testing.T, outputs map[string]string) {
	t.Helper()
	const variable = "WEBSOCKET_API_ENDPOINT"
	functions := lambda.NewFromConfig(d.config)
	all, err := functions.ListFunctions(ctx, &lambda.ListFunctionsInput{})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range all.Functions {
		if f.Environment == nil || f.Environment.Variables[variable] != outputs["ManagementEndpoint"] {
			continue
		}
		variables := maps.Clone(f.Environment.Variables)
		variables[variable] = d.endpoint + "/_aws/execute-api/" + api(outputs) + "/prod"
		if _, err := functions.UpdateFunctionConfiguration(ctx, &lambda.UpdateFunctionConfigurationInput{
			FunctionName: f.FunctionName, Environment: &lambdatypes.Environment{Variables: variables},
		}); err != nil {
			t.Fatalf("%s: %v", *f.FunctionName, err)
		}
	}
}

// api returns the id of a stack's WebSocket API.
func api(outputs map[string]string) string {
	id, _, _ := strings.Cut(strings.TrimPrefix(outputs["WebSocketUrl"], "wss://"), ".")
	return id
}

// webSocketURL returns where the emulator serves a stack's WebSocket API.
func (d *deployer) webSocketURL(outputs map[string]string) string {
	return strings.Replace(d.endpoint, "http:", "ws:", 1) + "/_aws/execute-api/" + api(outputs) + "/prod"
}

// connect connects a client, waits for its first sync, and returns a function that disconnects it.
func (d *deployer) connect(ctx context.Context, t *testing.T, url, user string, onFrame func(message.Envelope)) (stop func()) {
	t.Helper()
	claims := jwt.MapClaims{"sub": user, "exp": time.Now().Add(time.Hour).Unix()}
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString([]byte(key))
	if err != nil {
		t.Fatal(err)
	}
	c := client.New(client.Config{
		URL: url, Token: func(context.Context) (string, error) { return token, nil },
		OnFrame: func(e message.Envelope, _ []byte) { onFrame(e) },
	})
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	if err := c.Sync(ctx); err != nil {
		t.Fatalf("sync: %v (%+v)", err, c.Status())
	}

	return func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the client ended: %v", err)
		}
	}
}

// await returns the first frame that is wanted.
func await(ctx context.Context, t *testing.T, frames <-chan message.Envelope, what string, wanted func(message.Envelope) bool) message.Envelope {
	t.Helper()
	for {
		select {
		case frame := <-frames:
			if wanted(frame) {
				return frame
			}
		case <-ctx.Done():
			t.Fatalf("%s did not come", what)
		}
	}
}

// invokeNotifier sends a note as an operator does.
func (d *deployer) invokeNotifier(ctx context.Context, t *testing.T, function, user string) {
	t.Helper()
	payload := fmt.Sprintf(
		`{"userId":%q,"message":{"type":"notification","data":{"title":"By hand","message":"Hello","severity":"info"}}}`, user)
	out, err := lambda.NewFromConfig(d.config).Invoke(ctx, &lambda.InvokeInput{
		FunctionName: aws.String(function), Payload: []byte(payload),
	})
	if err != nil {
		t.Fatal(err)
	}
	if out.FunctionError != nil {
		t.Fatalf("the notifier failed: %s", out.Payload)
	}
}

// upload puts the parts list where it is imported.
func (d *deployer) upload(ctx context.Context, t *testing.T, bucket, user, job string) {
	t.Helper()
	file, err := os.Open(filepath.Join("..", "..", "testdata", "parts-list.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	key := "uploads/" + base64.RawURLEncoding.EncodeToString([]byte(user)) + "/" + job + "/parts-list.csv"
	if _, err := d.s3().PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String(bucket), Key: aws.String(key), Body: file}); err != nil {
		t.Fatal(err)
	}
}

func (d *deployer) s3() *s3.Client {
	return s3.NewFromConfig(d.config, func(o *s3.Options) { o.UsePathStyle = true })
}

// hasSummary checks that the results of an import are in the bucket.
func (d *deployer) hasSummary(ctx context.Context, t *testing.T, bucket, job string) {
	t.Helper()
	objects, err := d.s3().ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: aws.String(bucket), Prefix: aws.String("results/")})
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range objects.Contents {
		if strings.HasSuffix(*o.Key, "/"+job+"/summary.json") {
			return
		}
	}
	t.Errorf("no summary of %s in the bucket", job)
}

// tables returns the names of the tables, sorted.
func (d *deployer) tables(t *testing.T) []string {
	t.Helper()
	tables, err := dynamodb.NewFromConfig(d.config).ListTables(t.Context(), &dynamodb.ListTablesInput{})
	if err != nil {
		t.Fatal(err)
	}
	return slices.Sorted(slices.Values(tables.TableNames))
}

// hasTables checks which tables there are.
func (d *deployer) hasTables(t *testing.T, want ...string) {
	t.Helper()
	if got := d.tables(t); !slices.Equal(got, want) {
		t.Errorf("tables %q, want %q", got, want)
	}
}

// hasNothingBesides checks that no function, workflow, API, queue, rule or log group of a deleted stack is left.
func (d *deployer) hasNothingBesides(t *testing.T) {
	t.Helper()
	ctx := t.Context()
	functions, err := lambda.NewFromConfig(d.config).ListFunctions(ctx, &lambda.ListFunctionsInput{})
	if err != nil || len(functions.Functions) > 0 {
		t.Errorf("functions are left: %v, %v", functions, err)
	}
	workflows, err := sfn.NewFromConfig(d.config).ListStateMachines(ctx, &sfn.ListStateMachinesInput{})
	if err != nil || len(workflows.StateMachines) > 0 {
		t.Errorf("workflows are left: %v, %v", workflows, err)
	}
	for _, request := range []struct{ target, list string }{
		{"Logs_20140328.DescribeLogGroups", "logGroups"}, {"AWSEvents.ListRules", "Rules"}, {"AmazonSQS.ListQueues", "QueueUrls"},
	} {
		var answer map[string]any
		d.post(ctx, t, request.target, &answer)
		if left, _ := answer[request.list].([]any); len(left) > 0 {
			t.Errorf("%s are left: %v", request.list, left)
		}
	}
}

// post sends an empty request in AWS's JSON protocol, for services whose SDK the module does not have.
func (d *deployer) post(ctx context.Context, t *testing.T, target string, answer any) {
	t.Helper()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, d.endpoint, bytes.NewReader([]byte("{}")))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("X-Amz-Target", target)
	request.Header.Set("Content-Type", "application/x-amz-json-1.1")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	raw, err := io.ReadAll(response.Body)
	if err := cmp.Or(err, json.Unmarshal(raw, answer)); err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s %s: %v", target, response.Status, raw, err)
	}
}
