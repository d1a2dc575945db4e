package main

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/herald-progress/herald/lib/client"
	"github.com/herald-progress/herald/lib/local"
	"github.com/herald-progress/herald/lib/message"
)

// browserTokenLife is how long a browser's token lasts. It gets another in time.
const browserTokenLife = time.Hour

// browser is a tab of the user's, which stays connected until its context ends.
type browser struct {
	client *client.Client
	// frames are those that are news.
	frames chan frame
	// ended gets the reason where there is no use in connecting again.
	ended chan error
}

// frame is one frame, parsed and as it came.
type frame struct {
	message.Envelope

	raw []byte
}

// openBrowser returns a browser that is connected.
func openBrowser(ctx context.Context, twin *local.Twin, user string) (*browser, error) {
	b := &browser{frames: make(chan frame), ended: make(chan error, 1)}
	connected, once := make(chan struct{}), sync.Once{}
	b.client = client.New(client.Config{
		URL:   twin.WebSocketURL(),
		Token: func(context.Context) (string, error) { return twin.Token(user, browserTokenLife) },
		OnFrame: func(e message.Envelope, raw []byte) {
			select {
			case b.frames <- frame{e, raw}:
			case <-ctx.Done():
			}
		},
		OnStatus: func(s client.Status) {
			if s.State == client.Connected {
				once.Do(func() { close(connected) })
			}
		},
	})
	go func() { b.ended <- b.client.Run(ctx) }()
	select {
	case <-connected:
		return b, nil
	case err := <-b.ended:
		if err == nil {
			err = errors.New("interrupted before the browser was connected")
		}
		return nil, err
	}
}

// sync asks for what the browser has missed; the channel gets a value when all of that has come.
func (b *browser) sync(ctx context.Context) <-chan error {
	synced := make(chan error, 1)
	go func() { synced <- b.client.Sync(ctx) }()
	return synced
}

// over reports whether the browser knows of a job that it has ended.
func (b *browser) over(job string) bool {
	e, _ := b.client.View().Job(job)
	state, ok := message.AsUploadProgress(e.Data)
	return ok && state.Status.Terminal()
}
