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
		f := newFixture(t)
		f.connect("short", "u1", time.Minute)
		time.Sleep(time.Minute)
		f.connect("c1", "u1", time.Hour)
		f.connect("c2", "u1", time.Hour)
		f.connect("theirs", "u2", time.Hour)
		gone, stays := f.addNote("u1", 1), f.addNote("u1", 2)
		f.send("c1", `{"action":"dismiss","id":"`+strings.ToLower(gone)+`"}`) // a ULID has no case
		f.checkFrames("c1", "dismissed "+gone)
		f.checkFrames("c2", "dismissed "+gone)
		f.checkFrames("theirs")
		f.checkFrames("short")
		f.send("theirs", `{"action":"dismiss","id":"`+stays+`"}`)
		f.send("c2", `{"action":"sync"}`)
		f.checkFrames("c2", "welcome", "note 2 replayed=true", "synced jobs=0 notes=1 more=false")
	})
}

func TestDismissReturnsAnErrorWhenEveryPostFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		f.connect("c1", "u1", time.Hour)
		note := f.addNote("u1", 1)
		f.gateway.fail = func(string, message.Envelope) error { return errStore }
		if err := f.handle(f.handler, "c1", `{"action":"dismiss","id":"`+note+`"}`); !errors.Is(err, broadcast.ErrDelivery) {
			t.Errorf("%v, want ErrDelivery", err)
		}
	})
}

func TestDismissOfAnAbsentNotePostsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		for n := range 50 {
			f.connect(fmt.Sprint("c", n), "u1", time.Hour)
		}
		note, theirs := f.addNote("u1", 1), f.addNote("u2", 1)
		f.send("c1", `{"action":"dismiss","id":"`+note+`"}`)
		f.gateway.tried = nil
		for _, id := range []string{note, theirs[:20] + "XXXXXX", aNote} { // the first is dismissed, the others were never stored
			f.send("c1", `{"action":"dismiss","id":"`+id+`"}`)
		}
		if len(f.gateway.tried) != 0 {
			t.Errorf("%d posts, want none", len(f.gateway.tried))
		}
	})
}

func TestDismissReachesTheSenderBeforeTheIndexShowsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		f.store.IndexLag = time.Minute
		f.connect("c1", "u1", time.Hour)
		note := f.addNote("u1", 1)
		f.send("c1", `{"action":"dismiss","id":"`+note+`"}`)
		f.checkFrames("c1", "dismissed "+note)
	})
}
