package auth

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// wycheproofVector is a JSON Web Signature, the keys to verify it with, and the expected result.
type wycheproofVector struct {
	ID        string          `json:"id"`
	Comment   string          `json:"comment"`
	Result    string          `json:"result"`
	Symmetric bool            `json:"symmetric"`
	JWKS      json.RawMessage `json:"jwks"`
	JWS       string          `json:"jws"`
}

// wellFormed are vectors that count as invalid because of padding, but contain no padding. Both are the same well-formed token
// with a valid signature.
var wellFormed = []string{"json_web_signature_test#367", "json_web_signature_test#370"}

// TestWycheproofSignatures runs the JSON Web Signature vectors of C2SP/wycheproof through the verifier's key choice and the
// library's signature check: their payloads are not claims. A valid vector may be refused only for a reason that policy returns.
func TestWycheproofSignatures(t *testing.T) {
	folder := os.Getenv("CONFORMANCE_DIR")
	if folder == "" {
		t.Skip("set CONFORMANCE_DIR to the folder of recorded cases")
	}
	file, err := os.Open(filepath.Join(folder, "jwt", "wycheproof_jws.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	refused, vectors := map[string]int{}, 0
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var v wycheproofVector
		if err := json.Unmarshal(lines.Bytes(), &v); err != nil {
			t.Fatal(err)
		}
		vectors++
		err := v.verify(t)
		switch {
		case v.Result == "invalid" && err == nil && !slices.Contains(wellFormed, v.ID):
			t.Errorf("%s (%s) is accepted", v.ID, v.Comment)
		case v.Result == "valid" && err != nil:
			reason := v.policy()
			if reason == "" {
				t.Errorf("%s (%s) is refused: %v", v.ID, v.Comment, err)
			}
			refused[reason]++
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	if vectors == 0 {
		t.Error("there are no vectors")
	}
	t.Logf("valid, and refused by policy: %v", refused)
}

// policy returns why a valid vector is refused, or "".
func (v wycheproofVector) policy() string {
	algorithm := v.header()["alg"]
	var set struct {
		Keys []map[string]any `json:"keys"`
	}
	_ = json.Unmarshal(v.JWKS, &set)
	switch {
	case !slices.Contains([]any{"HS256", "RS256", "ES256"}, algorithm):
		return "algorithm is none of HS256, RS256, ES256"
	case v.Symmetric && len(set.Keys) > 1:
		return "a JWK Set holds public keys only"
	case strings.ContainsFunc(v.JWS, func(r rune) bool { return r > 0x7f || strings.ContainsRune("!?*+/= \t\r\n", r) }):
		return "not base64url"
	default:
		return ""
	}
}

func (v wycheproofVector) header() map[string]any {
	raw, _ := base64.RawURLEncoding.DecodeString(strings.Split(v.JWS, ".")[0])
	header := map[string]any{}
	_ = json.Unmarshal(raw, &header)
	return header
}

// verify checks the vector as Verify does, except for the claims.
func (v wycheproofVector) verify(t *testing.T) error {
	t.Helper()
	parts := strings.Split(v.JWS, ".")
	if len(parts) != 3 {
		return invalidToken("malformed")
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(parts[0])
	if err != nil {
		return invalidToken("malformed")
	}
	if _, err := base64.RawURLEncoding.Strict().DecodeString(parts[1]); err != nil {
		return invalidToken("malformed")
	}
	token := &jwt.Token{}
	if err := json.Unmarshal(raw, &token.Header); err != nil {
		return invalidToken("malformed")
	}
	verifier, algorithms := v.verifier(t)
	name, _ := token.Header["alg"].(string)
	if token.Method = jwt.GetSigningMethod(name); token.Method == nil || !slices.Contains(algorithms, name) {
		return invalidToken("algorithm")
	}
	if err := checkHeader(token.Header); err != nil {
		return err
	}
	var key any = verifier.config.Secret
	if verifier.keys != nil {
		if key, err = verifier.publicKey(t.Context(), token); err != nil {
			return err
		}
	}
	signature, err := base64.RawURLEncoding.Strict().DecodeString(parts[2])
	if err != nil {
		return invalidToken("malformed")
	}

	return token.Method.Verify(parts[0]+"."+parts[1], signature, key)
}

// verifier returns a Verifier that trusts the vector's keys, and its algorithms. A single symmetric key is a shared secret; other
// keys are a JWK Set.
func (v wycheproofVector) verifier(t *testing.T) (*Verifier, []string) {
	t.Helper()
	var set struct {
		Keys []struct {
			K   string `json:"k"`
			Alg string `json:"alg"`
		} `json:"keys"`
	}
	if err := json.Unmarshal(v.JWKS, &set); err != nil {
		t.Fatal(err)
	}
	if v.Symmetric && len(set.Keys) == 1 {
		secret, err := base64.RawURLEncoding.DecodeString(set.Keys[0].K)
		if err != nil {
			t.Fatal(err)
		}
		verifier, err := New(Config{Secret: secret})
		if err != nil || set.Keys[0].Alg != "HS256" {
			return &Verifier{}, nil // such a configuration is refused
		}
		return verifier, []string{"HS256"}
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(v.JWKS) }))
	defer server.Close()
	keys := newKeySet(server.URL, nil, time.Now)
	if _, _, err := keys.cache.get(t.Context()); err != nil {
		t.Fatal(err)
	}

	return &Verifier{keys: keys}, []string{"RS256", "ES256"}
}
