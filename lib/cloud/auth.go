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

// The variables by which tokens are verified.
const (
	envAuthMode  = "AUTH_MODE" // cognito, jwks or hs256
	envIssuer    = "AUTH_ISSUER"
	envAudience  = "AUTH_AUDIENCE"
	envJWKSURL   = "AUTH_JWKS_URL"
	envSecretARN = "AUTH_SECRET_ARN" //nolint:gosec // a name, no secret
	envOverlap   = "AUTH_SECRET_OVERLAP_MINUTES"
	envUserPool  = "COGNITO_USER_POOL_ID"
	envClientIDs = "COGNITO_CLIENT_IDS"
)

// maxMinutes is a day: no token that is worth its signature lives longer than that after its key was replaced.
const maxMinutes = 24 * 60

// tokens says how tokens are verified.
type tokens struct {
	mode string
	// secretARN is where the shared key is; empty without one.
	secretARN string
	config    auth.Config
}

// tokens reads how tokens are verified.
func (e *environment) tokens() (tokens, error) {
	t := tokens{
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
			return tokens{}, err
		}
	case "":
	default:
		return tokens{}, fmt.Errorf("cloud: %s must be cognito, jwks or hs256", envAuthMode)
	}

	return t, nil
}

// minutes reads a whole number of minutes, at most maxMinutes.
func (e *environment) minutes(name string, fallback time.Duration) (time.Duration, error) {
	text := e.getenv(name)
	if text == "" {
		return fallback, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > maxMinutes {
		return 0, fmt.Errorf("cloud: %s must be a whole number from 0 to %d", name, maxMinutes)
	}

	return time.Duration(n) * time.Minute, nil
}

// verifier returns what verifies tokens. It fetches the secret or the keys, so that the first event need not wait for
// them; where they are out of reach the function starts, and its events ask again.
func (f function) verifier(ctx context.Context, t tokens) (*auth.Verifier, error) {
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
