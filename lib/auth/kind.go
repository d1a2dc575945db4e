package auth

import (
	"encoding/json"
	"slices"
	"strings"
	"unicode"
)

// rejectedKinds are kinds of signed tokens that must not open a session: refresh tokens ("refresh" of Amazon Cognito and
// others, "Refresh" and "Offline" of Keycloak), logout tokens and other security events (OpenID Connect Back-Channel Logout 1.0
// section 2.4, RFC 8417), and Keycloak's tokens for the registration of clients. "rt" is that of rt+jwt, a refresh token in the style
// of at+jwt (RFC 9068).
var rejectedKinds = []string{"refresh", "offline", "rt", "logout", "secevent", "initialaccess", "registrationaccess"}

// kindClaims are the claims that may name the kind of a token, in the form that [letters] returns, because some issuers write token_use
// and others tokenUse.
var kindClaims = []string{"tokenuse", "typ", "tokentype", "type"}

const (
	// eventClaim is the claim that a security event has (RFC 8417 section 2.2). Its keys are the URLs of event types.
	eventClaim = "events"
	// eventHost is in the URLs of OpenID Connect's event types.
	eventHost = "schemas.openid.net/"
)

// isRejectedKind reports whether kind is a rejected kind, in any spelling. Unknown kinds are accepted, because issuers define
// their own.
func isRejectedKind(kind string) bool {
	kind = strings.TrimPrefix(strings.ToLower(kind), "application/")
	kind = letters(strings.TrimSuffix(kind, "+jwt"))
	withoutToken := strings.TrimSuffix(kind, "token") // some issuers write refresh_token for refresh
	return slices.Contains(rejectedKinds, kind) || slices.Contains(rejectedKinds, withoutToken)
}

// letters returns the letters of a text in lower case.
func letters(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, text)
}

// rejectedKindClaim returns the name of the claim that says that the token is of a rejected kind, or "". Any other value of such a claim
// is accepted.
func rejectedKindClaim(all map[string]json.RawMessage) string {
	for name, raw := range all {
		var kinds audience // like aud, these claims are one text or a list of texts
		if slices.Contains(kindClaims, letters(name)) && json.Unmarshal(raw, &kinds) == nil && slices.ContainsFunc(kinds, isRejectedKind) {
			return name
		}
	}
	var events map[string]json.RawMessage
	if json.Unmarshal(all[eventClaim], &events) == nil {
		for event := range events {
			if strings.Contains(event, eventHost) {
				return eventClaim
			}
		}
	}

	return ""
}
