package cloud

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/herald-progress/herald/lib/auth"
	"github.com/herald-progress/herald/lib/session"
)

// The variables of $connect's authentication.
const (
	envAuthMode  = "AUTH_MODE" // cognito, jwks or hs256
	envIssuer    = "AUTH_ISSUER"
	envAudience  = "AUTH_AUDIENCE"
	envJWKSURL   = "AUTH_JWKS_URL"
	envSecretARN = "AUTH_SECRET_ARN" //nolint:gosec // a name, no secret
	envUserPool  = "COGNITO_USER_POOL_ID"
	envClientIDs = "COGNITO_CLIENT_IDS"
	envOrigins   = "ALLOWED_ORIGINS"
)

// Connect returns the handler of $connect. It fetches the secret or the keys, so that the first connection need not wait
// for them; a key server that is down does not keep the function from starting.
func Connect(ctx context.Context, getenv func(string) string) (*session.Connect, error) {
	e := &environment{getenv: getenv}
	table, mode := e.required(envTable), e.required(envAuthMode)
	settings := auth.Config{Issuer: getenv(envIssuer), JWKSURL: getenv(envJWKSURL), Audience: e.list(envAudience)}
	secret := ""
	switch mode {
	case "cognito":
		settings.UserPoolID, settings.ClientIDs = e.required(envUserPool), e.list(envClientIDs)
	case "jwks":
		e.required(envIssuer)
	case "hs256":
		secret = e.required(envSecretARN)
	case "":
	default:
		return nil, fmt.Errorf("cloud: %s must be cognito, jwks or hs256", envAuthMode)
	}
	f, err := load(ctx, e)
	if err != nil {
		return nil, err
	}
	if secret != "" {
		if settings.Secret, err = f.secret(ctx, secret); err != nil {
			return nil, err
		}
	}
	verifier, err := auth.New(settings)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", mode, err)
	}
	if err := verifier.Warm(ctx); err != nil {
		f.log.WarnContext(ctx, "fetch keys", "err", err)
	}

	return &session.Connect{Verifier: verifier, Store: f.connections(table), Origins: e.list(envOrigins), Log: f.log}, nil
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

// Disconnect returns the handler of $disconnect.
func Disconnect(ctx context.Context, getenv func(string) string) (*session.Disconnect, error) {
	e := &environment{getenv: getenv}
	table := e.required(envTable)
	f, err := load(ctx, e)
	if err != nil {
		return nil, err
	}

	return &session.Disconnect{Store: f.connections(table), Log: f.log}, nil
}
