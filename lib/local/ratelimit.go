package local

import (
	"cmp"
	"context"
	"io"

	"golang.org/x/time/rate"

	"github.com/herald-progress/herald/lib/csvimport"
)

// secondsPerRange is how long reading a range takes at a limited rate. It is less than the workflow's timeout for a range, 300 s.
const secondsPerRange = 60

// rateLimitedStore limits the rate at which ranges of objects are read.
type rateLimitedStore struct {
	csvimport.Store

	limit *rate.Limiter
}

// limitReads returns a store that reads ranges at bytesPerSecond; zero returns store itself.
func limitReads(store csvimport.Store, bytesPerSecond int) csvimport.Store {
	if bytesPerSecond == 0 {
		return store
	}
	const readsPerSecond = 20                         // many small reads, so that the progress grows smoothly
	burst := cmp.Or(bytesPerSecond/readsPerSecond, 1) // bytes of one read, at least 1
	return &rateLimitedStore{Store: store, limit: rate.NewLimiter(rate.Limit(bytesPerSecond), burst)}
}

// Get limits the rate of reading a range. A range never starts at the beginning of the file, because the header is there. Other
// reads, such as those of the header and of the plan step, start at the beginning or have no end (a negative length). They are not
// limited.
func (s *rateLimitedStore) Get(ctx context.Context, from csvimport.Object, offset, length int64) (io.ReadCloser, error) {
	body, err := s.Store.Get(ctx, from, offset, length)
	if err != nil || offset == 0 || length < 0 {
		return body, err
	}
	return &rateLimitedReader{ReadCloser: body, ctx: ctx, limit: s.limit}, nil
}

// rateLimitedReader limits the rate of Read.
type rateLimitedReader struct {
	io.ReadCloser

	ctx   context.Context
	limit *rate.Limiter
}

func (r *rateLimitedReader) Read(p []byte) (int, error) {
	n, err := r.ReadCloser.Read(p[:min(len(p), r.limit.Burst())])
	if waitErr := r.limit.WaitN(r.ctx, n); waitErr != nil && err == nil {
		err = waitErr
	}
	return n, err
}
