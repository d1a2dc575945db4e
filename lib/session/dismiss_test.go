package session_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/herald-progress/herald/lib/broadcast"
	"github.com/herald-progress/herald/lib/message"
)

func TestDismissIsPostedToEveryTab(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFixture(t)
		w.connect("short", "u1", time.Minute)
		time.Sleep(time.Minute)
		w.connect("c1", "u1", time.Hour)
		w.connect("c2", "u1", time.Hour)
		w.connect("theirs", "u2", time.Hour)
		gone, stays := w.addNote("u1", 1), w.addNote("u1", 2)
		w.send("c1", `{"action":"dismiss","id":"`+strings.ToLower(gone)+`"}`) // a ULID has no case
		w.checkFrames("c1", "dismissed "+gone)
		w.checkFrames("c2", "dismissed "+gone)
		w.checkFrames("theirs")
		w.checkFrames("short")
		w.send("theirs", `{"action":"dismiss","id":"`+stays+`"}`)
		w.send("c2", `{"action":"sync"}`)
		w.checkFrames("c2", "welcome", "note 2 replayed=true", "synced jobs=0 notes=1 more=false")
	})
}

func TestDismissReturnsAnErrorWhenEveryPostFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFixture(t)
		w.connect("c1", "u1", time.Hour)
		note := w.addNote("u1", 1)
		w.gateway.fail = func(string, message.Envelope) error { return errStore }
		if err := w.handle(w.handler, "c1", `{"action":"dismiss","id":"`+note+`"}`); !errors.Is(err, broadcast.ErrDelivery) {
			t.Errorf("%v, want ErrDelivery", err)
		}
	})
}

func TestDismissOfAnAbsentNotePostsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFixture(t)
		for n := range 50 {
			w.connect(fmt.Sprint("c", n), "u1", time.Hour)
		}
		note, theirs := w.addNote("u1", 1), w.addNote("u2", 1)
		w.send("c1", `{"action":"dismiss","id":"`+note+`"}`)
		w.gateway.tried = nil
		for _, id := range []string{note, theirs[:20] + "XXXXXX", aNote} { // the first is dismissed, the others were never stored
			w.send("c1", `{"action":"dismiss","id":"`+id+`"}`)
		}
		if len(w.gateway.tried) != 0 {
			t.Errorf("%d posts, want none", len(w.gateway.tried))
		}
	})
}

func TestDismissReachesTheSenderBeforeTheIndexShowsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFixture(t)
		w.store.IndexLag = time.Minute
		w.connect("c1", "u1", time.Hour)
		note := w.addNote("u1", 1)
		w.send("c1", `{"action":"dismiss","id":"`+note+`"}`)
		w.checkFrames("c1", "dismissed "+note)
	})
}
