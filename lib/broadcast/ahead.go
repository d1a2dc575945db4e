package broadcast

import (
	"iter"

	"github.com/herald-progress/herald/lib/connection"
)

// readAhead is how many connections are read before there is a frame for them: as many as can be posted to at once.
const readAhead = InFlight

// found is one step of a reading.
type found struct {
	c   connection.Connection
	err error
}

// ahead starts to read connections, and returns them as they come in, to be ranged over once. Stop ends the reading, and
// returns when it has ended; what ends a page that is being read is its context.
func ahead(connections iter.Seq2[connection.Connection, error]) (read iter.Seq2[connection.Connection, error], stop func()) {
	pages, stopped, ended := make(chan found, readAhead), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		defer close(pages)
		for c, err := range connections {
			select {
			case pages <- found{c, err}:
			case <-stopped:
				return
			}
		}
	}()
	read = func(yield func(connection.Connection, error) bool) {
		for f := range pages {
			if !yield(f.c, f.err) {
				return
			}
		}
	}
	stop = func() {
		close(stopped)
		<-ended
	}

	return read, stop
}
