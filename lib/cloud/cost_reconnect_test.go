package cloud_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/herald-progress/herald/lib/auth"
	"github.com/herald-progress/herald/lib/message"
	"github.com/herald-progress/herald/lib/session"
)

// reconnect lets a tab come back that has missed 50 notes, and a state of each of 10 jobs that run. The tab loses its connection, opens
// another one and syncs, and syncs again 5 s later, as the rules for clients say.
func (a *fakeAWS) reconnect() {
	const notes, jobs, oldConnection, newConnection = 50, 10, "L0SM9cOFvHcCIhw=", "L0SM9cOFvHcCIhy="
	m := a.missMessages(notes, jobs)
	routes := a.newRoutes()

	a.usage = usage{} // what was missed is not counted
	routes.disconnect(oldConnection)
	routes.connect(newConnection)
	routes.sync(newConnection, syncRequest(m.have(1), m.noteBefore))
	time.Sleep(5 * time.Second)
	routes.sync(newConnection, syncRequest(m.have(2), m.lastNote))
	a.add(usage{messages: 2}) // the requests
}

// routes has the functions that serve the user's tabs.
type routes struct {
	disconnect, connect func(connection string)
	sync                func(connection, request string)
}

func (a *fakeAWS) newRoutes() routes {
	verifier, err := auth.New(auth.Config{Secret: []byte(secret)})
	if err != nil {
		a.t.Fatal(err)
	}
	bearer, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{"sub": "u1", "exp": time.Now().Add(time.Hour).Unix()}).SignedString([]byte(secret))
	if err != nil {
		a.t.Fatal(err)
	}
	handle := func(h func(context.Context, session.Request) (session.Response, error), connection, body string) {
		r := session.Request{QueryStringParameters: map[string]string{"token": bearer}, Body: body}
		r.RequestContext.ConnectionID = connection
		a.invoke(func() error {
			response, err := h(a.t.Context(), r)
			if err == nil && response.StatusCode != http.StatusOK {
				err = fmt.Errorf("status %d", response.StatusCode)
			}
			return err
		})
	}
	disconnect := &session.Disconnect{Store: a.connections, Log: a.log}
	connect := &session.Connect{Verifier: verifier, Store: a.connections, Log: a.log}
	defaultRoute := &session.Default{
		Gateway: a, Connections: a.connections, Feed: a.feed, Broadcaster: a.notifier.Broadcaster, Verifier: verifier, Log: a.log,
		Metrics: a.metrics, Trace: a.notifier.Trace,
	}
	return routes{
		disconnect: func(connection string) { handle(disconnect.Handle, connection, "") },
		connect:    func(connection string) { handle(connect.Handle, connection, "") },
		sync:       func(connection, request string) { handle(defaultRoute.Handle, connection, request) },
	}
}

// syncRequest returns a request, as our clients make it, for what is newer than the states and the note that it has.
func syncRequest(have map[string]any, since string) string {
	text, _ := json.Marshal(map[string]any{"action": "sync", "batch": true, "have": have, "since": since})
	return string(text)
}

// missed is what a tab has missed.
type missed struct {
	jobs                 int
	noteBefore, lastNote string // the ids of the last note that the tab has, and of the last one that it has missed
}

// have returns the field have of a sync of a client that has the state seq of each job.
func (m missed) have(seq int) map[string]any {
	have := map[string]any{}
	for job := range m.jobs {
		have[fmt.Sprintf("u-%d", job)] = []any{costEpoch + "#0000", seq}
	}
	return have
}

// missMessages stores notes, and a second state of each job.
func (a *fakeAWS) missMessages(notes, jobs int) missed {
	m := missed{jobs: jobs}
	send := func(format string, values ...any) string {
		request := fmt.Sprintf(`{"userId":"u1","epoch":"`+costEpoch+`","message":`+format+`}`, values...)
		out, err := a.notifier.Handle(a.t.Context(), json.RawMessage(request))
		if err != nil {
			a.t.Fatal(err)
		}
		return out.MessageID
	}
	const state = `{"type":"upload_progress","data":{"uploadId":"u-%d","fileName":"parts-list.csv","progress":%d,"message":"Parsing rows"}}`
	const note = `{"type":"notification","data":{"title":"Import %d","message":"Your parts list is imported","severity":"success"}}`
	for job := range jobs {
		send(state, job, 10)
	}
	m.noteBefore = send(note, 0)
	for n := range notes {
		time.Sleep(message.NoteOverlap + time.Second) // A sync would send younger notes again, unless the client says that it has them.
		m.lastNote = send(note, n+1)
	}
	for job := range jobs {
		send(state, job, 90)
	}
	return m
}
