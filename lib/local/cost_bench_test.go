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
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/herald-progress/herald/lib/asl"
	"github.com/herald-progress/herald/lib/benchtest"
	"github.com/herald-progress/herald/lib/client"
	"github.com/herald-progress/herald/lib/csvimport"
	"github.com/herald-progress/herald/lib/local"
	"github.com/herald-progress/herald/lib/local/states"
	"github.com/herald-progress/herald/lib/message"
	"github.com/herald-progress/herald/lib/s3store"
)

// BenchmarkProgress imports a million rows in each of two twins, one of which reports no progress. Each twin is a process of its
// own, with two tabs in this process. Each iteration is one pair of imports, in alternating order. It reports the median
// processor time, user and system, of one import in each twin's process, and the median of the pairs' ratios.
func BenchmarkProgress(b *testing.B) {
	const rows = 1_000_000
	file := partsOf(rows)
	twins := map[string]*importTwin{asImportServer: startImports(b, asImportServer), asSilentImportServer: startImports(b, asSilentImportServer)}
	// Import once before the measurement, so that the measurement does not include what happens only once, such as loading. serveImports
	// expects a call of processorTime before and after each import.
	for mode, twin := range twins {
		twin.processorTime(b)
		if frames := twin.importFile(b, partsOf(1000)); mode == asImportServer && frames == 0 {
			b.Fatal("no progress")
		}
		twin.processorTime(b)
	}
	took, ratios, frames := map[string][]float64{}, []float64{}, []float64{}
	pair := 0
	for b.Loop() {
		order := []string{asImportServer, asSilentImportServer}
		if pair++; pair%2 == 0 {
			slices.Reverse(order)
		}
		for _, mode := range order {
			twin := twins[mode]
			before := twin.processorTime(b)
			seen := twin.importFile(b, file)
			took[mode] = append(took[mode], (twin.processorTime(b) - before).Seconds())
			if mode == asImportServer {
				frames = append(frames, float64(seen))
			}
		}
		ratios = append(ratios, took[asImportServer][pair-1]/took[asSilentImportServer][pair-1])
	}
	b.ReportMetric(0, "ns/op") // 0 hides the time of an iteration, which says nothing here
	b.ReportMetric(benchtest.Median(took[asImportServer]), "s-with")
	b.ReportMetric(benchtest.Median(took[asSilentImportServer]), "s-without")
	b.ReportMetric(benchtest.Median(ratios), "ratio")
	b.ReportMetric(slices.Min(ratios), "ratio-min")
	b.ReportMetric(slices.Max(ratios), "ratio-max")
	b.ReportMetric(benchtest.Median(frames), "frames")
}

// partsOf returns a parts list with the given number of rows.
func partsOf(rows int) []byte {
	var b bytes.Buffer
	b.WriteString("part,color,quantity\n")
	for i := range rows {
		fmt.Fprintf(&b, "%d,Light Bluish Gray,%d\n", 3001+i%997, 1+i%50)
	}
	return b.Bytes()
}

// importTwin is a twin in another process.
type importTwin struct {
	info   twinInfo
	stdin  io.Writer
	stdout *bufio.Reader
	s3     *s3.Client
	tab    *client.Conn // the first tab, whose frames are counted
	n      int          // the number of uploads
}

// startImports starts a twin of a mode and opens two tabs.
func startImports(b *testing.B, mode string) *importTwin {
	b.Helper()
	process := startSelf(b, mode)
	twin := &importTwin{stdin: process.in, stdout: process.out}
	line, err := twin.stdout.ReadBytes('\n')
	if err != nil {
		b.Fatal(err)
	}
	if err := json.Unmarshal(line, &twin.info); err != nil {
		b.Fatal(err)
	}
	twin.s3 = s3.New(s3.Options{
		Region: "us-east-1", BaseEndpoint: &twin.info.Endpoint, UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider("local", "local", ""),
	})
	for range 2 {
		tab, err := client.Dial(b.Context(), twin.info.WebSocketURL, twin.info.Token)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = tab.Drop() })
		if twin.tab == nil {
			twin.tab = tab
			continue
		}
		go func() { // the second tab only reads
			for err == nil {
				_, _, err = tab.Next(b.Context())
			}
		}()
	}

	return twin
}

// importFile uploads a file and returns how many states the first tab received before the notification of the import's end.
func (t *importTwin) importFile(b *testing.B, file []byte) int {
	b.Helper()
	t.n++
	key := csvimport.UploadKey("ann", fmt.Sprint("u-", t.n), "parts.csv")
	if _, err := t.s3.PutObject(b.Context(), &s3.PutObjectInput{Bucket: aws.String(local.Bucket), Key: &key, Body: bytes.NewReader(file)}); err != nil {
		b.Fatal(err)
	}
	for frames := 0; ; frames++ {
		e, _, err := t.tab.Next(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		if e.Type == message.TypeNotification {
			return frames
		}
	}
}

// processorTime returns the processor time that the twin's process has taken, once it is idle.
func (t *importTwin) processorTime(b *testing.B) time.Duration {
	b.Helper()
	if _, err := io.WriteString(t.stdin, "\n"); err != nil {
		b.Fatal(err)
	}
	line, err := t.stdout.ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	took, err := time.ParseDuration(line[:len(line)-1])
	if err != nil {
		b.Fatal(err)
	}

	return took
}

// serveImports prints the twinInfo of a twin. For each line of input it prints the processor time that the process has taken. The
// benchmark sends a line before each import and another one after it. serveImports answers the second of these lines when the
// import has ended.
func serveImports(ctx context.Context) (err error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	address, _ := listener.Addr().(*net.TCPAddr)
	if err := listener.Close(); err != nil { // silentFunctions needs the port before the twin starts
		return err
	}
	ended := make(chan asl.Status, 1)
	config := local.Config{Port: address.Port, StatusChanged: func(_ context.Context, x states.ExecutionDescription) {
		if !x.StopDate.IsZero() {
			ended <- x.Status
		}
	}}
	if os.Getenv(selfVariable) == asSilentImportServer {
		config.Functions = silentFunctions(address.Port)
	}
	twin, err := local.Start(ctx, config)
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
	importStarted := false
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); importStarted = !importStarted {
		if importStarted { // wait for its end
			if status := <-ended; status != asl.StatusSucceeded {
				return fmt.Errorf("the import ended as %s", status)
			}
		}
		var usage syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
			return err
		}
		fmt.Fprintln(os.Stdout, time.Duration(usage.Utime.Nano()+usage.Stime.Nano()))
	}

	return nil
}

// silentFunctions returns the steps of an import, wired as in the twin but without a Publisher.
func silentFunctions(port int) map[string]any {
	endpoint := fmt.Sprintf("http://127.0.0.1:%d", port)
	config := csvimport.Config{Store: s3store.New(s3store.Config{Bucket: local.Bucket, Client: s3.New(s3.Options{
		Region: "us-east-1", BaseEndpoint: &endpoint, UsePathStyle: true, Credentials: credentials.NewStaticCredentialsProvider("local", "local", ""),
	})})}
	return map[string]any{
		"csvplan": csvimport.NewPlan(config).Handle, "csvchunk": csvimport.NewChunk(config).Handle, "csvfinish": csvimport.NewFinish(config).Handle,
	}
}
