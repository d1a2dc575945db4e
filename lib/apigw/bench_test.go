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

// answerAfter is how long the server of the benchmark takes for each post.
const answerAfter = 10 * time.Millisecond

// serverVariable makes this test binary the server of the benchmark, in a process of its own.
const serverVariable = "HERALD_BENCHMARK_SERVER"

func TestMain(m *testing.M) {
	if os.Getenv(serverVariable) == "" {
		os.Exit(m.Run())
	}
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		time.Sleep(answerAfter)
	}))
	fmt.Fprintln(os.Stdout, server.URL)
	_, _ = io.Copy(io.Discard, os.Stdin) // until the benchmark ends
}

// BenchmarkBroadcast compares a broadcast with its floor: the same posts by net/http, signed, as many in flight, without
// rows, report or retries. The two take turns; each iteration is one pair. What is reported is the median of the
// pairs' ratios, its quartiles, and the medians of both.
func BenchmarkBroadcast(b *testing.B) {
	endpoint := startServer(b)
	for _, connections := range []int{1, 10, 100, 1000} {
		b.Run(fmt.Sprint(connections), func(b *testing.B) {
			rows := &connection.Memory{}
			ids := make([]string, connections)
			for i := range ids {
				ids[i] = fmt.Sprintf("L0SM9cOFvH%06d=", i)
				c := connection.Connection{ID: ids[i], UserID: "u1", ConnectedAt: time.Now(), TokenExpiresAt: time.Now().Add(time.Hour)}
				if err := rows.Put(b.Context(), c); err != nil {
					b.Fatal(err)
				}
			}
			ours := &broadcast.Broadcaster{Store: rows, Sender: sender(b, endpoint)}
			floor := newFloor(endpoint)
			data := message.UploadProgress{UploadID: "u-42", FileName: "parts-list.csv", Progress: 42.5, Message: "Parsing row 4250 of 10000"}
			frame, err := message.New(data, "01M82K5N32CPWX658G1ZTM36HQ", time.Now()).Encode()
			if err != nil {
				b.Fatal(err)
			}
			deliver := func() {
				if report, err := ours.ToUser(b.Context(), "u1", data); err != nil || report.Delivered != connections {
					b.Fatal(report, err)
				}
			}
			post := func() { floor.post(b, ids, frame) }
			deliver() // sockets are opened
			post()
			var oursTook, floorTook, ratios []float64
			for i := 0; b.Loop(); i++ {
				var x, y float64
				if i%2 == 0 {
					x, y = took(deliver), took(post)
				} else {
					y, x = took(post), took(deliver)
				}
				oursTook, floorTook, ratios = append(oursTook, x), append(floorTook, y), append(ratios, x/y)
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(quantile(ratios, 0.5), "ratio")
			b.ReportMetric(quantile(ratios, 0.25), "ratio-q1")
			b.ReportMetric(quantile(ratios, 0.75), "ratio-q3")
			b.ReportMetric(quantile(oursTook, 0.5), "ours-ms")
			b.ReportMetric(quantile(floorTook, 0.5), "floor-ms")
		})
	}
}

func took(f func()) float64 {
	start := time.Now()
	f()
	return float64(time.Since(start)) / float64(time.Millisecond)
}

func quantile(values []float64, q float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[int(q*float64(len(sorted)-1))]
}

// startServer starts the server in its own process and returns its URL.
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

// floor posts with net/http and the signer, and nothing else.
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
