package auth

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/golang-jwt/jwt/v5"

	"github.com/herald-progress/herald/lib/message"
)

const (
	// leeway is how far nbf and iat may lie in the future, because clocks differ. exp has no leeway.
	leeway = 30 * time.Second
	// maxTime is the last second of the year 9999, in seconds since the Unix epoch. A larger number is probably in milliseconds.
	maxTime = 253_402_300_799
)

// claims are the registered claims of a token (RFC 7519 section 4.1), and the claims token_use and client_id of Amazon Cognito.
type claims struct {
	Issuer, Subject, TokenUse, ClientID string

	Audience                       audience
	ExpiresAt, NotBefore, IssuedAt *numericDate

	// rejectedKindClaim is the name of the claim that says that the token is of a kind in rejectedKinds, or empty.
	rejectedKindClaim string
}

// UnmarshalJSON decodes each claim whose name matches exactly. encoding/json alone would decode a claim "Sub" as "sub".
func (c *claims) UnmarshalJSON(b []byte) error {
	var all map[string]json.RawMessage
	if err := json.Unmarshal(b, &all); err != nil {
		return fmt.Errorf("claims: %w", err)
	}
	for name, field := range map[string]any{
		"iss": &c.Issuer, "sub": &c.Subject, "aud": &c.Audience, "exp": &c.ExpiresAt, "nbf": &c.NotBefore,
		"iat": &c.IssuedAt, "token_use": &c.TokenUse, "client_id": &c.ClientID,
	} {
		if raw, ok := all[name]; ok {
			if err := json.Unmarshal(raw, field); err != nil {
				return fmt.Errorf("claim %s: %w", name, err)
			}
		}
	}
	c.rejectedKindClaim = rejectedKindClaim(all)
	return nil
}

// check returns the claims if all are valid. It checks the expiry last.
func (c *claims) check(config Config) (Claims, error) {
	now := config.Now()
	latest := now.Add(leeway)
	switch {
	case c.ExpiresAt == nil:
		return Claims{}, invalidToken("no exp")
	case !validSubject(c.Subject):
		return Claims{}, invalidToken("sub must be 1 to 255 bytes of valid Unicode text")
	case c.rejectedKindClaim != "":
		return Claims{}, invalidToken("kind of token, by " + c.rejectedKindClaim)
	case c.NotBefore != nil && c.NotBefore.After(latest):
		return Claims{}, invalidToken("nbf is in the future")
	case c.IssuedAt != nil && c.IssuedAt.After(latest):
		return Claims{}, invalidToken("iat is in the future")
	}
	if err := c.checkSource(config); err != nil {
		return Claims{}, err
	}
	if !now.Before(c.ExpiresAt.Time) {
		return Claims{}, ErrExpired
	}

	return Claims{Subject: c.Subject, ExpiresAt: c.ExpiresAt.Truncate(time.Second)}, nil
}

// checkSource rejects tokens of another issuer or for another app.
func (c *claims) checkSource(config Config) error {
	switch {
	case config.Issuer != "" && (c.Issuer != config.Issuer || !validUnicode(c.Issuer)):
		return invalidToken("iss")
	case len(config.Audience) > 0 && !intersects(c.Audience, config.Audience):
		return invalidToken("aud")
	case config.UserPoolID != "" && !c.issuedToClient(config.ClientIDs):
		return invalidToken("token_use, client_id or aud")
	default:
		return nil
	}
}

// issuedToClient applies Amazon Cognito's rules: an access token names its client in client_id, an ID token in aud
// (https://docs.aws.amazon.com/cognito/latest/developerguide/amazon-cognito-user-pools-using-tokens-verifying-a-jwt.html).
func (c *claims) issuedToClient(ids []string) bool {
	switch c.TokenUse {
	case "access":
		return intersects([]string{c.ClientID}, ids)
	case "id":
		return intersects(c.Audience, ids)
	default:
		return false
	}
}

func validSubject(s string) bool {
	return message.ValidID(s, message.MaxUserID)
}

// validUnicode reports whether decoded JSON text is surely the text that was encoded. encoding/json replaces invalid UTF-8 and lone
// surrogates by U+FFFD, so two different texts could be decoded to the same text.
func validUnicode(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsRune(s, utf8.RuneError)
}

// intersects reports whether a text of the token is one of the accepted texts.
func intersects(inToken, accepted []string) bool {
	return slices.ContainsFunc(inToken, func(s string) bool { return validUnicode(s) && slices.Contains(accepted, s) })
}

// numericDate is a number of seconds since the Unix epoch (RFC 7519 section 2).
type numericDate struct{ time.Time }

// UnmarshalJSON rejects strings and times outside the years 1970 to 9999.
func (d *numericDate) UnmarshalJSON(b []byte) error {
	var seconds float64
	if err := json.Unmarshal(b, &seconds); err != nil {
		return fmt.Errorf("time: %w", err)
	}
	if seconds < 0 || seconds > maxTime {
		return errors.New("time: outside the years 1970 to 9999")
	}
	whole, fraction := math.Modf(seconds)
	d.Time = time.Unix(int64(whole), int64(fraction*float64(time.Second))).UTC()
	return nil
}

// audience is a string or a list of strings (RFC 7519 section 4.1.3).
type audience []string

// UnmarshalJSON decodes a string as a list of one.
func (a *audience) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		*a = audience{one}
		return nil
	}
	if err := json.Unmarshal(b, (*[]string)(a)); err != nil {
		return fmt.Errorf("aud: %w", err)
	}
	return nil
}

// The methods below make claims a [jwt.Claims]. The parser does not call them, because it does not check claims.

func (c *claims) GetExpirationTime() (*jwt.NumericDate, error) { return nil, jwt.ErrInvalidType }
func (c *claims) GetIssuedAt() (*jwt.NumericDate, error)       { return nil, jwt.ErrInvalidType }
func (c *claims) GetNotBefore() (*jwt.NumericDate, error)      { return nil, jwt.ErrInvalidType }
func (c *claims) GetIssuer() (string, error)                   { return c.Issuer, nil }
func (c *claims) GetSubject() (string, error)                  { return c.Subject, nil }
func (c *claims) GetAudience() (jwt.ClaimStrings, error)       { return jwt.ClaimStrings(c.Audience), nil }
