package local

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"golang.org/x/time/rate"

	"github.com/herald-progress/herald/lib/apigw"
	"github.com/herald-progress/herald/lib/auth"
	"github.com/herald-progress/herald/lib/broadcast"
	"github.com/herald-progress/herald/lib/csvimport"
	"github.com/herald-progress/herald/lib/local/invoke"
	"github.com/herald-progress/herald/lib/message"
	"github.com/herald-progress/herald/lib/notify"
	"github.com/herald-progress/herald/lib/s3store"
	"github.com/herald-progress/herald/lib/session"
)

// Timeouts of the functions, as the stack sets them.
const (
	messageTimeout = 30 * time.Second
	streamTimeout  = 15 * time.Minute
)

// slowRangeSeconds is how long a range takes in slow motion: the workflow gives each at most 300 s.
const slowRangeSeconds = 60

// pong answers a ping as the MOCK integration of the ping route does in the stack.
func pong(at time.Time) string {
	return `{"type":"pong","data":{},"timestamp":"` + message.Time{Time: at}.String() + `"}`
}

// functions returns the deployed functions: herald- and the name of their folder in lambdas/.
func (t *Twin) functions(verifier *auth.Verifier) (map[string]invoke.Function, error) {
	config, rows := t.AWSConfig(), t.config.Connections
	sender, err := apigw.New(config, t.ManagementEndpoint())
	if err != nil {
		return nil, fmt.Errorf("sender: %w", err)
	}
	notifier := &notify.Notifier{Broadcaster: &broadcast.Broadcaster{Store: rows, Sender: sender, Log: t.log}, Log: t.log}
	objects := s3store.New(s3store.Config{
		Client: s3.NewFromConfig(config, func(o *s3.Options) { o.UsePathStyle = true }), Bucket: Bucket,
	})
	csv := csvimport.Config{
		Store: slowly(objects, t.config.BytesPerSecond), Publisher: notifier, Logger: t.log,
		RangeBytes: min(int64(t.config.BytesPerSecond)*slowRangeSeconds, csvimport.DefaultRangeBytes),
	}

	return t.replaced(map[string]invoke.Function{
		functionPrefix + "connect":    {Handler: (&session.Connect{Verifier: verifier, Store: rows, Log: t.log}).Handle, Timeout: messageTimeout},
		functionPrefix + "disconnect": {Handler: (&session.Disconnect{Store: rows, Log: t.log}).Handle, Timeout: messageTimeout},
		functionPrefix + "default":    {Handler: (&session.Default{Sender: sender, Log: t.log}).Handle, Timeout: messageTimeout},
		NotifierName:                  {Handler: notifier.Handle, Timeout: messageTimeout},
		functionPrefix + "csvplan":    {Handler: csvimport.NewPlan(csv).Handle, Timeout: streamTimeout},
		functionPrefix + "csvchunk":   {Handler: csvimport.NewChunk(csv).Handle, Timeout: streamTimeout},
		functionPrefix + "csvfinish":  {Handler: csvimport.NewFinish(csv).Handle, Timeout: streamTimeout},
	})
}

// replaced returns functions with the handlers that the configuration has for them.
func (t *Twin) replaced(functions map[string]invoke.Function) (map[string]invoke.Function, error) {
	for name, handler := range t.config.Functions {
		f, known := functions[functionPrefix+name]
		if !known {
			return nil, fmt.Errorf("local: Functions: there is no function %q", name)
		}
		f.Handler = handler
		functions[functionPrefix+name] = f
	}

	return functions, nil
}

// route invokes a function as API Gateway does: through Lambda, with its deadline.
type route struct {
	lambda *invoke.Lambda
	name   string
}

// Invoke returns the function's answer; its error says only of what type the function's was.
func (r route) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	result, err := r.lambda.Invoke(ctx, r.name, payload)
	if err != nil {
		return nil, err //nolint:wrapcheck // the gateway reports its type
	}
	if result.Error != nil {
		return nil, fmt.Errorf("function failed: %s", result.Error.Type)
	}

	return result.Payload, nil
}

// slowStore reads ranges of objects at a bounded pace.
type slowStore struct {
	csvimport.Store

	limit *rate.Limiter
}

// slowly returns store with its ranges read at that many bytes per second; zero returns it as it is.
func slowly(store csvimport.Store, bytesPerSecond int) csvimport.Store {
	if bytesPerSecond == 0 {
		return store
	}
	const perSecond = 20 // how often a reader gets its share
	burst := cmp.Or(bytesPerSecond/perSecond, 1)

	return &slowStore{Store: store, limit: rate.NewLimiter(rate.Limit(bytesPerSecond), burst)}
}

// Get slows down what does not begin at the object's beginning or has no end: the planning pass stays quick.
func (s *slowStore) Get(ctx context.Context, from csvimport.Object, offset, length int64) (io.ReadCloser, error) {
	body, err := s.Store.Get(ctx, from, offset, length)
	if err != nil || offset == 0 || length < 0 {
		return body, err //nolint:wrapcheck // the store's own
	}

	return &slowReader{ReadCloser: body, ctx: ctx, limit: s.limit}, nil
}

type slowReader struct {
	io.ReadCloser

	ctx   context.Context //nolint:containedctx // of the request that the body belongs to
	limit *rate.Limiter
}

func (r *slowReader) Read(p []byte) (int, error) {
	n, err := r.ReadCloser.Read(p[:min(len(p), r.limit.Burst())])
	if wait := r.limit.WaitN(r.ctx, n); wait != nil && err == nil {
		err = wait
	}

	return n, err
}
