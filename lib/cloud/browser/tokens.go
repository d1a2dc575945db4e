package browser

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/herald-progress/herald/lambdas"
	"github.com/herald-progress/herald/lib/auth"
	"github.com/herald-progress/herald/lib/cloud"
	"github.com/herald-progress/herald/lib/secrets"
)

// tokenSettings are the settings of the verification of tokens.
type tokenSettings struct {
	// mode is lambdas.AuthCognito, AuthJWKS or AuthHS256.
	mode string
	// secretARN is the ARN of the secret with the shared key. It is empty unless mode is AuthHS256.
	secretARN string
	config    auth.Config
}

// readTokenSettings reads the settings of the verification of tokens.
func readTokenSettings(e *cloud.Environment) (tokenSettings, error) {
	t := tokenSettings{
		mode:   e.Get(lambdas.EnvAuthMode),
		config: auth.Config{Issuer: e.Get(lambdas.EnvIssuer), JWKSURL: e.Get(lambdas.EnvJWKSURL), Audience: e.List(lambdas.EnvAudience)},
	}
	switch t.mode {
	case lambdas.AuthCognito:
		t.config.UserPoolID, t.config.ClientIDs = e.Required(lambdas.EnvUserPoolID), e.List(lambdas.EnvClientIDs)
	case lambdas.AuthJWKS:
		e.Required(lambdas.EnvIssuer)
	case lambdas.AuthHS256:
		var err error
		t.secretARN = e.Required(lambdas.EnvSecretARN)
		if t.config.SecretOverlap, err = minutes(e, lambdas.EnvSecretOverlap, auth.DefaultSecretOverlap); err != nil {
			return tokenSettings{}, err
		}
	case "": // cloud.NewEnvironment has recorded the variable as missing, so cloud.NewClients will return an error.
	default:
		return tokenSettings{}, fmt.Errorf("cloud: %s must be cognito, jwks or hs256", lambdas.EnvAuthMode)
	}
	return t, nil
}

// minutes reads a whole number of minutes from 0 to [auth.MaxSecretOverlap]. It returns fallback if the variable is not set.
func minutes(e *cloud.Environment, name string, fallback time.Duration) (time.Duration, error) {
	text := e.Get(name)
	if text == "" {
		return fallback, nil
	}
	const maxMinutes = int(auth.MaxSecretOverlap / time.Minute)
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > maxMinutes {
		return 0, fmt.Errorf("cloud: %s must be a whole number from 0 to %d", name, maxMinutes)
	}
	return time.Duration(n) * time.Minute, nil
}

// verifier returns the verifier of tokens. It fetches the secret or the keys, so that the first event does not wait for them.
// If the fetch fails, the function starts all the same, and each event fetches again.
func (t tokenSettings) verifier(ctx context.Context, c cloud.Clients) (*auth.Verifier, error) {
	if t.secretARN != "" {
		t.config.SecretStore = &secrets.Secret{Client: secretsmanager.NewFromConfig(c.AWS), ARN: t.secretARN}
	}
	verifier, err := auth.New(t.config)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", t.mode, err)
	}
	if err := verifier.Warm(ctx); err != nil {
		c.Log.ErrorContext(ctx, "fetch keys", "err", err)
	}
	return verifier, nil
}
