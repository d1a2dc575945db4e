package gateway

import (
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/herald-progress/herald/lib/local/awswire"
)

// isoTime is the time format of a connection's status: ISO 8601 with milliseconds.
const isoTime = "2006-01-02T15:04:05.000Z"

// connectionStatus is the answer to GET @connections.
type connectionStatus struct {
	Identity     identity `json:"identity"`
	ConnectedAt  string   `json:"connectedAt"`
	LastActiveAt string   `json:"lastActiveAt"`
}

// callback answers a request to @connections: POST sends to the browser, GET tells about the connection, DELETE closes
// it. All of them pass here, and here alone, before they reach a connection; posts meet their faults on the way.
func (g *Gateway) callback(w http.ResponseWriter, r *http.Request, id string) {
	w.Header().Set("X-Amzn-Requestid", awswire.NewUUID())
	w.Header().Set("X-Amz-Apigw-Id", newID())
	if !validConnectionID(id) { // which is not traced, as recorded
		writeError(w, http.StatusBadRequest, "BadRequestException", "Invalid connectionId: "+id)
		return
	}

	w.Header().Set("X-Amzn-Trace-Id", newTraceID())
	if r.Method == http.MethodPost && g.inject(r.Context(), w) {
		return
	}

	s := g.lookup(id)
	if s == nil {
		writeGone(w)
		return
	}

	switch r.Method {
	case http.MethodPost:
		s.servePost(w, r)
	case http.MethodGet:
		s.serveStatus(w)
	case http.MethodDelete:
		s.serveDelete(w)
	default:
		writeError(w, http.StatusForbidden, "ForbiddenException", "Forbidden")
	}
}

func (s *socket) servePost(w http.ResponseWriter, r *http.Request) {
	limit := int64(s.gateway.cfg.MessageLimit)
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		writeError(w, http.StatusRequestEntityTooLarge, "PayloadTooLargeException", "Message too long")
		return
	case err != nil:
		writeError(w, http.StatusBadRequest, "BadRequestException", "Bad request")
		return
	}

	var timeout interface{ Timeout() bool }
	switch err := s.send(r.Context(), text); {
	case err == nil:
		writeEmptyJSON(w, http.StatusOK)
	case errors.As(err, &timeout) && timeout.Timeout():
		writeError(w, http.StatusGatewayTimeout, "", endpointTimedOut)
	default:
		writeGone(w)
	}
}

func (s *socket) serveStatus(w http.ResponseWriter) {
	writeJSON(w, http.StatusOK, connectionStatus{
		Identity:     s.identity,
		ConnectedAt:  s.connectedAt.UTC().Format(isoTime),
		LastActiveAt: time.Unix(0, s.lastActive.Load()).UTC().Format(isoTime),
	})
}

// serveDelete ends the connection at once, for posts and for $disconnect. The closing handshake runs on afterwards.
func (s *socket) serveDelete(w http.ResponseWriter) {
	if !s.end(endDeleted) {
		writeGone(w)
		return
	}
	go s.finish(endDeleted)
	w.WriteHeader(http.StatusNoContent)
}

// writeGone answers for a connection that is not there: the type is in a header, the body is empty.
func writeGone(w http.ResponseWriter) {
	w.Header().Set("X-Amzn-Errortype", "GoneException")
	writeEmptyJSON(w, http.StatusGone)
}

func writeEmptyJSON(w http.ResponseWriter, status int) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", "0")
	w.WriteHeader(status)
}

// writeError answers an error that concerns no connection. An empty errorType adds no header.
func writeError(w http.ResponseWriter, status int, errorType, message string) {
	if errorType != "" {
		w.Header().Set("X-Amzn-Errortype", errorType)
	}
	writeJSON(w, status, failure{Message: message})
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(encode(body)) // A client that has left needs no answer.
}
