package local_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/gobwas/ws"
	"golang.org/x/sync/errgroup"

	"github.com/herald-progress/herald/lib/benchtest"
	"github.com/herald-progress/herald/lib/broadcast"
	"github.com/herald-progress/herald/lib/local"
	"github.com/herald-progress/herald/lib/session"
)

// twinInfo is what the benchmark needs to know about the twin.
type twinInfo struct{ WebSocketURL, Endpoint, Token string }

// serveTwin prints the twinInfo of a twin and serves until its standard input ends, at the end of the benchmark.
func serveTwin(ctx context.Context) (err error) {
	twin, err := local.Start(ctx, local.Config{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, twin.Close(ctx)) }()
	token, err := twin.Token("ann", time.Hour)
	if err != nil {
		return err
	}
	if err := json.NewEncoder(os.Stdout).Encode(twinInfo{twin.WebSocketURL(), twin.Endpoint(), token}); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// BenchmarkIdleTabs starts a twin in another process, opens many tabs of one user in this process, and broadcasts to all of them
// by the notifier. Each iteration is one broadcast. It reports the time to open all tabs, the median times to the notifier's
// report and to the last tab's frame, and the resident memory of the twin's process: at its start, with the tabs open, after
// the broadcasts, and its maximum. Each process needs one file descriptor for each tab.
func BenchmarkIdleTabs(b *testing.B) {
	const bound = 300 // MB, the limit for 5,000 tabs
	for _, n := range []int{5000, 9000} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			pid, info := startTwinProcess(b)
			atStart := memory(b, pid, "VmRSS")
			tabs := &openTabs{all: make(chan struct{}, 1), n: int64(n)}
			start := time.Now()
			if err := tabs.open(b, info); err != nil {
				b.Fatal(err)
			}
			opening, idle := time.Since(start), memory(b, pid, "VmRSS")
			client := lambda.New(lambda.Options{
				Region: "us-east-1", BaseEndpoint: &info.Endpoint, Credentials: credentials.NewStaticCredentialsProvider("local", "local", ""),
			})
			var reported, received []float64
			for b.Loop() {
				start := time.Now()
				report := broadcastTo(b, client)
				reported = append(reported, benchtest.Milliseconds(time.Since(start)))
				if report.Delivered != n {
					b.Fatalf("%+v, want %d delivered", report, n)
				}
				received = append(received, benchtest.Milliseconds(tabs.wait(b).Sub(start)))
			}
			b.ReportMetric(0, "ns/op") // 0 hides the time of an iteration, which the metrics below replace
			b.ReportMetric(opening.Seconds(), "s-to-open")
			b.ReportMetric(atStart, "MB-start")
			b.ReportMetric(idle, "MB-idle")
			b.ReportMetric(benchtest.Median(reported), "ms-to-report")
			b.ReportMetric(slices.Max(reported), "ms-to-report-max")
			b.ReportMetric(benchtest.Median(received), "ms-to-last-tab")
			b.ReportMetric(memory(b, pid, "VmRSS"), "MB-after")
			peak := memory(b, pid, "VmHWM")
			b.ReportMetric(peak, "MB-most")
			if peak > bound {
				b.Errorf("the twin took %.0f MB, want at most %d", peak, bound)
			}
		})
	}
}

// startTwinProcess starts a twin in its own process and returns the process's id.
func startTwinProcess(b *testing.B) (int, twinInfo) {
	b.Helper()
	twin := startSelf(b, asTwin)
	var info twinInfo
	if err := json.NewDecoder(twin.out).Decode(&info); err != nil {
		b.Fatal(err)
	}
	return twin.Process.Pid, info
}

// openTabs are the tabs of one user.
type openTabs struct {
	n      int64
	frames atomic.Int64
	// all receives a value when every tab has received one more frame.
	all chan struct{}
	// last is the time at which the last tab received that frame, in Unix nanoseconds.
	last atomic.Int64
}

// open opens the tabs, 64 at a time.
func (o *openTabs) open(b *testing.B, info twinInfo) error {
	b.Helper()
	const atOnce = 64
	var opening errgroup.Group
	opening.SetLimit(atOnce)
	for i := range o.n {
		opening.Go(func() error {
			conn, buffered, _, err := ws.Dialer{Protocols: []string{session.Subprotocol, info.Token}}.Dial(b.Context(), info.WebSocketURL)
			if err != nil {
				return fmt.Errorf("tab %d: %w", i, err)
			}
			if buffered != nil {
				return errors.New("the twin sent a frame with the handshake")
			}
			b.Cleanup(func() { conn.Close() })
			go o.read(conn)
			return nil
		})
	}

	return opening.Wait()
}

func (o *openTabs) read(conn net.Conn) {
	for {
		if frame, err := ws.ReadFrame(conn); err != nil || frame.Header.OpCode != ws.OpText {
			return
		}
		if o.frames.Add(1)%o.n == 0 {
			o.last.Store(time.Now().UnixNano())
			o.all <- struct{}{}
		}
	}
}

// wait returns when the last tab received its frame.
func (o *openTabs) wait(b *testing.B) time.Time {
	b.Helper()
	const timeout = 10 * time.Second
	select {
	case <-o.all:
	case <-time.After(timeout):
		b.Fatalf("%d of %d frames arrived", o.frames.Load()%o.n, o.n)
	}
	return time.Unix(0, o.last.Load())
}

func broadcastTo(b *testing.B, client *lambda.Client) broadcast.Report {
	b.Helper()
	out, err := client.Invoke(b.Context(), &lambda.InvokeInput{FunctionName: aws.String(local.NotifierName), Payload: []byte(hello)})
	if err != nil {
		b.Fatal(err)
	}
	var report broadcast.Report
	if err := json.Unmarshal(out.Payload, &report); err != nil {
		b.Fatalf("%v: %s", err, out.Payload)
	}
	return report
}

// memory returns a value of a process's status (proc_pid_status(5)) in MB. The name VmRSS means the resident memory of the process, and
// VmHWM its maximum so far.
func memory(b *testing.B, pid int, name string) float64 {
	b.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		b.Skip("memory is measured on Linux: ", err)
	}
	for lines := bufio.NewScanner(bytes.NewReader(status)); lines.Scan(); {
		if kilobytes, found := strings.CutPrefix(lines.Text(), name+":"); found {
			n, err := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(kilobytes, "kB")), 64)
			if err != nil {
				b.Fatal(err)
			}
			return n * 1024 / 1e6 // the kernel's kB are 1,024 bytes; a MB is a million bytes
		}
	}
	b.Fatalf("no %s", name)
	return 0
}
