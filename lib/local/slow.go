package local

import (
	"cmp"
	"context"
	"io"

	"golang.org/x/time/rate"

	"github.com/herald-progress/herald/lib/csvimport"
)

// slowRangeSeconds is how long a range takes in slow motion: the workflow gives each at most 300 s.
const slowRangeSeconds = 60

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
