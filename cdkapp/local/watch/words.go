package watch

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"syscall"

	"github.com/herald-progress/herald/cdkapp/local/format"
	"github.com/herald-progress/herald/lib/client"
)

// sourceError is the error of a source of tokens. Its words are for the user, and contain no token.
type sourceError struct{ words string }

func (e *sourceError) Error() string { return e.words }

// words says in words for the user why there is no connection to host. The result contains no token.
func words(err error, host string) string {
	var source *sourceError
	var refused *client.Refused
	var closed *client.Closed
	switch {
	case errors.As(err, &source):
		return source.words
	case errors.As(err, &refused):
		return refusedWords(refused.Status, host)
	case errors.Is(err, client.ErrTokenExpired):
		return "the token has expired"
	case errors.As(err, &closed):
		return fmt.Sprintf("closed by %s: %s", host, format.SafeText(closed.Reason))
	default:
		return networkWords(err, host)
	}
}

// refusedWords says why host refused the connection with an HTTP status.
func refusedWords(status int, host string) string {
	switch {
	case status == http.StatusUnauthorized:
		return host + " does not accept the token"
	case status == http.StatusForbidden:
		return host + " does not admit this program (403)"
	case status == http.StatusTooManyRequests:
		return host + " has too many requests"
	case status >= http.StatusInternalServerError:
		return fmt.Sprintf("%s has a failure (%d)", host, status)
	default:
		return fmt.Sprintf("%s does not speak Herald's protocol at this path (%d)", host, status)
	}
}

// networkWords says why no connection to host could be opened, or why it broke.
func networkWords(err error, host string) string {
	var dnsErr *net.DNSError
	var certificate *tls.CertificateVerificationError
	var timeout net.Error
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return "nobody answers at " + host
	case errors.As(err, &certificate):
		return "the certificate of " + host + " is not valid"
	case errors.As(err, &dnsErr):
		return "the name " + dnsErr.Name + " is not known"
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return host + " does not answer"
	default:
		return "the connection was lost"
	}
}
