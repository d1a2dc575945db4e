package auth_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/herald-progress/herald/lib/auth"
)

// The key leaked is the current key at first. The method rotate makes fresh the current key.
const leaked, fresh = "a leaked key of at least 32 bytes", "a fresh key of at least 32 bytes!"

// secretStore is a secret that may be rotated, deleted, out of reach or slow.
type secretStore struct {
	mu                sync.Mutex
	current, previous string
	since             time.Time
	err               error
	hangs             bool
	readTime          time.Duration // how long a read of the current key takes
	reads             int           // the number of reads of the current key
	previousReads     int           // the number of reads of the previous key
}

func (s *secretStore) Current(ctx context.Context) ([]byte, time.Time, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reads++
	if s.hangs {
		s.mu.Unlock()
		<-ctx.Done()
		s.mu.Lock()
		return nil, time.Time{}, ctx.Err()
	}
	current, since, err := s.current, s.since, s.err
	s.mu.Unlock()
	time.Sleep(s.readTime)
	s.mu.Lock()
	return []byte(current), since, err
}

func (s *secretStore) Previous(context.Context) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.previousReads++
	return []byte(s.previous), s.err
}

// change calls do with the store locked, so that do may change its fields.
func (s *secretStore) change(do func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	do()
}

// rotate replaces the current key with fresh.
func (s *secretStore) rotate() {
	s.change(func() { s.current, s.previous, s.since = fresh, s.current, time.Now() })
}

// signedFor returns a token of the user u1 that is signed with a key and valid for lifetime.
func signedFor(t *testing.T, key string, lifetime time.Duration) string {
	t.Helper()
	return signedBy(t, key, jwt.MapClaims{"sub": "u1", "exp": time.Now().Add(lifetime).Unix()})
}

// rotation is a secret that was made a month ago, and its verifier, in virtual time.
type rotation struct {
	*testing.T
	*secretStore

	verifier *auth.Verifier
}

// checkVerify verifies a token that is signed with a key and valid for lifetime, and requires the error want.
func (r rotation) checkVerify(key string, lifetime time.Duration, want error) {
	r.Helper()
	checkVerify(r.T, r.verifier, signedFor(r.T, key, lifetime), want)
}

// testRotation runs a test in virtual time with a new rotation.
func testRotation(t *testing.T, overlap time.Duration, test func(r rotation)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		store := &secretStore{current: leaked, since: time.Now().Add(-30 * 24 * time.Hour)}
		v, err := auth.New(auth.Config{SecretStore: store, SecretOverlap: overlap})
		if err != nil {
			t.Fatal(err)
		}
		r := rotation{t, store, v}
		r.checkVerify(leaked, time.Hour, nil)
		test(r)
	})
}

func TestRotatedKeyIsRejectedAfterTheOverlap(t *testing.T) {
	for _, overlap := range []time.Duration{0, auth.DefaultSecretOverlap} {
		testRotation(t, overlap, func(r rotation) {
			r.rotate()
			r.checkVerify(fresh, time.Hour, nil) // accepted before the cached secret is stale
			time.Sleep(max(overlap, time.Minute))
			r.checkVerify(leaked, time.Hour, auth.ErrInvalid)
			time.Sleep(5 * time.Hour)
			r.checkVerify(leaked, time.Hour, auth.ErrInvalid)
			r.checkVerify(fresh, time.Hour, nil)
		})
		testRotation(t, overlap, func(r rotation) {
			r.rotate()
			time.Sleep(max(overlap, time.Minute)) // no token arrives in this time
			r.checkVerify(leaked, time.Hour, auth.ErrInvalid)
		})
	}
}

func TestPreviousKeyIsAcceptedDuringTheOverlap(t *testing.T) {
	const overlap = 15 * time.Minute
	testRotation(t, overlap, func(r rotation) {
		r.rotate()
		until := time.Now().Add(overlap)
		for _, step := range []time.Duration{2 * time.Minute, 10 * time.Minute, 3*time.Minute - time.Second} {
			time.Sleep(step)
			r.checkVerify(fresh, time.Hour, nil)
			claims, err := r.verifier.Verify(r.Context(), signedFor(r.T, leaked, time.Hour))
			if err != nil || !claims.ExpiresAt.Equal(until) {
				r.Errorf("a token of the previous key expires at %v, %v; want %v", claims.ExpiresAt, err, until)
			}
		}
		claims, err := r.verifier.Verify(r.Context(), signedFor(r.T, leaked, time.Second))
		if err != nil || claims.ExpiresAt.After(until) {
			r.Errorf("a token of the previous key that expires before the overlap ends: %+v, %v", claims, err)
		}
		time.Sleep(time.Second)
		r.checkVerify(leaked, time.Hour, auth.ErrInvalid)
	})
}

func TestPreviousKeyIsNotReadWithoutOverlap(t *testing.T) {
	testRotation(t, 0, func(r rotation) {
		r.rotate()
		time.Sleep(time.Minute)
		r.checkVerify(leaked, time.Hour, auth.ErrInvalid)
		if r.previousReads != 0 {
			r.Errorf("the previous key was read %d times", r.previousReads)
		}
	})
}

// TestInvalidRotationTimesGiveNoOverlap: the store does not know since when its key is current, or it returns a time in the future.
func TestInvalidRotationTimesGiveNoOverlap(t *testing.T) {
	for name, since := range map[string]func() time.Time{
		"unknown": func() time.Time { return time.Time{} },
		"future":  func() time.Time { return time.Now().Add(time.Hour) },
	} {
		t.Run(name, func(t *testing.T) {
			testRotation(t, time.Hour, func(r rotation) {
				r.rotate()
				r.change(func() { r.since = since() })
				time.Sleep(time.Minute)
				r.checkVerify(leaked, time.Hour, auth.ErrInvalid)
			})
		})
	}
}

// strangersKey is a key that the store never has.
const strangersKey = "a stranger's key, at least 32 bytes"

// TestTokenOfANewKeyMayRetryAfterAStrangersBadSignature: the bad signature caused a read of the secret, so the next read is
// allowed ten seconds later. Until then it is unknown whether a token's key is a new one.
func TestTokenOfANewKeyMayRetryAfterAStrangersBadSignature(t *testing.T) {
	testRotation(t, 0, func(r rotation) {
		r.checkVerify(strangersKey, time.Hour, auth.ErrInvalid) // reads the secret
		r.rotate()
		before := r.reads
		for range 9 {
			time.Sleep(time.Second)
			r.checkVerify(fresh, time.Hour, auth.ErrUnavailable)
			r.checkVerify(strangersKey, time.Hour, auth.ErrUnavailable)
		}
		if n := r.reads - before; n != 0 {
			r.Errorf("%d reads within ten seconds of the read that the stranger's token caused, want none", n)
		}
		time.Sleep(time.Second)
		r.checkVerify(strangersKey, time.Hour, auth.ErrInvalid) // reads the secret, which is the new key
		r.checkVerify(fresh, time.Hour, nil)
		r.checkVerify(leaked, time.Hour, auth.ErrInvalid)
		if n := r.reads - before; n != 1 {
			r.Errorf("%d reads after ten seconds, want 1", n)
		}
	})
}

// TestBadSignatureWithinASecondOfAReadIsErrInvalid: a token of a key that is newer than the read does not arrive so soon.
func TestBadSignatureWithinASecondOfAReadIsErrInvalid(t *testing.T) {
	testRotation(t, 0, func(r rotation) {
		time.Sleep(time.Minute)
		r.checkVerify(strangersKey, time.Hour, auth.ErrInvalid)
		time.Sleep(time.Second - time.Millisecond)
		r.checkVerify(strangersKey, time.Hour, auth.ErrInvalid)
		time.Sleep(time.Millisecond)
		r.checkVerify(strangersKey, time.Hour, auth.ErrUnavailable)
	})
}

// TestReadFromBeforeTheRotationDoesNotRejectTheNewKey: a token waits for a read that another token has caused. The read started
// before the rotation and returns the old key.
func TestReadFromBeforeTheRotationDoesNotRejectTheNewKey(t *testing.T) {
	testRotation(t, 0, func(r rotation) {
		time.Sleep(30 * time.Second)
		r.change(func() { r.readTime = 3 * time.Second })
		var stranger sync.WaitGroup
		stranger.Go(func() { r.checkVerify(strangersKey, time.Hour, auth.ErrInvalid) })
		synctest.Wait()
		time.Sleep(time.Second)
		r.rotate()
		time.Sleep(time.Second)
		r.checkVerify(fresh, time.Hour, auth.ErrUnavailable)
		stranger.Wait()
	})
}

func TestBadSignaturesReadTheSecretAtMostEveryTenSeconds(t *testing.T) {
	testRotation(t, time.Hour, func(r rotation) {
		before := r.reads
		for second := range 60 {
			want := auth.ErrInvalid
			if second%10 > 0 {
				want = auth.ErrUnavailable // the last read was at least a second ago
			}
			for range 100 {
				r.checkVerify(strangersKey, time.Hour, want)
			}
			time.Sleep(time.Second)
		}
		if n := r.reads - before; n > 6 {
			r.Errorf("6,000 bad signatures in a minute read the secret %d times, want 6 at most", n)
		}
		time.Sleep(20 * time.Second)
		r.checkVerify(leaked, time.Hour, nil)
		before = r.reads
		for _, token := range []string{
			"", "a.b.c", signedFor(r.T, fresh, -time.Second), signedBy(r.T, fresh, jwt.MapClaims{"sub": "u1"}),
			signedBy(r.T, fresh, jwt.MapClaims{"sub": "\ufffd", "exp": time.Now().Add(time.Hour).Unix()}),
		} {
			checkVerify(r.T, r.verifier, token, auth.ErrInvalid)
		}
		if n := r.reads - before; n != 0 {
			r.Errorf("tokens that no key makes valid read the secret %d times", n)
		}
	})
}

func TestValidTokensReadTheSecretOnceAMinute(t *testing.T) {
	testRotation(t, time.Hour, func(r rotation) {
		for range 600 {
			r.checkVerify(leaked, time.Hour, nil)
			time.Sleep(time.Second)
		}
		if r.reads > 11 {
			r.Errorf("%d reads in ten minutes", r.reads)
		}
	})
}

func TestDeletedSecretIsNotTrusted(t *testing.T) {
	for name, change := range map[string]func(*secretStore){
		"deleted":   func(s *secretStore) { s.err = auth.ErrNoSecret },
		"empty":     func(s *secretStore) { s.current = "" },
		"too short": func(s *secretStore) { s.current = strings.Repeat("x", 31) },
	} {
		t.Run(name, func(t *testing.T) {
			testRotation(t, time.Hour, func(r rotation) {
				r.change(func() { change(r.secretStore) })
				time.Sleep(time.Minute)
				r.checkVerify(leaked, time.Hour, auth.ErrUnavailable)
				key := r.current
				if key == "" {
					key = "\x00" // signs like the empty key, because HMAC pads keys with zero bytes
				}
				r.checkVerify(key, time.Hour, auth.ErrUnavailable)
				r.change(func() { r.current, r.err = fresh, nil })
				time.Sleep(time.Second)
				r.checkVerify(fresh, time.Hour, nil)
			})
		})
	}
}

// TestBadSignatureDetectsADeletedSecret: after the read that a bad signature causes, the empty key of a deleted secret must not be
// trusted. HMAC pads keys with zero bytes, so "\x00" signs like the empty key.
func TestBadSignatureDetectsADeletedSecret(t *testing.T) {
	testRotation(t, time.Hour, func(r rotation) {
		r.change(func() { r.err = auth.ErrNoSecret })
		r.checkVerify(fresh, time.Hour, auth.ErrUnavailable)
		r.checkVerify("\x00", time.Hour, auth.ErrUnavailable)
	})
}

func TestSecretIsUsedForADayWhileTheStoreFails(t *testing.T) {
	testRotation(t, time.Hour, func(r rotation) {
		r.change(func() { r.err = errors.New("out of reach") })
		time.Sleep(24*time.Hour - time.Second)
		r.checkVerify(leaked, time.Hour, nil)
		r.checkVerify(fresh, time.Hour, auth.ErrUnavailable) // it may be a new key
		time.Sleep(time.Second)
		r.checkVerify(leaked, time.Hour, auth.ErrUnavailable)
	})
}

func TestHangingSecretStoreIsTriedOnceInTenSeconds(t *testing.T) {
	testRotation(t, time.Hour, func(r rotation) {
		r.change(func() { r.hangs = true })
		time.Sleep(time.Minute)
		start := time.Now()
		r.checkVerify(leaked, time.Hour, nil)
		if took := time.Since(start); took > 5*time.Second {
			r.Errorf("the first token waited for %v", took)
		}
		start = time.Now()
		for range 100 {
			r.checkVerify(leaked, time.Hour, nil)
		}
		if took := time.Since(start); took != 0 {
			r.Errorf("later tokens waited for %v", took)
		}
	})
}

func TestFailedSecretStoreIsErrUnavailable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &secretStore{current: leaked, err: errors.New("out of reach")}
		v, err := auth.New(auth.Config{SecretStore: store})
		if err != nil {
			t.Fatal(err)
		}
		if err := v.Warm(t.Context()); !errors.Is(err, auth.ErrUnavailable) {
			t.Errorf("Warm: %v", err)
		}
		checkVerify(t, v, signedFor(t, leaked, time.Hour), auth.ErrUnavailable)
		store.change(func() { store.err = nil })
		time.Sleep(time.Second)
		checkVerify(t, v, signedFor(t, leaked, time.Hour), nil)
	})
}
