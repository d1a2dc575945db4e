package apigw_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/herald-progress/herald/lib/broadcast"
	"github.com/herald-progress/herald/lib/connection"
	"github.com/herald-progress/herald/lib/message"
)

// postLatency is the time that the benchmark's server takes for each post.
const postLatency = 10 * time.Millisecond

// serverVariable is the environment variable that makes this test binary run the benchmark's server, in a separate process.
const serverVariable = "HERALD_BENCHMARK_SERVER"

func TestMain(m *testing.M) {
	if os.Getenv(serverVariable) == "" {
		os.Exit(m.Run())
	}
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		time.Sleep(postLatency)
	}))
	fmt.Fprintln(os.Stdout, server.URL)
	_, _ = io.Copy(io.Discard, os.Stdin) // Stdin ends with the benchmark.
}

// BenchmarkBroadcast compares a broadcast with its floor: the same number of signed posts with net/http and as many in flight,
// but without connection rows, report and retries. Each iteration measures one pair, in alternating order. It reports the
// median and the quartiles of the pairs' ratios, and the medians of both durations in milliseconds.
func BenchmarkBroadcast(b *testing.B) {
	endpoint := startServer(b)
	for _, count := range []int{1, 10, 100, 1000} {
		b.Run(fmt.Sprint(count), func(b *testing.B) {
			connections := &connection.Memory{}
			ids := make([]string, count)
			for i := range ids {
				ids[i] = fmt.Sprintf("L0SM9cOFvH%06d=", i)
				c := connection.Connection{ID: ids[i], UserID: "u1", ConnectedAt: time.Now(), TokenExpiresAt: time.Now().Add(time.Hour)}
				if err := connections.Put(b.Context(), c); err != nil {
					b.Fatal(err)
				}
			}
			ours := &broadcast.Broadcaster{Store: connections, Sender: sender(b, endpoint)}
			floor := newFloor(endpoint)
			data := message.UploadProgress{UploadID: "u-42", FileName: "parts-list.csv", Progress: 42.5, Message: "Parsing row 4250 of 10000"}
			frame, err := message.New(data, "01M82K5N32CPWX658G1ZTM36HQ", time.Now()).Encode()
			if err != nil {
				b.Fatal(err)
			}
			deliver := func() {
				if report, err := ours.ToUser(b.Context(), "u1", data); err != nil || report.Delivered != count {
					b.Fatal(report, err)
				}
			}
			post := func() { floor.post(b, ids, frame) }
			deliver() // Open the sockets.
			post()
			var ourTimes, floorTimes, ratios []float64
			for i := 0; b.Loop(); i++ {
				var ourTime, floorTime float64
				if i%2 == 0 {
					ourTime, floorTime = milliseconds(deliver), milliseconds(post)
				} else {
					floorTime, ourTime = milliseconds(post), milliseconds(deliver)
				}
				ourTimes, floorTimes, ratios = append(ourTimes, ourTime), append(floorTimes, floorTime), append(ratios, ourTime/floorTime)
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(quantile(ratios, 0.5), "ratio")
			b.ReportMetric(quantile(ratios, 0.25), "ratio-q1")
			b.ReportMetric(quantile(ratios, 0.75), "ratio-q3")
			b.ReportMetric(quantile(ourTimes, 0.5), "ours-ms")
			b.ReportMetric(quantile(floorTimes, 0.5), "floor-ms")
		})
	}
}

func milliseconds(f func()) float64 {
	start := time.Now()
	f()
	return float64(time.Since(start)) / float64(time.Millisecond)
}

func quantile(values []float64, q float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[int(q*float64(len(sorted)-1))]
}

// startServer starts the benchmark's server in a separate process and returns its URL.
func startServer(b *testing.B) string {
	b.Helper()
	command := exec.CommandContext(b.Context(), os.Args[0])
	command.Env = append(os.Environ(), serverVariable+"=1")
	stdin, err := command.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	stdout, err := command.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := command.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		stdin.Close()
		_ = command.Wait()
	})
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}

	return strings.TrimSpace(line)
}

// floor sends signed posts with net/http.
type floor struct {
	endpoint string
	client   *http.Client
	signer   *v4.Signer
}

func newFloor(endpoint string) *floor {
	transport, _ := http.DefaultTransport.(*http.Transport)
	transport = transport.Clone()
	transport.MaxIdleConns, transport.MaxIdleConnsPerHost = broadcast.InFlight, broadcast.InFlight
	return &floor{endpoint: endpoint, client: &http.Client{Transport: transport}, signer: v4.NewSigner()}
}

func (f *floor) post(b *testing.B, ids []string, frame []byte) {
	b.Helper()
	slots := make(chan struct{}, broadcast.InFlight)
	var posts sync.WaitGroup
	for _, id := range ids {
		slots <- struct{}{}
		posts.Go(func() {
			defer func() { <-slots }()
			if err := f.send(b.Context(), id, frame); err != nil {
				b.Error(err)
			}
		})
	}
	posts.Wait()
}

func (f *floor) send(ctx context.Context, id string, frame []byte) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, f.endpoint+"/prod/@connections/"+url.QueryEscape(id), bytes.NewReader(frame))
	if err != nil {
		return err
	}
	credentials, err := config.Credentials.Retrieve(ctx)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(frame)
	if err := f.signer.SignHTTP(ctx, credentials, r, hex.EncodeToString(sum[:]), "execute-api", "us-east-1", time.Now()); err != nil {
		return err
	}
	response, err := f.client.Do(r)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	_, err = io.Copy(io.Discard, response.Body)
	return err
}
