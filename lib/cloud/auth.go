package cloud

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/herald-progress/herald/lib/auth"
	"github.com/herald-progress/herald/lib/secrets"
)

// The variables of the verification of tokens.
const (
	envAuthMode  = "AUTH_MODE" // cognito, jwks or hs256
	envIssuer    = "AUTH_ISSUER"
	envAudience  = "AUTH_AUDIENCE"
	envJWKSURL   = "AUTH_JWKS_URL"
	envSecretARN = "AUTH_SECRET_ARN" //nolint:gosec // the name of a variable, not a secret
	envOverlap   = "AUTH_SECRET_OVERLAP_MINUTES"
	envUserPool  = "COGNITO_USER_POOL_ID"
	envClientIDs = "COGNITO_CLIENT_IDS"
)

// maxOverlapMinutes is one day. No token should outlive the replacement of its key for longer.
const maxOverlapMinutes = 24 * 60

// tokenSettings are the settings of the verification of tokens.
type tokenSettings struct {
	mode string
	// secretARN is the ARN of the shared key, or empty.
	secretARN string
	config    auth.Config
}

// tokenSettings reads the settings of the verification of tokens.
func (e *environment) tokenSettings() (tokenSettings, error) {
	t := tokenSettings{
		mode:   e.required(envAuthMode),
		config: auth.Config{Issuer: e.getenv(envIssuer), JWKSURL: e.getenv(envJWKSURL), Audience: e.list(envAudience)},
	}
	switch t.mode {
	case "cognito":
		t.config.UserPoolID, t.config.ClientIDs = e.required(envUserPool), e.list(envClientIDs)
	case "jwks":
		e.required(envIssuer)
	case "hs256":
		var err error
		t.secretARN = e.required(envSecretARN)
		if t.config.SecretOverlap, err = e.minutes(envOverlap, auth.DefaultSecretOverlap); err != nil {
			return tokenSettings{}, err
		}
	case "":
	default:
		return tokenSettings{}, fmt.Errorf("cloud: %s must be cognito, jwks or hs256", envAuthMode)
	}

	return t, nil
}

// minutes reads a number of minutes from 0 to maxOverlapMinutes.
func (e *environment) minutes(name string, fallback time.Duration) (time.Duration, error) {
	text := e.getenv(name)
	if text == "" {
		return fallback, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > maxOverlapMinutes {
		return 0, fmt.Errorf("cloud: %s must be a whole number from 0 to %d", name, maxOverlapMinutes)
	}
	return time.Duration(n) * time.Minute, nil
}

// verifier returns the verifier of tokens. It fetches the secret or the keys, so that the first event does not wait for them.
// If that fails the function starts all the same, and its events fetch again.
func (f awsClients) verifier(ctx context.Context, t tokenSettings) (*auth.Verifier, error) {
	if t.secretARN != "" {
		t.config.SecretStore = &secrets.Secret{Client: secretsmanager.NewFromConfig(f.aws), ARN: t.secretARN}
	}
	verifier, err := auth.New(t.config)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", t.mode, err)
	}
	if err := verifier.Warm(ctx); err != nil {
		f.log.ErrorContext(ctx, "fetch keys", "err", err)
	}

	return verifier, nil
}
