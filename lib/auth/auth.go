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
	// ErrUnavailable says that the key server, or the store of the secret, gave no answer, so that nothing can be said of
	// the token.
	ErrUnavailable = errors.New("auth: key server unavailable")

	// errSignature says that the token is right in everything but its signature.
	errSignature = refuse("algorithm or signature")
)

// AnyAudience as the only Audience accepts tokens for any app of the issuer.
const AnyAudience = "*"

// maxToken bounds a token's length in bytes: API Gateway takes no longer header or URL.
const maxToken = 8192

// Claims are what a verified token says.
type Claims struct {
	// Subject is the user: 1 to 255 bytes (OpenID Connect Core 1.0 section 2).
	Subject string
	// ExpiresAt has whole seconds.
	ExpiresAt time.Time
}

// Config says which tokens are trusted: those of exactly one of Secret, SecretStore, UserPoolID, Issuer.
type Config struct {
	// Secret is the HS256 key, 32 bytes or more, where it never changes.
	Secret []byte
	// SecretStore reads the HS256 key, which may be rotated: it is read again every minute, and when a signature is bad.
	SecretStore SecretStore
	// SecretOverlap is how long after a rotation tokens of the previous key are accepted. Zero accepts none. Their sessions
	// end with the overlap. A rotation takes up to a minute to be seen.
	SecretOverlap time.Duration
	// UserPoolID is an Amazon Cognito user pool, such as eu-west-1_AbCdEf123.
	UserPoolID string
	// ClientIDs are the app clients of the user pool whose tokens are trusted; at least one with UserPoolID.
	ClientIDs []string
	// Issuer is the iss claim of any other issuer that publishes a JWK Set. With a secret it is optional.
	Issuer string
	// JWKSURL is where the issuer's keys are; empty means Issuer + "/.well-known/jwks.json". Keys are used for a day at most
	// while they cannot be read there.
	JWKSURL string
	// Audience has the accepted aud values: at least one with Issuer, or [AnyAudience] alone, which accepts any. With a secret
	// or a user pool empty accepts any, too.
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
	keys   *keySet // nil with a secret
	secret *secret // nil without a SecretStore
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
	if slices.Equal(c.Audience, []string{AnyAudience}) {
		c.Audience = nil
	}
	v := &Verifier{config: c}
	algorithms := []string{"HS256"}
	switch {
	case c.SecretStore != nil:
		v.secret = newSecret(c.SecretStore, c.SecretOverlap, c.Now)
	case len(c.Secret) == 0:
		algorithms = []string{"RS256", "ES256"}
		if c.JWKSURL == "" {
			c.JWKSURL = strings.TrimSuffix(c.Issuer, "/") + "/.well-known/jwks.json"
		}
		v.keys = newKeySet(c.JWKSURL, c.Client, c.Now)
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
	shared := len(c.Secret) > 0 || c.SecretStore != nil
	modes := 0
	for _, set := range []bool{len(c.Secret) > 0, c.SecretStore != nil, c.UserPoolID != "", c.Issuer != "" && !shared} {
		if set {
			modes++
		}
	}
	switch {
	case modes != 1:
		return errors.New("auth: set exactly one of Secret, SecretStore, UserPoolID, Issuer")
	case shared:
		return c.checkSecret()
	case c.UserPoolID != "":
		return c.checkUserPool()
	default:
		return c.checkIssuer()
	}
}

func (c Config) checkSecret() error {
	switch {
	case c.SecretStore == nil && len(c.Secret) < minSecret:
		return fmt.Errorf("auth: Secret must be at least %d bytes long", minSecret)
	case c.SecretOverlap < 0:
		return errors.New("auth: SecretOverlap must not be negative")
	default:
		return c.checkAudience()
	}
}

func (c Config) checkUserPool() error {
	switch {
	case !strings.Contains(c.UserPoolID, "_"):
		return errors.New("auth: UserPoolID must look like eu-west-1_AbCdEf123")
	case len(c.ClientIDs) == 0:
		return errors.New("auth: ClientIDs must name at least one app client of the user pool")
	default:
		return c.checkAudience()
	}
}

// checkIssuer demands an audience, for else the tokens of every other app of the issuer would do.
func (c Config) checkIssuer() error {
	if err := checkURLs(c.Issuer, c.JWKSURL); err != nil {
		return err
	}
	if len(c.Audience) == 0 {
		return errors.New("auth: Audience must name at least one audience, or be * to accept tokens for any app of the issuer")
	}

	return c.checkAudience()
}

func (c Config) checkAudience() error {
	if len(c.Audience) > 1 && slices.Contains(c.Audience, AnyAudience) {
		return errors.New("auth: Audience must be * alone, or name audiences")
	}

	return nil
}

// checkURLs demands https for keys, but for those of this machine.
func checkURLs(issuer, jwks string) error {
	name, address := "JWKSURL", jwks
	if jwks == "" {
		name, address = "Issuer", issuer
	}
	if u, err := url.Parse(address); err != nil || !secure(u) {
		return fmt.Errorf("auth: %s must be an https URL", name)
	}

	return nil
}

// secure reports whether nobody between us and u can change what it answers.
func secure(u *url.URL) bool {
	local := slices.Contains([]string{"localhost", "127.0.0.1", "::1"}, u.Hostname())

	return u.Host != "" && (secureScheme(u) || u.Scheme == "http" && local)
}

func secureScheme(u *url.URL) bool { return u.Scheme == "https" }

// Verify returns the claims of a token that is to be trusted now; else [ErrInvalid], [ErrExpired] or [ErrUnavailable].
func (v *Verifier) Verify(ctx context.Context, token string) (Claims, error) {
	if len(token) > maxToken {
		return Claims{}, refuse("longer than 8192 bytes")
	}
	if strings.ContainsAny(token, "\r\n") {
		return Claims{}, refuse("malformed") // encoding/base64 passes over line breaks
	}
	switch {
	case v.keys != nil:
		return v.parse(token, func(t *jwt.Token) (any, error) { return v.publicKey(ctx, t) })
	case v.secret != nil:
		return v.secret.verify(ctx, v, token)
	default:
		return v.parse(token, fixed(v.config.Secret))
	}
}

// findKey returns the key by which the parsed token's signature is to be verified.
type findKey func(t *jwt.Token) (any, error)

// parse returns the claims of a token whose key find finds. The error is errSignature only if the token is right in all
// else.
func (v *Verifier) parse(token string, find findKey) (Claims, error) {
	var c claims
	var key any
	var refusal error
	_, err := v.parser.ParseWithClaims(token, &c, func(t *jwt.Token) (any, error) {
		if refusal = checkHeader(t.Header); refusal == nil {
			key, refusal = find(t)
		}

		return key, refusal
	})
	switch {
	case refusal != nil:
		return Claims{}, refusal
	case errors.Is(err, jwt.ErrTokenMalformed):
		return Claims{}, refuse("malformed")
	case err != nil && key == nil:
		return Claims{}, refuse("algorithm or signature")
	}
	checked, refusal := c.check(v.config)
	switch {
	case err != nil && refusal == nil:
		return Claims{}, errSignature
	case err != nil:
		return Claims{}, refuse("algorithm or signature, and claims")
	default:
		return checked, refusal
	}
}

// checkHeader refuses a token that asks for an extension (RFC 7515 section 4.1.11), or says that it is of another kind.
func checkHeader(header map[string]any) error {
	if _, critical := header["crit"]; critical {
		return refuse("crit")
	}
	if kind, isText := header["typ"].(string); isText && isOther(kind) {
		return refuse("typ of the header")
	}

	return nil
}

// publicKey finds the issuer's key that the header's kid names.
func (v *Verifier) publicKey(ctx context.Context, t *jwt.Token) (any, error) {
	kid, present := t.Header["kid"]
	id, isText := kid.(string)
	if present && (!isText || !unambiguous(id)) {
		return nil, refuse("kid")
	}

	return v.keys.find(ctx, id, t.Method.Alg())
}

// Warm fetches the keys or the secret ahead of the first token, where there is something to fetch.
func (v *Verifier) Warm(ctx context.Context) error {
	var err error
	switch {
	case v.keys != nil:
		_, _, err = v.keys.cache.get(ctx)
	case v.secret != nil:
		_, _, err = v.secret.cache.get(ctx)
	}

	return err
}

func refuse(reason string) error { return fmt.Errorf("%w: %s", ErrInvalid, reason) }
