package auth_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/MicahParks/jwkset"
	"github.com/golang-jwt/jwt/v5"

	"github.com/herald-progress/herald/lib/auth"
)

// This file tests which kinds of tokens and which texts in tokens are rejected, in every mode of a verifier.

// rawToken returns an HS256 token with exactly this header and payload.
func rawToken(header, payload string) string {
	text := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString([]byte(payload))
	mac := hmac.New(sha256.New, []byte(sharedSecret))
	mac.Write([]byte(text))
	return text + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// mode is one way to configure a verifier: by a secret, a JWK Set or an Amazon Cognito user pool.
type mode struct {
	verifier *auth.Verifier
	// claims are the claims that a good token of this mode has in addition to sub and exp, as JSON members.
	claims string
	// sign returns a token with this header and payload, signed with a key that the verifier trusts.
	sign func(t *testing.T, header, payload string) string
}

// hs256Header is the beginning of a header. The sign function of a mode replaces it if its algorithm is not HS256.
const hs256Header = `{"alg":"HS256"`

// modes returns every mode by its name.
func modes(t *testing.T) map[string]mode {
	t.Helper()
	const pool, poolIssuer = "eu-west-1_pool", "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_pool"
	server := newKeyServer(t)
	key := server.addKey(t, "k")
	es256 := func(t *testing.T, header, payload string) string {
		t.Helper()
		header = strings.Replace(header, hs256Header, `{"alg":"ES256","kid":"k"`, 1)
		text := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString([]byte(payload))
		signature, err := jwt.SigningMethodES256.Sign(text, key)
		if err != nil {
			t.Fatal(err)
		}
		return text + "." + base64.RawURLEncoding.EncodeToString(signature)
	}
	verifier := func(c auth.Config) *auth.Verifier {
		c.Now = clock
		v, err := auth.New(c)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	shared := func(_ *testing.T, header, payload string) string { return rawToken(header, payload) }
	return map[string]mode{
		"hs256": {verifier(auth.Config{Secret: []byte(sharedSecret)}), "", shared},
		"hs256, rotated": {
			verifier(auth.Config{SecretStore: &secretStore{current: sharedSecret, since: now.Add(-time.Hour)}}), "", shared,
		},
		"jwks": {
			verifier(auth.Config{Issuer: issuerURL, JWKSURL: server.URL, Audience: []string{"app"}}), `,"iss":"` + issuerURL + `","aud":"app"`, es256,
		},
		"cognito, access": {
			verifier(auth.Config{UserPoolID: pool, JWKSURL: server.URL, ClientIDs: []string{"app"}}),
			`,"iss":"` + poolIssuer + `","token_use":"access","client_id":"app"`, es256,
		},
		"cognito, id": {
			verifier(auth.Config{UserPoolID: pool, JWKSURL: server.URL, ClientIDs: []string{"app"}}),
			`,"iss":"` + poolIssuer + `","token_use":"id","aud":"app"`, es256,
		},
	}
}

// TestTokensOfOtherKindsAreRejected checks, in every mode, that a token whose header or claims name a rejected kind is refused.
func TestTokensOfOtherKindsAreRejected(t *testing.T) {
	exp, all := strconv.FormatInt(now.Add(time.Hour).Unix(), 10), modes(t)
	for _, test := range []struct {
		header, claims string // JSON members in addition to those of a good token
		want           error
	}{
		{"", "", nil},
		{`,"typ":"JWT"`, "", nil},
		{`,"typ":"jwt"`, "", nil},
		{`,"typ":"at+jwt"`, "", nil},
		{`,"typ":"application/at+jwt"`, "", nil},
		{`,"typ":"application/okta-internal-at+jwt"`, "", nil},
		{`,"typ":7`, "", nil},
		{"", `,"typ":"Bearer"`, nil},
		{"", `,"typ":"ID"`, nil},
		{"", `,"typ":"DPoP"`, nil}, // Keycloak's access token that is bound to a key
		{"", `,"type":"access","token_type":"Bearer"`, nil},
		{"", `,"type":{"a":"refresh"}`, nil}, // type may be the issuer's own claim
		{"", `,"type":null,"typ":3`, nil},
		{"", `,"events":["refresh"],"scope":"offline_access refresh"`, nil},
		{"", `,"events":{"login":1}`, nil},

		{"", `,"token_use":"refresh"`, auth.ErrInvalid},
		{"", `,"token_use":"Refresh"`, auth.ErrInvalid},
		{"", `,"token_use":["access","refresh"]`, auth.ErrInvalid},
		{"", `,"token_use":7`, auth.ErrInvalid},
		{"", `,"typ":"Refresh"`, auth.ErrInvalid},
		{"", `,"typ":"REFRESH"`, auth.ErrInvalid},
		{"", `,"typ":"Offline"`, auth.ErrInvalid},
		{"", `,"typ":"Logout"`, auth.ErrInvalid},
		{"", `,"typ":"RegistrationAccessToken"`, auth.ErrInvalid},
		{"", `,"typ":"InitialAccessToken"`, auth.ErrInvalid},
		{"", `,"typ":["Bearer","Refresh"]`, auth.ErrInvalid},
		{"", `,"typ":"Bearer","typ":"Refresh"`, auth.ErrInvalid},
		{"", `,"token_type":"refresh"`, auth.ErrInvalid},
		{"", `,"token_type":"refresh_token"`, auth.ErrInvalid},
		{"", `,"type":"refresh"`, auth.ErrInvalid},
		{"", `,"tokenUse":"refresh"`, auth.ErrInvalid},
		{"", `,"tokenType":"refresh"`, auth.ErrInvalid},
		{"", `,"token-type":"Refresh"`, auth.ErrInvalid},
		{"", `,"TOKEN_USE":"refresh"`, auth.ErrInvalid},
		{"", `,"t\u0079p":"Re\u0066resh"`, auth.ErrInvalid},
		{"", `,"events":{"http://schemas.openid.net/event/backchannel-logout":{}}`, auth.ErrInvalid},
		{"", `,"events":{"https://schemas.openid.net/secevent/caep/event-type/session-revoked":{}}`, auth.ErrInvalid},
		{`,"typ":"Refresh"`, "", auth.ErrInvalid},
		{`,"typ":"refresh+jwt"`, "", auth.ErrInvalid},
		{`,"typ":"rt+jwt"`, "", auth.ErrInvalid},
		{`,"typ":"logout+jwt"`, "", auth.ErrInvalid},
		{`,"typ":"application/logout+jwt"`, "", auth.ErrInvalid},
		{`,"typ":"secevent+jwt"`, "", auth.ErrInvalid},
	} {
		for name, mode := range all {
			token := mode.sign(t, hs256Header+test.header+`}`, `{"sub":"u1","exp":`+exp+mode.claims+test.claims+`}`)
			if _, err := mode.verifier.Verify(t.Context(), token); !errors.Is(err, test.want) {
				t.Errorf("%s: header %s, claims %s: %v, want %v", name, test.header, test.claims, err, test.want)
			}
		}
	}
}

// TestSubjectsWithInvalidUnicodeAreRejected checks every mode. Without this rule, two different subjects could be decoded to the same
// text.
func TestSubjectsWithInvalidUnicodeAreRejected(t *testing.T) {
	exp, all := strconv.FormatInt(now.Add(time.Hour).Unix(), 10), modes(t)
	for _, test := range []struct {
		sub  string // as written in the payload
		want error
	}{
		{`u-\ud83c\udf89`, nil},
		{"u-\U0001f389", nil},
		{"ü", nil},
		{`u-\ud83c`, auth.ErrInvalid},
		{`u-\ud83d`, auth.ErrInvalid},
		{`\udf89\ud83c`, auth.ErrInvalid},
		{`u-\ud83cx`, auth.ErrInvalid},
		{`u-\ufffd`, auth.ErrInvalid},
		{"u-\ufffd", auth.ErrInvalid},
		{"u-\xff", auth.ErrInvalid},
		{"u-\xc0\xaf", auth.ErrInvalid},
		{"u-\xed\xa0\xbc", auth.ErrInvalid}, // a surrogate in UTF-8
		{"u-\xf0\x9f", auth.ErrInvalid},
		{strings.Repeat("é", 127) + "x", nil}, // 255 bytes
		{strings.Repeat("é", 128), auth.ErrInvalid},
	} {
		for name, mode := range all {
			token := mode.sign(t, hs256Header+`}`, `{"sub":"`+test.sub+`","exp":`+exp+mode.claims+`}`)
			if _, err := mode.verifier.Verify(t.Context(), token); !errors.Is(err, test.want) {
				t.Errorf("%s: sub %q: %v, want %v", name, test.sub, err, test.want)
			}
		}
	}
}

// TestClaimsWithInvalidUnicodeMatchNoSetting: invalid Unicode in a claim is decoded to U+FFFD, and a setting may contain U+FFFD.
func TestClaimsWithInvalidUnicodeMatchNoSetting(t *testing.T) {
	exp := strconv.FormatInt(now.Add(time.Hour).Unix(), 10)
	for name, test := range map[string]struct {
		config auth.Config
		claims string
	}{
		"issuer":   {auth.Config{Secret: []byte(sharedSecret), Issuer: "i\ufffd"}, `"iss":"i\ud83c"`},
		"audience": {auth.Config{Secret: []byte(sharedSecret), Audience: []string{"a\ufffd"}}, `"aud":["a\ud83c"]`},
	} {
		test.config.Now = clock
		v, err := auth.New(test.config)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(name, func(t *testing.T) {
			checkVerify(t, v, rawToken(hs256Header+`}`, `{"sub":"u1","exp":`+exp+`,`+test.claims+`}`), auth.ErrInvalid)
		})
	}
}

// TestKidSelectsOnlyItsKey: a kid only names a key in the issuer's set. It is not used as a URL or path, and keys in the header are
// ignored.
func TestKidSelectsOnlyItsKey(t *testing.T) {
	server := newKeyServer(t)
	key, otherServer := server.addKey(t, "k"), newKeyServer(t)
	otherKey := otherServer.addKey(t, "k")
	embedded, err := json.Marshal((*otherServer.keys.Load())[0])
	if err != nil {
		t.Fatal(err)
	}
	v, err := auth.New(auth.Config{Issuer: issuerURL, JWKSURL: server.URL, Audience: anyAudience, Now: clock})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		header string
		key    any
		want   error
	}{
		{`"kid":"k"`, key, nil},
		{`"x":1`, key, nil}, // without a kid, the only key of the set is used
		{`"kid":"k"`, otherKey, auth.ErrInvalid},
		{`"kid":"K"`, key, auth.ErrInvalid},
		{`"kid":" k"`, key, auth.ErrInvalid},
		{`"kid":"k\u0000"`, key, auth.ErrInvalid},
		{`"kid":"\ud83c"`, key, auth.ErrInvalid},
		{`"kid":["k"]`, key, auth.ErrInvalid},
		{`"kid":null`, key, auth.ErrInvalid},
		{`"kid":"../../../dev/null"`, otherKey, auth.ErrInvalid},
		{`"kid":"` + otherServer.URL + `"`, otherKey, auth.ErrInvalid},
		{`"kid":"k","jwk":` + string(embedded), otherKey, auth.ErrInvalid},
		{`"kid":"k","jku":"` + otherServer.URL + `"`, otherKey, auth.ErrInvalid},
		{`"kid":"k","x5u":"` + otherServer.URL + `"`, otherKey, auth.ErrInvalid},
		{`"kid":"k","crit":[]`, key, auth.ErrInvalid},
	} {
		text := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"ES256",`+test.header+`}`)) + "." +
			base64.RawURLEncoding.EncodeToString([]byte(`{"sub":"u1","iss":"`+issuerURL+`","exp":`+strconv.FormatInt(now.Add(time.Hour).Unix(), 10)+`}`))
		signature, err := jwt.SigningMethodES256.Sign(text, test.key)
		if err != nil {
			t.Fatal(err)
		}
		token := text + "." + base64.RawURLEncoding.EncodeToString(signature)
		if _, err := v.Verify(t.Context(), token); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", test.header, err, test.want)
		}
		zeroSignature := text + "." + base64.RawURLEncoding.EncodeToString(make([]byte, 64)) // CVE-2022-21449
		if _, err := v.Verify(t.Context(), zeroSignature); !errors.Is(err, auth.ErrInvalid) {
			t.Errorf("%s, a signature of zeros: %v", test.header, err)
		}
	}
	if n := otherServer.requests.Load(); n != 0 {
		t.Errorf("%d requests to a URL in a token", n)
	}
}

// TestSymmetricKeysInAJWKSetAreIgnored: everybody who can read the set could sign tokens with such keys.
func TestSymmetricKeysInAJWKSetAreIgnored(t *testing.T) {
	jwk, err := jwkset.NewJWKFromKey([]byte(sharedSecret), jwkset.JWKOptions{
		Marshal: jwkset.JWKMarshalOptions{Private: true}, Metadata: jwkset.JWKMetadataOptions{KID: "k"},
	})
	if err != nil {
		t.Fatal(err)
	}
	server := newKeyServer(t)
	server.keys.Store(&[]jwkset.JWKMarshal{jwk.Marshal()})
	v, err := auth.New(auth.Config{Issuer: issuerURL, JWKSURL: server.URL, Audience: anyAudience, Now: clock})
	if err != nil {
		t.Fatal(err)
	}
	payload := `{"sub":"u1","iss":"` + issuerURL + `","exp":` + strconv.FormatInt(now.Add(time.Hour).Unix(), 10) + `}`
	for _, algorithm := range []string{"HS256", "RS256", "ES256", "none"} {
		checkVerify(t, v, rawToken(`{"alg":"`+algorithm+`","kid":"k"}`, payload), auth.ErrInvalid)
	}
}

func TestTokensForAnotherAppAreRejected(t *testing.T) {
	exp := now.Add(time.Hour).Unix()
	for _, test := range []struct {
		accepted []string
		aud      any
		want     error
	}{
		{[]string{"app"}, "app", nil},
		{[]string{"app", "web"}, []string{"other", "web"}, nil},
		{[]string{"app"}, "other", auth.ErrInvalid},
		{[]string{"app"}, []string{}, auth.ErrInvalid},
		{[]string{"app"}, nil, auth.ErrInvalid},
		{[]string{"app"}, "*", auth.ErrInvalid},
		{[]string{"app"}, "APP", auth.ErrInvalid},
		{[]string{"app"}, "app,web", auth.ErrInvalid},
		{anyAudience, "other", nil},
		{anyAudience, nil, nil},
	} {
		server := newKeyServer(t)
		v, err := auth.New(auth.Config{Issuer: issuerURL, JWKSURL: server.URL, Audience: test.accepted, Now: clock})
		if err != nil {
			t.Fatal(err)
		}
		claims := jwt.MapClaims{"sub": "u1", "exp": exp, "iss": issuerURL}
		if test.aud != nil {
			claims["aud"] = test.aud
		}
		if _, err := v.Verify(t.Context(), server.issue(t, "k", claims)); !errors.Is(err, test.want) {
			t.Errorf("accepted %v, aud %v: %v, want %v", test.accepted, test.aud, err, test.want)
		}
	}
}

// FuzzClaims signs any payload. The subject of an accepted token must be valid Unicode, so that no other subject is decoded to the same
// text.
func FuzzClaims(f *testing.F) {
	exp := strconv.FormatInt(now.Add(time.Hour).Unix(), 10)
	for _, payload := range []string{
		`{"sub":"u1","exp":` + exp + `}`, `{"sub":"u\ud83c","exp":` + exp + `}`, `{"sub":"u1","exp":` + exp + `,"typ":["Refresh"],"events":{}}`,
		`{"sub":"u1","exp":1e400,"aud":[null],"nbf":0.5}`, "{\"sub\":\"\xff\",\"exp\":" + exp + "}",
	} {
		f.Add(payload)
	}
	v, err := auth.New(auth.Config{Secret: []byte(sharedSecret), Now: clock})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, payload string) {
		c, err := v.Verify(t.Context(), rawToken(hs256Header+`}`, payload))
		if err != nil {
			return
		}
		if c.Subject == "" || len(c.Subject) > 255 || !utf8.ValidString(c.Subject) || strings.ContainsRune(c.Subject, utf8.RuneError) || !c.ExpiresAt.After(now) {
			t.Errorf("%q is accepted as %+v", payload, c)
		}
	})
}
