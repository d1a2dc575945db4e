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

// browserTokenLife is the lifetime of a browser's token. The client replaces it before it expires.
const browserTokenLife = time.Hour

// browser is a tab of the user. It stays connected until its context ends.
type browser struct {
	client *client.Client
	// frames receives the frames that change what the user sees.
	frames chan frame
	// ended receives the error of Client.Run: the reason why the client does not connect again.
	ended chan error
}

// frame is one frame, parsed and as received.
type frame struct {
	message.Envelope

	raw []byte
}

// openBrowser connects a browser.
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
		if err == nil { // Run returns nil only if ctx has ended.
			err = errors.New("interrupted before the browser was connected")
		}
		return nil, err
	}
}

// startSync requests the frames that the browser has missed. The channel receives a value when the browser has received them.
func (b *browser) startSync(ctx context.Context) <-chan error {
	synced := make(chan error, 1)
	go func() { synced <- b.client.Sync(ctx) }()
	return synced
}

// jobEnded reports whether the browser has received the end of a job.
func (b *browser) jobEnded(job string) bool {
	e, _ := b.client.View().Job(job)
	state, ok := message.AsUploadProgress(e.Data)
	return ok && state.Status.Terminal()
}
