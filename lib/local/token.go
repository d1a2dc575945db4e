package local

import (
	"crypto/rand"
	"fmt"
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
// user. The answer is JSON with the field token. The path cannot be that of an object in S3, because no bucket's name has an
// underscore.
const TokenPath = "/_herald/token"

// requestedTokenLife is the lifetime of a token that was requested at TokenPath. A client requests a new token before this one expires.
const requestedTokenLife = 15 * time.Minute
