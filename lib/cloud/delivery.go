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
	// The ids in the requests of warm. Nothing with these ids exists: no user has warmUserID, because a token is not accepted if its
	// subject contains a control character.
	warmConnectionID = "nobody"
	warmJobID        = "nothing"
	warmUserID       = "nobody\x00"
	// warmTimeout is the longest time that warm takes. Lambda gives a function ten seconds to start.
	warmTimeout = 2 * time.Second
)

// delivery has what a function needs to store messages and to post them to browsers.
type delivery struct {
	awsClients

	connections *dynamo.Connections
	feed        *dynamo.Feed
	sender      *apigw.Sender
}

// loadDelivery returns a delivery for a function that reads lambdas.PublishVariables. It returns an error if a variable is missing
// or invalid.
func loadDelivery(ctx context.Context, e *environment) (delivery, error) {
	clients, err := loadAWS(ctx, e)
	if err != nil {
		return delivery{}, err
	}
	sender, err := clients.sender(e.getenv(lambdas.EnvEndpoint))
	if err != nil {
		return delivery{}, err
	}

	return delivery{
		awsClients:  clients,
		connections: clients.connectionStore(e.getenv(lambdas.EnvConnectionsTable)),
		feed:        &dynamo.Feed{Client: clients.dynamo, Table: e.getenv(lambdas.EnvFeedTable), Log: clients.log},
		sender:      sender,
	}, nil
}

func (d delivery) broadcaster() *broadcast.Broadcaster {
	return &broadcast.Broadcaster{Store: d.connections, Sender: d.sender, Log: d.log}
}

func (d delivery) notifier() *notify.Notifier {
	return &notify.Notifier{Broadcaster: d.broadcaster(), Feed: d.feed, Log: d.log}
}

// warm calls each service once, so that the first event finds open sockets and initialized codecs. This is faster while the function
// starts, because Lambda is believed to give a starting function a whole processor. Later, a function with 256 MB has a seventh of one.
//
// readFeed sends the request to the feed. Each function passes a request that it has the permission for. If a service fails, warm logs
// it, and the function starts all the same.
func (d delivery) warm(ctx context.Context, readFeed func(context.Context, *dynamo.Feed) error) {
	ctx, cancel := context.WithTimeout(ctx, warmTimeout)
	defer cancel()
	var calls sync.WaitGroup
	calls.Go(func() {
		for _, err := range d.connections.ByUser(ctx, warmUserID) {
			if err != nil {
				d.log.WarnContext(ctx, "warm up: read connections", "err", err)
			}
		}
	})
	calls.Go(func() {
		if err := readFeed(ctx, d.feed); err != nil && !errors.Is(err, feed.ErrNotFound) {
			d.log.WarnContext(ctx, "warm up: read feed", "err", err)
		}
	})
	calls.Go(func() {
		// The connection does not exist, so most errors are expected.
		if err := d.sender.Send(ctx, warmConnectionID, []byte("{}")); errors.Is(err, broadcast.ErrUnavailable) {
			d.log.WarnContext(ctx, "warm up: post", "err", err)
		}
	})
	calls.Wait()
}

// readWarmJob reads a job that does not exist. An update of a job sends the same request.
func readWarmJob(ctx context.Context, f *dynamo.Feed) error {
	_, err := f.Job(ctx, feed.User(warmUserID), warmJobID)
	return err
}

// readWarmNotes reads notes that do not exist. A sync sends the same request.
func readWarmNotes(ctx context.Context, f *dynamo.Feed) error {
	_, err := f.Notes(ctx, feed.User(warmUserID), "", 1)
	return err
}
