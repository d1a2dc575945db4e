package local_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"maps"
	"mime/multipart"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/herald-progress/herald/lib/local"
)

// largeFile is the size of a file that the clients upload and copy in parts, in bytes.
const largeFile = 9 << 20

// A clientStep is an operation with the answer that AWS documents.
type clientStep struct {
	Operation  string
	What       string // What is special about it.
	Parameters json.RawMessage
	Body       *string
	// Save maps variables to fields of the answer. Later parameters contain them as ${variable}.
	Save   map[string]string
	Answer map[string]any
	// For has what is different in the answer that a client shows.
	For map[string]map[string]any
	// Not lists the clients that do not have the operation, or one of its parameters.
	Not []string
}

// s3Client is a client of S3 that a driver in testdata/s3 runs.
type s3Client struct {
	// variable names what the environment must have to find the client.
	variable string
	// command returns the driver's command from the variable's value, without the endpoint and its credentials.
	command func(value string) ([]string, error)
}

var s3Clients = map[string]s3Client{
	"boto3": {"BOTO3_PYTHON", func(python string) ([]string, error) { return []string{python, driverFile("boto3_driver.py")}, nil }},
	"js": {"S3_NODE_MODULES", func(modules string) ([]string, error) {
		return []string{"node", driverFile("js_driver.mjs"), modules}, nil
	}},
	"awscli1": {"AWSCLI_1", cliCommand},
	"awscli2": {"AWSCLI_2", cliCommand},
}

func driverFile(name string) string { return filepath.Join("testdata", "s3", name) }

// cliCommand returns a command that runs the AWS CLI of a script within the driver.
func cliCommand(script string) ([]string, error) {
	text, err := os.ReadFile(script)
	if err != nil {
		return nil, err
	}
	line, _, _ := strings.Cut(string(text), "\n")
	python, found := strings.CutPrefix(line, "#!")
	if !found {
		return nil, fmt.Errorf("%s is no script of Python", script)
	}
	return append(strings.Fields(python), driverFile("awscli_driver.py")), nil
}

// TestClientsOfS3GetTheDocumentedAnswers runs the operations of testdata/s3 with boto3, the AWS CLI of both major versions and the AWS
// SDK for JavaScript.
func TestClientsOfS3GetTheDocumentedAnswers(t *testing.T) {
	text, err := os.ReadFile(driverFile("operations.json"))
	if err != nil {
		t.Fatal(err)
	}
	var steps []clientStep
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&steps); err != nil {
		t.Fatal(err)
	}

	for name, client := range s3Clients {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			value := os.Getenv(client.variable)
			if value == "" {
				t.Skipf("%s is not set: it says where the client %s is", client.variable, name)
			}
			command, err := client.command(value)
			if err != nil {
				t.Fatal(err)
			}
			runSteps(t, name, command, steps)
		})
	}
}

func runSteps(t *testing.T, name string, command []string, steps []clientStep) {
	t.Helper()
	twin, _ := startTwin(t)
	driver := startDriver(t, command, twin)
	folder := t.TempDir()
	variables := map[string]string{"file": filepath.Join(folder, "file"), "download": filepath.Join(folder, "download")}
	content := bytes.Repeat([]byte("3001,5,1\n"), largeFile/len("3001,5,1\n"))
	if err := os.WriteFile(variables["file"], content, 0o600); err != nil {
		t.Fatal(err)
	}

	ran := 0
	for _, step := range steps {
		if slices.Contains(step.Not, name) {
			continue
		}

		ran++
		answer := driver.call(t, step, variables)
		if step.Operation == "Download" {
			got, err := os.ReadFile(variables["download"])
			answer["Same"] = err == nil && bytes.Equal(got, content)
		}
		if difference := differences(wanted(step, name, variables), answer); difference != "" {
			t.Errorf("%s %s %s:\n%sanswer: %v", step.Operation, step.What, step.Parameters, difference, answer)
		}
		for variable, field := range step.Save {
			variables[variable], _ = answer[field].(string)
		}
	}
	if ran < 40 {
		t.Errorf("%d operations, want at least 40", ran)
	}
}

// wanted returns the answer that a client is to show. The CLI shows no status.
func wanted(step clientStep, name string, variables map[string]string) map[string]any {
	want := map[string]any{}
	maps.Copy(want, step.Answer)
	maps.Copy(want, step.For[name])
	if strings.HasPrefix(name, "awscli") && !strings.HasPrefix(step.Operation, "Presign") {
		delete(want, "Status")
	}
	encoded, err := json.Marshal(want)
	if err != nil {
		panic(err)
	}
	want = nil
	if err := json.Unmarshal([]byte(substitute(string(encoded), variables)), &want); err != nil {
		panic(err)
	}
	return want
}

func substitute(text string, variables map[string]string) string {
	for variable, value := range variables {
		text = strings.ReplaceAll(text, "${"+variable+"}", value)
	}
	return text
}

// differences compares what is wanted with an answer, which may have more fields. "*" stands for any text, null for a field that is
// missing.
func differences(want, got any) string {
	switch want := want.(type) {
	case map[string]any:
		fields, _ := got.(map[string]any)
		var all strings.Builder
		for field, value := range want {
			if difference := differences(value, fields[field]); difference != "" {
				all.WriteString(field + ": " + difference)
			}
		}
		return all.String()
	case []any:
		elements, _ := got.([]any)
		if len(elements) != len(want) {
			return fmt.Sprintf("%v, want %v\n", got, want)
		}
		var all strings.Builder
		for i := range want {
			all.WriteString(differences(want[i], elements[i]))
		}
		return all.String()
	default:
		if text, ok := got.(string); want == "*" && ok && text != "" || want == got {
			return ""
		}
		return fmt.Sprintf("%v, want %v\n", got, want)
	}
}

// s3Driver is a process that carries out operations.
type s3Driver struct {
	in  io.Writer
	out *bufio.Reader
}

func startDriver(t *testing.T, command []string, twin *local.Twin) *s3Driver {
	t.Helper()
	credentials, err := twin.AWSConfig().Credentials.Retrieve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	arguments := append(slices.Clone(command[1:]), twin.Endpoint(), credentials.AccessKeyID, credentials.SecretAccessKey)
	process := exec.CommandContext(context.WithoutCancel(t.Context()), command[0], arguments...)
	var stderr bytes.Buffer
	process.Stderr = &stderr
	in, err := process.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := process.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		if err := process.Wait(); err != nil || t.Failed() {
			t.Logf("the driver ended with %v: %s", err, stderr.String())
		}
	})
	return &s3Driver{in, bufio.NewReader(out)}
}

// call carries out an operation. It uses a presigned URL or form that the answer contains, and returns that answer then.
func (d *s3Driver) call(t *testing.T, step clientStep, variables map[string]string) map[string]any {
	t.Helper()
	request, err := json.Marshal(map[string]any{
		"operation": step.Operation, "parameters": json.RawMessage(substitute(string(step.Parameters), variables)), "body": step.Body,
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fprintf(d.in, "%s\n", request); err != nil {
		t.Fatal(err)
	}
	line, err := d.out.ReadBytes('\n')
	if err != nil {
		t.Fatalf("%s: the driver has ended: %v", step.Operation, err)
	}
	var answer map[string]any
	if err := json.Unmarshal(line, &answer); err != nil {
		t.Fatalf("%s: %q: %v", step.Operation, line, err)
	}

	url, _ := answer["URL"].(string)
	switch step.Operation {
	case "PresignGet":
		return sendPresigned(t, http.MethodGet, url, "", "")
	case "PresignPut":
		return sendPresigned(t, http.MethodPut, url, "", *step.Body)
	case "PresignPost":
		url, _ = answer["url"].(string)
		fields, _ := answer["fields"].(map[string]any)
		contentType, body := presignedForm(t, fields, *step.Body)
		return sendPresigned(t, http.MethodPost, url, contentType, body)
	default:
		return answer
	}
}

// presignedForm returns a form with the fields and a file list.csv.
func presignedForm(t *testing.T, fields map[string]any, content string) (contentType, body string) {
	t.Helper()
	var form bytes.Buffer
	w := multipart.NewWriter(&form)
	for name, value := range fields {
		if err := w.WriteField(name, fmt.Sprint(value)); err != nil {
			t.Fatal(err)
		}
	}
	file, err := w.CreateFormFile("file", "list.csv")
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(file, content)
	_ = w.Close()
	return w.FormDataContentType(), form.String()
}

func sendPresigned(t *testing.T, method, url, contentType, body string) map[string]any {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	answer := map[string]any{"Status": float64(response.StatusCode), "Body": string(text)}
	var failure struct{ Code string }
	if response.StatusCode >= http.StatusBadRequest && xml.Unmarshal(text, &failure) == nil {
		answer["Error"] = failure.Code
	}
	return answer
}
