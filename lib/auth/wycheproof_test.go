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
	"unicode"

	"github.com/golang-jwt/jwt/v5"
)

// This file runs the test vectors for JSON Web Signatures of the project Wycheproof (https://github.com/C2SP/wycheproof). Their
// payloads are not claims, so Verify would refuse all of them. The test therefore calls the parts of Verify that choose the key and
// check the signature.

// wycheproofVector is a JSON Web Signature, the keys to verify it with, and the expected result.
type wycheproofVector struct {
	ID        string          `json:"id"`
	Comment   string          `json:"comment"`
	Result    string          `json:"result"`    // valid or invalid
	Symmetric bool            `json:"symmetric"` // the keys are shared secrets, not public keys
	JWKS      json.RawMessage `json:"jwks"`
	JWS       string          `json:"jws"`
}

// wronglyInvalid are the ids of two vectors that Wycheproof marks as invalid because of padding, although their token contains no
// padding. The token is the same in both vectors. It is well-formed and has a valid signature, so the verifier accepts it.
var wronglyInvalid = []string{"json_web_signature_test#367", "json_web_signature_test#370"}

// TestWycheproofSignatures checks that every invalid vector is refused, except those in wronglyInvalid, and that every valid vector is
// accepted, unless refusalReason returns a reason to refuse it.
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
	refused := map[string]int{} // how many valid vectors are refused, by reason
	vectors := 0
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20) // bytes, more than the longest line
	for lines.Scan() {
		var v wycheproofVector
		if err := json.Unmarshal(lines.Bytes(), &v); err != nil {
			t.Fatal(err)
		}
		vectors++
		err := v.verify(t)
		switch {
		case v.Result == "invalid" && err == nil && !slices.Contains(wronglyInvalid, v.ID):
			t.Errorf("%s (%s) is accepted", v.ID, v.Comment)
		case v.Result == "valid" && err != nil:
			reason := v.refusalReason()
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
	t.Logf("valid vectors that are refused, by reason: %v", refused)
}

// refusalReason returns the reason why the verifier refuses a valid vector, or "" if it must accept the vector.
func (v wycheproofVector) refusalReason() string {
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
	case strings.ContainsFunc(v.JWS, func(r rune) bool { return r > unicode.MaxASCII || strings.ContainsRune("!?*+/= \t\r\n", r) }):
		return "not base64url" // RFC 7515 section 2 allows only its alphabet, without padding
	default:
		return ""
	}
}

// header returns the decoded header of the token, or an empty map if it cannot be decoded.
func (v wycheproofVector) header() map[string]any {
	raw, _ := base64.RawURLEncoding.DecodeString(strings.Split(v.JWS, ".")[0])
	header := map[string]any{}
	_ = json.Unmarshal(raw, &header)
	return header
}

// verify does what Verify does, except for the check of the claims.
func (v wycheproofVector) verify(t *testing.T) error {
	t.Helper()
	parts := strings.Split(v.JWS, ".")
	if len(parts) != 3 { // header, payload, signature
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

// verifier returns a Verifier that trusts the vector's keys, and the algorithms that it accepts. A single symmetric key becomes the
// shared secret; all other keys become a JWK Set.
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
			return &Verifier{}, nil // New refuses such a key; without algorithms, verify refuses every token
		}
		return verifier, []string{"HS256"}
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(v.JWKS) }))
	defer server.Close()
	keys := newKeySet(server.URL, nil, time.Now)
	if _, _, err := keys.cache.get(t.Context()); err != nil { // fetches the keys, because the server closes on return
		t.Fatal(err)
	}

	return &Verifier{keys: keys}, []string{"RS256", "ES256"}
}
