package pipeline_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/herald-progress/herald/cdkapp/pipeline"
	"github.com/herald-progress/herald/lib/dynamo"
	"github.com/herald-progress/herald/lib/dynamo/dynamotest"
	"github.com/herald-progress/herald/lib/local/objects"
)

const (
	// goneID is the connection whose posts are answered by 410.
	goneID     = "gone"
	bucketName = "uploads-bucket"
)

// fakeAWS is an HTTP server that stands for the services of AWS. It records the permission that each request needs, in the form
// of rolePermissions. It forwards requests to DynamoDB to an emulator, and requests to S3 to the twin's object store.
type fakeAWS struct {
	connections *dynamo.Connections
	feed        *dynamo.Feed
	getenv      func(string) string

	dynamo http.Handler
	s3     http.Handler

	mu sync.Mutex
	// needed holds the permissions that the requests so far have needed.
	needed map[string]bool
	// lastPost is the last frame that was posted.
	lastPost []byte
	// paused is set while a test prepares or checks data: the permissions for its requests are not recorded.
	paused bool
	// failParts makes every part of a multipart upload fail.
	failParts bool
	// beforeUploadRead, if not nil, runs once, before the answer to the next read of an uploaded file.
	beforeUploadRead func()
}

// startFakeAWS starts a fakeAWS with empty tables. It skips the test without a DynamoDB emulator. Functions that are started with
// its getenv send their requests to it.
func startFakeAWS(t *testing.T) *fakeAWS {
	t.Helper()
	connections, feed := dynamotest.Tables(t, dynamotest.Client(t, dynamotest.Dynalite, nil))
	u, err := url.Parse(os.Getenv(dynamotest.Dynalite))
	if err != nil {
		t.Fatal(err)
	}
	bucket, err := objects.New(objects.Config{Bucket: bucketName, Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	aws := &fakeAWS{
		s3:          bucket,
		connections: connections,
		feed:        feed,
		dynamo:      httputil.NewSingleHostReverseProxy(u),
		needed:      map[string]bool{},
	}
	server := httptest.NewServer(aws)
	t.Cleanup(server.Close)
	for name, value := range map[string]string{
		"AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local", "AWS_ENDPOINT_URL": server.URL,
	} {
		t.Setenv(name, value)
	}
	variables := map[string]string{
		"CONNECTIONS_TABLE": aws.connections.Table, "FEED_TABLE": aws.feed.Table, "WEBSOCKET_API_ENDPOINT": server.URL + "/prod",
		"AUTH_MODE": pipeline.AuthHS256, "AUTH_SECRET_ARN": secretARN, "UPLOADS_BUCKET": bucketName,
		"WATCHED_STATE_MACHINES": `[{"arn":"` + watchedARN + `","user":"$.userId"},{"arn":"` + watchedARN + `-express","user":"$.userId"}]`,
	}
	aws.getenv = func(name string) string { return variables[name] }
	return aws
}

// ServeHTTP answers requests to API Gateway, DynamoDB, S3, Secrets Manager and Step Functions. All succeed, except posts to the
// connection goneID.
func (aws *fakeAWS) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if id, ok := strings.CutPrefix(r.URL.Path, "/prod/@connections/"); ok {
		aws.record(manageConnectionsPrefix + r.Method + "/@connections/*")
		if frame, err := io.ReadAll(r.Body); err == nil && r.Method == http.MethodPost {
			aws.setPosted(frame)
		}
		if id == goneID {
			w.WriteHeader(http.StatusGone)
		}
		return
	}
	if strings.HasPrefix(r.URL.Path, "/2025-12-01/durable-executions/") {
		aws.record(durablePermission)
		fmt.Fprint(w, `{"Status":"STOPPED"}`)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	if strings.HasPrefix(r.URL.Path, "/"+bucketName) {
		aws.serveS3(w, r, body)
		return
	}
	var target struct{ TableName, IndexName, SecretID string }
	_ = json.Unmarshal(body, &target) // A body of another form has none of these fields.
	switch service, action, _ := strings.Cut(r.Header.Get("X-Amz-Target"), "."); service {
	case "DynamoDB_20120810":
		resource := map[string]string{aws.connections.Table: connectionsARN, aws.feed.Table: feedARN}[target.TableName]
		if target.IndexName != "" {
			resource += "/index/" + target.IndexName
		}
		aws.record("dynamodb:" + action + " " + resource)
		aws.dynamo.ServeHTTP(w, r)
	case "secretsmanager":
		aws.record("secretsmanager:" + action + " " + target.SecretID)
		fmt.Fprintf(w, `{"SecretString":%q}`, sharedKey)
	case "AWSStepFunctions":
		permission := strings.Replace(describePermission, "DescribeExecution", action, 1)
		if action == "DescribeStateMachine" {
			permission = strings.Replace(permission, ":execution:*", ":stateMachine:*", 1)
		}
		aws.record(permission)
		answer, _ := json.Marshal(map[string]any{
			"status": "ABORTED", "redriveCount": 0, "startDate": 1.7638e9, "input": `{"userId":"` + userID + `"}`, "definition": mapDefinition,
		})
		_, _ = w.Write(answer)
	default:
		w.WriteHeader(http.StatusNotImplemented)
	}
}

func (aws *fakeAWS) setPosted(frame []byte) {
	aws.mu.Lock()
	defer aws.mu.Unlock()
	aws.lastPost = frame
}

// takePosted returns the last frame that was posted, and removes it.
func (aws *fakeAWS) takePosted() []byte {
	aws.mu.Lock()
	defer aws.mu.Unlock()
	frame := aws.lastPost
	aws.lastPost = nil
	return frame
}

// record records that a request needs a permission.
func (aws *fakeAWS) record(permission string) {
	aws.mu.Lock()
	defer aws.mu.Unlock()
	if !aws.paused {
		aws.needed[permission] = true
	}
}

// TestRolesAllowTheFunctionsCalls runs all code paths of each function that call AWS. It compares the permissions that the calls
// need with those of the function's role: both a missing and an unused permission fail the test.
func TestRolesAllowTheFunctionsCalls(t *testing.T) {
	template := fullTemplate(t)
	granted, untestedRoles := rolePermissions(template), map[string]bool{} // the keys of both maps are names of roles
	for _, function := range template.ofType("AWS::Lambda::Function") {
		untestedRoles[strings.Replace(withoutHash(function.id), "Function", "Role", 1)] = true
	}
	for name, use := range map[string]func(*testing.T, *fakeAWS){
		"Connect": useConnect, "Disconnect": useDisconnect, "Default": useDefault,
		"Notifier": useNotifier, "Reaper": useReaper, "Sweeper": useSweeper, "Observer": useObserver,
		"CsvPlan": useCSVPlan, "CsvChunk": useCSVChunk, "CsvFinish": useCSVFinish,
	} {
		delete(untestedRoles, "Herald"+name+"Role")
		t.Run(name, func(t *testing.T) {
			aws := startFakeAWS(t)
			use(t, aws)
			allowed := slices.DeleteFunc(granted["Herald"+name+"Role"], func(line string) bool {
				service, _, _ := strings.Cut(line, ":")
				return service == "logs" || service == "xray" || service == "sqs" // Lambda makes these calls with the function's role.
			})
			if diff := cmp.Diff(slices.Sorted(maps.Keys(aws.needed)), allowed); diff != "" {
				t.Errorf("the permissions of its calls and of its role differ (-needed +allowed):\n%s", diff)
			}
		})
	}
	for role := range untestedRoles {
		t.Errorf("no case checks the permissions of %s", role)
	}
}

// startFunction returns the handler of a function that calls aws. start is the handler's constructor in lib/cloud.
func startFunction[H any](t *testing.T, aws *fakeAWS, start func(context.Context, func(string) string) (H, error)) H {
	t.Helper()
	h, err := start(t.Context(), aws.getenv)
	if err != nil {
		t.Fatal(err)
	}
	return h
}
