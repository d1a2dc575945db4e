package local

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// secretBytes is the length of the twin's HS256 key.
const secretBytes = 32

// newSecret returns a random key. Only this twin accepts tokens that are signed with it.
func newSecret() []byte {
	secret := make([]byte, secretBytes)
	_, _ = rand.Read(secret) // never fails (crypto/rand)
	return secret
}

// Token returns a token for the user, valid for life, with which a browser connects to this twin.
func (t *Twin) Token(userID string, life time.Duration) (string, error) {
	now := time.Now()
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{
		"sub": userID, "iat": now.Unix(), "exp": now.Add(life).Unix(),
	}).SignedString(t.secret)
	if err != nil {
		return "", fmt.Errorf("sign token: %w", err)
	}
	return token, nil
}

// TokenPath is the path at which a program of this machine requests a token: by a POST with the user's id as the query's
// user. The answer is JSON with the field token. No bucket can have a name with an underscore.
const TokenPath = "/_herald/token"

// requestedTokenLife is the lifetime of a token that was requested. A client requests another one before it expires.
const requestedTokenLife = 15 * time.Minute

// serveToken answers a request for a token. A page of another port cannot read the answer: it allows no other origin.
func (t *Twin) serveToken(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Cross-Origin-Resource-Policy", "same-origin")
	user := r.URL.Query().Get("user")
	if r.Method != http.MethodPost || user == "" {
		http.Error(w, "A token is requested by a POST with a user in the query", http.StatusBadRequest)
		return
	}
	token, err := t.Token(user, requestedTokenLife)
	if err != nil {
		t.log.WarnContext(r.Context(), "token request failed", "err", err)
		http.Error(w, "The twin could not sign a token; its log has the reason", http.StatusInternalServerError)
		return
	}
	header.Set("Content-Type", "application/json")
	fmt.Fprintf(w, "{\"token\":%q}\n", token)
}
