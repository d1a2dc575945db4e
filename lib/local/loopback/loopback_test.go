package loopback_test

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/herald-progress/herald/lib/local/loopback"
)

// serve starts a server that admits c. ask sends a request, to which it adds only the header Connection, and returns the status of the
// response.
func serve(t *testing.T, c loopback.Config) (ask func(request string) int) {
	t.Helper()
	server := httptest.NewUnstartedServer(loopback.Only(c, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "in") })))
	server.Config.DisableGeneralOptionsHandler = true
	server.Start()
	t.Cleanup(server.Close)
	return func(request string) int {
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprintf(conn, "%s\r\nConnection: close\r\n\r\n", strings.ReplaceAll(request, "\n", "\r\n"))
		response, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatalf("%q: %v", request, err)
		}
		defer response.Body.Close()
		for name := range response.Header {
			if strings.HasPrefix(name, "Access-Control-") {
				t.Errorf("%q: the response has the header %s", request, name)
			}
		}

		return response.StatusCode
	}
}

func TestOtherHostsAreForbidden(t *testing.T) {
	ask := serve(t, loopback.Config{Hosts: []string{"host.docker.internal", "192.168.1.5", "[fd00::1]"}})
	for host, admitted := range map[string]bool{
		"127.0.0.1":               true,
		"127.0.0.1:4510":          true,
		"127.0.0.1:1":             true,
		"[::1]":                   true,
		"[::1]:4510":              true,
		"localhost":               true,
		"LocalHost:4510":          true,
		"localhost.:4510":         true,
		"app.localhost":           true,
		"a.b-c.localhost:80":      true,
		"host.docker.internal":    true,
		"HOST.docker.internal:80": true,
		"192.168.1.5:4510":        true,
		"[FD00::1]:80":            true,

		"":                                     false,
		":4510":                                false,
		"evil.example":                         false,
		"evil.example:4510":                    false,
		"127.0.0.1.evil.example":               false,
		"127.0.0.1.nip.example:4510":           false,
		"localhost.evil.example":               false,
		"evil-localhost":                       false,
		"evillocalhost":                        false,
		"localhost-evil.example":               false,
		"host.docker.internal.evil.example":    false,
		"x.host.docker.internal":               false,
		"127.0.0.1.":                           false,
		"localhost..":                          false,
		".localhost":                           false,
		".":                                    false,
		"a..localhost":                         false,
		"127.0.0.1@evil.example":               false,
		"user@127.0.0.1":                       false,
		"user:4510@localhost":                  false,
		"evil.example#.localhost":              false,
		"evil.example/.localhost":              false,
		"evil.example?.localhost":              false,
		"evil.example\\.localhost":             false,
		"evil.example%2f.localhost":            false,
		"127.0.0.1,evil.example":               false,
		"127.0.0.1:4510:4510":                  false,
		"127.0.0.1:":                           false,
		"127.0.0.1:0x50":                       false,
		"127.0.0.1:+80":                        false,
		"127.0.0.1:65536":                      false,
		"127.0.0.1:99999999999999999999999999": false,
		"127.0.0.1:evil.example":               false,
		"127.1":                                false,
		"0":                                    false,
		"0.0.0.0":                              false,
		"2130706433":                           false,
		"0x7f000001":                           false,
		"0x7f.0.0.1":                           false,
		"0177.0.0.1":                           false,
		"127.000.000.001":                      false,
		"127.0.0.2":                            false,
		"[::1%25lo]":                           false,
		"[::1%lo]":                             false,
		"[fe80::1%25eth0]:4510":                false,
		"[::ffff:127.0.0.1]":                   false,
		"[0:0:0:0:0:0:0:1]":                    false,
		"[::1":                                 false,
		"::1":                                  false,
		"[::1]evil.example":                    false,
		"[::1].localhost":                      false,
		"[127.0.0.1]":                          false,
		"[::]":                                 false,
		"10.0.0.1":                             false,
		"xn--lcalhost-54a":                     false,
	} {
		want := map[bool]int{true: http.StatusOK, false: http.StatusForbidden}[admitted]
		got := ask("GET / HTTP/1.1\nHost: " + host)
		if got == http.StatusBadRequest && !admitted {
			continue // refused by net/http
		}
		if got != want {
			t.Errorf("Host %q: %d, want %d", host, got, want)
		}
	}
	for request, want := range map[string]int{
		"GET / HTTP/1.0": http.StatusForbidden,
		"GET / HTTP/1.1": http.StatusBadRequest,
		"GET / HTTP/1.1\nHost: 127.0.0.1\nHost: evil.example":                             http.StatusBadRequest,
		"GET / HTTP/1.1\nHost: evil.example\nX-Forwarded-Host: 127.0.0.1":                 http.StatusForbidden,
		"GET / HTTP/1.1\nHost: 127.0.0.1\nX-Forwarded-Host: evil.example":                 http.StatusOK,
		"GET http://evil.example/ HTTP/1.1\nHost: 127.0.0.1":                              http.StatusForbidden,
		"GET http://127.0.0.1/ HTTP/1.1\nHost: evil.example":                              http.StatusForbidden,
		"GET http://127.0.0.1@evil.example/ HTTP/1.1\nHost: 127.0.0.1":                    http.StatusForbidden,
		"GET //evil.example/ HTTP/1.1\nHost: 127.0.0.1":                                   http.StatusOK, // a path
		"CONNECT evil.example:443 HTTP/1.1\nHost: evil.example:443":                       http.StatusForbidden,
		"CONNECT 127.0.0.1:443 HTTP/1.1\nHost: 127.0.0.1:443":                             http.StatusForbidden,
		"OPTIONS * HTTP/1.1\nHost: evil.example":                                          http.StatusForbidden,
		"POST / HTTP/1.1\nHost: evil.example\nContent-Length: 0":                          http.StatusForbidden,
		"PUT / HTTP/1.1\nHost: evil.example\nOrigin: http://localhost\nContent-Length: 0": http.StatusForbidden,
	} {
		if got := ask(request); got != want {
			t.Errorf("%q: %d, want %d", request, got, want)
		}
	}
}

func TestOtherOriginsAreForbidden(t *testing.T) {
	ask := serve(t, loopback.Config{Origins: []string{"https://app.example.com", "chrome-extension://abcdefghijklmnop"}})
	for origin, admitted := range map[string]bool{
		"http://127.0.0.1":                     true,
		"http://127.0.0.1:3000":                true,
		"https://127.0.0.1:3000":               true,
		"http://[::1]:3000":                    true,
		"http://localhost:5173":                true,
		"https://app.localhost":                true,
		"HTTP://LOCALHOST":                     true,
		"https://app.example.com":              true,
		"chrome-extension://abcdefghijklmnop":  true,
		"null":                                 false,
		"":                                     false,
		"*":                                    false,
		"file://":                              false,
		"localhost":                            false,
		"//localhost":                          false,
		"https://evil.example":                 false,
		"http://app.example.com":               false, // another scheme
		"https://app.example.com:8443":         false,
		"https://x.app.example.com":            false,
		"https://app.example.com.evil.example": false,
		"http://127.0.0.1.evil.example":        false,
		"http://localhost.evil.example":        false,
		"http://localhost@evil.example":        false,
		"http://evil.example:80@localhost":     false,
		"http://localhost/":                    false,
		"http://localhost:80/path":             false,
		"http://localhost http://evil.example": false,
		"http://localhost, https://evil.test":  false,
		"http://2130706433":                    false,
		"http://0.0.0.0":                       false,
		"ws://localhost":                       false,
		"ftp://127.0.0.1":                      false,
		"javascript://localhost":               false,
		"chrome-extension://other":             false,
	} {
		want := map[bool]int{true: http.StatusOK, false: http.StatusForbidden}[admitted]
		for _, request := range []string{
			"GET / HTTP/1.1", "HEAD / HTTP/1.1", "POST / HTTP/1.1\nContent-Length: 0", "PUT / HTTP/1.1\nContent-Length: 0",
			"OPTIONS / HTTP/1.1\nAccess-Control-Request-Method: PUT",
			"GET / HTTP/1.1\nConnection: Upgrade\nUpgrade: websocket\nSec-WebSocket-Version: 13\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
			"GET / HTTP/1.1\nSec-Fetch-Site: cross-site\nSec-Fetch-Mode: cors", // localhost and 127.0.0.1 are two sites
		} {
			if got := ask(request + "\nHost: 127.0.0.1:4510\nOrigin: " + origin); got != want {
				t.Errorf("%s of Origin %q: %d, want %d", strings.ReplaceAll(request, "\n", ", "), origin, got, want)
			}
		}
	}
	if got := ask("GET / HTTP/1.1\nHost: 127.0.0.1\nOrigin: http://localhost\nOrigin: https://evil.example"); got != http.StatusForbidden {
		t.Errorf("two Origins: %d", got)
	}
}

// TestForeignPagesMayOnlyNavigate sends the requests of browsers for images, scripts and frames. They have no Origin; their Sec-Fetch
// headers tell that they come from a page of another site.
func TestForeignPagesMayOnlyNavigate(t *testing.T) {
	ask := serve(t, loopback.Config{})
	for request, want := range map[string]int{
		"GET / HTTP/1.1": http.StatusOK, // no browser
		"GET / HTTP/1.1\nSec-Fetch-Site: none\nSec-Fetch-Mode: navigate\nSec-Fetch-Dest: document":                           http.StatusOK,
		"GET / HTTP/1.1\nSec-Fetch-Site: same-origin\nSec-Fetch-Mode: cors\nSec-Fetch-Dest: empty":                           http.StatusOK,
		"GET / HTTP/1.1\nSec-Fetch-Site: same-site\nSec-Fetch-Mode: no-cors\nSec-Fetch-Dest: image":                          http.StatusOK,
		"GET / HTTP/1.1\nSec-Fetch-Mode: cors":                                                                               http.StatusOK, // Node's fetch
		"GET / HTTP/1.1\nSec-Fetch-Site: cross-site\nSec-Fetch-Mode: navigate\nSec-Fetch-Dest: document":                     http.StatusOK,
		"GET / HTTP/1.1\nSec-Fetch-Site: cross-site\nSec-Fetch-Mode: navigate\nSec-Fetch-Dest: iframe":                       http.StatusForbidden,
		"GET / HTTP/1.1\nSec-Fetch-Site: cross-site\nSec-Fetch-Mode: no-cors\nSec-Fetch-Dest: image":                         http.StatusForbidden,
		"GET / HTTP/1.1\nSec-Fetch-Site: cross-site\nSec-Fetch-Mode: no-cors\nSec-Fetch-Dest: script":                        http.StatusForbidden,
		"GET / HTTP/1.1\nSec-Fetch-Site: Cross-Site":                                                                         http.StatusForbidden,
		"GET / HTTP/1.1\nSec-Fetch-Site: same-origin\nSec-Fetch-Site: cross-site":                                            http.StatusForbidden,
		"POST / HTTP/1.1\nContent-Length: 0\nSec-Fetch-Site: cross-site\nSec-Fetch-Mode: navigate\nSec-Fetch-Dest: document": http.StatusForbidden,
		"GET / HTTP/1.1\nSec-Fetch-Site: cross-site\nSec-Fetch-Mode: websocket\nUpgrade: websocket":                          http.StatusForbidden,
	} {
		if got := ask(request + "\nHost: localhost:4510"); got != want {
			t.Errorf("%s: %d, want %d", strings.ReplaceAll(request, "\n", ", "), got, want)
		}
	}
}

func TestValidateNamesTheEntry(t *testing.T) {
	for _, test := range []struct {
		config loopback.Config
		want   string
	}{
		{loopback.Config{Hosts: []string{"host.docker.internal", "my_box", "10.0.0.1", "[fd00::1]"}, Origins: []string{"https://a.example:8443", "chrome-extension://x"}}, ""},
		{loopback.Config{Hosts: []string{"*"}}, `loopback: "*" is not a host name or an IP address, without a port`},
		{loopback.Config{Hosts: []string{""}}, `loopback: "" is not a host name or an IP address, without a port`},
		{loopback.Config{Hosts: []string{"a.example:80"}}, `loopback: "a.example:80" is not a host name or an IP address, without a port`},
		{loopback.Config{Hosts: []string{"https://a.example"}}, `loopback: "https://a.example" is not a host name or an IP address, without a port`},
		{loopback.Config{Hosts: []string{"fd00::1"}}, `loopback: "fd00::1" is not a host name or an IP address, without a port`},
		{loopback.Config{Origins: []string{"*"}}, `loopback: "*" is not an origin such as https://app.example.com, without a path`},
		{loopback.Config{Origins: []string{"null"}}, `loopback: "null" is not an origin such as https://app.example.com, without a path`},
		{loopback.Config{Origins: []string{"https://"}}, `loopback: "https://" is not an origin such as https://app.example.com, without a path`},
		{loopback.Config{Origins: []string{"https://a.example/"}}, `loopback: "https://a.example/" is not an origin such as https://app.example.com, without a path`},
	} {
		err := test.config.Validate()
		if got := fmt.Sprint(err); err == nil && test.want != "" || err != nil && got != test.want {
			t.Errorf("%+v: %v, want %s", test.config, err, test.want)
		}
	}
}

// FuzzHost checks that every admitted Host is a name of this machine.
func FuzzHost(f *testing.F) {
	for _, host := range []string{"127.0.0.1:80", "[::1]", "a.localhost.", "localhost@evil.example", "[::1]:80:80"} {
		f.Add(host)
	}
	f.Fuzz(func(t *testing.T, host string) {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		r.Host = host
		admitted := false
		loopback.Only(loopback.Config{}, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { admitted = true })).ServeHTTP(httptest.NewRecorder(), r)
		if !admitted {
			return
		}
		name := strings.ToLower(host)
		if i := strings.LastIndexByte(name, ':'); i > strings.LastIndexByte(name, ']') {
			name = name[:i]
		}
		name = strings.TrimSuffix(name, ".")
		if name != "127.0.0.1" && name != "[::1]" && name != "localhost" && !strings.HasSuffix(name, ".localhost") || strings.ContainsAny(name, "@/?#\\ ,%") {
			t.Errorf("Host %q is admitted", host)
		}
	})
}
