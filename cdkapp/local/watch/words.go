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

// sourceError is the error of a source of tokens: words for the user, without a token.
type sourceError struct{ words string }

func (e *sourceError) Error() string { return e.words }

// words returns the reason why there is no connection, for a person. It contains no token.
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
		return fmt.Sprintf("closed by %s: %s", host, format.Text(closed.Reason))
	default:
		return networkWords(err, host)
	}
}

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

func networkWords(err error, host string) string {
	var name *net.DNSError
	var certificate *tls.CertificateVerificationError
	var timeout net.Error
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return "nobody answers at " + host
	case errors.As(err, &certificate):
		return "the certificate of " + host + " is not valid"
	case errors.As(err, &name):
		return "the name " + name.Name + " is not known"
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return host + " does not answer"
	default:
		return "the connection was lost"
	}
}
