package gateway_test

import (
	"encoding/json"
	"net"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"

	"github.com/gobwas/ws"

	"github.com/herald-progress/herald/lib/local/gateway"
)

// BenchmarkIdleConnections reports the memory of an idle connection, including the browser's end in this process. Run it with
// -benchtime 9000x for 9000 connections. Each needs two file descriptors.
func BenchmarkIdleConnections(b *testing.B) {
	g := gateway.New(gateway.Config{Routes: map[string]gateway.Function{"$connect": functionReturning(acceptedResponse)}})
	server := httptest.NewServer(g)
	defer server.Close()
	conns := make([]net.Conn, b.N)
	before := memoryInUse()

	for i := range conns {
		conn, _, _, err := ws.Dial(b.Context(), strings.Replace(server.URL, "http", "ws", 1)+"/prod?token=x.y.z")
		if err != nil {
			b.Fatalf("connection %d: %v", i, err)
		}
		conns[i] = conn
	}

	b.StopTimer()
	b.ReportMetric(float64(memoryInUse()-before)/float64(b.N), "B/conn")
	for _, conn := range conns {
		_ = conn.Close()
	}

	if err := g.Close(b.Context()); err != nil {
		b.Errorf("Close: %v", err)
	}
}

// BenchmarkPost measures the time from a post's HTTP request until the browser has read the frame.
func BenchmarkPost(b *testing.B) {
	connect, events := functionRecording()
	g := gateway.New(gateway.Config{Routes: map[string]gateway.Function{"$connect": connect}})
	server := httptest.NewServer(g)
	defer server.Close()
	conn, _, _, err := ws.Dial(b.Context(), strings.Replace(server.URL, "http", "ws", 1)+"/prod")
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	var event eventFields
	if err := json.Unmarshal(<-events, &event); err != nil {
		b.Fatal(err)
	}

	id := event.RequestContext.ConnectionID
	b.ReportAllocs()
	for b.Loop() {
		request := httptest.NewRequestWithContext(b.Context(), "POST", "/prod/@connections/"+id, strings.NewReader(`{"type":"notification"}`))
		g.ServeHTTP(httptest.NewRecorder(), request)
		if _, err := ws.ReadFrame(conn); err != nil {
			b.Fatal(err)
		}
	}
}

// memoryInUse returns the bytes of heap and stacks in use after a garbage collection.
func memoryInUse() uint64 {
	runtime.GC()
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapInuse + stats.StackInuse
}
