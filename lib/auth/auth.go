// Package auth verifies JSON Web Tokens and names the user they stand for.
package auth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// Reasons for a refusal. A wrap says more for the log, and never a part of the token.
var (
	// ErrInvalid says that the token is not to be trusted.
	ErrInvalid = errors.New("auth: invalid token")
	// ErrExpired says that the token is right in everything but its time.
	ErrExpired = errors.New("auth: token expired")
	// ErrUnavailable says that the key server gave no answer, so that nothing can be said of the token.
	ErrUnavailable = errors.New("auth: key server unavailable")
)

const (
	// minSecret is the shortest HS256 secret in bytes (RFC 7518 section 3.2).
	minSecret = 32
	// maxToken bounds a token's length in bytes: API Gateway takes no longer header or URL.
	maxToken = 8192
)

// Claims are what a verified token says.
type Claims struct {
	// Subject is the user: 1 to 255 bytes (OpenID Connect Core 1.0 section 2).
	Subject string
	// ExpiresAt has whole seconds.
	ExpiresAt time.Time
}

// Config says which tokens are trusted: those of exactly one of Secret, UserPoolID, Issuer.
type Config struct {
	// Secret is the HS256 key, 32 bytes or more.
	Secret []byte
	// UserPoolID is an Amazon Cognito user pool, such as eu-west-1_AbCdEf123.
	UserPoolID string
	// ClientIDs are the app clients of the user pool whose tokens are trusted; at least one with UserPoolID.
	ClientIDs []string
	// Issuer is the iss claim of any other issuer that publishes a JWK Set. With Secret it is optional.
	Issuer string
	// JWKSURL is where the issuer's keys are; empty means Issuer + "/.well-known/jwks.json".
	JWKSURL string
	// Audience has the accepted aud values; empty accepts any.
	Audience []string

	// Client fetches the keys; nil means a client of its own with a timeout.
	Client *http.Client
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Verifier verifies tokens. It may be used concurrently.
type Verifier struct {
	config Config
	parser *jwt.Parser
	keys   *keySet
}

// New returns the verifier that c describes, or an error that names the setting and the rule.
func New(c Config) (*Verifier, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.UserPoolID != "" {
		c.Issuer = cognitoIssuer(c.UserPoolID)
	}
	v := &Verifier{config: c}
	algorithms := []string{"HS256"}
	if len(c.Secret) == 0 {
		algorithms = []string{"RS256", "ES256"}
		if c.JWKSURL == "" {
			v.config.JWKSURL = strings.TrimSuffix(c.Issuer, "/") + "/.well-known/jwks.json"
		}
		v.keys = newKeySet(v.config.JWKSURL, c.Client, c.Now)
	}
	// The claims are checked by claims.go: the library's leeway widens exp too, and it reads "1" as a number.
	v.parser = jwt.NewParser(jwt.WithValidMethods(algorithms), jwt.WithoutClaimsValidation(), jwt.WithStrictDecoding())

	return v, nil
}

// cognitoIssuer returns the iss claim of a user pool's tokens.
func cognitoIssuer(pool string) string {
	region, _, _ := strings.Cut(pool, "_")
	domain := "amazonaws.com"
	if strings.HasPrefix(region, "cn-") {
		domain += ".cn"
	}

	return "https://cognito-idp." + region + "." + domain + "/" + pool
}

func (c Config) check() error {
	modes := 0
	for _, set := range []bool{len(c.Secret) > 0, c.UserPoolID != "", c.Issuer != "" && len(c.Secret) == 0} {
		if set {
			modes++
		}
	}
	switch {
	case modes != 1:
		return errors.New("auth: set exactly one of Secret, UserPoolID, Issuer")
	case len(c.Secret) > 0 && len(c.Secret) < minSecret:
		return fmt.Errorf("auth: Secret must be at least %d bytes long", minSecret)
	case c.UserPoolID != "" && !strings.Contains(c.UserPoolID, "_"):
		return errors.New("auth: UserPoolID must look like eu-west-1_AbCdEf123")
	case c.UserPoolID != "" && len(c.ClientIDs) == 0:
		return errors.New("auth: ClientIDs must name at least one app client of the user pool")
	case len(c.Secret) == 0 && c.UserPoolID == "":
		return checkURLs(c.Issuer, c.JWKSURL)
	}

	return nil
}

// checkURLs demands https for keys, but for those of this machine.
func checkURLs(issuer, jwks string) error {
	name, address := "JWKSURL", jwks
	if jwks == "" {
		name, address = "Issuer", issuer
	}
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return fmt.Errorf("auth: %s must be an https URL", name)
	}
	local := slices.Contains([]string{"localhost", "127.0.0.1", "::1"}, u.Hostname())
	if u.Scheme != "https" && (u.Scheme != "http" || !local) {
		return fmt.Errorf("auth: %s must be an https URL", name)
	}

	return nil
}

// Verify returns the claims of a token that is to be trusted now; else [ErrInvalid], [ErrExpired] or [ErrUnavailable].
func (v *Verifier) Verify(ctx context.Context, token string) (Claims, error) {
	if len(token) > maxToken {
		return Claims{}, refuse("longer than 8192 bytes")
	}
	if strings.ContainsAny(token, "\r\n") {
		return Claims{}, refuse("malformed") // encoding/base64 passes over line breaks
	}
	var c claims
	var keyErr error
	_, err := v.parser.ParseWithClaims(token, &c, func(t *jwt.Token) (key any, err error) {
		key, keyErr = v.key(ctx, t)

		return key, keyErr
	})
	switch {
	case keyErr != nil:
		return Claims{}, keyErr
	case errors.Is(err, jwt.ErrTokenMalformed):
		return Claims{}, refuse("malformed")
	case err != nil:
		return Claims{}, refuse("algorithm or signature")
	}

	return c.check(v.config)
}

// Warm fetches the keys ahead of the first token, where there are keys to fetch.
func (v *Verifier) Warm(ctx context.Context) error {
	if v.keys == nil {
		return nil
	}

	return v.keys.refresh(ctx)
}

// key picks the key of a token's header. Headers that ask for an extension are refused (RFC 7515 section 4.1.11).
func (v *Verifier) key(ctx context.Context, t *jwt.Token) (any, error) {
	if _, critical := t.Header["crit"]; critical {
		return nil, refuse("crit")
	}
	if v.keys == nil {
		return v.config.Secret, nil
	}
	kid, present := t.Header["kid"]
	id, isText := kid.(string)
	if present && !isText {
		return nil, refuse("kid")
	}

	return v.keys.find(ctx, id, t.Method.Alg())
}

func refuse(reason string) error { return fmt.Errorf("%w: %s", ErrInvalid, reason) }
