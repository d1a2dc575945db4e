package local_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/herald-progress/herald/lib/broadcast"
	"github.com/herald-progress/herald/lib/client"
	"github.com/herald-progress/herald/lib/local"
	"github.com/herald-progress/herald/lib/message"
)

// hello is a request to the notifier: a notification for ann.
const hello = `{"userId":"ann","message":{"type":"notification","data":{"title":"Hi","message":"By hand","severity":"info"}}}`

// invokeNotifier invokes the notifier with hello and returns its report.
func invokeNotifier(t *testing.T, twin *local.Twin) broadcast.Report {
	t.Helper()
	out, err := lambda.NewFromConfig(twin.AWSConfig()).Invoke(t.Context(), &lambda.InvokeInput{
		FunctionName: aws.String(local.NotifierName), Payload: []byte(hello),
	})
	if err != nil || out.FunctionError != nil {
		t.Fatalf("%v %s", err, out.Payload)
	}
	var report broadcast.Report
	if err := json.Unmarshal(out.Payload, &report); err != nil {
		t.Fatal(err)
	}

	return report
}

// TestPostsFailAsConfigured turns faults on and off while tabs are open.
func TestPostsFailAsConfigured(t *testing.T) {
	const n = 20
	twin, _ := startTwin(t)
	var tabs []*client.Conn
	for range n {
		tabs = append(tabs, openTab(t, twin, "ann"))
	}
	for _, tt := range []struct {
		name   string
		faults local.Faults
		want   broadcast.Report
	}{
		{"some posts are throttled and retried", local.Faults{Throttled: 0.3, Latency: time.Millisecond, Seed: 28}, broadcast.Report{Connections: n, Delivered: n}},
		{"all seem gone", local.Faults{Gone: 1}, broadcast.Report{Connections: n, Gone: n}},
		{"all is well", local.Faults{}, broadcast.Report{Connections: n, Delivered: n}},
	} {
		twin.SetFaults(tt.faults)
		got := invokeNotifier(t, twin)
		if diff := cmp.Diff(tt.want, got, cmpopts.IgnoreFields(got, "MessageID")); diff != "" {
			t.Errorf("%s: report (-want +got):\n%s", tt.name, diff)
		}
		for _, tab := range tabs[:got.Delivered] {
			if frames := until(t, tab, func(message.Envelope) bool { return true }); frames[0].ID != got.MessageID {
				t.Fatalf("%s: a tab received %s, want %s once", tt.name, frames[0].ID, got.MessageID)
			}
		}
	}
}

// TestIndexLagsAsConfigured broadcasts right after a tab has opened: the index does not return the tab before the lag is
// over.
func TestIndexLagsAsConfigured(t *testing.T) {
	const lag = time.Second
	twin, err := local.Start(t.Context(), local.Config{IndexLag: lag})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := twin.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Errorf("close the twin: %v", err)
		}
	})
	opening := time.Now()
	tab := openTab(t, twin, "ann")
	opened := time.Now()
	early := invokeNotifier(t, twin)
	if early.Connections != 0 && time.Since(opening) < lag { // on a slow machine the lag may be over already
		t.Errorf("a broadcast within the lag found %+v", early)
	}
	time.Sleep(time.Until(opened.Add(lag))) // real time, as the twin serves TCP
	report := invokeNotifier(t, twin)
	if report.Delivered != 1 {
		t.Errorf("a broadcast after the lag reports %+v, want 1 delivered", report)
	}
	if frames := until(t, tab, func(message.Envelope) bool { return true }); early.Connections == 0 && frames[0].ID != report.MessageID {
		t.Errorf("the tab received %s first, want %s", frames[0].ID, report.MessageID)
	}
}

func TestFaultsMustBeValid(t *testing.T) {
	_, err := local.Start(t.Context(), local.Config{Faults: local.Faults{Gone: 2}})
	if want := "faults: gone must be from 0 to 1, not 2"; err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}
