package auth_test

import (
	"cmp"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/MicahParks/jwkset"
	"github.com/golang-jwt/jwt/v5"

	"github.com/herald-progress/herald/lib/auth"
)

// issuer signs tokens and publishes its keys. It answers the requests of an [http.Client] in memory, because a real network does not
// run in virtual time.
type issuer struct {
	mu       sync.Mutex
	keys     []jwkset.JWKMarshal          // the published keys
	signers  map[string]*ecdsa.PrivateKey // all keys, by kid
	name     string                       // the iss claim; empty means issuerURL
	hangs    bool                         // requests get no answer
	down     bool                         // requests fail at once
	requests atomic.Int64
}

const (
	issuerURL = "https://issuer.example"
	week      = 7 * 24 * time.Hour
)

// RoundTrip answers a request to the issuer's key server.
func (i *issuer) RoundTrip(r *http.Request) (*http.Response, error) {
	i.requests.Add(1)
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.hangs {
		i.mu.Unlock()
		<-r.Context().Done()
		i.mu.Lock()
		return nil, r.Context().Err()
	}
	if i.down {
		return nil, errors.New("connection refused")
	}
	body, err := json.Marshal(jwkset.JWKSMarshal{Keys: i.keys})
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(string(body))), Request: r}, err
}

// change calls do with the issuer locked, so that do may change its fields.
func (i *issuer) change(do func()) {
	i.mu.Lock()
	defer i.mu.Unlock()
	do()
}

// token returns a token that is valid for a week and signed by the key kid. It creates and publishes the key if it is new.
func (i *issuer) token(t *testing.T, kid string) string {
	t.Helper()
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.signers[kid] == nil {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		jwk, err := jwkset.NewJWKFromKey(key, jwkset.JWKOptions{Metadata: jwkset.JWKMetadataOptions{KID: kid, ALG: jwkset.AlgES256, USE: jwkset.UseSig}})
		if err != nil {
			t.Fatal(err)
		}
		i.signers[kid] = key
		i.keys = append(i.keys, jwk.Marshal())
	}
	token := jwt.NewWithClaims(jwt.SigningMethodES256, jwt.MapClaims{
		"sub": "u1", "iss": cmp.Or(i.name, issuerURL), "aud": "app", "exp": time.Now().Add(week).Unix(),
	})
	token.Header["kid"] = kid
	signed, err := token.SignedString(i.signers[kid])
	if err != nil {
		t.Fatal(err)
	}

	return signed
}

// issuerFixture is an issuer and a verifier that has fetched one of its keys, in virtual time.
type issuerFixture struct {
	*testing.T
	*issuer

	verifier *auth.Verifier
	// knownKeyToken is signed with the fetched key, and unknownKeyToken with a key that the issuer never publishes. They are valid for a
	// week.
	knownKeyToken, unknownKeyToken string
}

// expectKnown verifies knownKeyToken and requires the error want.
func (i issuerFixture) expectKnown(want error) {
	i.Helper()
	checkVerify(i.T, i.verifier, i.knownKeyToken, want)
}

// testIssuer runs a test in virtual time with a new issuerFixture.
func testIssuer(t *testing.T, test func(i issuerFixture)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		i := &issuer{signers: map[string]*ecdsa.PrivateKey{}}
		v, err := auth.New(auth.Config{Issuer: issuerURL, Audience: []string{"app"}, Client: &http.Client{Transport: i}})
		if err != nil {
			t.Fatal(err)
		}
		all := issuerFixture{t, i, v, i.token(t, "known"), (&issuer{signers: map[string]*ecdsa.PrivateKey{}}).token(t, "unknown")}
		all.expectKnown(nil)
		test(all)
		time.Sleep(time.Minute) // until fetches in the background have ended
	})
}

func TestKnownKeysDoNotWaitForAHangingKeyServer(t *testing.T) {
	testIssuer(t, func(i issuerFixture) {
		fetched := time.Now()
		i.change(func() { i.hangs = true })
		time.Sleep(time.Minute)
		var unknown sync.WaitGroup
		for range 100 {
			unknown.Go(func() {
				start := time.Now()
				if _, err := i.verifier.Verify(i.Context(), i.unknownKeyToken); !errors.Is(err, auth.ErrUnavailable) {
					i.Errorf("an unknown key while the key server hangs: %v", err)
				}
				if took := time.Since(start); took > 5*time.Second {
					i.Errorf("a token of an unknown key waited for %v", took)
				}
			})
		}
		synctest.Wait()
		start := time.Now()
		for range 100 {
			i.expectKnown(nil)
		}
		if took := time.Since(start); took != 0 {
			i.Errorf("known keys waited for %v", took)
		}
		unknown.Wait()
		if n := i.requests.Load(); n != 2 {
			i.Errorf("%d requests, want one after the first", n)
		}
		time.Sleep(2 * time.Hour) // the keys are stale, and their fetch hangs, too
		for range 10 {            // ten times half a minute, in each of which one fetch starts
			for range 30 {
				start = time.Now()
				i.expectKnown(nil)
				if took := time.Since(start); took != 0 {
					i.Errorf("a known key waited for %v", took)
					return
				}
				time.Sleep(time.Second)
			}
		}
		time.Sleep(time.Until(fetched.Add(24*time.Hour - time.Second)))
		start = time.Now()
		i.expectKnown(nil)
		if took := time.Since(start); took != 0 {
			i.Errorf("a known key waited for %v in the last second of its day", took)
		}
	})
}

func TestStaleKeysAreFetchedInTheBackground(t *testing.T) {
	testIssuer(t, func(i issuerFixture) {
		i.change(func() { i.keys = []jwkset.JWKMarshal{} }) // the issuer revokes all keys
		time.Sleep(time.Hour - time.Second)
		i.expectKnown(nil)
		if n := i.requests.Load(); n != 1 {
			i.Errorf("%d requests within the first hour, want 1", n)
		}
		time.Sleep(time.Second)
		i.expectKnown(nil)
		synctest.Wait()
		i.expectKnown(auth.ErrInvalid)
	})
}

// TestTokenOfANewKeyMayRetryAfterAnUnknownKey: a token of an unknown key caused a fetch, so the next fetch is allowed half a minute
// later. Until then, a token of a new key gets ErrUnavailable, and its client tries again.
func TestTokenOfANewKeyMayRetryAfterAnUnknownKey(t *testing.T) {
	testIssuer(t, func(i issuerFixture) {
		checkVerify(i.T, i.verifier, i.unknownKeyToken, auth.ErrInvalid) // asks the key server
		rotated := i.token(t, "rotated")
		elsewhere := &issuer{name: "https://another.example", signers: map[string]*ecdsa.PrivateKey{}}
		wrongIssuer := elsewhere.token(t, "unknown")
		for range 29 {
			time.Sleep(time.Second)
			checkVerify(i.T, i.verifier, rotated, auth.ErrUnavailable)
			checkVerify(i.T, i.verifier, i.unknownKeyToken, auth.ErrUnavailable)
			checkVerify(i.T, i.verifier, wrongIssuer, auth.ErrInvalid) // no key would make it valid
		}
		if n := i.requests.Load(); n != 2 {
			i.Errorf("%d requests within half a minute, want 1 after the first", n)
		}
		time.Sleep(time.Second)
		checkVerify(i.T, i.verifier, i.unknownKeyToken, auth.ErrInvalid)
		checkVerify(i.T, i.verifier, rotated, nil)
	})
}

func TestUnknownKeysCauseOneFetchPerThirtySeconds(t *testing.T) {
	for name, change := range map[string]func(*issuer){
		"the key server answers": func(*issuer) {},
		"the key server is down": func(i *issuer) { i.down = true },
		"the key server hangs":   func(i *issuer) { i.hangs = true },
	} {
		t.Run(name, func(t *testing.T) {
			testIssuer(t, func(i issuerFixture) {
				i.change(func() { change(i.issuer) })
				before, start := i.requests.Load(), time.Now()
				for time.Since(start) < 5*time.Minute {
					if _, err := i.verifier.Verify(i.Context(), i.unknownKeyToken); err == nil {
						i.Fatal("a token of an unknown key is accepted")
					}
					i.expectKnown(nil)
					time.Sleep(500 * time.Millisecond)
				}
				if n := i.requests.Load() - before; n > 10 {
					i.Errorf("%d requests in five minutes, want 10 at most", n)
				}
			})
		})
	}
}

func TestKeysAreUsedForADayWhileTheServerFails(t *testing.T) {
	testIssuer(t, func(i issuerFixture) {
		i.change(func() { i.down = true })
		time.Sleep(24*time.Hour - time.Second)
		i.expectKnown(nil)
		time.Sleep(time.Second)
		i.expectKnown(auth.ErrUnavailable)
		before, start := i.requests.Load(), time.Now()
		for time.Since(start) < time.Minute {
			i.expectKnown(auth.ErrUnavailable)
			time.Sleep(100 * time.Millisecond)
		}
		if n := i.requests.Load() - before; n > 60 {
			i.Errorf("%d requests in a minute to a key server that is down", n)
		}
		i.change(func() { i.down = false })
		time.Sleep(time.Second)
		i.expectKnown(nil)
		i.expectKnown(nil)
	})
}

// TestFetchFrozenWithItsLambdaDoesNotReplaceNewerKeys: Lambda freezes a function between two events, with its running fetch.
func TestFetchFrozenWithItsLambdaDoesNotReplaceNewerKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := &issuer{signers: map[string]*ecdsa.PrivateKey{}, hangs: true}
		var frozen atomic.Int64 // for how long the process was frozen, in nanoseconds
		v, err := auth.New(auth.Config{
			Issuer: issuerURL, Audience: []string{"app"}, Client: &http.Client{Transport: i},
			Now: func() time.Time { return time.Now().Add(time.Duration(frozen.Load())) },
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		if err := v.Warm(ctx); !errors.Is(err, auth.ErrUnavailable) {
			t.Fatalf("Warm: %v", err)
		}
		frozen.Store(int64(30 * time.Minute))
		i.change(func() { i.hangs = false })
		token := i.token(t, "known")
		start := time.Now()
		checkVerify(t, v, token, nil)
		time.Sleep(10 * time.Second) // the frozen fetch fails meanwhile
		checkVerify(t, v, token, nil)
		if took := time.Since(start); took != 10*time.Second {
			t.Errorf("waited for %v for the fetch that was frozen", took-10*time.Second)
		}
	})
}

// TestInvalidJWKSetDoesNotRevokeKeys: a response without "keys" is a failure of the key server. It does not mean that all keys are
// revoked.
func TestInvalidJWKSetDoesNotRevokeKeys(t *testing.T) {
	for _, body := range []string{`{}`, `{"keys":null}`, `{"error":"try later"}`, `[]`, `<html>`, ``, `{"keys":{}}`} {
		server := newKeyServer(t)
		at := now
		broken := atomic.Bool{}
		proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if broken.Load() {
				_, _ = io.WriteString(w, body)
				return
			}
			server.Config.Handler.ServeHTTP(w, r)
		}))
		defer proxy.Close()
		v, err := auth.New(auth.Config{Issuer: issuerURL, JWKSURL: proxy.URL, Audience: anyAudience, Now: func() time.Time { return at }})
		if err != nil {
			t.Fatal(err)
		}
		token := server.issue(t, "k", jwt.MapClaims{"sub": "u1", "exp": now.Add(48 * time.Hour).Unix(), "iss": issuerURL})
		checkVerify(t, v, token, nil)
		broken.Store(true)
		at = at.Add(2 * time.Hour)
		checkVerify(t, v, token, nil)
	}
}

// TestErrorsDoNotContainTheQueryOfAURL: the query of JWKSURL or of a redirect may contain a secret.
func TestErrorsDoNotContainTheQueryOfAURL(t *testing.T) {
	answers := map[string]http.HandlerFunc{
		"status":     func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) },
		"no JSON":    func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") },
		"no JWK Set": func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "{}") },
		"no answer":  func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"redirected": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "http://u:hidden@b.example/?k=hidden")
			w.WriteHeader(http.StatusFound)
		},
	}
	for name, answer := range answers {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(answer)
			defer server.Close()
			v, err := auth.New(auth.Config{Issuer: issuerURL, JWKSURL: server.URL + "/keys?code=hidden", Audience: anyAudience, Now: clock})
			if err != nil {
				t.Fatal(err)
			}
			err = v.Warm(t.Context())
			if !errors.Is(err, auth.ErrUnavailable) || strings.Contains(err.Error(), "hidden") || !strings.Contains(err.Error(), server.URL+"/keys: ") {
				t.Errorf("%v; want the address without its query", err)
			}
		})
	}
}

func TestKeysAreNotFetchedOverPlainHTTP(t *testing.T) {
	keys := newKeyServer(t)
	token := keys.issue(t, "k", jwt.MapClaims{"sub": "u1", "exp": now.Add(time.Hour).Unix(), "iss": issuerURL})
	var target string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, target, http.StatusFound)
	}))
	defer server.Close()
	for _, test := range []struct {
		to   string
		want error
	}{
		{keys.URL, nil}, // on this machine
		{strings.Replace(keys.URL, "127.0.0.1", "127.0.0.1.nip.example", 1), auth.ErrUnavailable},
		{"http://issuer.example/keys", auth.ErrUnavailable},
		{"file:///etc/passwd", auth.ErrUnavailable},
		{server.URL, auth.ErrUnavailable}, // an endless loop of redirects
	} {
		target = test.to
		v, err := auth.New(auth.Config{Issuer: issuerURL, JWKSURL: server.URL, Audience: anyAudience, Now: clock})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := v.Verify(t.Context(), token); !errors.Is(err, test.want) {
			t.Errorf("redirected to %s: %v, want %v", test.to, err, test.want)
		} else if test.want != nil && test.to != "file:///etc/passwd" && !strings.Contains(err.Error(), "redirected") {
			t.Errorf("redirected to %s: %v, want an error about the redirect", test.to, err)
		}
	}
}
