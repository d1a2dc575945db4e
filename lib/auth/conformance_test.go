package auth_test

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/herald-progress/herald/lib/auth"
)

// TestRecordedAttackTokens verifies recorded tokens: attacks, and tokens at the edge of a rule. The recording says "policy" for a token
// that a verifier may accept or reject. The map policies says what this verifier does with such a token.
func TestRecordedAttackTokens(t *testing.T) {
	folder := os.Getenv("CONFORMANCE_DIR")
	if folder == "" {
		t.Skip("set CONFORMANCE_DIR to the folder of recorded cases")
	}
	policies := map[string]string{
		"no-kid-good-key":        "reject", // there are several keys, and the token names none
		"sig-std-alphabet":       "reject", // RFC 7515 section 2 demands the URL alphabet
		"payload-dup-sub":        "accept", // the last one counts (RFC 7519 section 4), and the issuer has signed both
		"claim-exp-float":        "accept", // RFC 7519 section 2 allows it
		"claim-exp-huge":         "reject", // past the year 9999
		"claim-exp-ms":           "reject", // past the year 9999
		"claim-iat-future":       "reject", // by more than the leeway
		"claim-token-use-id":     "accept", // only Cognito defines token_use; this profile is of another issuer
		"claim-sub-unicode-hash": "accept", // any Unicode text of 1 to 255 bytes is a user's id
		"claim-sub-4k":           "reject", // longer than 255 bytes
	}
	var keys struct {
		Now    int64           `json:"now"`
		Issuer string          `json:"iss"`
		Client string          `json:"aud"`
		JWKS   json.RawMessage `json:"jwks"`
		Secret string          `json:"hs256_secret_b64url"`
	}
	raw, err := os.ReadFile(filepath.Join(folder, "jwt", "attacks_keys.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &keys); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(keys.JWKS) }))
	defer server.Close()
	shared, err := base64.RawURLEncoding.DecodeString(keys.Secret)
	if err != nil {
		t.Fatal(err)
	}
	recordedTime := func() time.Time { return time.Unix(keys.Now, 0) }
	profiles := map[string]auth.Config{ // the configurations that the recorded tokens are for
		"jwks":  {Issuer: keys.Issuer, Audience: []string{keys.Client}, JWKSURL: server.URL, Now: recordedTime},
		"hs256": {Secret: shared, Now: recordedTime},
	}
	file, err := os.Open(filepath.Join(folder, "jwt", "attacks.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 4<<20) // bytes, more than the longest line
	tokens := 0
	for lines.Scan() {
		tokens++
		var c struct{ ID, Profile, Token, Want string }
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			t.Fatal(err)
		}
		t.Run(c.Profile+"/"+c.ID, func(t *testing.T) {
			config, known := profiles[c.Profile]
			if !known {
				t.Fatalf("profile %q is not known", c.Profile)
			}
			want := c.Want
			if want == "policy" {
				if want = policies[c.ID]; want == "" {
					t.Skipf("no policy is stated for %s", c.ID)
				}
			}
			v, err := auth.New(config)
			if err != nil {
				t.Fatal(err)
			}
			_, err = v.Verify(t.Context(), c.Token)
			if got := map[bool]string{true: "accept", false: "reject"}[err == nil]; got != want {
				t.Errorf("%s (%v), want %s", got, err, want)
			}
		})
	}
	if err := lines.Err(); err != nil || tokens == 0 {
		t.Fatalf("%d tokens, %v", tokens, err)
	}
}
