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

// handshakeKeySize is the size of a decoded Sec-WebSocket-Key (RFC 6455, section 4.1).
const handshakeKeySize = 16

// serveConnect checks an opening handshake, invokes $connect, and upgrades the connection if the function accepts it.
func (g *Gateway) serveConnect(w http.ResponseWriter, r *http.Request) {
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

	if !g.startHandshake() {
		writeError(w, http.StatusServiceUnavailable, "", "Service Unavailable")
		return
	}
	defer g.running.Done()

	s := g.newSocket(cmp.Or(g.cfg.DomainName, r.Host), identity{
		UserAgent: strings.Clone(r.UserAgent()),
		SourceIP:  sourceIP(r.RemoteAddr),
	})
	response, ok := g.invokeConnect(w, r, s)
	if !ok {
		return
	}

	g.upgrade(w, r, s, response.header("Sec-WebSocket-Protocol")) // The function chooses the subprotocol.
}

// invokeConnect invokes $connect and returns its response. If the connection is refused, it writes the HTTP response and
// returns false. The HTTP response is the function's own, 502 if the function failed, or 504 if it timed out.
func (g *Gateway) invokeConnect(w http.ResponseWriter, r *http.Request, s *socket) (proxyResponse, bool) {
	function := g.cfg.Routes[routeConnect]
	if function == nil {
		return proxyResponse{}, true
	}

	event := s.newConnectEvent(r)
	response, err := g.invoke(function, event)
	switch {
	case errors.Is(err, errIntegrationTimeout):
		writeJSON(w, http.StatusGatewayTimeout, newErrorBody(endpointTimedOut, event))
	case err != nil:
		writeJSON(w, http.StatusBadGateway, newErrorBody(internalServerError, event))
	case response.StatusCode < http.StatusOK || response.StatusCode >= http.StatusMultipleChoices:
		if contentType := response.header("Content-Type"); contentType != "" {
			w.Header().Set("Content-Type", contentType)
		}
		w.WriteHeader(response.StatusCode)
		_, _ = io.WriteString(w, response.decodedBody()) // It fails only if the client has disconnected.
	default:
		return response, true
	}

	return proxyResponse{}, false
}

// upgrade completes the handshake and starts to serve the connection. The management API finds the connection before the
// browser has received the response; its posts wait until the response is sent.
func (g *Gateway) upgrade(w http.ResponseWriter, r *http.Request, s *socket, protocol string) {
	upgrader := ws.HTTPUpgrader{Timeout: g.cfg.WriteTimeout}
	if protocol != "" {
		upgrader.Header = http.Header{"Sec-WebSocket-Protocol": {protocol}}
	}

	gatewayOpen := g.addSocket(s)
	conn, buffers, _, err := upgrader.Upgrade(r, w)
	if err != nil {
		if conn != nil {
			_ = conn.Close() // The handshake has failed: nothing is lost.
		}
		s.markClosed(closeAbnormal)
		return
	}

	// The browser may have sent frames with the handshake. Copy them, so that the HTTP server's buffer can be freed.
	var source io.Reader = s
	if buffered := buffers.Reader.Buffered(); buffered > 0 {
		peeked, _ := buffers.Peek(buffered) // Peek does not fail for bytes that are buffered.
		source = io.MultiReader(bytes.NewReader(bytes.Clone(peeked)), s)
	}

	g.cfg.Log.DebugContext(g.ctx, "connection opened", slog.String("connectionId", s.id))
	s.start(conn)
	g.running.Go(func() { s.serve(source) })

	if !gatewayOpen { // Close was called before addSocket, so it does not close this socket.
		g.running.Go(func() { s.close(closeGoingAway) })
	}
}

// checkHandshake returns 101 for a valid opening handshake (RFC 6455, section 4.2.1), otherwise the status of the response.
// $connect is not invoked for invalid handshakes.
func checkHandshake(r *http.Request) int {
	key, err := base64.StdEncoding.DecodeString(r.Header.Get("Sec-Websocket-Key"))
	switch {
	case !headerHasToken(r.Header["Connection"], "upgrade") || !headerHasToken(r.Header["Upgrade"], "websocket") ||
		r.Header.Get("Sec-Websocket-Version") != "13":
		return http.StatusUpgradeRequired
	case err != nil || len(key) != handshakeKeySize:
		return http.StatusBadRequest
	default:
		return http.StatusSwitchingProtocols
	}
}

// headerHasToken reports whether the comma-separated values of a header contain the token, ignoring case.
func headerHasToken(values []string, token string) bool {
	for _, value := range values {
		for item := range strings.SplitSeq(value, ",") {
			if strings.EqualFold(strings.TrimSpace(item), token) {
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
