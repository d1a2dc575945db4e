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
	// DefaultSecretOverlap is the default of SecretOverlap.
	DefaultSecretOverlap = 15 * time.Minute
	// MaxSecretOverlap is the longest SecretOverlap that a deployment may set. Tokens of a replaced key should not be accepted for
	// longer than a day.
	MaxSecretOverlap = 24 * time.Hour
	// secretMaxAge is the age at which the secret is read again. A rotation is noticed at most that much later.
	secretMaxAge = time.Minute
	// secretMinInterval is the minimum time between two reads that bad signatures cause.
	secretMinInterval = 10 * time.Second
	// minSecretBytes is the minimum length of an HS256 secret (RFC 7518 section 3.2).
	minSecretBytes = 32
)

// ErrNoSecret is the error of a [SecretStore] whose secret no longer exists. From then on no token is trusted.
var ErrNoSecret = errors.New("auth: no such secret")

// SecretStore reads the HS256 key. Its methods may be called concurrently.
type SecretStore interface {
	// Current returns the current key and the time since which it is current, or ErrNoSecret if the secret was deleted. The zero time
	// means that the time is unknown.
	Current(ctx context.Context) (key []byte, since time.Time, err error)
	// Previous returns the key before the current one, or nil if there is none.
	Previous(ctx context.Context) ([]byte, error)
}

// secretKeys are the accepted HS256 keys.
type secretKeys struct {
	current []byte
	// previous is the key before the last rotation. It is nil if there is no such key, or if it is no longer accepted.
	previous []byte
	// previousUntil is when previous is no longer accepted, in whole seconds.
	previousUntil time.Time
}

// secretVerifier verifies HS256 tokens with a key that may be rotated.
type secretVerifier struct {
	store   SecretStore
	overlap time.Duration
	now     func() time.Time
	cache   cache[secretKeys]
}

func newSecretVerifier(store SecretStore, overlap time.Duration, now func() time.Time) *secretVerifier {
	s := &secretVerifier{store: store, overlap: overlap, now: now}
	s.cache = cache[secretKeys]{
		fetch: s.fetch, now: now,
		// Callers with a stale secret wait for the whole fetch: the stale secret may have leaked.
		refreshPolicy: refreshPolicy{maxAge: secretMaxAge, maxWait: fetchTimeout, minInterval: secretMinInterval},
	}
	return s
}

// fetch reads the keys. It reads the previous key only during the overlap.
func (s *secretVerifier) fetch(ctx context.Context) (secretKeys, error) {
	current, since, err := s.store.Current(ctx)
	switch {
	case errors.Is(err, ErrNoSecret):
		return secretKeys{}, fmt.Errorf("%w: %w", errNoKeys, err)
	case err != nil:
		return secretKeys{}, fmt.Errorf("current secret: %w", err)
	case len(current) < minSecretBytes:
		return secretKeys{}, fmt.Errorf("%w: the secret must be at least %d bytes long", errNoKeys, minSecretBytes)
	}
	keys := secretKeys{current: current, previousUntil: since.Add(s.overlap).Truncate(time.Second)}
	if !s.inOverlap(since) {
		return keys, nil
	}
	previous, err := s.store.Previous(ctx)
	if err != nil {
		return secretKeys{}, fmt.Errorf("previous secret: %w", err)
	}
	if len(previous) >= minSecretBytes && !bytes.Equal(previous, current) {
		keys.previous = previous
	}

	return keys, nil
}

// inOverlap reports whether the previous key is still accepted, if the current key is current since the given time. The previous key is
// not accepted if that time is zero, which means unknown, or more than the leeway in the future.
func (s *secretVerifier) inOverlap(since time.Time) bool {
	age := s.now().Sub(since)
	return -leeway <= age && age < s.overlap
}

// verify returns the claims of a token. If only the signature is bad, the token's key may be a new one, so verify reads the secret
// again, at most once in each secretMinInterval. If it is too early for that, the error is:
//
//	within newestTime of the last read   [ErrInvalid]: no token of a newer key arrives so soon
//	later                                [ErrUnavailable]: the client retries, and a retry after secretMinInterval reads the secret
func (s *secretVerifier) verify(ctx context.Context, v *Verifier, token string) (Claims, error) {
	keys, generation, err := s.cache.get(ctx)
	if err != nil {
		return Claims{}, err
	}
	claims, err := s.verifyWith(v, token, keys)
	if !errors.Is(err, errSignature) {
		return claims, err
	}
	newer, newest, newerErr := s.cache.getNewer(ctx, generation)
	if newerErr != nil {
		return Claims{}, newerErr
	}
	claims, err = s.verifyWith(v, token, newer)
	if errors.Is(err, errSignature) && !newest {
		return Claims{}, ErrUnknownKey
	}

	return claims, err
}

// verifyWith returns the claims of a token that one of the keys has signed. If it was the previous key, the claims expire at the end of
// the overlap at the latest. The error is errSignature only if everything else is valid.
func (s *secretVerifier) verifyWith(v *Verifier, token string, keys secretKeys) (Claims, error) {
	claims, err := v.parse(token, fixedKey(keys.current))
	if !errors.Is(err, errSignature) || keys.previous == nil || !s.now().Before(keys.previousUntil) {
		return claims, err
	}
	claims, err = v.parse(token, fixedKey(keys.previous))
	if err == nil && claims.ExpiresAt.After(keys.previousUntil) {
		claims.ExpiresAt = keys.previousUntil
	}
	return claims, err
}

// fixedKey returns a keyFunc that returns the same key for every token.
func fixedKey(key []byte) keyFunc { return func(*jwt.Token) (any, error) { return key, nil } }
