package auth

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

const (
	// DefaultSecretOverlap is how long the previous key counts after a rotation, where nothing else is set.
	DefaultSecretOverlap = 15 * time.Minute
	// secretAge is the age at which the secret is read again. A key that was rotated counts so much longer, at most.
	secretAge = time.Minute
	// secretPause is the least time between two reads that bad signatures cause, so that strangers cost little.
	secretPause = 10 * time.Second
	// minSecret is the shortest HS256 secret in bytes (RFC 7518 section 3.2).
	minSecret = 32
)

// ErrNoSecret is the error of a [SecretStore] whose secret does not exist any more. No token is trusted from then on.
var ErrNoSecret = errors.New("auth: no such secret")

// SecretStore reads the HS256 key from where it is rotated. Its methods may be called concurrently.
type SecretStore interface {
	// Current returns the key in force, and since when it is; ErrNoSecret if the secret was deleted.
	Current(ctx context.Context) (key []byte, since time.Time, err error)
	// Previous returns the key that Current's has replaced, or nil if there is none.
	Previous(ctx context.Context) ([]byte, error)
}

// secretKeys are the HS256 keys that count.
type secretKeys struct {
	current []byte
	// previous is the key before the rotation; nil if there is none, or it does not count any more.
	previous []byte
	// until is when previous ceases to count, in whole seconds.
	until time.Time
}

// secret verifies HS256 tokens by a key that may be rotated.
type secret struct {
	store   SecretStore
	overlap time.Duration
	now     func() time.Time
	cache   cache[secretKeys]
}

func newSecret(store SecretStore, overlap time.Duration, now func() time.Time) *secret {
	s := &secret{store: store, overlap: overlap, now: now}
	s.cache = cache[secretKeys]{
		fetch: s.fetch, now: now,
		// An old secret waits for the new one as long as it takes: it may be the one that leaked.
		freshness: freshness{age: secretAge, grace: fetchTimeout, pause: secretPause},
	}

	return s
}

// fetch reads the keys. The previous one is read only while it counts.
func (s *secret) fetch(ctx context.Context) (secretKeys, error) {
	current, since, err := s.store.Current(ctx)
	switch {
	case errors.Is(err, ErrNoSecret):
		return secretKeys{}, fmt.Errorf("%w: %w", errGone, err)
	case err != nil:
		return secretKeys{}, fmt.Errorf("current secret: %w", err)
	case len(current) < minSecret:
		return secretKeys{}, fmt.Errorf("%w: the secret must be at least %d bytes long", errGone, minSecret)
	}
	keys := secretKeys{current: current, until: since.Add(s.overlap).Truncate(time.Second)}
	if !s.overlaps(since) {
		return keys, nil
	}
	previous, err := s.store.Previous(ctx)
	if err != nil {
		return secretKeys{}, fmt.Errorf("previous secret: %w", err)
	}
	if len(previous) >= minSecret && !bytes.Equal(previous, current) {
		keys.previous = previous
	}

	return keys, nil
}

// overlaps reports whether the key before one that came into force at since still counts. A time that lies ahead is none
// that a rotation has, and an unknown one is zero.
func (s *secret) overlaps(since time.Time) bool {
	age := s.now().Sub(since)

	return -leeway <= age && age < s.overlap
}

// verify returns the claims of a token. A bad signature makes it read the secret again, at most once in each secretPause,
// and only for a token that is right in all else.
func (s *secret) verify(ctx context.Context, v *Verifier, token string) (Claims, error) {
	keys, generation, err := s.cache.get(ctx)
	if err != nil {
		return Claims{}, err
	}
	claims, err := s.try(v, token, keys)
	if !errors.Is(err, errSignature) {
		return claims, err
	}
	newer, latest, unknown := s.cache.newer(ctx, generation)
	switch {
	case unknown != nil:
		return Claims{}, unknown
	case latest == generation:
		return Claims{}, err
	default:
		return s.try(v, token, newer)
	}
}

// try returns the claims of a token that one of the keys has signed. What the previous key has signed is trusted no longer
// than that key counts. The error is errSignature only if the token is right in all else.
func (s *secret) try(v *Verifier, token string, keys secretKeys) (Claims, error) {
	claims, err := v.parse(token, fixed(keys.current))
	if !errors.Is(err, errSignature) || keys.previous == nil || !s.now().Before(keys.until) {
		return claims, err
	}
	claims, err = v.parse(token, fixed(keys.previous))
	if err == nil && claims.ExpiresAt.After(keys.until) {
		claims.ExpiresAt = keys.until
	}

	return claims, err
}

// fixed finds the same key for every token.
func fixed(key []byte) findKey { return func(*jwt.Token) (any, error) { return key, nil } }
