package cloud

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/herald-progress/herald/lambdas"
	"github.com/herald-progress/herald/lib/apigw"
	"github.com/herald-progress/herald/lib/broadcast"
	"github.com/herald-progress/herald/lib/dynamo"
	"github.com/herald-progress/herald/lib/feed"
	"github.com/herald-progress/herald/lib/notify"
)

const (
	// The ids in the requests of Warm. Nothing with these ids exists: no user has warmUserID, because a token is not accepted if its
	// subject contains a control character.
	warmConnectionID = "nobody"
	warmJobID        = "nothing"
	warmUserID       = "nobody\x00"
	// warmTimeout is the longest time that Warm takes. Lambda gives a function ten seconds to start.
	warmTimeout = 2 * time.Second
)

// Delivery has what a function needs to store messages and to post them to browsers.
type Delivery struct {
	Clients

	Connections *dynamo.Connections
	Feed        *dynamo.Feed
	Sender      *apigw.Sender
}

// NewDelivery returns a Delivery for a function that reads lambdas.PublishVariables. It returns an error if a variable is missing
// or invalid.
func NewDelivery(e *Environment) (Delivery, error) {
	clients, err := NewClients(e)
	if err != nil {
		return Delivery{}, err
	}
	sender, err := clients.Sender(e.Get(lambdas.EnvEndpoint))
	if err != nil {
		return Delivery{}, err
	}

	return Delivery{
		Clients:     clients,
		Connections: clients.Connections(e.Get(lambdas.EnvConnectionsTable)),
		Feed:        &dynamo.Feed{Client: clients.DynamoDB, Table: e.Get(lambdas.EnvFeedTable), Log: clients.Log},
		Sender:      sender,
	}, nil
}

// Broadcaster returns what posts frames to the connections of a user.
func (d Delivery) Broadcaster() *broadcast.Broadcaster {
	return &broadcast.Broadcaster{Store: d.Connections, Sender: d.Sender, Log: d.Log}
}

// Notifier returns what stores messages and posts them.
func (d Delivery) Notifier() *notify.Notifier {
	return &notify.Notifier{Broadcaster: d.Broadcaster(), Feed: d.Feed, Log: d.Log, Metrics: d.Metrics, Trace: Trace}
}

// Warm calls each service once, so that the first event finds open sockets and initialized codecs. This is faster while the function
// starts, because Lambda is believed to give a starting function a whole processor. Later, a function with 256 MB has a seventh of one.
//
// readFeed sends the request to the feed. Each function passes a request that it has the permission for. If a service fails, Warm logs
// it, and the function starts all the same.
func (d Delivery) Warm(ctx context.Context, readFeed func(context.Context, *dynamo.Feed) error) {
	ctx, cancel := context.WithTimeout(ctx, warmTimeout)
	defer cancel()
	var calls sync.WaitGroup
	calls.Go(func() {
		for _, err := range d.Connections.ByUser(ctx, warmUserID) {
			if err != nil {
				d.Log.WarnContext(ctx, "warm up: read connections", "err", err)
			}
		}
	})
	calls.Go(func() {
		if err := readFeed(ctx, d.Feed); err != nil && !errors.Is(err, feed.ErrNotFound) {
			d.Log.WarnContext(ctx, "warm up: read feed", "err", err)
		}
	})
	calls.Go(func() {
		// The connection does not exist, so most errors are expected.
		if err := d.Sender.Send(ctx, warmConnectionID, []byte("{}")); errors.Is(err, broadcast.ErrUnavailable) {
			d.Log.WarnContext(ctx, "warm up: post", "err", err)
		}
	})
	calls.Wait()
}

// ReadWarmJob reads a job that does not exist. An update of a job sends the same request.
func ReadWarmJob(ctx context.Context, f *dynamo.Feed) error {
	_, err := f.Job(ctx, feed.User(warmUserID), warmJobID)
	return err
}

// ReadWarmNotes reads notes that do not exist. A sync sends the same request.
func ReadWarmNotes(ctx context.Context, f *dynamo.Feed) error {
	_, err := f.Notes(ctx, feed.User(warmUserID), "", 1)
	return err
}
