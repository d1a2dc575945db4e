// Package loopback protects a server on 127.0.0.1: it admits only requests from programs and pages of this machine. Without
// it, every page in a browser could send requests to the server, and could read the responses after its owner has rebound
// the page's DNS name to 127.0.0.1.
package loopback

import (
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Config lists who is admitted in addition to this machine.
type Config struct {
	// Hosts are further names of the server, such as host.docker.internal, without a port.
	Hosts []string
	// Origins are further origins of pages that may call the server, such as https://app.example.com.
	Origins []string
}

// maxPort is the largest TCP port.
const maxPort = 65535

// Validate returns an error that names the entry and the rule.
func (c Config) Validate() error {
	for _, host := range c.Hosts {
		if !isName(host) && !isAddress(host) {
			return fmt.Errorf("loopback: %q is not a host name or an IP address, without a port", host)
		}
	}
	for _, origin := range c.Origins {
		scheme, host, found := strings.Cut(origin, "://")
		name, valid := hostname(host)
		if !found || scheme == "" || !valid || !isName(name) && !isAddress(name) {
			return fmt.Errorf("loopback: %q is not an origin such as https://app.example.com, without a path", origin)
		}
	}

	return nil
}

// Only returns a handler that calls next for requests from programs and pages of this machine, and from those in c. It
// answers all other requests 403. The rules are:
//
//   - The Host must be 127.0.0.1, [::1], localhost or a name under it, with any port.
//   - The Origin, if there is one, must be http or https with such a name. The origin "null" is refused.
//   - A request without Origin whose Sec-Fetch-Site is cross-site must be a top-level navigation.
//
// The server should have DisableGeneralOptionsHandler set: otherwise net/http answers "OPTIONS *" by itself.
func Only(c Config, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// A cache must not give one page the answer to another.
		w.Header().Add("Vary", "Origin, Sec-Fetch-Site")
		switch {
		case !c.hostAllowed(r):
			writeForbidden(w, "the Host of the request is not a name of this machine, such as 127.0.0.1 or localhost; -allow-host adds others")
		case !c.originAllowed(r):
			writeForbidden(w, "the Origin of the request is not a page of this machine, such as http://localhost:3000; -allow-origin adds others")
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// writeForbidden answers 403 with a reason that contains nothing from the request.
func writeForbidden(w http.ResponseWriter, why string) {
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Connection", "close")
	http.Error(w, "Forbidden: "+why, http.StatusForbidden)
}

// hostAllowed reports whether the Host is one of the server's names. A request whose target contains a host is for a proxy
// and not allowed: net/http drops its Host header.
func (c Config) hostAllowed(r *http.Request) bool {
	if r.URL.Host != "" || r.URL.Scheme != "" || r.Method == http.MethodConnect {
		return false
	}
	name, valid := hostname(r.Host)
	return valid && (isLoopback(name) || contains(c.Hosts, name))
}

// originAllowed reports whether the request comes from an allowed page, or from no page.
func (c Config) originAllowed(r *http.Request) bool {
	switch origins := r.Header["Origin"]; {
	case len(origins) == 0:
		return !isCrossSite(r) || isNavigation(r)
	case len(origins) > 1:
		return false
	default:
		return isLoopbackOrigin(origins[0]) || contains(c.Origins, origins[0])
	}
}

// isCrossSite reports whether, according to the browser, the request comes from a page of another site, as for an image or
// a script (https://www.w3.org/TR/fetch-metadata/). Pages of the same name on another port are of the same site.
func isCrossSite(r *http.Request) bool {
	return slices.ContainsFunc(r.Header["Sec-Fetch-Site"], func(site string) bool { return strings.EqualFold(site, "cross-site") })
}

// isNavigation reports whether the request is a top-level navigation: the page with the link cannot read the response.
func isNavigation(r *http.Request) bool {
	return (r.Method == http.MethodGet || r.Method == http.MethodHead) &&
		slices.Equal(r.Header["Sec-Fetch-Mode"], []string{"navigate"}) && slices.Equal(r.Header["Sec-Fetch-Dest"], []string{"document"})
}

func isLoopbackOrigin(origin string) bool {
	scheme, host, _ := strings.Cut(origin, "://")
	name, valid := hostname(host)
	return valid && isLoopback(name) && (strings.EqualFold(scheme, "http") || strings.EqualFold(scheme, "https"))
}

// hostname returns the name in a host with or without a port, and whether the host is well formed. An IPv6 address keeps
// its brackets.
func hostname(host string) (string, bool) {
	name := host
	end := strings.LastIndexByte(host, ']') + 1 // an IPv6 address has colons of its own
	if colon := strings.IndexByte(host[end:], ':'); colon >= 0 {
		name = host[:end+colon]
		n, err := strconv.ParseUint(host[end+colon+1:], 10, 32)
		if err != nil || n > maxPort {
			return "", false
		}
	}
	return name, name != ""
}

// IsLocal reports whether a host, with or without a port, is a name of this machine only.
func IsLocal(host string) bool {
	name, valid := hostname(host)
	return valid && isLoopback(name)
}

// isLoopback reports whether name is a name of this machine only. Browsers send no other spelling of the addresses.
func isLoopback(name string) bool {
	if name == "127.0.0.1" || name == "[::1]" {
		return true
	}
	name = strings.TrimSuffix(strings.ToLower(name), ".")
	return isName(name) && (name == "localhost" || strings.HasSuffix(name, ".localhost"))
}

// isName reports whether name is made of labels of letters, digits, hyphens and underscores. Its last label must not begin
// with a digit: browsers read such a name as an IPv4 address.
func isName(name string) bool {
	labels := strings.Split(name, ".")
	for _, label := range labels {
		if label == "" || strings.ContainsFunc(label, func(r rune) bool {
			return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_'
		}) {
			return false
		}
	}
	last := labels[len(labels)-1]
	return last[0] < '0' || last[0] > '9'
}

// isAddress reports whether name is an IPv4 address, or an IPv6 address in brackets, as browsers write them.
func isAddress(name string) bool {
	text, bracketed := strings.CutPrefix(name, "[")
	if bracketed {
		text, bracketed = strings.CutSuffix(text, "]")
	}
	address, err := netip.ParseAddr(text)
	return err == nil && address.Zone() == "" && address.String() == text && address.Is6() == bracketed
}

// contains reports whether value is one of the values, ignoring case.
func contains(values []string, value string) bool {
	return slices.ContainsFunc(values, func(v string) bool { return strings.EqualFold(v, value) })
}
