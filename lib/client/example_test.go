package client_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/coder/websocket"

	"github.com/herald-progress/herald/lib/client"
	"github.com/herald-progress/herald/lib/message"
)

// A client shows a user's jobs until one of them has ended.
func ExampleClient() {
	gateway := httptest.NewServer(http.HandlerFunc(serveOneJob)) // in place of a deployment
	defer gateway.Close()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	c := client.New(client.Config{
		URL:   gateway.URL, // the output WebSocketURL of a deployment
		Token: func(context.Context) (string, error) { return "token.of.ann", nil },
		OnFrame: func(e message.Envelope, _ []byte) {
			state, ok := message.AsUploadProgress(e.Data)
			if !ok {
				return
			}
			fmt.Printf("%s: %v %%, %s\n", state.FileName, state.Progress, state.Message)
			if state.Status.Terminal() {
				cancel()
			}
		},
	})
	fmt.Println(c.Run(ctx), c.Status().State)
	// Output:
	// parts-list.csv: 42.5 %, Parsing row 4250
	// parts-list.csv: 100 %, Done
	// <nil> stopped
}

// serveOneJob answers one sync as a deployment does, and then sends the job's end.
func serveOneJob(w http.ResponseWriter, r *http.Request) {
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{message.Subprotocol}})
	if err != nil {
		return
	}
	defer conn.CloseNow()
	if _, _, err := conn.Read(r.Context()); err != nil { // the sync
		return
	}
	for _, frame := range []string{
		`{"type":"welcome","data":{"connectionId":"c","serverTime":"2026-11-22T10:00:00Z","sessionEnd":"2026-11-22T11:00:00Z"}}`,
		`{"type":"upload_progress","job":"u-42","epoch":"2026-11-22T10:00:00.000Z#0000","seq":17,"data":{"uploadId":"u-42","fileName":"parts-list.csv","progress":42.5,"message":"Parsing row 4250"}}`,
		`{"type":"synced","data":{"jobs":1,"notes":0}}`,
		`{"type":"upload_progress","job":"u-42","epoch":"2026-11-22T10:00:00.000Z#0000","seq":18,"data":{"uploadId":"u-42","fileName":"parts-list.csv","progress":100,"message":"Done","status":"succeeded"}}`,
	} {
		if conn.Write(r.Context(), websocket.MessageText, []byte(frame)) != nil {
			return
		}
	}
	<-conn.CloseRead(r.Context()).Done() // until the client closes
}
