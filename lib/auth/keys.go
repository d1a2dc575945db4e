package auth

import (
	"context"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/MicahParks/jwkset"
)

const (
	// keyTimeout bounds one fetch of the keys.
	keyTimeout = 5 * time.Second
	// keyAge is the age at which keys are fetched anew, so that a revoked one is forgotten.
	keyAge = time.Hour
	// keyPause is the least time between two fetches: a flood of unknown kids costs the key server one request in it.
	keyPause = 30 * time.Second
	// retryPause is the same after a fetch that failed, for a key that is not there. For one that is only old it stays
	// keyPause: a key server that hangs is not to hold up every connection.
	retryPause = time.Second
	// maxKeys bounds the answer of the key server in bytes.
	maxKeys = 1 << 20
)

// keySet holds an issuer's JWK Set. It fetches when a key is asked for, never in the background: a Lambda between two
// events does not run. The library's own store does not tell "no such key" from "key server down", hence this one.
type keySet struct {
	url    string
	client *http.Client
	now    func() time.Time

	mu      sync.Mutex
	keys    map[string]jwkset.JWK
	fetched time.Time // of the last success
	tried   time.Time // of the last attempt
	failure error     // of the last attempt
}

func newKeySet(url string, client *http.Client, now func() time.Time) *keySet {
	if client == nil {
		client = &http.Client{Timeout: keyTimeout}
	}

	return &keySet{url: url, client: client, now: now}
}

// find returns the public key of that id for that algorithm. An empty id finds the key of a set that has just one.
func (s *keySet) find(ctx context.Context, id, algorithm string) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	jwk, ok := s.lookup(id)
	if !ok || s.now().Sub(s.fetched) >= keyAge {
		if err := s.refreshLocked(ctx, !ok); err != nil && !ok {
			return nil, err
		}
		jwk, ok = s.lookup(id)
	}
	if !ok {
		return nil, refuse("unknown kid")
	}
	if own := jwk.Marshal().ALG; own != "" && own.String() != algorithm {
		return nil, refuse("algorithm is not the key's")
	}

	return jwk.Key(), nil // of the wrong type for the algorithm: the parser refuses it
}

func (s *keySet) lookup(id string) (jwkset.JWK, bool) {
	if id == "" && len(s.keys) == 1 {
		for _, only := range s.keys {
			return only, true
		}
	}
	jwk, ok := s.keys[id]

	return jwk, ok
}

func (s *keySet) refresh(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()

	return s.refreshLocked(ctx, true)
}

// refreshLocked fetches the keys, unless that was tried a moment ago: then it answers as it did. It is not
// urgent where there is an old key to go on with.
func (s *keySet) refreshLocked(ctx context.Context, urgent bool) error {
	pause := keyPause
	if s.failure != nil && urgent {
		pause = retryPause
	}
	if now := s.now(); s.tried.IsZero() || now.Sub(s.tried) >= pause {
		err := s.fetch(ctx)
		if ctx.Err() != nil {
			return err // the caller gave up, which says nothing of the key server
		}
		s.tried, s.failure = now, err
	}

	return s.failure
}

func (s *keySet) fetch(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, keyTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url, nil)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	defer resp.Body.Close() //nolint:errcheck // read to its end or given up
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%w: %s: status %d", ErrUnavailable, s.url, resp.StatusCode)
	}
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxKeys)).Decode(&set); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrUnavailable, s.url, err)
	}
	s.keys, s.fetched = usable(set.Keys), s.now()

	return nil
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
