package cloud_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/herald-progress/herald/lib/benchtest"
)

// warmCalls is how many calls follow the first one of each process.
const warmCalls = 20

// BenchmarkShare measures functions at 0.145 of a processor, the share of a function with 256 MB. Each iteration starts a process,
// and calls it once and then warmCalls times, one call after the other. The results are medians and 99th percentiles in
// milliseconds:
//
//	init    the time until the process has started
//	first   the time of the first call
//	cold    init plus first
//	warm    the time of each later call
//
// Lambda is believed to start functions at full speed. So each case is measured twice: with the limit
// only after the start, and with the limit from the start on.
func BenchmarkShare(b *testing.B) {
	newShare(b) // Skip the benchmark before it builds the functions, if processor time cannot be limited.
	variables, http2 := startAWS(b)
	const note = `{"userId":"user-N","message":{"type":"notification","data":{"title":"Hi","message":"By hand","severity":"info"}}}`
	const state = `{"userId":"user-N","epoch":"2026-11-22T10:00:00Z","message":{"type":"upload_progress",` +
		`"data":{"uploadId":"JOB","fileName":"parts-list.csv","progress":42.5,"message":"Parsing row 4250"}}}`
	calls := 0
	for _, call := range []struct {
		name, row, function, event, want string
		variables                        []string // in addition to those of startAWS
	}{
		{"connect", "connect", "connect", connectEvent(b), `"statusCode":200`, nil},
		{"deliver", "a note to one connection", "notifier", strings.Replace(note, "N", "1", 1), `"delivered":1,`, nil},
		{"broadcast-10", "a note to ten connections", "notifier", strings.Replace(note, "N", "10", 1), `"delivered":10,`, nil},
		{"broadcast-100", "a note to 100 connections", "notifier", strings.Replace(note, "N", "100", 1), `"delivered":100,`, nil},
		{"broadcast-1000", "a note to 1,000 connections", "notifier", strings.Replace(note, "N", "1000", 1), `"delivered":1000,`, nil},
		{"broadcast-100-http2", "a note to 100 connections, HTTP/2", "notifier", strings.Replace(note, "N", "100", 1), `"delivered":100,`, []string{http2}},
		{"broadcast-1000-http2", "a note to 1,000 connections, HTTP/2", "notifier", strings.Replace(note, "N", "1000", 1), `"delivered":1000,`, []string{http2}},
		{"progress", "a job's first state to one connection", "notifier", strings.Replace(state, "N", "1", 1), `"delivered":1,`, nil},
		{"progress-10", "a job's first state to ten connections", "notifier", strings.Replace(state, "N", "10", 1), `"delivered":10,`, nil},
	} {
		path := program(b, call.function)
		for _, limited := range []string{"after-init", "from-start"} {
			b.Run(call.name+"/limited-"+limited, func(b *testing.B) {
				times := map[string][]float64{}
				for b.Loop() {
					sample(b, path, slices.Concat(variables, call.variables), limited == "from-start", times, func(p *process) float64 {
						// Each call is for another job, whose first state costs a read and a write, and is posted at once.
						calls++
						event := strings.Replace(call.event, "JOB", strconv.Itoa(calls), 1)
						body, took, err := p.timed(b.Context(), []byte(event))
						if err != nil || !strings.Contains(string(body), call.want) {
							b.Fatalf("answer is %s (%v), want %s\n%s", body, err, call.want, p.output)
						}
						return benchtest.Milliseconds(took)
					})
				}
				b.ReportMetric(0, "ns/op") // 0 removes this metric: an iteration is many calls.
				b.ReportMetric(benchtest.Quantile(times["throttled"], 0.5), "throttled-periods")
				cells := []string{"| " + call.row}
				for _, name := range []string{"init", "first", "cold", "warm"} {
					median, slow := benchtest.Quantile(times[name], 0.5), benchtest.Quantile(times[name], 0.99) // of 20 values, the second largest
					b.ReportMetric(median, name+"-p50-ms")
					b.ReportMetric(slow, name+"-p99-ms")
					cells = append(cells, fmt.Sprintf("%.0f / %.0f", median, slow))
				}
				b.Logf("limited %s:\n%s |", limited, strings.Join(cells, " | ")) // a row of a table in this package's page
			})
		}
	}
}

// sample starts one process, calls it, and adds the measured values to times. If atStart is set, the limit applies to the start too.
func sample(b *testing.B, path string, variables []string, atStart bool, times map[string][]float64, call func(*process) float64) {
	b.Helper()
	group := newShare(b)
	if atStart {
		if err := group.limit(true); err != nil {
			b.Fatal(err)
		}
	}
	p, err := startProcess(b, group.command(b, path), variables...)
	if err != nil {
		b.Fatal(err)
	}
	if err := group.limit(true); err != nil {
		b.Fatal(err)
	}
	init, first := benchtest.Milliseconds(p.InitTook), call(p)
	times["init"] = append(times["init"], init)
	times["first"] = append(times["first"], first)
	times["cold"] = append(times["cold"], init+first)
	for range warmCalls {
		times["warm"] = append(times["warm"], call(p))
	}
	// In addition to times, the map has this number of periods.
	times["throttled"] = append(times["throttled"], float64(group.throttled(b)))
	_ = p.process.Kill()
	<-p.ended
}

// connectEvent returns an event of $connect as API Gateway makes it.
func connectEvent(b *testing.B) string {
	b.Helper()
	headers := map[string]string{
		"Host": "abcdef1234.execute-api.us-east-1.amazonaws.com", "Origin": "https://app.example.com", "Sec-WebSocket-Version": "13",
		"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Protocol": "herald, " + token(b, secret, time.Hour),
		"X-Forwarded-For": "192.0.2.1", "X-Forwarded-Port": "443", "X-Forwarded-Proto": "https",
	}
	multiValueHeaders := map[string][]string{}
	for name, value := range headers {
		multiValueHeaders[name] = []string{value}
	}
	event, err := json.Marshal(map[string]any{
		"headers": headers, "multiValueHeaders": multiValueHeaders, "isBase64Encoded": false,
		"requestContext": map[string]any{
			"routeKey": "$connect", "eventType": "CONNECT", "messageDirection": "IN", "stage": "prod", "apiId": "abcdef1234",
			"connectionId": "L0SM9cOFvHcCIhw=", "connectedAt": time.Now().UnixMilli(), "requestTimeEpoch": time.Now().UnixMilli(),
			"requestId": "JKJaXmPLvHcESHA=", "extendedRequestId": "JKJaXmPLvHcESHA=", "domainName": headers["Host"],
			"identity": map[string]any{"sourceIp": "192.0.2.1", "userAgent": "Mozilla/5.0"},
		},
	})
	if err != nil {
		b.Fatal(err)
	}
	return string(event)
}
