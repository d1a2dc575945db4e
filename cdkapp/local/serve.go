package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/herald-progress/herald/cdkapp/local/format"
	"github.com/herald-progress/herald/lib/csvimport"
	"github.com/herald-progress/herald/lib/local"
	"github.com/herald-progress/herald/lib/local/states"
)

// tokenLife is the lifetime of the dev token.
const tokenLife = 24 * time.Hour

// serveInfo holds the addresses and names that a client needs to use the twin.
type serveInfo struct {
	PageURL       string   `json:"pageUrl"`
	WebSocketURL  string   `json:"webSocketUrl"`
	Token         string   `json:"token"`
	User          string   `json:"user"`
	Endpoint      string   `json:"endpoint"`
	Notifier      string   `json:"notifierFunctionName"`
	StateMachine  string   `json:"csvImportStateMachineArn"`
	Workflows     []string `json:"workflowArns"`
	Bucket        string   `json:"uploadsBucketName"`
	UploadKey     string   `json:"exampleUploadKey"`
	ManagementURL string   `json:"managementEndpoint"`
}

// serve runs the twin until ctx ends.
func serve(ctx context.Context, o options, stdout, stderr io.Writer) (err error) {
	twin, err := start(ctx, o, local.Config{Users: pageUsers(o.user)}, stderr)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, twin.Close(context.WithoutCancel(ctx))) }()
	token, err := twin.Token(o.user, tokenLife)
	if err != nil {
		return err
	}
	info := serveInfo{
		PageURL: twin.PageURL(), WebSocketURL: twin.WebSocketURL(), Token: token, User: o.user, Endpoint: twin.Endpoint(), Notifier: local.NotifierName,
		StateMachine: states.StateMachineARN(local.CSVImport), Workflows: []string{}, Bucket: local.Bucket,
		UploadKey: csvimport.UploadKey(o.user, "u-42", "parts-list.csv"), ManagementURL: twin.ManagementEndpoint(),
	}
	for _, name := range slices.Sorted(maps.Keys(o.own.workflows)) {
		info.Workflows = append(info.Workflows, states.StateMachineARN(name))
	}
	if err := info.print(stdout, o.json); err != nil {
		return err
	}

	return twin.Wait(ctx)
}

// pageUsers returns the two users whom the page can show: user, who has the dev token, and another one. With two users, a person
// can see that each gets only frames of their own jobs.
func pageUsers(user string) []string {
	if user == "ada" {
		return []string{user, "dev"}
	}
	return []string{user, "ada"}
}

// print prints the info as JSON or as text.
func (i serveInfo) print(w io.Writer, asJSON bool) error {
	if asJSON {
		if err := json.NewEncoder(w).Encode(i); err != nil {
			return fmt.Errorf("print: %w", err)
		}
		return nil
	}
	var workflows strings.Builder
	for _, arn := range i.Workflows {
		fmt.Fprintf(&workflows, "Your workflow  %s\n", arn)
	}
	_, err := fmt.Fprintf(w, `Herald's twin is running; Ctrl-C stops it.
Open %s and drop testdata/parts-list.csv on the page.

WebSocket      %s
Dev token      %s
  of user      %s

AWS endpoint   %s (Lambda, Step Functions, S3; any credentials)
Notifier       %s
State machine  %s
%sUploads        s3://%s/%s
`, i.PageURL, i.WebSocketURL, i.Token, format.SafeText(i.User), i.Endpoint, i.Notifier, i.StateMachine, workflows.String(), i.Bucket, i.UploadKey)
	if err != nil {
		return fmt.Errorf("print: %w", err)
	}

	return nil
}
