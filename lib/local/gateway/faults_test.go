package gateway_test

import (
	"context"
	"errors"
	"math"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apigatewaymanagementapi"
	"github.com/aws/aws-sdk-go-v2/service/apigatewaymanagementapi/types"
	"github.com/google/go-cmp/cmp"

	"github.com/herald-progress/herald/lib/local/gateway"
)

// postOutcomes posts one message after another. It returns a letter for each: g for gone, t for throttled, a dot for delivered.
func postOutcomes(t *testing.T, client *apigatewaymanagementapi.Client, id string, posts int) string {
	t.Helper()

	var (
		outcomes  []byte
		gone      *types.GoneException
		throttled *types.LimitExceededException
	)
	for range posts {
		_, err := client.PostToConnection(t.Context(), &apigatewaymanagementapi.PostToConnectionInput{ConnectionId: &id, Data: []byte("x")})
		switch {
		case err == nil:
			outcomes = append(outcomes, '.')
		case errors.As(err, &gone):
			outcomes = append(outcomes, 'g')
		case errors.As(err, &throttled):
			outcomes = append(outcomes, 't')
		default:
			t.Fatalf("post: %v", err)
		}
	}

	return string(outcomes)
}

// The shares of failed posts match the faults, the same seed selects the same posts, and all other posts arrive.
func TestFaultsFollowTheirSharesAndSeed(t *testing.T) {
	t.Parallel()
	const posts, tolerance = 500, 0.05
	function, events := functionRecording()
	faults := gateway.Faults{Gone: 0.1, Throttled: 0.3, Seed: 1}
	g, serverURL := startGateway(t, gateway.Config{Routes: map[string]gateway.Function{"$connect": function}, Faults: faults})
	conn := dial(t, serverURL, nil)
	id := nextEvent(t, events).RequestContext.ConnectionID
	client := managementClient(serverURL)
	first := postOutcomes(t, client, id, posts)
	counts := map[rune]int{}
	for _, outcome := range first {
		counts[outcome]++
	}

	for outcome, share := range map[rune]float64{'g': faults.Gone, 't': faults.Throttled} {
		if got := float64(counts[outcome]) / posts; math.Abs(got-share) > tolerance {
			t.Errorf("a share of %v posts returned %c, want %v", got, outcome, share)
		}
	}

	for range counts['.'] {
		readText(t, conn)
	}

	g.SetFaults(faults)
	if diff := cmp.Diff(first, postOutcomes(t, client, id, posts)); diff != "" {
		t.Errorf("with the same seed (-first +second):\n%s", diff)
	}

	faults.Seed++
	g.SetFaults(faults)
	if postOutcomes(t, client, id, posts) == first {
		t.Error("another seed selected the same posts")
	}
}

// Injected errors have the status, type and body of AWS's. Only posts fail, and their connection stays open.
func TestInjectedErrorsMatchThoseOfAWS(t *testing.T) {
	t.Parallel()
	const absent = "AAAAAAAAAAAAAAA=" // A valid id that no connection has.
	gone, throttled := gateway.Faults{Gone: 1}, gateway.Faults{Throttled: 1}
	function, events := functionRecording()
	g, serverURL := startGateway(t, gateway.Config{Routes: map[string]gateway.Function{"$connect": function}})
	conn := dial(t, serverURL, nil)
	id := nextEvent(t, events).RequestContext.ConnectionID
	for name, test := range map[string]struct {
		faults          gateway.Faults
		method, id      string
		status          int
		errorType, body string
	}{
		"gone":              {gone, "POST", id, 410, "GoneException", ""},
		"throttled":         {throttled, "POST", id, 429, "LimitExceededException", `{"message":"Too Many Requests"}`},
		"throttled, absent": {throttled, "POST", absent, 429, "LimitExceededException", `{"message":"Too Many Requests"}`},
		"malformed":         {throttled, "POST", "AAAA", 400, "BadRequestException", `{"message":"Invalid connectionId: AAAA"}`},
		"absent, DELETE":    {throttled, "DELETE", absent, 410, "GoneException", ""},
	} {
		g.SetFaults(test.faults)
		status, header, body := callManagementFull(t, test.method, serverURL+"/prod/@connections/"+test.id, "x")
		if errorType := header.Get("X-Amzn-Errortype"); status != test.status || errorType != test.errorType || body != test.body {
			t.Errorf("%s: returned %d %q %q, want %d %q %q", name, status, errorType, body, test.status, test.errorType, test.body)
		}
	}

	if status, body := callManagement(t, http.MethodGet, serverURL+"/prod/@connections/"+id, ""); status != http.StatusOK {
		t.Errorf("GET returned %d %s", status, body)
	}

	g.SetFaults(gateway.Faults{})
	if status, _ := callManagement(t, http.MethodPost, serverURL+"/prod/@connections/"+id, "later"); status != http.StatusOK {
		t.Errorf("a post after the faults returned %d, want 200", status)
	}
	if got := readText(t, conn); got != "later" {
		t.Errorf("read %q, want only the post after the faults", got)
	}
}

// Posts are delayed at the same time, successful or not. The delay ends when the client disconnects.
func TestLatencyDelaysEachPost(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		const latency = 50 * time.Millisecond
		function, events := functionRecording()
		g, listener := pipeGateway(t, gateway.Config{
			Routes: map[string]gateway.Function{"$connect": function}, Faults: gateway.Faults{Latency: latency},
		})
		conn := listener.connect(t)
		id := nextEvent(t, events).RequestContext.ConnectionID
		start := time.Now()
		statuses := make(chan int, 2)
		for range cap(statuses) {
			go func() { statuses <- listener.callManagement(t, http.MethodPost, id, "hello") }()
		}

		for range cap(statuses) {
			receives(textFrame("hello"))(t, conn)
			if status := <-statuses; status != http.StatusOK {
				t.Errorf("a post returned %d", status)
			}
		}

		if took := time.Since(start); took != latency {
			t.Errorf("two posts at once took %v, want %v", took, latency)
		}

		g.SetFaults(gateway.Faults{Latency: latency, Throttled: 1})
		if status := listener.callManagement(t, http.MethodPost, id, "hello"); status != http.StatusTooManyRequests {
			t.Errorf("a throttled post returned %d", status)
		}
		if took := time.Since(start); took != 2*latency {
			t.Errorf("two posts and a throttled one took %v, want %v", took, 2*latency)
		}

		g.SetFaults(gateway.Faults{Latency: time.Hour})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()

		client := apigatewaymanagementapi.New(managementClient("http://gateway.test").Options(), func(o *apigatewaymanagementapi.Options) {
			o.HTTPClient = &http.Client{Transport: &http.Transport{DialContext: listener.Dial, DisableKeepAlives: true}}
		})
		_, err := client.PostToConnection(ctx, &apigatewaymanagementapi.PostToConnectionInput{ConnectionId: aws.String(id), Data: []byte("x")})
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a post with a deadline: %v, want context.DeadlineExceeded", err)
		}

		closeFromBrowser(t, conn)
		synctest.Wait()
		if took := time.Since(start); took != 2*latency+time.Second {
			t.Errorf("all posts took %v, want %v", took, 2*latency+time.Second)
		}
	})
}

func TestValidateRejectsInvalidFaults(t *testing.T) {
	t.Parallel()
	for want, faults := range map[string]gateway.Faults{
		"":                                       {Gone: 0.7, Throttled: 0.3, Latency: time.Hour, Seed: 1},
		"gone must be from 0 to 1, not -0.1":     {Gone: -0.1},
		"throttled must be from 0 to 1, not NaN": {Throttled: math.NaN()},
		"gone and throttled must be at most 1 together, not 1.5": {Gone: 0.75, Throttled: 0.75},
		"latency must not be negative: -1ns":                     {Latency: -1},
	} {
		got := ""
		if err := faults.Validate(); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%+v: %q, want %q", faults, got, want)
		}
	}
}
