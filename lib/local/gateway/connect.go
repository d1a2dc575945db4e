package gateway

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"

	"github.com/gobwas/ws"
)

// keyBytes is the size of a decoded Sec-WebSocket-Key (RFC 6455, section 4.1).
const keyBytes = 16

// connect runs $connect, and answers the handshake as its function says.
func (g *Gateway) connect(w http.ResponseWriter, r *http.Request) {
	if len(r.RequestURI) > g.cfg.URLLimit {
		writeError(w, http.StatusRequestURITooLong, "", "URI too long")
		return
	}
	if status := checkHandshake(r); status != http.StatusSwitchingProtocols {
		if status == http.StatusUpgradeRequired {
			w.Header().Set("Upgrade", "websocket")
			w.Header().Set("Sec-Websocket-Version", "13")
		}
		writeError(w, status, "", http.StatusText(status))
		return
	}

	if !g.enter() {
		writeError(w, http.StatusServiceUnavailable, "", "Service Unavailable")
		return
	}
	defer g.work.Done()

	s := g.newSocket(cmp.Or(g.cfg.DomainName, r.Host), identity{
		UserAgent: strings.Clone(r.UserAgent()),
		SourceIP:  sourceIP(r.RemoteAddr),
	})
	answer, ok := g.authorize(w, r, s)
	if !ok {
		return
	}

	g.upgrade(w, r, s, answer.header("Sec-WebSocket-Protocol"))
}

// authorize runs $connect. It reports false when the handshake has been refused, and answered: with the function's
// status and body, 502 when it threw or answered nonsense, or 504 when it took too long.
func (g *Gateway) authorize(w http.ResponseWriter, r *http.Request, s *socket) (proxyAnswer, bool) {
	function := g.cfg.Routes[routeConnect]
	if function == nil {
		return proxyAnswer{}, true
	}

	event := s.connectEvent(r)
	answer, err := g.invoke(function, event)
	switch {
	case errors.Is(err, errIntegrationTimeout):
		writeJSON(w, http.StatusGatewayTimeout, newFailure(endpointTimedOut, event))
	case err != nil:
		writeJSON(w, http.StatusBadGateway, newFailure(internalServerError, event))
	case answer.StatusCode < http.StatusOK || answer.StatusCode >= http.StatusMultipleChoices:
		if contentType := answer.header("Content-Type"); contentType != "" {
			w.Header().Set("Content-Type", contentType)
		}
		w.WriteHeader(answer.StatusCode)
		_, _ = io.WriteString(w, answer.body()) // A client that has left needs no answer.
	default:
		return answer, true
	}

	return proxyAnswer{}, false
}

// upgrade answers the handshake, and serves the connection from then on. Posts find it before the browser knows of it,
// and wait for the handshake's last byte.
func (g *Gateway) upgrade(w http.ResponseWriter, r *http.Request, s *socket, protocol string) {
	upgrader := ws.HTTPUpgrader{Timeout: g.cfg.WriteTimeout}
	if protocol != "" {
		upgrader.Header = http.Header{"Sec-WebSocket-Protocol": {protocol}}
	}

	open := g.add(s)

	conn, buffers, _, err := upgrader.Upgrade(r, w)
	if err != nil {
		if conn != nil {
			_ = conn.Close() // The handshake has failed already.
		}
		s.end(endDropped)
		return
	}

	// The server's buffers go with this call; what they hold of the first frames must not.
	var source io.Reader = s
	if early := buffers.Reader.Buffered(); early > 0 {
		peeked, _ := buffers.Peek(early) // No error: so many bytes are there.
		source = io.MultiReader(bytes.NewReader(bytes.Clone(peeked)), s)
	}

	g.cfg.Log.DebugContext(g.base, "connection opened", slog.String("connectionId", s.id))
	s.start(conn)
	g.work.Go(func() { s.serve(source) })

	if !open {
		g.work.Go(func() { s.shut(endGoingAway) })
	}
}

// checkHandshake returns 101 for a proper opening handshake (RFC 6455, section 4.2.1), else the status to refuse it
// with, so that $connect runs only for connections that can come about.
func checkHandshake(r *http.Request) int {
	key, err := base64.StdEncoding.DecodeString(r.Header.Get("Sec-Websocket-Key"))
	switch {
	case !hasToken(r.Header["Connection"], "upgrade"), !hasToken(r.Header["Upgrade"], "websocket"),
		r.Header.Get("Sec-Websocket-Version") != "13":
		return http.StatusUpgradeRequired
	case err != nil, len(key) != keyBytes:
		return http.StatusBadRequest
	default:
		return http.StatusSwitchingProtocols
	}
}

// hasToken reports whether a header that lists tokens holds the token, in whatever case.
func hasToken(values []string, token string) bool {
	for _, value := range values {
		for listed := range strings.SplitSeq(value, ",") {
			if strings.EqualFold(strings.TrimSpace(listed), token) {
				return true
			}
		}
	}
	return false
}

func sourceIP(remoteAddr string) string {
	host, _, err := net.SplitHostPort(remoteAddr)
	if err != nil {
		return remoteAddr
	}
	return host
}
