package auth

import (
	"context"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"

	"github.com/MicahParks/jwkset"
)

const (
	// keyAge is the age at which keys are fetched again, so that a revoked one is forgotten.
	keyAge = time.Hour
	// keyGrace is how long a known key waits for that: a key server that answers is heard, one that hangs delays nobody.
	keyGrace = 250 * time.Millisecond
	// keyPause is the least time between two fetches that unknown kids cause, and between two that are due to age.
	keyPause = 30 * time.Second
	// maxKeys bounds the answer of the key server in bytes.
	maxKeys = 1 << 20
	// maxRedirects bounds where the key server may send us.
	maxRedirects = 3
)

// errRedirect refuses a redirect.
var errRedirect = errors.New("redirected too often, or to what is no https URL")

// keySet holds an issuer's JWK Set. The library's own store does not tell "no such key" from "key server down", hence this
// one.
type keySet struct {
	url    string
	client *http.Client
	cache  cache[map[string]jwkset.JWK]
}

func newKeySet(url string, client *http.Client, now func() time.Time) *keySet {
	if client == nil {
		client = &http.Client{Timeout: fetchTimeout, CheckRedirect: checkRedirect}
	}
	s := &keySet{url: url, client: client}
	s.cache = cache[map[string]jwkset.JWK]{fetch: s.fetch, now: now, freshness: freshness{age: keyAge, grace: keyGrace, pause: keyPause}}

	return s
}

// checkRedirect demands of each redirect what New demands of the key server's URL, and that https stays https.
func checkRedirect(r *http.Request, via []*http.Request) error {
	if len(via) > maxRedirects || !secure(r.URL) || secureScheme(via[0].URL) && !secureScheme(r.URL) {
		return errRedirect
	}

	return nil
}

// find returns the public key of that id for that algorithm. An empty id finds the key of a set that has just one. A known
// key never waits for an unknown one.
func (s *keySet) find(ctx context.Context, id, algorithm string) (any, error) {
	keys, generation, err := s.cache.get(ctx)
	if err != nil {
		return nil, err
	}
	jwk, known := lookup(keys, id)
	if !known {
		if keys, _, err = s.cache.newer(ctx, generation); err != nil {
			return nil, err
		}
		jwk, known = lookup(keys, id)
	}
	if !known {
		return nil, refuse("unknown kid")
	}
	if own := jwk.Marshal().ALG; own != "" && own.String() != algorithm {
		return nil, refuse("algorithm is not the key's")
	}

	return jwk.Key(), nil // of the wrong type for the algorithm: the parser refuses it
}

func lookup(keys map[string]jwkset.JWK, id string) (jwkset.JWK, bool) {
	if id == "" && len(keys) == 1 {
		for _, only := range keys {
			return only, true
		}
	}
	jwk, ok := keys[id]

	return jwk, ok
}

// fetch returns the keys that the key server has now.
func (s *keySet) fetch(ctx context.Context) (map[string]jwkset.JWK, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url, nil)
	if err != nil {
		return nil, err //nolint:wrapcheck // the cache adds what it is about
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return nil, err //nolint:wrapcheck // names the URL
	}
	defer resp.Body.Close() //nolint:errcheck // read to its end or given up
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: status %d", s.url, resp.StatusCode)
	}
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxKeys)).Decode(&set); err != nil {
		return nil, fmt.Errorf("%s: %w", s.url, err)
	}
	if set.Keys == nil {
		return nil, fmt.Errorf("%s: no JWK Set", s.url) // RFC 7517 section 5: "keys" must be there, if empty
	}

	return usable(set.Keys), nil
}

// usable returns the keys by their ids. One that this version cannot read, or should not trust, does not take the
// others with it; of keys that share an id none is used, as it does not say which is meant.
func usable(set []json.RawMessage) map[string]jwkset.JWK {
	keys, seen := make(map[string]jwkset.JWK, len(set)), map[string]bool{}
	for _, raw := range set {
		var m jwkset.JWKMarshal
		if json.Unmarshal(raw, &m) != nil {
			continue
		}
		if seen[m.KID] {
			delete(keys, m.KID)

			continue
		}
		seen[m.KID] = true
		key, err := jwkset.NewJWKFromMarshal(m, jwkset.JWKMarshalOptions{}, jwkset.JWKValidateOptions{})
		if err != nil || m.USE != "" && m.USE != jwkset.UseSig || len(m.KEYOPS) > 0 && !slices.Contains(m.KEYOPS, jwkset.KeyOpsVerify) {
			continue
		}
		if public, isRSA := key.Key().(*rsa.PublicKey); isRSA && weak(public) {
			continue
		}
		keys[m.KID] = key
	}

	return keys
}
