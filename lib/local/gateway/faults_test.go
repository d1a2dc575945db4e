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

// postFates posts so many times, and returns a letter for each: g for gone, t for throttled, a dot for delivered.
func postFates(t *testing.T, client *apigatewaymanagementapi.Client, id string, posts int) string {
	t.Helper()

	var (
		fates     []byte
		gone      *types.GoneException
		throttled *types.LimitExceededException
	)
	for range posts {
		_, err := client.PostToConnection(t.Context(), &apigatewaymanagementapi.PostToConnectionInput{ConnectionId: &id, Data: []byte("x")})
		switch {
		case err == nil:
			fates = append(fates, '.')
		case errors.As(err, &gone):
			fates = append(fates, 'g')
		case errors.As(err, &throttled):
			fates = append(fates, 't')
		default:
			t.Fatalf("post: %v", err)
		}
	}

	return string(fates)
}

// As many posts fail as the shares say, the same ones for the same seed, and what does not fail arrives.
func TestFaultsBySDK(t *testing.T) {
	t.Parallel()
	const posts, tolerance = 500, 0.05
	function, events := routeRecords()
	faults := gateway.Faults{Gone: 0.1, Throttled: 0.3, Seed: 1}
	g, serverURL := startGateway(t, gateway.Config{Routes: map[string]gateway.Function{"$connect": function}, Faults: faults})
	conn := wsDial(t, serverURL, nil)
	id := nextEvent(t, events).RequestContext.ConnectionID
	client := managementClient(serverURL)
	first := postFates(t, client, id, posts)
	counts := map[rune]int{}
	for _, fate := range first {
		counts[fate]++
	}

	for fate, share := range map[rune]float64{'g': faults.Gone, 't': faults.Throttled} {
		if got := float64(counts[fate]) / posts; math.Abs(got-share) > tolerance {
			t.Errorf("a share of %v posts was answered %c, want %v", got, fate, share)
		}
	}

	for range counts['.'] {
		wsHear(t, conn)
	}

	g.SetFaults(faults)
	if diff := cmp.Diff(first, postFates(t, client, id, posts)); diff != "" {
		t.Errorf("with the same seed (-first +second):\n%s", diff)
	}

	faults.Seed++
	g.SetFaults(faults)
	if postFates(t, client, id, posts) == first {
		t.Error("with another seed the same posts failed")
	}
}

// The answers are AWS's; only posts are concerned; and the connection to which a post was gone is open.
func TestFaultsAreAnsweredAsByAWS(t *testing.T) {
	t.Parallel()
	const absent = "AAAAAAAAAAAAAAA="
	gone, throttled := gateway.Faults{Gone: 1}, gateway.Faults{Throttled: 1}
	function, events := routeRecords()
	g, serverURL := startGateway(t, gateway.Config{Routes: map[string]gateway.Function{"$connect": function}})
	conn := wsDial(t, serverURL, nil)
	id := nextEvent(t, events).RequestContext.ConnectionID
	for name, test := range map[string]struct {
		faults            gateway.Faults
		method, id        string
		status            int
		errorType, answer string
	}{
		"gone":              {gone, "POST", id, 410, "GoneException", ""},
		"throttled":         {throttled, "POST", id, 429, "LimitExceededException", `{"message":"Too Many Requests"}`},
		"throttled, absent": {throttled, "POST", absent, 429, "LimitExceededException", `{"message":"Too Many Requests"}`},
		"malformed":         {throttled, "POST", "AAAA", 400, "BadRequestException", `{"message":"Invalid connectionId: AAAA"}`},
		"absent, DELETE":    {throttled, "DELETE", absent, 410, "GoneException", ""},
	} {
		g.SetFaults(test.faults)
		status, header, answer := callGatewayFull(t, test.method, serverURL+"/prod/@connections/"+test.id, "lost")
		if errorType := header.Get("X-Amzn-Errortype"); status != test.status || errorType != test.errorType || answer != test.answer {
			t.Errorf("%s: answered %d %q %q, want %d %q %q", name, status, errorType, answer, test.status, test.errorType, test.answer)
		}
	}

	if status, answer := callGateway(t, http.MethodGet, serverURL+"/prod/@connections/"+id, ""); status != http.StatusOK {
		t.Errorf("GET answered %d %s", status, answer)
	}

	g.SetFaults(gateway.Faults{})
	if status, _ := callGateway(t, http.MethodPost, serverURL+"/prod/@connections/"+id, "later"); status != http.StatusOK {
		t.Errorf("a post after the faults answered %d, want 200", status)
	}
	if got := wsHear(t, conn); got != "later" {
		t.Errorf("heard %q, want what was not answered by a fault", got)
	}
}

// Each post takes its time, one beside the other, whatever becomes of it; a client that leaves is not waited for.
func TestLatency(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		const latency = 50 * time.Millisecond
		function, events := routeRecords()
		g, listener := pipeGateway(t, gateway.Config{
			Routes: map[string]gateway.Function{"$connect": function}, Faults: gateway.Faults{Latency: latency},
		})
		conn := listener.connect(t)
		id := nextEvent(t, events).RequestContext.ConnectionID
		start := time.Now()
		statuses := make(chan int, 2)
		for range cap(statuses) {
			go func() { statuses <- listener.callback(t, http.MethodPost, id, "hello") }()
		}

		for range cap(statuses) {
			receives(wsText("hello"))(t, conn)
			if status := <-statuses; status != http.StatusOK {
				t.Errorf("a post answered %d", status)
			}
		}

		if took := time.Since(start); took != latency {
			t.Errorf("two posts at once took %v, want %v", took, latency)
		}

		g.SetFaults(gateway.Faults{Latency: latency, Throttled: 1})
		if status := listener.callback(t, http.MethodPost, id, "hello"); status != http.StatusTooManyRequests {
			t.Errorf("a throttled post answered %d", status)
		}
		if took := time.Since(start); took != 2*latency {
			t.Errorf("with a throttled post after them they took %v, want %v", took, 2*latency)
		}

		g.SetFaults(gateway.Faults{Latency: time.Hour})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()

		client := apigatewaymanagementapi.New(managementClient("http://gateway.test").Options(), func(o *apigatewaymanagementapi.Options) {
			o.HTTPClient = &http.Client{Transport: &http.Transport{DialContext: listener.Dial, DisableKeepAlives: true}}
		})
		_, err := client.PostToConnection(ctx, &apigatewaymanagementapi.PostToConnectionInput{ConnectionId: aws.String(id), Data: []byte("x")})
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a post that is given up: %v", err)
		}

		wsLeave(t, conn)
		synctest.Wait()
		if took := time.Since(start); took != 2*latency+time.Second {
			t.Errorf("all took %v, want %v", took, 2*latency+time.Second)
		}
	})
}

func TestFaultsAreValidated(t *testing.T) {
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
