package local_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/herald-progress/herald/lib/apigw"
	"github.com/herald-progress/herald/lib/broadcast"
	"github.com/herald-progress/herald/lib/client"
	"github.com/herald-progress/herald/lib/connection"
	"github.com/herald-progress/herald/lib/feed"
	"github.com/herald-progress/herald/lib/local"
	"github.com/herald-progress/herald/lib/message"
	"github.com/herald-progress/herald/lib/notify"
)

// randomVariable is the environment variable with the duration of the test of random disconnects, such as 60s.
const randomVariable = "HERALD_RANDOM"

// The size of a run of up to a minute. A longer run publishes and reconnects more, in proportion.
const (
	randomUsers      = 5
	randomTabs       = 4 // of each user
	randomJobs       = 12
	randomWorkers    = 4
	randomPublishes  = 10_000
	randomReconnects = 200
	randomNotes      = 100
	randomInFlight   = 64                    // concurrent publishes of one worker
	randomSettle     = 2 * client.MaxBackoff // after many disconnects a tab may pause that long
)

// TestDisconnectAtRandom drops connections of tabs at random, while another user and one of the good users have hostile tabs.
func TestDisconnectAtRandom(t *testing.T) {
	const manyOfEachKind, fewOfEachKind = 10, 1 // messages that the hostile tabs must have sent
	// The run lasts 8 s. The tabs then have the time settle to get what they have missed. The hostile tabs of a good user send at
	// most share messages of each kind, or until insiderEnd.
	lasts, settle, share, insiderEnd := 8*time.Second, randomSettle, hostileShare, time.Now().Add(time.Hour)
	if v := os.Getenv(randomVariable); v != "" {
		var err error
		if lasts, err = time.ParseDuration(v); err != nil {
			t.Fatalf("%s: %v", randomVariable, err)
		}
		// In a longer run the hostile tabs have no limit, and they spend the user's budget, which is renewed at each full minute of the
		// clock. They stop at a full minute, so the good tabs get what they have missed in the minute after it.
		settle, share, insiderEnd = settle+time.Minute, 0, time.Now().Add(hostileFlood+time.Minute).Truncate(time.Minute)
	}
	w := newRandomWorld(t, lasts, false)
	stranger := &attack{twin: w.twin, user: "mallory", crowd: hostileConnections}
	stop := start(stranger, time.Now().Add(time.Hour))
	// One of the good users has hostile tabs, too, but not more tabs than the limit: otherwise the server would close good ones.
	insider := &attack{twin: w.twin, user: w.jobs[0].user, together: true, limit: share, crowd: 1}
	stopInsider := start(insider, insiderEnd)
	w.run()
	insider.waitUntilSent(fewOfEachKind)
	stopInsider()
	v := w.waitForViolations(time.Now().Add(settle))
	stranger.waitUntilSent(manyOfEachKind)
	stop()
	stranger.check(t, manyOfEachKind)
	insider.check(t, fewOfEachKind)
	t.Logf("%+v", v)
	if v.Wrong() {
		t.Errorf("%+v; want nothing missed, backward, twice, or different from the feed", v)
	}
	if v.Publishes < randomPublishes || v.Reconnects < randomReconnects || v.Tabs < 20 {
		t.Errorf("%+v; want at least %d publishes, %d reconnects, 20 tabs", v, randomPublishes, randomReconnects)
	}
}

// start starts an attack that ends at the time until, or when the returned function is called.
func start(a *attack, until time.Time) func() {
	ctx, cancel := context.WithDeadline(context.Background(), until)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		a.run(ctx)
	}()
	return func() {
		cancel()
		<-ended
	}
}

func TestDisconnectAtRandomFailsWithoutSync(t *testing.T) {
	w := newRandomWorld(t, 5*time.Second, true)
	w.run()
	if v := w.waitForViolations(time.Now()); v.Differs == 0 || v.MissedTerminals == 0 {
		t.Errorf("%+v; want tabs that miss something without syncs, or the test proves nothing", v)
	}
}

// verdict counts what happened and what went wrong.
type verdict struct {
	// What happened. Frames are those that tabs showed.
	Publishes, Reconnects, Tabs, Jobs, Frames int
	// What went wrong. Each tab counts, for its user: jobs whose terminal state it did not show, states older than a shown one or
	// with less progress, states and notes that it showed twice, notes that it did not show, and jobs whose last shown state is
	// not the stored one.
	MissedTerminals, BackwardSteps, AppliedTwice, MissedNotes, Differs int
}

// Wrong reports whether anything went wrong.
func (v verdict) Wrong() bool {
	return v.MissedTerminals+v.BackwardSteps+v.AppliedTwice+v.MissedNotes+v.Differs > 0
}

// randomWorld is a twin with tabs that come and go, and workers that publish.
type randomWorld struct {
	t     *testing.T
	twin  *local.Twin
	feed  *feed.Memory
	lasts time.Duration // how long the workers publish
	// noSync makes the tabs send nothing.
	noSync bool
	// scale multiplies the numbers of publishes, reconnects and notes of a longer run.
	scale   int
	tabs    []*randomTab
	workers []*notify.Notifier
	// publishing counts the workers that still publish states of running jobs.
	publishing sync.WaitGroup

	mu        sync.Mutex
	random    *rand.Rand
	jobs      []*randomJob
	notes     map[string]int // by user
	published int
}

// randomJob is a job of which all workers publish states.
type randomJob struct {
	user, id string
	// parts says that each worker reports a part of the job. done is how much of its part each worker has done.
	parts bool
	done  [randomWorkers]int64
	// run is the number of the job's current run, and progress the progress that was published last.
	run      int
	progress float64
}

func newRandomWorld(t *testing.T, lasts time.Duration, noSync bool) *randomWorld {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	connections := &connection.Memory{IndexLag: time.Second}
	w := &randomWorld{
		t: t, feed: &feed.Memory{}, lasts: lasts, noSync: noSync, scale: max(1, int(lasts/time.Minute)),
		random: rand.New(rand.NewPCG(seed, 1)), notes: map[string]int{},
	}
	twin, err := local.Start(t.Context(), local.Config{
		Connections: connections, Feed: w.feed,
		Faults: local.Faults{Gone: 0.01, Throttled: 0.1, Latency: 2 * time.Millisecond, Seed: seed},
	})
	if err != nil {
		t.Fatal(err)
	}
	w.twin = twin
	t.Cleanup(func() {
		if err := twin.Close(context.Background()); err != nil {
			t.Errorf("close the twin: %v", err)
		}
	})
	for range randomWorkers {
		sender, err := apigw.New(twin.AWSConfig(), twin.ManagementEndpoint())
		if err != nil {
			t.Fatal(err)
		}
		w.workers = append(w.workers, &notify.Notifier{
			Broadcaster: &broadcast.Broadcaster{Store: connections, Sender: sender}, Feed: w.feed,
		})
	}
	for u := range randomUsers {
		user := fmt.Sprintf("user|%d", u)
		for j := range randomJobs {
			w.jobs = append(w.jobs, &randomJob{user: user, id: fmt.Sprintf("job %d", j), parts: j%3 == 0})
		}
		for range randomTabs {
			w.tabs = append(w.tabs, w.open(user, noSync))
		}
	}

	return w
}

// run publishes, drops connections, ends every job, and lets every tab connect once more.
func (w *randomWorld) run() {
	var busy sync.WaitGroup
	w.publishing.Add(len(w.workers))
	for i := range w.workers {
		busy.Go(func() { w.work(i) })
	}
	busy.Go(func() {
		reconnects := randomReconnects * w.scale
		for end := time.Now().Add(w.lasts); time.Now().Before(end) || !w.noSync && w.verdict().Reconnects < reconnects; {
			// Drop more connections than reconnects are wanted, because some of the tabs are not connected then.
			mean := float64(w.lasts) / float64(reconnects*3/2)
			time.Sleep(time.Duration(w.float() * 2 * mean))
			w.dropOne()
		}
	})
	busy.Wait()
	w.twin.SetFaults(local.Faults{})
	for _, tab := range w.tabs {
		tab.drop()
	}
}

// paced yields n random pauses whose sum is about the duration of the run.
func (w *randomWorld) paced(n int) func(func(time.Duration) bool) {
	return func(yield func(time.Duration) bool) {
		mean := w.lasts / time.Duration(n)
		end := time.Now().Add(w.lasts)
		for i := range n {
			pause := time.Duration(w.float() * 2 * float64(mean))
			if left := time.Until(end) - time.Duration(n-i)*mean; left < 0 {
				pause = 0 // the pauses so far were too long
			}
			if !yield(pause) {
				return
			}
		}
	}
}

// work publishes states of random jobs, many at a time, so that they overtake each other, and ends its share of the jobs.
func (w *randomWorld) work(worker int) {
	var posts sync.WaitGroup
	slots := make(chan struct{}, randomInFlight)
	publish := func(r message.Request) {
		slots <- struct{}{}
		posts.Go(func() {
			defer func() { <-slots }()
			w.publish(worker, r)
		})
	}
	count := randomPublishes * w.scale / randomWorkers
	noteInterval := count / (randomNotes * w.scale / randomWorkers) // each noteInterval-th message is a note
	n := 0
	for pause := range w.paced(count) {
		time.Sleep(pause)
		if n++; n%noteInterval == 0 {
			publish(w.note())
		} else {
			publish(w.state(worker))
		}
	}
	posts.Wait()
	w.publishing.Done()
	w.publishing.Wait() // until then another worker may start a new run, and the end would be that of an older run
	for i, job := range w.jobs {
		if i%randomWorkers == worker {
			publish(w.end(job, i))
		}
	}
	posts.Wait()
}

func (w *randomWorld) publish(worker int, r message.Request) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := w.workers[worker].Publish(ctx, r); err != nil {
		w.t.Errorf("publish: %v", err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.published++
}

// float returns a random number from 0 to 1.
func (w *randomWorld) float() float64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.random.Float64()
}

// state returns a request with the next state of a random job. Sometimes it starts a new run of the job, while states of the old run are still
// being published.
func (w *randomWorld) state(worker int) message.Request {
	w.mu.Lock()
	defer w.mu.Unlock()
	job := w.jobs[w.random.IntN(len(w.jobs))]
	if w.random.IntN(200) == 0 { // one of 200 states, on average, begins a new run
		job.run, job.progress, job.done = job.run+1, 0, [randomWorkers]int64{}
	}
	job.progress = min(99, job.progress+w.random.Float64()*3)
	r := job.request(job.progress, message.StatusRunning, fmt.Sprint("phase ", int(job.progress)/40))
	if job.parts {
		job.done[worker] += w.random.Int64N(5)
		r.Part = &message.Part{ID: fmt.Sprint(worker), Done: job.done[worker], Total: 10_000}
	}

	return r
}

// note returns a request with the next note of a random user.
func (w *randomWorld) note() message.Request {
	w.mu.Lock()
	defer w.mu.Unlock()
	user := w.jobs[w.random.IntN(len(w.jobs))].user
	w.notes[user]++
	return message.Request{UserID: user, Message: message.Notification{
		Title: "t", Message: fmt.Sprint("note ", w.notes[user]), Severity: message.SeverityInfo,
	}}
}

// end returns a request with a terminal state of the nth job.
func (w *randomWorld) end(job *randomJob, n int) message.Request {
	w.mu.Lock()
	defer w.mu.Unlock()
	statuses := []message.Status{message.StatusSucceeded, message.StatusFailed, message.StatusCancelled}
	return job.request(job.progress, statuses[n%len(statuses)], "end")
}

func (j *randomJob) request(progress float64, status message.Status, phase string) message.Request {
	return message.Request{
		UserID: j.user, Epoch: fmt.Sprintf("2026-11-22T10:00:00.000Z#%04d", j.run),
		Message: message.UploadProgress{
			UploadID: j.id, FileName: "parts-list.csv", Progress: progress, Message: "m", Status: status, Phase: phase,
		},
	}
}
