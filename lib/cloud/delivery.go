package cloud

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/herald-progress/herald/lib/apigw"
	"github.com/herald-progress/herald/lib/broadcast"
	"github.com/herald-progress/herald/lib/dynamo"
	"github.com/herald-progress/herald/lib/feed"
	"github.com/herald-progress/herald/lib/notify"
)

const (
	// nobodysID, nobodysJob and nobody are the connection, the job and the user that warm asks for. No token has such a
	// sub: it holds a control character.
	nobodysID  = "nobody"
	nobodysJob = "nothing"
	nobody     = "nobody\x00"
	// warmTimeout bounds warm within the ten seconds that Lambda gives a function to start.
	warmTimeout = 2 * time.Second
)

// places are the names by which a delivery finds what it needs.
type places struct{ connections, feed, endpoint string }

func (e *environment) places() places {
	return places{connections: e.required(envTable), feed: e.required(envFeed), endpoint: e.required(envEndpoint)}
}

// delivery stores messages and brings them to browsers.
type delivery struct {
	function

	rows   *dynamo.Connections
	feed   *dynamo.Feed
	sender *apigw.Sender
}

// loadDelivery returns a delivery at p, unless a required variable is missing.
func loadDelivery(ctx context.Context, e *environment, p places) (delivery, error) {
	f, err := load(ctx, e)
	if err != nil {
		return delivery{}, err
	}
	sender, err := f.sender(p.endpoint)
	if err != nil {
		return delivery{}, err
	}

	return delivery{
		function: f, rows: f.connections(p.connections), feed: &dynamo.Feed{Client: f.dynamo, Table: p.feed, Log: f.log}, sender: sender,
	}, nil
}

func (d delivery) broadcaster() *broadcast.Broadcaster {
	return &broadcast.Broadcaster{Store: d.rows, Sender: d.sender, Log: d.log}
}

func (d delivery) notifier() *notify.Notifier {
	return &notify.Notifier{Broadcaster: d.broadcaster(), Feed: d.feed, Log: d.log}
}

// warm calls what a delivery calls, so that the first event finds sockets open and codecs ready: Lambda is believed to
// give a function a whole processor while it starts, and at 256 MB it has a seventh of one afterwards. Of the feed it calls
// read, as not every function may do the same there. A service that refuses, or gives no answer, does not keep the function
// from starting.
func (d delivery) warm(ctx context.Context, read func(context.Context, *dynamo.Feed) error) {
	ctx, cancel := context.WithTimeout(ctx, warmTimeout)
	defer cancel()
	var calls sync.WaitGroup
	calls.Go(func() {
		for _, err := range d.rows.ByUser(ctx, nobody) {
			if err != nil {
				d.log.WarnContext(ctx, "read no connections", "err", err)
			}
		}
	})
	calls.Go(func() {
		if err := read(ctx, d.feed); err != nil && !errors.Is(err, feed.ErrNotFound) {
			d.log.WarnContext(ctx, "read no feed", "err", err)
		}
	})
	calls.Go(func() {
		if err := d.sender.Send(ctx, nobodysID, []byte("{}")); errors.Is(err, broadcast.ErrUnavailable) {
			d.log.WarnContext(ctx, "post to no connection", "err", err)
		}
	})
	calls.Wait()
}

// nobodysState reads as an update of a job does.
func nobodysState(ctx context.Context, f *dynamo.Feed) error {
	_, err := f.Job(ctx, feed.User(nobody), nobodysJob)

	return err //nolint:wrapcheck // warm logs it
}

// nobodysNotes reads as a sync does.
func nobodysNotes(ctx context.Context, f *dynamo.Feed) error {
	_, err := f.Notes(ctx, feed.User(nobody), "", 1)

	return err //nolint:wrapcheck // warm logs it
}
