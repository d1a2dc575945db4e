package cloud

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/herald-progress/herald/lib/auth"
)

// The variables by which tokens are verified.
const (
	envAuthMode  = "AUTH_MODE" // cognito, jwks or hs256
	envIssuer    = "AUTH_ISSUER"
	envAudience  = "AUTH_AUDIENCE"
	envJWKSURL   = "AUTH_JWKS_URL"
	envSecretARN = "AUTH_SECRET_ARN" //nolint:gosec // a name, no secret
	envUserPool  = "COGNITO_USER_POOL_ID"
	envClientIDs = "COGNITO_CLIENT_IDS"
)

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
		t.secretARN = e.required(envSecretARN)
	case "":
	default:
		return tokens{}, fmt.Errorf("cloud: %s must be cognito, jwks or hs256", envAuthMode)
	}

	return t, nil
}

// verifier returns what verifies tokens. It fetches the secret or the keys, so that the first event need not wait for
// them; a key server that is down does not keep the function from starting.
func (f function) verifier(ctx context.Context, t tokens) (*auth.Verifier, error) {
	if t.secretARN != "" {
		secret, err := f.secret(ctx, t.secretARN)
		if err != nil {
			return nil, err
		}
		t.config.Secret = secret
	}
	verifier, err := auth.New(t.config)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", t.mode, err)
	}
	if err := verifier.Warm(ctx); err != nil {
		f.log.WarnContext(ctx, "fetch keys", "err", err)
	}

	return verifier, nil
}

// secret returns the text of a secret in AWS Secrets Manager, as it stands there.
func (f function) secret(ctx context.Context, arn string) ([]byte, error) {
	out, err := secretsmanager.NewFromConfig(f.aws).GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &arn})
	if err != nil {
		return nil, fmt.Errorf("get secret: %w", err)
	}
	if out.SecretString != nil {
		return []byte(*out.SecretString), nil
	}

	return out.SecretBinary, nil
}
