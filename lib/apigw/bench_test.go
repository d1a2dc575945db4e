package apigw_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"

	"github.com/herald-progress/herald/lib/apigw"
	"github.com/herald-progress/herald/lib/benchtest"
	"github.com/herald-progress/herald/lib/broadcast"
	"github.com/herald-progress/herald/lib/connection"
	"github.com/herald-progress/herald/lib/message"
)

// BenchmarkBroadcast compares a broadcast with its floor: the least work that net/http and the SDK's signer need to deliver the
// same frames. The floor sends the same signed posts, and as many at once. It reads no connections, makes no report, bounds no post
// and does not retry. Posts take 10 ms, over HTTP/1.1 without and with TLS, and over HTTP/2.
//
// Each iteration measures one broadcast and one floor, in alternating order, and two ratios: that of the durations, and that of the
// processor times of this process. The benchmark reports their medians and the quartiles, the medians of the durations in
// milliseconds, and the medians of the processor times per post in microseconds.
func BenchmarkBroadcast(b *testing.B) {
	for _, protocol := range []string{protocolHTTP, protocolTLS, protocolHTTP2} {
		for _, count := range []int{1, 10, 100, 1000} {
			b.Run(fmt.Sprint(protocol, "/", count), func(b *testing.B) {
				endpoint, config := startServer(b, protocol)
				sender, err := apigw.New(config, endpoint+"/prod")
				if err != nil {
					b.Fatal(err)
				}
				ids := connectionIDs(count)
				broadcaster := &broadcast.Broadcaster{Store: storeWith(b, ids), Sender: sender}
				floor := newFloor(config, endpoint)
				frame, err := message.New(data, "01M82K5N32CPWX658G1ZTM36HQ", time.Now()).Encode()
				if err != nil {
					b.Fatal(err)
				}
				ours, floors := &samples{}, &samples{}
				measureOurs := func() {
					ours.measure(b, func() { mustDeliver(b, broadcaster, count) })
				}
				measureFloor := func() { floors.measure(b, func() { floor.post(b, ids, frame) }) }
				measureOurs() // both open their sockets before the measurement
				measureFloor()
				*ours, *floors = samples{}, samples{}
				for i := 0; b.Loop(); i++ {
					if i%2 == 0 {
						measureOurs()
						measureFloor()
					} else {
						measureFloor()
						measureOurs()
					}
				}
				b.ReportMetric(0, "ns/op") // 0 removes the default metric, which would be the sum of both durations
				reportRatios(b, "ratio", ours.durations, floors.durations)
				reportRatios(b, "cpu-ratio", ours.processor, floors.processor)
				b.ReportMetric(benchtest.Quantile(ours.durations, 0.5), "ours-ms")
				b.ReportMetric(benchtest.Quantile(floors.durations, 0.5), "floor-ms")
				b.ReportMetric(benchtest.Quantile(ours.processor, 0.5)*1000/float64(count), "ours-cpu-us")
				b.ReportMetric(benchtest.Quantile(floors.processor, 0.5)*1000/float64(count), "floor-cpu-us")
			})
		}
	}
}

// BenchmarkFirstBroadcast compares the first broadcast of a process to 1,000 connections over TLS with the floor of
// BenchmarkBroadcast, which opens a socket whenever a post finds none. Both have sent one post before, which starts a function. A
// handshake takes more processor time than many posts. Each iteration measures one of each. The benchmark reports the medians of
// the durations and the processor times in milliseconds, and the ratios of the processor times.
func BenchmarkFirstBroadcast(b *testing.B) {
	const count = 1000
	for _, protocol := range []string{protocolTLS, protocolHTTP2} {
		b.Run(protocol, func(b *testing.B) {
			endpoint, config := startServer(b, protocol)
			ids := connectionIDs(count)
			store := storeWith(b, ids)
			frame, err := message.New(data, "01M82K5N32CPWX658G1ZTM36HQ", time.Now()).Encode()
			if err != nil {
				b.Fatal(err)
			}
			ours, floors := &samples{}, &samples{}
			for b.Loop() {
				sender, err := apigw.New(config, endpoint+"/prod")
				if err != nil {
					b.Fatal(err)
				}
				if err := sender.Send(b.Context(), "nobody", []byte("{}")); err != nil {
					b.Fatal(err)
				}
				ours.measure(b, func() { mustDeliver(b, &broadcast.Broadcaster{Store: store, Sender: sender}, count) })

				floor := newFloor(config, endpoint)
				if err := floor.send(b.Context(), "nobody", []byte("{}")); err != nil {
					b.Fatal(err)
				}
				floors.measure(b, func() { floor.post(b, ids, frame) })
				floor.client.CloseIdleConnections()
			}
			b.ReportMetric(0, "ns/op")
			reportRatios(b, "cpu-ratio", ours.processor, floors.processor)
			b.ReportMetric(benchtest.Quantile(ours.durations, 0.5), "ours-ms")
			b.ReportMetric(benchtest.Quantile(floors.durations, 0.5), "floor-ms")
			b.ReportMetric(benchtest.Quantile(ours.processor, 0.5), "ours-cpu-ms")
			b.ReportMetric(benchtest.Quantile(floors.processor, 0.5), "floor-cpu-ms")
		})
	}
}

// data is the message of the benchmarks.
var data = message.UploadProgress{UploadID: "u-42", FileName: "parts-list.csv", Progress: 42.5, Message: "Parsing row 4250 of 10000"}

// mustDeliver broadcasts data to the count connections of the user u1.
func mustDeliver(b *testing.B, broadcaster *broadcast.Broadcaster, count int) {
	b.Helper()
	if report, err := broadcaster.ToUser(b.Context(), "u1", data); err != nil || report.Delivered != count {
		b.Fatal(report, err)
	}
}

func connectionIDs(count int) []string {
	ids := make([]string, count)
	for i := range ids {
		ids[i] = fmt.Sprintf("L0SM9cOFvH%06d=", i)
	}

	return ids
}

// storeWith returns a store with the connections of the user u1.
func storeWith(b *testing.B, ids []string) *connection.Memory {
	b.Helper()
	store := &connection.Memory{}
	for _, id := range ids {
		c := connection.Connection{ID: id, UserID: "u1", ConnectedAt: time.Now(), TokenExpiresAt: time.Now().Add(time.Hour)}
		if err := store.Put(b.Context(), c); err != nil {
			b.Fatal(err)
		}
	}

	return store
}

// samples are the durations of a function's calls, and the processor times that this process used in them, in milliseconds.
type samples struct{ durations, processor []float64 }

func (s *samples) measure(b *testing.B, f func()) {
	b.Helper()
	start, used := time.Now(), benchtest.ProcessorTime(b)
	f()
	s.durations = append(s.durations, benchtest.Milliseconds(time.Since(start)))
	s.processor = append(s.processor, benchtest.Milliseconds(benchtest.ProcessorTime(b)-used))
}

// reportRatios reports the median and the quartiles of the ratios of each of our samples to its floor.
func reportRatios(b *testing.B, name string, ours, floors []float64) {
	b.Helper()
	ratios := make([]float64, len(ours))
	for i := range ours {
		ratios[i] = ours[i] / floors[i]
	}
	b.ReportMetric(benchtest.Quantile(ratios, 0.5), name)
	b.ReportMetric(benchtest.Quantile(ratios, 0.25), name+"-q1")
	b.ReportMetric(benchtest.Quantile(ratios, 0.75), name+"-q3")
}

// floor sends signed posts with net/http; see BenchmarkBroadcast.
type floor struct {
	endpoint string
	client   *http.Client
	signer   *v4.Signer
}

func newFloor(config aws.Config, endpoint string) *floor {
	client, _ := config.HTTPClient.(*awshttp.BuildableClient) // its type is always this one
	transport := client.GetTransport()
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
