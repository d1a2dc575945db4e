package gateway

import (
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/herald-progress/herald/lib/local/awswire"
)

// isoTimeLayout is the time format of connectionStatus: ISO 8601 with milliseconds.
const isoTimeLayout = "2006-01-02T15:04:05.000Z"

// connectionStatus is the response to GET @connections.
type connectionStatus struct {
	Identity     identity `json:"identity"`
	ConnectedAt  string   `json:"connectedAt"`
	LastActiveAt string   `json:"lastActiveAt"`
}

// serveManagement serves a request to @connections: POST sends a message to the browser, GET returns the connection's status,
// DELETE closes the connection. It injects the faults of posts.
func (g *Gateway) serveManagement(w http.ResponseWriter, r *http.Request, id string) {
	w.Header().Set("X-Amzn-Requestid", awswire.NewUUID())
	w.Header().Set("X-Amz-Apigw-Id", newID())
	if !validConnectionID(id) { // This response has no trace id, as recorded on AWS.
		writeError(w, http.StatusBadRequest, "BadRequestException", "Invalid connectionId: "+id)
		return
	}

	w.Header().Set("X-Amzn-Trace-Id", newTraceID())
	if r.Method == http.MethodPost && g.injectFault(r.Context(), w) {
		return
	}

	s := g.findSocket(id)
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
		writeForbidden(w)
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
	switch err := s.sendText(r.Context(), text); {
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
		ConnectedAt:  s.connectedAt.UTC().Format(isoTimeLayout),
		LastActiveAt: time.Unix(0, s.lastActive.Load()).UTC().Format(isoTimeLayout),
	})
}

// serveDelete closes the connection. It does not wait for the closing handshake.
func (s *socket) serveDelete(w http.ResponseWriter) {
	if !s.markClosed(closeDeleted) {
		writeGone(w)
		return
	}
	go s.startClosingHandshake(closeDeleted)
	w.WriteHeader(http.StatusNoContent)
}

// writeGone writes the response for a missing connection: the error type is in a header, the body is empty.
func writeGone(w http.ResponseWriter) {
	w.Header().Set("X-Amzn-Errortype", "GoneException")
	writeEmptyJSON(w, http.StatusGone)
}

func writeEmptyJSON(w http.ResponseWriter, status int) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", "0")
	w.WriteHeader(status)
}

func writeForbidden(w http.ResponseWriter) {
	writeError(w, http.StatusForbidden, "ForbiddenException", forbidden)
}

// writeError writes an error with its type in a header. An empty errorType adds no header.
func writeError(w http.ResponseWriter, status int, errorType, message string) {
	if errorType != "" {
		w.Header().Set("X-Amzn-Errortype", errorType)
	}
	writeJSON(w, status, errorBody{Message: message})
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(encode(body)) // It fails only if the client has disconnected.
}
