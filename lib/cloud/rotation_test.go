package cloud_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/herald-progress/herald/lib/cloud/browser"
	"github.com/herald-progress/herald/lib/session"
)

// rotatedSecret serves Secrets Manager with one secret, and a DynamoDB that accepts every row.
type rotatedSecret struct {
	mu                sync.Mutex
	current, previous string    // the keys with the labels AWSCURRENT and AWSPREVIOUS
	created           time.Time // when current was created
	reads             int       // requests for the secret
}

func (s *rotatedSecret) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.Header.Get("X-Amz-Target") != "secretsmanager.GetSecretValue" {
		fmt.Fprint(w, `{}`)
		return
	}
	s.reads++
	var in struct{ VersionStage string }
	_ = json.NewDecoder(r.Body).Decode(&in)
	key := map[string]string{"": s.current, "AWSCURRENT": s.current, "AWSPREVIOUS": s.previous}[in.VersionStage]
	if key == "" {
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, `{"__type":"ResourceNotFoundException"}`)
		return
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"SecretString": key, "CreatedDate": s.created.Unix()})
}

// TestFunctionAcceptsARotatedSecret checks that the function accepts the new key at once and the previous key during the overlap,
// and that it does not read the secret again for each bad signature.
func TestFunctionAcceptsARotatedSecret(t *testing.T) {
	const previousKey, newKey, foreignKey = "the key before, at least 32 bytes", "the key after, at least 32 bytes!", "a stranger's key, at least 32 bytes"
	for _, test := range []struct {
		overlap        string // AUTH_SECRET_OVERLAP_MINUTES
		newKeyAge      time.Duration
		previousStatus int // the status of the response to a token that is signed with the previous key
	}{
		{"", 5 * time.Minute, http.StatusOK},
		{"", 5 * time.Hour, http.StatusUnauthorized},
		{"0", 5 * time.Second, http.StatusUnauthorized},
		{"600", 5 * time.Hour, http.StatusOK},
	} {
		s := &rotatedSecret{current: previousKey, created: time.Now().Add(-24 * time.Hour)}
		aws := httptest.NewServer(s)
		defer aws.Close()
		setLambdaVariables(t, aws.URL)
		variables := map[string]string{
			"CONNECTIONS_TABLE": "t", "AUTH_MODE": "hs256", "AUTH_SECRET_ARN": "arn:aws:secretsmanager:us-east-1:000000000000:secret:s",
			"AUTH_SECRET_OVERLAP_MINUTES": test.overlap,
		}
		h, err := browser.Connect(t.Context(), func(name string) string { return variables[name] })
		if err != nil {
			t.Fatal(err)
		}
		statusFor := func(key string) int { // connects with a token that is signed with key
			token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{"sub": "u1", "exp": time.Now().Add(time.Hour).Unix()}).SignedString([]byte(key))
			if err != nil {
				t.Fatal(err)
			}
			var r session.Request
			r.RequestContext.ConnectionID, r.QueryStringParameters = "c", map[string]string{"token": token}
			response, err := h.Handle(t.Context(), r)
			if err != nil {
				t.Fatal(err)
			}
			return response.StatusCode
		}
		got := []int{statusFor(previousKey)}
		s.mu.Lock()
		s.current, s.previous, s.created = newKey, previousKey, time.Now().Add(-test.newKeyAge)
		s.mu.Unlock()
		got = append(got, statusFor(newKey), statusFor(previousKey), statusFor(foreignKey))
		s.mu.Lock()
		reads := s.reads
		s.mu.Unlock()
		for range 20 {
			if status := statusFor(foreignKey); status != http.StatusUnauthorized {
				t.Errorf("a token with a bad signature gets the status %d", status)
			}
		}
		want := []int{http.StatusOK, http.StatusOK, test.previousStatus, http.StatusUnauthorized}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("overlap %q, new key of %v ago: the statuses are %v, want %v", test.overlap, test.newKeyAge, got, want)
		}
		if s.reads != reads {
			t.Errorf("20 bad signatures read the secret %d times", s.reads-reads)
		}
	}
}
