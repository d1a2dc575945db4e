package auth_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/MicahParks/jwkset"
	"github.com/golang-jwt/jwt/v5"

	"github.com/herald-progress/herald/lib/auth"
)

const sharedSecret = "0123456789abcdef0123456789abcdef"

var anyAudience = []string{auth.AnyAudience}

// now is the time of clock, the clock of verifiers in tests that do not run in virtual time.
var now = time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)

func clock() time.Time { return now }

// sign returns an HS256 token that is signed with sharedSecret.
func sign(t *testing.T, claims jwt.MapClaims) string {
	t.Helper()
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString([]byte(sharedSecret))
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func TestVerifySharedSecretTokens(t *testing.T) {
	at := func(d time.Duration) int64 { return now.Add(d).Unix() }
	hour := at(time.Hour)
	for _, tt := range []struct {
		name   string
		claims jwt.MapClaims
		want   error
	}{
		{"good", jwt.MapClaims{"sub": "u1", "exp": hour}, nil},
		{"sub with | and /", jwt.MapClaims{"sub": "auth0|a/b", "exp": hour}, nil},
		{"fractional exp", jwt.MapClaims{"sub": "u1", "exp": float64(hour) + 0.5}, nil},
		{"expires next second", jwt.MapClaims{"sub": "u1", "exp": at(time.Second)}, nil},
		{"expires now: no leeway", jwt.MapClaims{"sub": "u1", "exp": at(0)}, auth.ErrExpired},
		{"expired", jwt.MapClaims{"sub": "u1", "exp": at(-time.Hour)}, auth.ErrExpired},
		{"no exp", jwt.MapClaims{"sub": "u1"}, auth.ErrInvalid},
		{"exp as text", jwt.MapClaims{"sub": "u1", "exp": fmt.Sprint(hour)}, auth.ErrInvalid},
		{"exp null", jwt.MapClaims{"sub": "u1", "exp": nil}, auth.ErrInvalid},
		{"exp in milliseconds", jwt.MapClaims{"sub": "u1", "exp": hour * 1000}, auth.ErrInvalid},
		{"exp negative", jwt.MapClaims{"sub": "u1", "exp": -1}, auth.ErrInvalid},
		{"Exp is not exp", jwt.MapClaims{"sub": "u1", "Exp": hour}, auth.ErrInvalid},
		{"Sub does not stand for sub", jwt.MapClaims{"Sub": "admin", "exp": hour}, auth.ErrInvalid},
		{"no sub", jwt.MapClaims{"exp": hour}, auth.ErrInvalid},
		{"empty sub", jwt.MapClaims{"sub": "", "exp": hour}, auth.ErrInvalid},
		{"sub is a number", jwt.MapClaims{"sub": 7, "exp": hour}, auth.ErrInvalid},
		{"sub of 255 bytes", jwt.MapClaims{"sub": strings.Repeat("x", 255), "exp": hour}, nil},
		{"sub of 256 bytes", jwt.MapClaims{"sub": strings.Repeat("x", 256), "exp": hour}, auth.ErrInvalid},
		{"sub with a control character", jwt.MapClaims{"sub": "a\nb", "exp": hour}, auth.ErrInvalid},
		{"nbf within the leeway", jwt.MapClaims{"sub": "u1", "exp": hour, "nbf": at(30 * time.Second)}, nil},
		{"nbf ahead", jwt.MapClaims{"sub": "u1", "exp": hour, "nbf": at(31 * time.Second)}, auth.ErrInvalid},
		{"iat within the leeway", jwt.MapClaims{"sub": "u1", "exp": hour, "iat": at(30 * time.Second)}, nil},
		{"iat ahead", jwt.MapClaims{"sub": "u1", "exp": hour, "iat": at(31 * time.Second)}, auth.ErrInvalid},
		{"expired and without sub is invalid", jwt.MapClaims{"exp": at(-1)}, auth.ErrInvalid},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v, err := auth.New(auth.Config{Secret: []byte(sharedSecret), Now: clock})
			if err != nil {
				t.Fatal(err)
			}
			got, err := v.Verify(t.Context(), sign(t, tt.claims))
			if !errors.Is(err, tt.want) {
				t.Fatalf("Verify: %v, want %v", err, tt.want)
			}
			if err == nil && (got.Subject != tt.claims["sub"] || got.ExpiresAt.IsZero()) {
				t.Errorf("claims are %+v", got)
			}
		})
	}
}

func TestVerifyRejectsInvalidHeaders(t *testing.T) {
	v, err := auth.New(auth.Config{Secret: []byte(sharedSecret), Now: clock})
	if err != nil {
		t.Fatal(err)
	}
	claims := jwt.MapClaims{"sub": "u1", "exp": now.Add(time.Hour).Unix()}
	critical := jwt.NewWithClaims(jwt.SigningMethodHS256, claims)
	critical.Header["crit"] = []string{"exp"}
	withCrit, _ := critical.SignedString([]byte(sharedSecret))
	hs384, _ := jwt.NewWithClaims(jwt.SigningMethodHS384, claims).SignedString([]byte(sharedSecret))
	none, _ := jwt.NewWithClaims(jwt.SigningMethodNone, claims).SignedString(jwt.UnsafeAllowNoneSignatureType)
	for name, token := range map[string]string{
		"crit": withCrit, "another algorithm": hs384, "alg none": none, "empty": "", "one part": "x", "dots": strings.Repeat(".", 8000),
		"long": strings.Repeat("x", 10_000), "another secret": signedBy(t, "another secret of 32 bytes, or so", claims),
	} {
		_, err := v.Verify(t.Context(), token)
		if !errors.Is(err, auth.ErrInvalid) {
			t.Errorf("%s: %v, want ErrInvalid", name, err)
		}
		if token != "" && err != nil && strings.Contains(err.Error(), token) {
			t.Errorf("%s: the error contains the token", name)
		}
	}
}

func TestTokensWithLineBreaksAreRejected(t *testing.T) {
	v, err := auth.New(auth.Config{Secret: []byte(sharedSecret), Now: clock})
	if err != nil {
		t.Fatal(err)
	}
	head, rest, _ := strings.Cut(sign(t, jwt.MapClaims{"sub": "u1", "exp": now.Add(time.Hour).Unix()}), ".")
	for _, token := range []string{head + "\n." + rest, head + "." + rest + "\r\n"} {
		checkVerify(t, v, token, auth.ErrInvalid)
	}
}

// signedBy returns an HS256 token that is signed with a key.
func signedBy(t *testing.T, key string, claims jwt.MapClaims) string {
	t.Helper()
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString([]byte(key))
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func TestNewErrorNamesTheInvalidSetting(t *testing.T) {
	for _, tt := range []struct {
		config auth.Config
		want   string
	}{
		{auth.Config{}, "auth: set exactly one of Secret, SecretStore, UserPoolID, Issuer"},
		{auth.Config{Secret: []byte(sharedSecret), UserPoolID: "a_b"}, "auth: set exactly one of Secret, SecretStore, UserPoolID, Issuer"},
		{auth.Config{Secret: []byte("short")}, "auth: Secret must be at least 32 bytes long"},
		{auth.Config{UserPoolID: "pool"}, "auth: UserPoolID must look like eu-west-1_AbCdEf123"},
		{auth.Config{UserPoolID: "eu-west-1_x"}, "auth: ClientIDs must name at least one app client of the user pool"},
		{auth.Config{Issuer: "http://issuer.example"}, "auth: Issuer must be an https URL"},
		{auth.Config{Issuer: "https://issuer.example", JWKSURL: "file:///etc/passwd"}, "auth: JWKSURL must be an https URL"},
		{auth.Config{Issuer: "https://user:pass@issuer.example"}, "auth: Issuer must not contain a user or password"},
		{auth.Config{Issuer: "https://issuer.example", JWKSURL: "https://user:pass@issuer.example/keys"}, "auth: JWKSURL must not contain a user or password"},
		{auth.Config{Issuer: "https://issuer.example", JWKSURL: "https://:pass@issuer.example/keys"}, "auth: JWKSURL must not contain a user or password"},
		{auth.Config{UserPoolID: "eu-west-1_x", ClientIDs: []string{"app"}, JWKSURL: "https://user:pass@issuer.example/keys"}, "auth: JWKSURL must not contain a user or password"},
		{auth.Config{UserPoolID: "eu-west-1_x", ClientIDs: []string{"app"}, JWKSURL: "http://issuer.example/keys"}, "auth: JWKSURL must be an https URL"},
		{auth.Config{Issuer: "https://issuer.example"}, "auth: Audience must name at least one audience, or be * to accept tokens for any app of the issuer"},
		{auth.Config{Issuer: "https://issuer.example", Audience: []string{"app", "*"}}, "auth: Audience must be * alone, or name audiences"},
		{auth.Config{Secret: []byte(sharedSecret), SecretOverlap: -1}, "auth: SecretOverlap must not be negative"},
	} {
		if _, err := auth.New(tt.config); err == nil || err.Error() != tt.want {
			t.Errorf("New(%+v): %v, want %s", tt.config, err, tt.want)
		}
	}
}

// keyServer is a key server on this machine. Its keys may change, and it may be down.
type keyServer struct {
	*httptest.Server

	keys     atomic.Pointer[[]jwkset.JWKMarshal]
	down     atomic.Bool
	requests atomic.Int64
}

func newKeyServer(t *testing.T) *keyServer {
	t.Helper()
	s := &keyServer{}
	s.keys.Store(&[]jwkset.JWKMarshal{})
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		s.requests.Add(1)
		if s.down.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		_ = json.NewEncoder(w).Encode(jwkset.JWKSMarshal{Keys: *s.keys.Load()})
	}))
	t.Cleanup(s.Close)
	return s
}

// addKey publishes a new ES256 key.
func (s *keyServer) addKey(t *testing.T, kid string) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	jwk, err := jwkset.NewJWKFromKey(key, jwkset.JWKOptions{Metadata: jwkset.JWKMetadataOptions{KID: kid, ALG: jwkset.AlgES256, USE: jwkset.UseSig}})
	if err != nil {
		t.Fatal(err)
	}
	keys := append(*s.keys.Load(), jwk.Marshal())
	s.keys.Store(&keys)
	return key
}

// issue publishes a new ES256 key and returns a token signed with it.
func (s *keyServer) issue(t *testing.T, kid string, claims jwt.MapClaims) string {
	t.Helper()
	token := jwt.NewWithClaims(jwt.SigningMethodES256, claims)
	token.Header["kid"] = kid
	text, err := token.SignedString(s.addKey(t, kid))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestConcurrentUnknownKeysCauseOneFetch(t *testing.T) {
	server := newKeyServer(t)
	at := now
	v, err := auth.New(auth.Config{Issuer: server.URL, Audience: anyAudience, Now: func() time.Time { return at }})
	if err != nil {
		t.Fatal(err)
	}
	good := jwt.MapClaims{"sub": "u1", "exp": now.Add(24 * time.Hour).Unix(), "iss": server.URL}
	first := server.issue(t, "first", good)
	checkVerify(t, v, first, nil)
	checkVerify(t, v, first, nil)
	if n := server.requests.Load(); n != 1 {
		t.Fatalf("%d requests for two tokens of one key, want 1", n)
	}

	at = at.Add(time.Minute)
	second := server.issue(t, "second", good) // the issuer rotates its keys
	checkVerify(t, v, second, nil)
	forged := newKeyServer(t).issue(t, "unknown", good) // signed with a key of another server
	for range 1000 {
		checkVerify(t, v, forged, auth.ErrInvalid)
	}
	if n := server.requests.Load(); n != 2 {
		t.Errorf("%d requests after a rotation and 1,000 unknown kids, want 2", n)
	}

	at = at.Add(time.Hour)
	server.keys.Store(&[]jwkset.JWKMarshal{}) // all keys are revoked
	for tries := 0; !errors.Is(err, auth.ErrInvalid); tries++ {
		if _, err = v.Verify(t.Context(), first); err != nil && !errors.Is(err, auth.ErrInvalid) || tries > 500 {
			t.Fatalf("Verify: %v, want ErrInvalid once the keys are fetched", err)
		}
		time.Sleep(10 * time.Millisecond) // the fetch runs in the background, over a real connection
	}
}

func TestFailedKeyServerIsErrUnavailable(t *testing.T) {
	server := newKeyServer(t)
	at := now
	v, err := auth.New(auth.Config{Issuer: server.URL, Audience: anyAudience, Now: func() time.Time { return at }})
	if err != nil {
		t.Fatal(err)
	}
	token := server.issue(t, "k", jwt.MapClaims{"sub": "u1", "exp": now.Add(24 * time.Hour).Unix(), "iss": server.URL})
	server.down.Store(true)
	checkVerify(t, v, token, auth.ErrUnavailable)
	server.down.Store(false)
	at = at.Add(time.Second)
	checkVerify(t, v, token, nil)
	server.down.Store(true)
	at = at.Add(2 * time.Hour)
	before := server.requests.Load()
	for range 10 {
		checkVerify(t, v, token, nil) // the stale key is used while the key server is down
		at = at.Add(2 * time.Second)
	}
	for start := time.Now(); server.requests.Load() == before && time.Since(start) < 5*time.Second; {
		time.Sleep(time.Millisecond) // the request starts in the background
	}
	if n := server.requests.Load() - before; n != 1 {
		t.Errorf("%d requests in 20 s to a key server that is down, want 1: each may hang", n)
	}
}

func TestCanceledCallerDoesNotCancelTheFetch(t *testing.T) {
	server := newKeyServer(t)
	v, err := auth.New(auth.Config{Issuer: server.URL, Audience: anyAudience, Now: clock})
	if err != nil {
		t.Fatal(err)
	}
	token := server.issue(t, "k", jwt.MapClaims{"sub": "u1", "exp": now.Add(time.Hour).Unix(), "iss": server.URL})
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := v.Verify(canceled, token); !errors.Is(err, auth.ErrUnavailable) {
		t.Errorf("Verify: %v, want ErrUnavailable", err)
	}
	checkVerify(t, v, token, nil)
}

func TestExpiredAndInvalidTokensHaveDifferentErrors(t *testing.T) {
	server := newKeyServer(t)
	at := now
	v, err := auth.New(auth.Config{Issuer: server.URL, Audience: anyAudience, Now: func() time.Time { return at }})
	if err != nil {
		t.Fatal(err)
	}
	token := newKeyServer(t).issue(t, "elsewhere", jwt.MapClaims{"sub": "u1", "exp": now.Add(time.Hour).Unix()})
	server.down.Store(true)
	for _, want := range []string{
		"auth: key server unavailable: " + server.URL + "/.well-known/jwks.json: status 503",
		"auth: invalid token: unknown kid",
	} {
		if _, err := v.Verify(t.Context(), token); err == nil || err.Error() != want {
			t.Errorf("Verify: %v, want %s", err, want)
		}
		server.down.Store(false)
		at = at.Add(time.Second)
	}
}

// checkVerify requires that Verify returns an error that is want, or no error if want is nil.
func checkVerify(t *testing.T, v *auth.Verifier, token string, want error) {
	t.Helper()
	if _, err := v.Verify(t.Context(), token); !errors.Is(err, want) {
		t.Fatalf("Verify: %v, want %v", err, want)
	}
}

func TestUnreadableKeyDoesNotAffectOtherKeys(t *testing.T) {
	server := newKeyServer(t)
	token := server.issue(t, "good", jwt.MapClaims{"sub": "u1", "exp": now.Add(time.Hour).Unix(), "iss": "https://issuer.example"})
	good, err := json.Marshal((*server.keys.Load())[0])
	if err != nil {
		t.Fatal(err)
	}
	mixed := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"keys":[{"kty":5},{"kty":"tomorrow","kid":"t"},%s]}`, good)
	}))
	defer mixed.Close()
	v, err := auth.New(auth.Config{Issuer: "https://issuer.example", JWKSURL: mixed.URL, Audience: anyAudience, Now: clock})
	if err != nil {
		t.Fatal(err)
	}
	checkVerify(t, v, token, nil)
}

func TestCognitoTokensMustNameAnAppClient(t *testing.T) {
	const pool, issuer = "eu-west-1_pool", "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_pool"
	for _, tt := range []struct {
		name  string
		extra jwt.MapClaims
		want  error
	}{
		{"access token", jwt.MapClaims{"iss": issuer, "token_use": "access", "client_id": "app"}, nil},
		{"id token", jwt.MapClaims{"iss": issuer, "token_use": "id", "aud": "web"}, nil},
		{"access token of another client", jwt.MapClaims{"iss": issuer, "token_use": "access", "client_id": "other"}, auth.ErrInvalid},
		{"access token with aud only", jwt.MapClaims{"iss": issuer, "token_use": "access", "aud": "web"}, auth.ErrInvalid},
		{"id token of another client", jwt.MapClaims{"iss": issuer, "token_use": "id", "aud": "other"}, auth.ErrInvalid},
		{"no token_use", jwt.MapClaims{"iss": issuer, "client_id": "web", "aud": "web"}, auth.ErrInvalid},
		{"another pool", jwt.MapClaims{"iss": issuer + "2", "token_use": "access", "client_id": "app"}, auth.ErrInvalid},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.extra["sub"], tt.extra["exp"] = "u1", now.Add(time.Hour).Unix()
			server := newKeyServer(t)
			v, err := auth.New(auth.Config{UserPoolID: pool, ClientIDs: []string{"web", "app"}, JWKSURL: server.URL, Now: clock})
			if err != nil {
				t.Fatal(err)
			}
			checkVerify(t, v, server.issue(t, "k", tt.extra), tt.want)
		})
	}
}

// FuzzVerify checks that only the one good token is accepted.
func FuzzVerify(f *testing.F) {
	v, err := auth.New(auth.Config{Secret: []byte(sharedSecret), Now: clock})
	if err != nil {
		f.Fatal(err)
	}
	good, _ := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{"sub": "u1", "exp": now.Add(time.Hour).Unix()}).SignedString([]byte(sharedSecret))
	f.Add(good)
	f.Add("a.b.c")
	f.Fuzz(func(t *testing.T, token string) {
		c, err := v.Verify(context.Background(), token)
		if err == nil && (token != good || c.Subject != "u1") {
			t.Errorf("accepted %q", token)
		}
	})
}
