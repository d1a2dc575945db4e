package csvimport_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/herald-progress/herald/lib/csvimport"
	"github.com/herald-progress/herald/lib/feed"
	"github.com/herald-progress/herald/lib/message"
)

// recordingPublisher is a Publisher that records its requests and applies them to a feed. Each call returns the error fail.
type recordingPublisher struct {
	t    *testing.T
	fail error

	mu       sync.Mutex
	feed     feed.Memory
	requests []message.Request
	rows     []feed.Row // the row after each request that the feed accepted
}

func (p *recordingPublisher) Publish(ctx context.Context, r message.Request) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := r.Validate(); err != nil || r.UserID != user {
		p.t.Errorf("request %+v: %v", r, err)
	}
	p.requests = append(p.requests, r)
	state, _ := message.AsUploadProgress(r.Message)
	row, outcome, err := p.feed.Apply(ctx, feed.User(user), feed.Update{
		State: state, Epoch: r.Epoch, Key: r.Key, Execution: r.Execution, Part: r.Part, ID: strconv.Itoa(len(p.requests)), At: time.Now(),
	})
	if err != nil {
		p.t.Errorf("apply: %v", err)
	}
	if outcome == feed.Accepted {
		p.rows = append(p.rows, row)
	}
	return p.fail
}

// publishStarted publishes the state that the workflow itself publishes between the plan and the chunks.
func (p *recordingPublisher) publishStarted(plan csvimport.PlanOutput) {
	p.t.Helper()
	at, err := message.NormalizeEpoch(epoch)
	if err != nil {
		p.t.Fatal(err)
	}
	_ = p.Publish(p.t.Context(), message.Request{
		UserID: user, Epoch: at, Execution: arnPrefix + "x", Message: message.UploadProgress{
			UploadID: upload, FileName: fileName, Progress: 5, Phase: "parse", TotalRows: plan.TotalRows,
			Message: fmt.Sprintf("Importing %d rows", plan.TotalRows),
		},
	})
}

// checkProgressRises checks that no value which users see falls, and returns the last state.
func (p *recordingPublisher) checkProgressRises() message.UploadProgress {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	var last message.UploadProgress
	for _, row := range p.rows {
		state := row.VisibleState()
		if err := state.Validate(); err != nil {
			p.t.Errorf("state %+v: %v", state, err)
		}
		if state.Progress < last.Progress || state.CurrentRow < last.CurrentRow || state.FailedRows < last.FailedRows {
			p.t.Errorf("state %+v is behind the state before it, %+v", state, last)
		}
		last = state
	}
	return last
}

func TestProgressNeverFalls(t *testing.T) {
	store, publisher := &csvimport.Memory{}, &recordingPublisher{t: t}
	content := "part,color,quantity\n" + strings.Repeat("3001,Red,1\n3001,Red,0\n", 500)
	if _, err := run(t, csvimport.Config{Store: store, Publisher: publisher, RangeBytes: 4000}, put(t, store, []byte(content)), "x", 0); err != nil {
		t.Fatalf("import: %v", err)
	}
	if first := publisher.rows[0].VisibleState(); first.Message != "Reading "+fileName || first.Progress > 5 || first.Phase != "read" {
		t.Errorf("first state is %+v, want that the file is read", first)
	}
	if last := publisher.checkProgressRises(); last.Progress != 99 || last.CurrentRow != 1000 || last.TotalRows != 1000 || last.FailedRows != 500 || last.Status != "" {
		t.Errorf("last state is %+v, want 99 percent of 1000 rows, 500 failed, still running", last)
	}
	parts := map[string]bool{}
	for _, r := range publisher.requests {
		if r.Epoch != "2026-11-22T10:00:00.000Z#0001" || r.Execution != arnPrefix+"x" {
			t.Errorf("request says epoch %q, execution %q, want those of the input", r.Epoch, r.Execution)
		}
		state, _ := message.AsUploadProgress(r.Message)
		if r.Part != nil && state.Phase != "parse" {
			t.Errorf("request of phase %s has the part %+v, want parts where chunks work", state.Phase, r.Part)
		}
		if r.Part != nil {
			parts[r.Part.ID] = true
			if from, to := r.Part.ProgressRange(); from != 5 || to != 95 || r.Part.Total != 1000 || state.Message != "Importing 1000 rows" {
				t.Errorf("part %+v says %q, want 5 to 95 percent of 1000 rows of the whole job", r.Part, state.Message)
			}
		}
	}
	if len(parts) != 3 || !parts["0"] || !parts["1"] || !parts["2"] {
		t.Errorf("parts are %v, want 0, 1, 2", parts)
	}
}

// slowStore is a store whose reads take time. The first read of the range at failAt fails in the middle.
type slowStore struct {
	csvimport.Memory

	failAt int64
	mu     sync.Mutex
	failed bool
}

func (s *slowStore) Get(ctx context.Context, from csvimport.Object, offset, length int64) (io.ReadCloser, error) {
	body, err := s.Memory.Get(ctx, from, offset, length)
	if err != nil {
		return nil, err
	}
	b := &slowBody{ReadCloser: body, left: -1}
	s.mu.Lock()
	defer s.mu.Unlock()
	if offset > 0 && offset == s.failAt && !s.failed {
		s.failed, b.left = true, length/2
	}
	return b, nil
}

// slowBody reads up to ten rows in each 100 ms.
type slowBody struct {
	io.ReadCloser

	left int64 // the bytes before the read fails; negative means that it does not fail
}

func (b *slowBody) Read(p []byte) (int, error) {
	const maxRead = 110 // ten rows
	time.Sleep(100 * time.Millisecond)
	if b.left == 0 {
		return 0, errStoreDown
	}
	p = p[:min(len(p), maxRead)]
	if b.left > 0 {
		p = p[:min(int64(len(p)), b.left)]
		b.left -= int64(len(p))
	}
	return b.ReadCloser.Read(p)
}

func TestProgressOfConcurrentRangesAddsUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const rows, ranges = 8000, 20
		const concurrency = 8 // as in the workflow's Map
		store, publisher := &slowStore{}, &recordingPublisher{t: t}
		c := csvimport.Config{Store: store, Publisher: publisher, RangeBytes: 4400}
		content := "part,color,quantity\n" + strings.Repeat("3001,Red,1\n3001,Red,0\n", rows/2)
		plan, err := csvimport.NewPlan(c).Handle(t.Context(), csvimport.PlanInput{Epoch: epoch, Execution: arnPrefix + "x", Detail: put(t, store, []byte(content))})
		if err != nil || len(plan.Ranges) != ranges {
			t.Fatalf("plan has %d ranges, error %v, want %d", len(plan.Ranges), err, ranges)
		}
		publisher.publishStarted(plan)
		store.failAt = plan.Ranges[3].Offset
		finish := csvimport.FinishInput{
			Epoch: epoch, Execution: arnPrefix + "x", File: plan.File, TotalRows: plan.TotalRows, Chunks: make([]csvimport.ChunkOutput, ranges),
		}
		chunk := func(r csvimport.Range, epoch string) error {
			out, err := csvimport.NewChunk(c).Handle(t.Context(), csvimport.ChunkInput{
				Epoch: epoch, Execution: arnPrefix + "x", File: plan.File, TotalRows: plan.TotalRows, Range: r,
			})
			finish.Chunks[r.N] = out
			return err
		}
		var group errgroup.Group
		group.SetLimit(concurrency)
		for _, r := range plan.Ranges {
			group.Go(func() error {
				err := chunk(r, epoch)
				if r.N == 3 && !errors.Is(err, errStoreDown) {
					return fmt.Errorf("range 3 ends with %w, want an error of the read", err)
				}
				if r.N == 3 {
					err = chunk(r, epoch)
				}
				return err
			})
		}
		if err := group.Wait(); err != nil {
			t.Fatalf("chunks: %v", err)
		}
		wantProgress := func(want float64) {
			t.Helper()
			if p := publisher.checkProgressRises(); p.Progress != want || p.CurrentRow != rows || p.FailedRows != rows/2 || p.TotalRows != rows {
				t.Errorf("state is %+v, want %v percent of %d rows, half of them failed", p, want, rows)
			}
		}
		wantProgress(95)
		if n := len(publisher.rows); n < 3*ranges {
			t.Errorf("%d states were accepted: too few to check that progress rises", n)
		}
		before := len(publisher.rows)
		if err := chunk(plan.Ranges[5], epoch); err != nil || len(publisher.rows) != before {
			t.Errorf("a chunk ran again after its range was done: %d states were accepted, error %v, want none", len(publisher.rows)-before, err)
		}
		if _, err := csvimport.NewFinish(c).Handle(t.Context(), finish); err != nil {
			t.Fatalf("finish: %v", err)
		}
		wantProgress(99)
	})
}

func TestRedrivenRangeReportsInANewEpoch(t *testing.T) {
	store, publisher := &csvimport.Memory{}, &recordingPublisher{t: t}
	c := csvimport.Config{Store: store, Publisher: publisher, RangeBytes: 1}
	e := put(t, store, []byte(fourRows))
	plan, err := csvimport.NewPlan(c).Handle(t.Context(), csvimport.PlanInput{Epoch: epoch, Execution: arnPrefix + "x", Detail: e})
	if err != nil {
		t.Fatalf("plan: %v", err)
	}
	finish := csvimport.FinishInput{Epoch: "2026-11-22T10:00:00Z#2", Execution: arnPrefix + "x", File: plan.File, TotalRows: plan.TotalRows}
	for _, r := range plan.Ranges {
		in := csvimport.ChunkInput{Epoch: epoch, Execution: arnPrefix + "x", File: plan.File, TotalRows: plan.TotalRows, Range: r}
		if r.N == len(plan.Ranges)-1 { // The last range failed in the run before, so only this range is redriven.
			in.Epoch = finish.Epoch
		}
		out, err := csvimport.NewChunk(c).Handle(t.Context(), in)
		if err != nil {
			t.Fatalf("chunk: %v", err)
		}
		finish.Chunks = append(finish.Chunks, out)
	}
	row := publisher.rows[len(publisher.rows)-1]
	if p := row.VisibleState(); row.Epoch != "2026-11-22T10:00:00.000Z#0002" || len(row.Parts) != 1 || p.Progress != 5+90.0/4 || p.Phase != "parse" {
		t.Errorf("the redriven range leaves %+v, want a new epoch that starts with it", row)
	}
	if _, err := csvimport.NewFinish(c).Handle(t.Context(), finish); err != nil {
		t.Fatalf("finish: %v", err)
	}
	if p := publisher.rows[len(publisher.rows)-1].VisibleState(); p.Progress != 99 || p.CurrentRow != 4 || p.FailedRows != 2 {
		t.Errorf("finish leaves %+v, want 99 percent of 4 rows, 2 failed", p)
	}
}

func TestInvalidEpochIsOmitted(t *testing.T) {
	store, publisher := &csvimport.Memory{}, &recordingPublisher{t: t}
	in := csvimport.PlanInput{Epoch: "yesterday", Detail: put(t, store, []byte(fourRows))}
	if _, err := csvimport.NewPlan(csvimport.Config{Store: store, Publisher: publisher}).Handle(t.Context(), in); err != nil {
		t.Errorf("plan fails with %v, want progress without an epoch", err)
	}
	if len(publisher.requests) == 0 || publisher.requests[0].Epoch != "" {
		t.Errorf("requests are %+v, want the first without an epoch", publisher.requests)
	}
}

func TestFeedCountsAsManyPartsAsThereAreRanges(t *testing.T) {
	if csvimport.MaxRanges > feed.MaxParts {
		t.Errorf("a file has up to %d ranges, and a job at most %d parts", csvimport.MaxRanges, feed.MaxParts)
	}
}
