package apigw

import (
	"context"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/herald-progress/herald/lib/broadcast"
)

// deadSocket is a socket whose network loses everything once it is dead.
type deadSocket struct {
	net.Conn

	dead *atomic.Bool
}

func (s deadSocket) Write(p []byte) (int, error) {
	if s.dead.Load() {
		return len(p), nil
	}

	return s.Conn.Write(p)
}

// TestADeadHTTP2SocketIsReplacedWithinABroadcast: all posts of a broadcast may share one socket, which may be dead.
func TestADeadHTTP2SocketIsReplacedWithinABroadcast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newPipeListener(0)
		var dead []*atomic.Bool
		l.wrap = func(c net.Conn) net.Conn {
			dead = append(dead, new(atomic.Bool))

			return deadSocket{Conn: c, dead: dead[len(dead)-1]}
		}
		s := pipeSender(t, l, func(http.ResponseWriter, *http.Request) {})
		if err := s.Send(t.Context(), "c", []byte("x")); err != nil {
			t.Fatal(err)
		}
		dead[0].Store(true)
		ctx, cancel := context.WithTimeout(t.Context(), broadcast.Budget)
		defer cancel()
		try, cancelTry := context.WithTimeout(ctx, broadcast.PostTimeout)
		defer cancelTry()
		if s.Send(try, "c", []byte("x")) == nil {
			return // the transport has tried again
		}
		if err := s.Send(ctx, "c", []byte("x")); err != nil {
			t.Errorf("the second try: %v", err)
		}
	})
}
