package secrets_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/herald-progress/herald/lib/auth"
	"github.com/herald-progress/herald/lib/secrets"
)

const arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:herald/key-a1B2c3"

// answer is a response of Secrets Manager in the AWS JSON 1.1 protocol.
type answer struct {
	status int
	body   string
}

// newTestSecret returns a Secret whose client calls a test server. The server sends the answer for the staging label in the request.
func newTestSecret(t *testing.T, answers map[string]answer) *secrets.Secret {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var in struct{ SecretID, VersionStage string }
		body, _ := io.ReadAll(r.Body)
		if err := json.Unmarshal(body, &in); err != nil || in.SecretID != arn || r.Header.Get("X-Amz-Target") != "secretsmanager.GetSecretValue" {
			t.Errorf("request is %s %s", r.Header.Get("X-Amz-Target"), body)
		}
		a := answers[in.VersionStage]
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		w.WriteHeader(a.status)
		_, _ = io.WriteString(w, a.body)
	}))
	t.Cleanup(server.Close)
	return &secrets.Secret{ARN: arn, Client: secretsmanager.New(secretsmanager.Options{
		Region: "us-east-1", BaseEndpoint: aws.String(server.URL),
		Credentials: credentials.NewStaticCredentialsProvider("AKID", "secret", ""),
		Retryer:     retry.NewStandard(func(o *retry.StandardOptions) { o.MaxBackoff = time.Millisecond }),
	})}
}

func TestCurrentAndPreviousReadTheirVersions(t *testing.T) {
	s := newTestSecret(t, map[string]answer{
		"AWSCURRENT":  {http.StatusOK, `{"ARN":"` + arn + `","CreatedDate":1.7638e9,"SecretString":"new","VersionStages":["AWSCURRENT"]}`},
		"AWSPREVIOUS": {http.StatusOK, `{"ARN":"` + arn + `","CreatedDate":1.7e9,"SecretBinary":"b2xk","VersionStages":["AWSPREVIOUS"]}`},
	})
	key, since, err := s.Current(t.Context())
	if string(key) != "new" || !since.Equal(time.Unix(1_763_800_000, 0)) || err != nil {
		t.Errorf("current is %q since %v, %v", key, since, err)
	}
	if key, err := s.Previous(t.Context()); string(key) != "old" || err != nil {
		t.Errorf("previous is %q, %v", key, err)
	}
}

func TestMissingSecretsAndFailuresHaveDifferentErrors(t *testing.T) {
	for _, tt := range []struct {
		name       string
		answer     answer
		noSecret   bool // Current must return ErrNoSecret.
		noPrevious bool // Previous must return nil without an error.
	}{
		{"missing", answer{http.StatusBadRequest, `{"__type":"ResourceNotFoundException","Message":"Secrets Manager can't find the specified secret value for staging label"}`}, true, true},
		{"to be deleted", answer{http.StatusBadRequest, `{"__type":"InvalidRequestException","Message":"You can't perform this operation on the secret because it was marked for deletion."}`}, true, false},
		{"not allowed", answer{http.StatusBadRequest, `{"__type":"AccessDeniedException","Message":"not authorized"}`}, false, false},
		{"throttled", answer{http.StatusBadRequest, `{"__type":"ThrottlingException","Message":"Rate exceeded"}`}, false, false},
		{"failing", answer{http.StatusInternalServerError, `{"__type":"InternalServiceError"}`}, false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newTestSecret(t, map[string]answer{"AWSCURRENT": tt.answer, "AWSPREVIOUS": tt.answer})
			key, _, err := s.Current(t.Context())
			if err == nil || errors.Is(err, auth.ErrNoSecret) != tt.noSecret || key != nil {
				t.Errorf("Current: %q, %v; want ErrNoSecret: %t", key, err, tt.noSecret)
			}
			if key, err := s.Previous(t.Context()); (err == nil) != tt.noPrevious || key != nil {
				t.Errorf("Previous: %q, %v; want nil without an error: %t", key, err, tt.noPrevious)
			}
			if err != nil && strings.Contains(err.Error(), "AKID") {
				t.Errorf("the error names credentials: %v", err)
			}
		})
	}
}
