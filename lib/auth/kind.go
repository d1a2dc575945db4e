package auth

import (
	"encoding/json"
	"slices"
	"strings"
	"unicode"
)

// otherKinds are the kinds of tokens that issuers sign, and that open no session: refresh tokens ("refresh" of Amazon Cognito
// and others, "Refresh" and "Offline" of Keycloak), logout tokens and other security events (OpenID Connect Back-Channel
// Logout 1.0 section 2.4, RFC 8417), and Keycloak's tokens by which clients register.
var otherKinds = []string{"refresh", "offline", "rt", "logout", "secevent", "initialaccess", "registrationaccess"}

// kindClaims are the claims by which tokens say of what kind they are, in the letters that [letters] leaves: issuers write
// token_use and tokenUse.
var kindClaims = []string{"tokenuse", "typ", "tokentype", "type"}

// eventClaim is the claim of security events (RFC 8417 section 2.2), and eventScheme how OpenID Connect's begin.
const (
	eventClaim  = "events"
	eventScheme = "schemas.openid.net/"
)

// isOther reports whether kind is one of the other kinds, however it is written. Unknown kinds are not: issuers write what
// they like.
func isOther(kind string) bool {
	kind = strings.TrimPrefix(strings.ToLower(kind), "application/")
	kind = letters(strings.TrimSuffix(kind, "+jwt"))

	return slices.Contains(otherKinds, kind) || slices.Contains(otherKinds, strings.TrimSuffix(kind, "token"))
}

// letters returns the letters of a text, in lower case.
func letters(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) {
			return unicode.ToLower(r)
		}

		return -1
	}, text)
}

// otherKind returns the claim by which a token says that it is of a kind that opens no session, or "". The claims are
// anybody's to define, but for the values that say so.
func otherKind(all map[string]json.RawMessage) string {
	for name, raw := range all {
		var kinds audience // one text, or a list of texts
		if slices.Contains(kindClaims, letters(name)) && json.Unmarshal(raw, &kinds) == nil && slices.ContainsFunc(kinds, isOther) {
			return name
		}
	}
	var events map[string]json.RawMessage
	if json.Unmarshal(all[eventClaim], &events) == nil {
		for event := range events {
			if strings.Contains(event, eventScheme) {
				return eventClaim
			}
		}
	}

	return ""
}
