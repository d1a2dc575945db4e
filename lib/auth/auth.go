// Package auth verifies JSON Web Tokens.
package auth

import (
	"cmp"
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

// Errors of Verify. Verify wraps them with a reason for the log, which never contains a part of the token.
var (
	// ErrInvalid means that the token must not be trusted.
	ErrInvalid = errors.New("auth: invalid token")
	// ErrExpired means that the token has expired. Everything else in it is valid.
	ErrExpired = errors.New("auth: token expired")
	// ErrUnavailable means that the token cannot be verified now: the key server or the store of the secret did not respond, or was
	// asked so recently that it is not asked again.
	ErrUnavailable = errors.New("auth: key server unavailable")

	// ErrUnknownKey is an ErrUnavailable that anyone can cause with a forged token: its key is none of the known ones, and may be
	// newer, but it is too early to fetch keys again.
	ErrUnknownKey = fmt.Errorf("%w: not asked again so soon", ErrUnavailable)

	// errSignature means that the signature is invalid and everything else is valid.
	errSignature = invalidToken("algorithm or signature")
)

// AnyAudience as the only Audience accepts tokens for any app of the issuer.
const AnyAudience = "*"

// maxTokenBytes is the maximum length of a token, because API Gateway accepts no longer header or URL.
const maxTokenBytes = 8192

// Claims are the verified claims of a token.
type Claims struct {
	// Subject is the user's id, 1 to 255 bytes (OpenID Connect Core 1.0 section 2).
	Subject string
	// ExpiresAt has whole seconds.
	ExpiresAt time.Time
}

// Config configures which tokens are trusted. Set exactly one of Secret, SecretStore, UserPoolID, Issuer.
type Config struct {
	// Secret is a fixed HS256 key of at least 32 bytes.
	Secret []byte
	// SecretStore reads an HS256 key that may be rotated. It is read every minute, and after a bad signature.
	SecretStore SecretStore
	// SecretOverlap is how long tokens of the previous key are accepted after a rotation. Zero means that they are not accepted.
	// Sessions of such tokens end with the overlap. A rotation is noticed after at most one minute.
	SecretOverlap time.Duration
	// UserPoolID is an Amazon Cognito user pool, such as eu-west-1_AbCdEf123.
	UserPoolID string
	// ClientIDs are the trusted app clients of the user pool, at least one.
	ClientIDs []string
	// Issuer is the iss claim of any other issuer that publishes a JWK Set. With a secret it is optional.
	Issuer string
	// JWKSURL is the URL of the issuer's keys, without a user or password. Empty means Issuer + "/.well-known/jwks.json". While
	// requests to it fail, the last keys are used for at most a day.
	JWKSURL string
	// Audience lists the accepted aud values. A list of only [AnyAudience] accepts any value. An empty list is an error with
	// Issuer; with a secret or a user pool it accepts any value, too.
	Audience []string

	// Client fetches the keys. nil means a client with a timeout.
	Client *http.Client
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Verifier verifies tokens. Its methods may be called concurrently.
type Verifier struct {
	config Config
	parser *jwt.Parser
	keys   *keySet         // nil with Secret or SecretStore
	secret *secretVerifier // nil without a SecretStore
}

// New returns a verifier, or an error that names the setting and the rule.
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
		v.secret = newSecretVerifier(c.SecretStore, c.SecretOverlap, c.Now)
	case len(c.Secret) == 0:
		algorithms = []string{"RS256", "ES256"}
		if c.JWKSURL == "" {
			c.JWKSURL = strings.TrimSuffix(c.Issuer, "/") + "/.well-known/jwks.json"
		}
		v.keys = newKeySet(c.JWKSURL, c.Client, c.Now)
	}
	// claims.go checks the claims instead of the library, whose leeway also applies to exp, and which decodes "1" as a number.
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

// check returns an error that names an invalid setting and its rule, or nil.
func (c Config) check() error {
	shared := len(c.Secret) > 0 || c.SecretStore != nil // the tokens are signed with a shared secret, and Issuer is optional
	modes := 0                                          // how many of the four settings are set
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
	case c.SecretStore == nil && len(c.Secret) < minSecretBytes:
		return fmt.Errorf("auth: Secret must be at least %d bytes long", minSecretBytes)
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
	}
	if err := c.checkKeysURL(); err != nil {
		return err
	}
	return c.checkAudience()
}

// checkIssuer requires an audience: without one, tokens for every other app of the issuer would be accepted.
func (c Config) checkIssuer() error {
	if err := c.checkKeysURL(); err != nil {
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

// checkKeysURL requires https for the keys, except on this machine. It rejects a user and a password: keys are public, and the
// URL is logged.
func (c Config) checkKeysURL() error {
	name, address := "JWKSURL", c.JWKSURL
	if address == "" {
		name, address = "Issuer", cmp.Or(c.Issuer, cognitoIssuer(c.UserPoolID))
	}
	u, err := url.Parse(address)
	switch {
	case err != nil || !isSecure(u):
		return fmt.Errorf("auth: %s must be an https URL", name)
	case u.User != nil:
		return fmt.Errorf("auth: %s must not contain a user or password", name)
	default:
		return nil
	}
}

// isSecure reports whether nobody on the network can change the response: u is an https URL, or an http URL of this machine.
func isSecure(u *url.URL) bool {
	onThisMachine := slices.Contains([]string{"localhost", "127.0.0.1", "::1"}, u.Hostname())
	return u.Host != "" && (isHTTPS(u) || u.Scheme == "http" && onThisMachine)
}

func isHTTPS(u *url.URL) bool { return u.Scheme == "https" }

// Verify returns the claims of a valid token, or [ErrInvalid], [ErrExpired] or [ErrUnavailable].
func (v *Verifier) Verify(ctx context.Context, token string) (Claims, error) {
	if len(token) > maxTokenBytes {
		return Claims{}, invalidToken("longer than 8192 bytes")
	}
	if strings.ContainsAny(token, "\r\n") {
		return Claims{}, invalidToken("malformed") // encoding/base64 ignores line breaks
	}
	switch {
	case v.keys != nil:
		return v.parse(token, func(t *jwt.Token) (any, error) { return v.publicKey(ctx, t) })
	case v.secret != nil:
		return v.secret.verify(ctx, v, token)
	default:
		return v.parse(token, fixedKey(v.config.Secret))
	}
}

// keyFunc returns the key that verifies the signature of a parsed token.
type keyFunc func(t *jwt.Token) (any, error)

// parse verifies a token with the key that findKey returns. The error is errSignature only if everything else is valid.
func (v *Verifier) parse(token string, findKey keyFunc) (Claims, error) {
	var c claims
	var key any
	var keyErr error // the error of checkHeader or findKey
	_, err := v.parser.ParseWithClaims(token, &c, func(t *jwt.Token) (any, error) {
		if keyErr = checkHeader(t.Header); keyErr == nil {
			key, keyErr = findKey(t)
		}
		return key, keyErr
	})
	switch {
	case errors.Is(keyErr, ErrUnknownKey): // a later try may succeed, unless the claims are invalid
		if _, claimsErr := c.check(v.config); claimsErr != nil {
			return Claims{}, invalidToken("unknown kid, and claims") // no key would make it valid
		}
		return Claims{}, keyErr
	case keyErr != nil:
		return Claims{}, keyErr
	case errors.Is(err, jwt.ErrTokenMalformed):
		return Claims{}, invalidToken("malformed")
	case err != nil && key == nil: // the library rejected the algorithm before it asked for the key
		return Claims{}, invalidToken("algorithm or signature")
	}
	checked, claimsErr := c.check(v.config)
	switch {
	case err != nil && claimsErr == nil:
		return Claims{}, errSignature
	case err != nil:
		return Claims{}, invalidToken("algorithm or signature, and claims")
	default:
		return checked, claimsErr
	}
}

// checkHeader rejects a token with critical extensions (RFC 7515 section 4.1.11), or of a kind in rejectedKinds.
func checkHeader(header map[string]any) error {
	if _, critical := header["crit"]; critical {
		return invalidToken("crit")
	}
	if kind, isText := header["typ"].(string); isText && isRejectedKind(kind) {
		return invalidToken("typ of the header")
	}
	return nil
}

// publicKey returns the issuer's key that the token's header names in kid. Without a kid, it returns the only key of the issuer.
func (v *Verifier) publicKey(ctx context.Context, t *jwt.Token) (any, error) {
	kid, present := t.Header["kid"]
	id, isText := kid.(string)
	if present && (!isText || !validUnicode(id)) {
		return nil, invalidToken("kid")
	}
	return v.keys.find(ctx, id, t.Method.Alg())
}

// Warm fetches the keys or the secret before the first token.
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

func invalidToken(reason string) error { return fmt.Errorf("%w: %s", ErrInvalid, reason) }
