package auth

import (
	"context"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/MicahParks/jwkset"
)

const (
	// keyMaxAge is the age at which keys are fetched again, in the background. A key that the issuer has revoked is accepted until
	// that fetch ends.
	keyMaxAge = time.Hour
	// keyMinInterval is the minimum time between two fetches for unknown kids, and between two fetches of stale keys.
	keyMinInterval = 30 * time.Second
	// maxKeySetBytes is the maximum size of the key server's response in bytes.
	maxKeySetBytes = 1 << 20
	// maxRedirects is the maximum number of redirects of one request.
	maxRedirects = 3
)

// errRedirect is the error of a request with a rejected redirect.
var errRedirect = errors.New("redirected too often, or to a URL that is not https")

// keySet is an issuer's JWK Set (RFC 7517): the issuer's public keys, by their ids (kid). It replaces the store of the library jwkset,
// which does not distinguish a missing key from a failed key server.
type keySet struct {
	url    string
	client *http.Client
	cache  cache[map[string]jwkset.JWK]
}

func newKeySet(address string, client *http.Client, now func() time.Time) *keySet {
	if client == nil {
		client = &http.Client{Timeout: fetchTimeout, CheckRedirect: checkRedirect}
	}
	s := &keySet{url: address, client: client}
	s.cache = cache[map[string]jwkset.JWK]{fetch: s.fetch, now: now, refreshPolicy: refreshPolicy{maxAge: keyMaxAge, minInterval: keyMinInterval}}
	return s
}

// checkRedirect rejects a redirect to a URL that New would reject, a redirect from https to http, and too many redirects.
func checkRedirect(r *http.Request, via []*http.Request) error {
	if len(via) > maxRedirects || !isSecure(r.URL) || isHTTPS(via[0].URL) && !isHTTPS(r.URL) {
		return errRedirect
	}
	return nil
}

// find returns the public key with an id, for tokens with an algorithm. An empty id finds the only key of a set with one key. find does
// not wait for a fetch if the key is known and younger than maxStale.
func (s *keySet) find(ctx context.Context, id, algorithm string) (any, error) {
	keys, generation, err := s.cache.get(ctx)
	if err != nil {
		return nil, err
	}
	jwk, known := findKeyByID(keys, id)
	if !known {
		var newest bool
		if keys, newest, err = s.cache.getNewer(ctx, generation); err != nil {
			return nil, err
		}
		jwk, known = findKeyByID(keys, id)
		switch {
		case !known && newest:
			return nil, invalidToken("unknown kid")
		case !known: // it is too early to fetch keys again
			return nil, ErrUnknownKey
		}
	}
	if required := jwk.Marshal().ALG; required != "" && required.String() != algorithm {
		return nil, invalidToken("algorithm is not the key's")
	}

	return jwk.Key(), nil // the parser rejects a key of the wrong type for the algorithm
}

func findKeyByID(keys map[string]jwkset.JWK, id string) (jwkset.JWK, bool) {
	if id == "" && len(keys) == 1 {
		for _, only := range keys {
			return only, true
		}
	}
	jwk, ok := keys[id]
	return jwk, ok
}

// fetch returns the current keys of the key server. Its error names the URL without the query, which may contain a secret.
func (s *keySet) fetch(ctx context.Context) (map[string]jwkset.JWK, error) {
	keys, err := s.request(ctx)
	if err != nil {
		if withURL := (*url.Error)(nil); errors.As(err, &withURL) {
			err = withURL.Err // the error without the URL
		}
		address, _, _ := strings.Cut(s.url, "?")
		return nil, fmt.Errorf("%s: %w", address, err)
	}
	return keys, nil
}

// request asks the key server for its keys. Its error may contain the whole URL.
func (s *keySet) request(ctx context.Context) (map[string]jwkset.JWK, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url, nil)
	if err != nil {
		return nil, err //nolint:wrapcheck // fetch adds the URL
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return nil, err //nolint:wrapcheck // fetch adds the URL
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("status %d", resp.StatusCode)
	}
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxKeySetBytes)).Decode(&set); err != nil {
		return nil, fmt.Errorf("decode JWK Set: %w", err)
	}
	if set.Keys == nil {
		return nil, errors.New("no JWK Set") // RFC 7517 section 5: "keys" must be present, even if it is empty
	}

	return usableKeys(set.Keys), nil
}

// usableKeys returns the keys of a set by their ids. It leaves out a key that cannot be read or must not be trusted, and all keys that
// share an id.
func usableKeys(set []json.RawMessage) map[string]jwkset.JWK {
	keys, seen := make(map[string]jwkset.JWK, len(set)), map[string]bool{}
	for _, raw := range set {
		var m jwkset.JWKMarshal
		if json.Unmarshal(raw, &m) != nil {
			continue
		}
		if seen[m.KID] { // the id is ambiguous: leave out all keys with it
			delete(keys, m.KID)
			continue
		}
		seen[m.KID] = true
		key, err := jwkset.NewJWKFromMarshal(m, jwkset.JWKMarshalOptions{}, jwkset.JWKValidateOptions{})
		otherUse := m.USE != "" && m.USE != jwkset.UseSig
		cannotVerify := len(m.KEYOPS) > 0 && !slices.Contains(m.KEYOPS, jwkset.KeyOpsVerify)
		if err != nil || otherUse || cannotVerify {
			continue
		}
		if public, isRSA := key.Key().(*rsa.PublicKey); isRSA && isWeak(public) {
			continue
		}
		keys[m.KID] = key
	}

	return keys
}
