package cloud_test

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"
	"github.com/coder/websocket"
	"github.com/golang-jwt/jwt/v5"

	"github.com/herald-progress/herald/cdkapp/bootstrap"
	"github.com/herald-progress/herald/lib/client"
	"github.com/herald-progress/herald/lib/dynamo"
	"github.com/herald-progress/herald/lib/dynamo/dynamotest"
	"github.com/herald-progress/herald/lib/local"
	"github.com/herald-progress/herald/lib/local/states"
	"github.com/herald-progress/herald/lib/observe"
)

// build builds the functions into functionsDir, once. They are the shipped functions, built for this machine's architecture.
var build = sync.OnceValues(func() (string, error) {
	return functionsDir, bootstrap.Build(context.Background(), functionsDir, runtime.GOARCH)
})

// program returns the path of a function's program.
func program(tb testing.TB, name string) string {
	tb.Helper()
	if testing.Short() {
		tb.Skip("building the functions takes a minute; skipped by -short")
	}
	if runtime.GOOS != "linux" {
		tb.Skip("the functions run on Linux")
	}
	if _, err := exec.LookPath("go"); err != nil {
		tb.Skip("no go command on PATH")
	}
	dir, err := build()
	if err != nil {
		tb.Fatal(err)
	}
	return filepath.Join(dir, name, "bootstrap")
}

// deployedFunction is a function of the fleet. Its process is set after the twin has started, because the process needs the URLs of the
// twin.
type deployedFunction struct{ process atomic.Pointer[process] }

func (d *deployedFunction) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	return d.process.Load().Invoke(ctx, payload)
}

// fleet is the local twin of a deployment (see package local). Its functions are the shipped ones, each in a process of its own.
type fleet struct {
	twin        *local.Twin
	functions   map[string]*deployedFunction
	connections *dynamo.Connections
	feed        *dynamo.Feed
}

// The state machine that the observer watches.
const (
	watchedName       = "watched"
	watchedDefinition = `{"StartAt":"A","States":{"A":{"Type":"Pass","Comment":"The first one","Next":"B"},"B":{"Type":"Succeed"}}}`
)

// startFleet builds and starts all functions, and the twin.
func startFleet(t *testing.T) fleet {
	t.Helper()
	f := fleet{functions: map[string]*deployedFunction{}}
	f.connections, f.feed = dynamotest.Tables(t, dynamotest.Client(t, dynamotest.Dynalite, nil))
	replaced := map[string]any{}
	for _, name := range bootstrap.Functions() {
		program(t, name)
		f.functions[name] = &deployedFunction{}
		replaced[name] = f.functions[name]
	}
	watched := observe.Machine{ARN: states.StateMachineARN(watchedName), User: "$.userId"}
	twin, err := local.Start(t.Context(), local.Config{
		Functions: replaced, Watched: []observe.Machine{watched}, StateMachines: map[string]string{watchedName: watchedDefinition},
	})
	if err != nil {
		t.Fatal(err)
	}
	f.twin = twin
	secrets := secretsManager(t)
	for name, function := range f.functions {
		p, err := startProcess(t, exec.CommandContext(t.Context(), program(t, name)),
			"CONNECTIONS_TABLE="+f.connections.Table, "FEED_TABLE="+f.feed.Table, "WEBSOCKET_API_ENDPOINT="+twin.ManagementEndpoint(), "UPLOADS_BUCKET="+local.Bucket,
			`WATCHED_STATE_MACHINES=[{"arn":"`+watched.ARN+`","user":"`+watched.User+`"}]`, "AUTH_MODE=hs256", "AUTH_SECRET_ARN=arn:aws:secretsmanager:us-east-1:000000000000:secret:herald",
			"AWS_ENDPOINT_URL_DYNAMODB="+os.Getenv(dynamotest.Dynalite), "AWS_ENDPOINT_URL_S3="+twin.Endpoint(),
			"AWS_ENDPOINT_URL_SECRETS_MANAGER="+secrets, "AWS_ENDPOINT_URL_SFN="+twin.Endpoint())
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		function.process.Store(p)
	}
	t.Cleanup(func() {
		if err := twin.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	return f
}

// secretsManager returns the URL of a Secrets Manager that has one secret.
func secretsManager(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]string{"SecretString": secret})
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// token returns a token of the user that is signed with key and expires after the time life.
func token(tb testing.TB, key string, life time.Duration) string {
	tb.Helper()
	claims := jwt.MapClaims{"sub": user, "exp": time.Now().Add(life).Unix()}
	signed, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString([]byte(key))
	if err != nil {
		tb.Fatal(err)
	}
	return signed
}

// openTab opens a browser's tab of the user.
func (f fleet) openTab(t *testing.T) *client.Conn {
	t.Helper()
	tab, err := client.Dial(t.Context(), f.twin.WebSocketURL(), token(t, secret, time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tab.Close() })
	return tab
}

// connectRefused returns the status and the body of a refused handshake.
func (f fleet) connectRefused(t *testing.T, subprotocols ...string) (int, string) {
	t.Helper()
	_, response, err := websocket.Dial(t.Context(), f.twin.WebSocketURL(), &websocket.DialOptions{Subprotocols: subprotocols})
	if err == nil || response == nil {
		t.Fatalf("connected, or no answer: %v", err)
	}
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(body)
}

// countConnections returns how many connections of the user the table has.
func (f fleet) countConnections(t *testing.T) int {
	t.Helper()
	n := 0
	for _, err := range f.connections.ByUser(t.Context(), user) {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	return n
}

// notify invokes the notifier through the twin. It returns the payload and the FunctionError of the response.
func (f fleet) notify(t *testing.T, payload string) (string, string) {
	t.Helper()
	out, err := lambda.NewFromConfig(f.twin.AWSConfig()).Invoke(t.Context(), &lambda.InvokeInput{
		FunctionName: aws.String(local.NotifierName), Payload: []byte(payload),
	})
	if err != nil {
		t.Fatal(err)
	}
	return string(out.Payload), aws.ToString(out.FunctionError)
}

// invoke calls a function with an event, as EventBridge does.
func (f fleet) invoke(t *testing.T, name, event string) {
	t.Helper()
	if _, err := f.functions[name].process.Load().Invoke(t.Context(), []byte(event)); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

// succeededExecution waits until an execution of csv_import has succeeded, and returns its ARN.
func (f fleet) succeededExecution(t *testing.T) string {
	t.Helper()
	client := sfn.NewFromConfig(f.twin.AWSConfig())
	for deadline := time.Now().Add(endWait); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		list, err := client.ListExecutions(t.Context(), &sfn.ListExecutionsInput{
			StateMachineArn: aws.String(states.StateMachineARN(local.CSVImport)), StatusFilter: types.ExecutionStatusSucceeded,
		})
		if err != nil {
			t.Fatal(err)
		}
		if len(list.Executions) > 0 {
			return *list.Executions[0].ExecutionArn
		}
	}
	t.Fatal("no import has succeeded")
	return ""
}

// sizes returns the size of a program in bytes, and the size of the zip file that Lambda gets.
func sizes(t *testing.T, path string) (int, int) {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var zipped bytes.Buffer
	archive := zip.NewWriter(&zipped)
	entry, err := archive.Create("bootstrap")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := entry.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := archive.Close(); err != nil {
		t.Fatal(err)
	}
	return len(content), zipped.Len()
}
