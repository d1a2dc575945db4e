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

// This file measures a broadcast over HTTP. The server that answers the posts runs in a process of its own, so that its work does
// not count for the broadcast: the benchmark starts this test binary again, and TestMain then runs the server.

// postLatency is the time that the benchmark's server takes for each post.
const postLatency = 10 * time.Millisecond

// serverVariable is the environment variable that makes TestMain run the benchmark's server instead of the tests.
const serverVariable = "HERALD_BENCHMARK_SERVER"

func TestMain(m *testing.M) {
	if os.Getenv(serverVariable) == "" {
		os.Exit(m.Run())
	}
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		time.Sleep(postLatency)
	}))
	fmt.Fprintln(os.Stdout, server.URL)  // startServer reads this line
	_, _ = io.Copy(io.Discard, os.Stdin) // startServer closes stdin after the benchmark
}

// BenchmarkBroadcast compares the duration of a broadcast with that of its floor: the least work that can deliver the same
// frames. The floor sends the same signed posts with net/http, and as many at once. It reads no connections, makes no report and
// does not retry.
//
// Each iteration measures one broadcast and one floor, in alternating order, and their ratio. The benchmark reports the median
// and the quartiles of the ratios, and the medians of both durations in milliseconds.
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
			broadcaster := &broadcast.Broadcaster{Store: connections, Sender: newSender(b, endpoint)}
			floor := newFloor(endpoint)
			data := message.UploadProgress{UploadID: "u-42", FileName: "parts-list.csv", Progress: 42.5, Message: "Parsing row 4250 of 10000"}
			frame, err := message.New(data, "01M82K5N32CPWX658G1ZTM36HQ", time.Now()).Encode()
			if err != nil {
				b.Fatal(err)
			}
			runBroadcast := func() {
				if report, err := broadcaster.ToUser(b.Context(), "u1", data); err != nil || report.Delivered != count {
					b.Fatal(report, err)
				}
			}
			runFloor := func() { floor.post(b, ids, frame) }
			runBroadcast() // both open their sockets before the measurement
			runFloor()
			var broadcastTimes, floorTimes, ratios []float64
			for i := 0; b.Loop(); i++ {
				var broadcastTime, floorTime float64
				if i%2 == 0 {
					broadcastTime, floorTime = milliseconds(runBroadcast), milliseconds(runFloor)
				} else {
					floorTime, broadcastTime = milliseconds(runFloor), milliseconds(runBroadcast)
				}
				broadcastTimes, floorTimes = append(broadcastTimes, broadcastTime), append(floorTimes, floorTime)
				ratios = append(ratios, broadcastTime/floorTime)
			}
			b.ReportMetric(0, "ns/op") // 0 removes the default metric, which would be the sum of both durations
			b.ReportMetric(quantile(ratios, 0.5), "ratio")
			b.ReportMetric(quantile(ratios, 0.25), "ratio-q1")
			b.ReportMetric(quantile(ratios, 0.75), "ratio-q3")
			b.ReportMetric(quantile(broadcastTimes, 0.5), "ours-ms")
			b.ReportMetric(quantile(floorTimes, 0.5), "floor-ms")
		})
	}
}

// milliseconds returns how long f takes.
func milliseconds(f func()) float64 {
	start := time.Now()
	f()
	return float64(time.Since(start)) / float64(time.Millisecond)
}

// quantile returns the value that the part q of the values does not exceed; 0.5 gives the median.
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

// floor sends signed posts with net/http; see BenchmarkBroadcast.
type floor struct {
	endpoint string
	client   *http.Client
	signer   *v4.Signer
}

func newFloor(endpoint string) *floor {
	transport, _ := http.DefaultTransport.(*http.Transport) // its type is always this one
	transport = transport.Clone()
	transport.MaxIdleConns, transport.MaxIdleConnsPerHost = broadcast.InFlight, broadcast.InFlight
	return &floor{endpoint: endpoint, client: &http.Client{Transport: transport}, signer: v4.NewSigner()}
}

// post posts the frame to each connection, at most broadcast.InFlight at once, and waits for all posts.
func (f *floor) post(b *testing.B, ids []string, frame []byte) {
	b.Helper()
	slots := make(chan struct{}, broadcast.InFlight) // holds one element for each post in flight
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

// send signs and posts the frame to one connection, as [apigw.Sender] does.
func (f *floor) send(ctx context.Context, id string, frame []byte) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, f.endpoint+"/prod/@connections/"+url.QueryEscape(id), bytes.NewReader(frame))
	if err != nil {
		return err
	}
	credentials, err := awsConfig.Credentials.Retrieve(ctx)
	if err != nil {
		return err
	}
	bodyHash := sha256.Sum256(frame)
	if err := f.signer.SignHTTP(ctx, credentials, r, hex.EncodeToString(bodyHash[:]), "execute-api", awsConfig.Region, time.Now()); err != nil {
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
