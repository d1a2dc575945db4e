package session

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/herald-progress/herald/lib/broadcast"
	"github.com/herald-progress/herald/lib/feed"
	"github.com/herald-progress/herald/lib/message"
	"github.com/herald-progress/herald/lib/metrics"
)

const (
	// firstNotes is how many notes a browser without notes gets.
	firstNotes = 50
	// maxNotes is how many newer notes one sync sends at most. message.MaxOverlap bounds the notes of the overlap.
	maxNotes = 200
	// maxStates is how many states of jobs one sync sends at most.
	maxStates = 200
	// readTimeout and postTimeout are the times from the beginning of a sync at which it stops reading and posting, well below
	// the function's 30 s. The next sync continues.
	readTimeout = 8 * time.Second
	postTimeout = 20 * time.Second
	// minTimeToAnswer is the time that must be left when the last frame before synced is posted.
	minTimeToAnswer = 2 * broadcast.PostTimeout
	// maxPages is how many pages of jobs one sync reads, each by one request to the store. pageSize is how many jobs a page
	// has at most: DynamoDB ends a page at 1 MB.
	maxPages = 20
	pageSize = 1000
)

// syncAction asks for everything that is newer than what the browser has.
type syncAction struct {
	// have has the version of the newest state that the browser has of each job.
	have map[string]version
	// since is the id of the newest note that the browser has. first is the value of since on the first page of the sync. Notes
	// with ids from overlapStart to first are sent again: they may have been stored after the browser's last sync. All three are
	// empty if the browser has no notes.
	since, first, overlapStart string
	// overlapDigest is message.NotesDigest of those notes from overlapStart to first that the browser has. Empty means that the browser
	// did not send it.
	overlapDigest string
	// cursor is where the sync continues.
	cursor cursor
	// noWelcome asks for a response without a welcome frame.
	noWelcome bool
	// batch asks for batches of frames.
	batch bool
}

// version identifies a state of a job.
type version struct {
	epoch string
	seq   int64
}

func decodeSync(raw []byte) (action, error) {
	var m struct {
		Action  string                     `json:"action"`
		Have    map[string]json.RawMessage `json:"have,omitzero"`
		Since   string                     `json:"since,omitzero"`
		Cursor  string                     `json:"cursor,omitzero"`
		Overlap string                     `json:"overlap,omitzero"`
		Welcome *bool                      `json:"welcome,omitzero"`
		Batch   bool                       `json:"batch,omitzero"`
	}
	if err := message.DecodeObject(raw, "", &m); err != nil {
		return nil, err
	}
	if len(m.Have) > message.MaxHave {
		return nil, invalid("have", fmt.Sprintf("must name at most %d jobs", message.MaxHave))
	}
	s := syncAction{have: make(map[string]version, len(m.Have)), noWelcome: m.Welcome != nil && !*m.Welcome, batch: m.Batch}
	for _, job := range slices.Sorted(maps.Keys(m.Have)) {
		if !message.ValidID(job, message.MaxID) {
			continue // no job has this id. A browser that once stored it must still be able to sync.
		}
		v, rule := decodeVersion(m.Have[job])
		if rule != "" {
			return nil, invalid("have", rule)
		}
		s.have[job] = v
	}

	var err error
	if s.cursor, err = decodeCursor(m.Cursor); err != nil {
		return nil, invalid("cursor", "must be that of a synced frame")
	}
	if m.Since == "" {
		return s, nil
	}

	since, err := ulid.ParseStrict(m.Since)
	if err != nil {
		return nil, invalid("since", ruleNote)
	}
	s.since, s.overlapDigest = since.String(), m.Overlap
	first := since
	// The cursor has the value of since on the first page.
	if earlier, err := ulid.ParseStrict(s.cursor.Since); err == nil && earlier.Compare(since) < 0 {
		first = earlier
	}
	var overlapStart ulid.ULID
	ms := first.Time()
	// overlapStart is NoteOverlap earlier, but not before 1970, which is 0.
	if err := overlapStart.SetTime(ms - min(ms, uint64(feed.NoteOverlap.Milliseconds()))); err != nil { //nolint:gosec // the constant is positive
		return nil, invalid("since", ruleNote)
	}
	s.first, s.overlapStart = first.String(), overlapStart.String()
	return s, nil
}

// decodeVersion decodes the pair [epoch, seq]. It returns the rule that an invalid pair violates.
func decodeVersion(raw json.RawMessage) (v version, rule string) {
	var pair []json.RawMessage
	if json.Unmarshal(raw, &pair) != nil || len(pair) != 2 {
		return version{}, "must give each job as [epoch, seq]"
	}
	var epoch *string
	if json.Unmarshal(pair[0], &epoch) != nil || epoch == nil {
		return version{}, "must have texts as epochs"
	}
	if *epoch != "" {
		if normal, err := message.NormalizeEpoch(*epoch); err != nil || normal != *epoch {
			return version{}, "must have epochs as they were sent"
		}
	}
	var seq *int64
	if json.Unmarshal(pair[1], &seq) != nil || seq == nil || *seq < 0 {
		return version{}, "must have whole numbers from 0 as seqs"
	}

	return version{epoch: *epoch, seq: *seq}, ""
}

// do posts a welcome frame, everything that is newer than what the browser has, and a synced frame with the counts. If the
// user's posts are spent, the synced frame says when to ask again, and continues from the same cursor.
func (s syncAction) do(ctx context.Context, h *Default, log *slog.Logger, resp *responder) error {
	err := h.sync(ctx, log, resp, s)
	if errors.Is(err, errBudgetSpent) {
		return resp.send(ctx, message.Synced{More: true, Cursor: s.cursor.String(), RetryAfter: retryAfter(resp.now())})
	}
	return err
}

// sync answers a sync. The cost is the number of its posts or of the pages of jobs that it reads, whichever is larger. It reads
// and posts only what it has paid for.
func (h *Default) sync(ctx context.Context, log *slog.Logger, resp *responder, s syncAction) error {
	start := resp.now()
	minPosts := s.minPosts()
	c, err := h.chargeMinimum(ctx, log, resp, minPosts)
	if err != nil {
		return err
	}
	if c.paid < minPosts {
		metrics.OrNone(h.Metrics).Count(metrics.RateLimited, 1)
		return errBudgetSpent
	}
	page, err := h.read(ctx, feed.User(resp.connection.UserID), s, c, start.Add(readTimeout))
	if err != nil {
		return err
	}

	frames := page.frames()
	posts, err := pack(s.answer(resp, frames), s.batch)
	if err != nil {
		return err
	}
	allSent := resp.frame(page.synced(s.cursor, frames))
	posts, last, err := splitLast(posts, allSent, s.batch)
	if err != nil {
		return err
	}
	if err := c.payUpTo(ctx, len(posts)+1); err != nil {
		return err
	}
	if c.paid <= len(posts) { // the last paid post has synced, and welcome if it is the only one
		first := posts[0]
		posts, last = posts[:c.paid-1], syncPost{}
		if len(posts) == 0 && !s.noWelcome {
			last.add(first.Frames[0], false)
		}
	}

	posted, err := resp.postSync(ctx, posts, !s.noWelcome, postDeadline(ctx, start))
	if err != nil {
		return err
	}
	if posted < len(posts) {
		posts, last = posts[:posted], syncPost{}
	}
	synced := page.synced(s.cursor, frames[:countReplayed(posts)+last.replayed])
	count := metrics.OrNone(h.Metrics)
	count.Count(metrics.SyncedPages, 1)
	if c.budgetExhausted {
		count.Count(metrics.RateLimited, 1)
		synced.More, synced.RetryAfter = true, retryAfter(resp.now())
	}
	log.InfoContext(ctx, "synced", "jobs", synced.Jobs, "notes", synced.Notes, "more", synced.More, "posts", posted+1, "pages", page.jobs.pages, "paid", c.paid, "budgetExhausted", c.budgetExhausted)
	return resp.sendLast(ctx, last, synced)
}

// minPosts returns the number of posts of the shortest answer: one with welcome and synced, or else one for each of those that it has.
func (s syncAction) minPosts() int {
	if s.batch || s.noWelcome {
		return 1
	}
	return 2
}

// answer returns the frames that come before synced.
func (s syncAction) answer(resp *responder, frames []syncFrame) []message.Envelope {
	all := make([]message.Envelope, 0, 1+len(frames))
	if !s.noWelcome {
		end := message.Time{Time: resp.connection.SessionEnd()}
		all = append(all, resp.frame(message.Welcome{ConnectionID: resp.connection.ID, ServerTime: message.Time{Time: resp.now()}, SessionEnd: end}))
	}
	for _, f := range frames {
		all = append(all, f.Envelope)
	}
	return all
}

// postDeadline returns the time until which a sync that began at start posts frames before synced.
func postDeadline(ctx context.Context, start time.Time) time.Time {
	until := start.Add(postTimeout)
	if deadline, ok := ctx.Deadline(); ok && deadline.Add(-minTimeToAnswer).Before(until) {
		return deadline.Add(-minTimeToAnswer)
	}
	return until
}

// syncFrame is a state or a note that a sync posts.
type syncFrame struct {
	message.Envelope

	// rank is the job's rank. It is nil for a note.
	rank *rank
}
