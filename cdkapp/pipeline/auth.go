package pipeline

import (
	"slices"
	"strconv"
	"time"

	"github.com/herald-progress/herald/lambdas"
	"github.com/herald-progress/herald/lib/auth"
)

const (
	// DefaultSecretOverlapMinutes is the overlap if Auth.SecretOverlapMinutes is nil: the default of the functions.
	DefaultSecretOverlapMinutes = int(auth.DefaultSecretOverlap / time.Minute)
	// maxSecretOverlapMinutes is the longest overlap.
	maxSecretOverlapMinutes = int(auth.MaxSecretOverlap / time.Minute)
)

// The values of Auth.Mode.
const (
	// AuthCognito verifies the tokens of an Amazon Cognito user pool.
	AuthCognito = lambdas.AuthCognito
	// AuthJWKS verifies RS256 and ES256 tokens with the keys that their issuer publishes.
	AuthJWKS = lambdas.AuthJWKS
	// AuthHS256 verifies HS256 tokens with a shared key from Secrets Manager.
	AuthHS256 = lambdas.AuthHS256
)

// AnyAudience as the only Auth.Audience accepts tokens for any app of the issuer.
const AnyAudience = "*"

// Auth says how $connect verifies the token of a browser. Mode decides which other fields apply.
type Auth struct {
	// Mode is AuthCognito, AuthJWKS or AuthHS256. It has no default.
	Mode string
	// Issuer is the required "iss" claim: an https URL, required with AuthJWKS; any text, optional with AuthHS256.
	Issuer string
	// Audience lists the accepted "aud" values. It is required with AuthJWKS, as the issuer signs tokens for other apps too;
	// AnyAudience alone accepts any. With AuthHS256, empty accepts any. AuthCognito uses ClientIDs instead.
	Audience []string
	// JWKSURL is where AuthJWKS reads keys. Empty is the issuer's /.well-known/jwks.json.
	JWKSURL string
	// SecretARN is the complete ARN of the secret with the key. It is required with AuthHS256. A rotated secret takes effect
	// within a minute.
	SecretARN string
	// SecretOverlapMinutes is how long after a rotation tokens of the previous key (AWSPREVIOUS) are accepted with AuthHS256:
	// 0 to 1,440; nil is DefaultSecretOverlapMinutes. With 0, a leaked key is rejected within a minute of its rotation.
	SecretOverlapMinutes *int
	// UserPoolID is the user pool's id. Required with AuthCognito.
	UserPoolID string
	// ClientIDs lists the app clients whose tokens are accepted. Required with AuthCognito.
	ClientIDs []string
}

// authModeHelp is the error for a deployer who sets no auth mode.
const authModeHelp = `authMode: not set, so nobody could sign in; set it with -c or under "context" in cdk.json, one of
  Cognito user pool:  -c authMode=cognito -c cognitoUserPoolId=eu-west-1_AbCdEfGhI -c cognitoClientIds=CLIENT_ID
  any OpenID issuer:  -c authMode=jwks -c authIssuer=https://issuer.example.com -c authAudience=AUDIENCE
  shared HS256 key:   -c authMode=hs256 -c authSecretArn=arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME-SUFFIX`

// authSettings returns the settings of Auth. authMode checks them all, because it decides which are used.
func authSettings() []setting {
	return []setting{
		{
			key: "authMode", field: func(s *Settings) any { return &s.Props.Auth.Mode }, variable: lambdas.EnvAuthMode,
			check: func(c *checker, _ setting, all *Settings) { all.Props.Auth.check(c) },
		},
		{key: "authIssuer", field: func(s *Settings) any { return &s.Props.Auth.Issuer }, variable: lambdas.EnvIssuer},
		{key: "authAudience", field: func(s *Settings) any { return &s.Props.Auth.Audience }, variable: lambdas.EnvAudience},
		{key: "authJwksUrl", field: func(s *Settings) any { return &s.Props.Auth.JWKSURL }, variable: lambdas.EnvJWKSURL},
		{key: "authSecretArn", field: func(s *Settings) any { return &s.Props.Auth.SecretARN }, variable: lambdas.EnvSecretARN},
		{
			key: "authSecretOverlapMinutes", field: func(s *Settings) any { return &s.Props.Auth.SecretOverlapMinutes },
			fallback: DefaultSecretOverlapMinutes, variable: lambdas.EnvSecretOverlap,
		},
		{key: "cognitoUserPoolId", field: func(s *Settings) any { return &s.Props.Auth.UserPoolID }, variable: lambdas.EnvUserPoolID},
		{key: "cognitoClientIds", field: func(s *Settings) any { return &s.Props.Auth.ClientIDs }, variable: lambdas.EnvClientIDs},
	}
}

// check adds an error to c for each rule that the settings break. A setting that the mode does not use must not be set.
func (a Auth) check(c *checker) {
	if len(a.Audience) > 1 && slices.Contains(a.Audience, AnyAudience) {
		c.addf("authAudience: * stands for any, so it must stand alone")
	}
	a.checkOverlap(c)
	switch a.Mode {
	case "":
		c.addf("%s", authModeHelp)
	case AuthCognito:
		c.match("cognitoUserPoolId", a.UserPoolID, userPoolID, "a user pool id such as eu-west-1_AbCdEfGhI")
		c.require("cognitoClientIds", a.ClientIDs, "with authMode cognito")
		c.matchAll("cognitoClientIds", a.ClientIDs, clientID, "app client ids: letters, digits, + and _")
		c.unused(a.Mode, "authIssuer", a.Issuer)
		c.unused(a.Mode, "authAudience", a.Audience...)
		c.unused(a.Mode, "authJwksUrl", a.JWKSURL)
		c.unused(a.Mode, "authSecretArn", a.SecretARN)
	case AuthJWKS:
		c.https("authIssuer", a.Issuer)
		c.require("authAudience", a.Audience, "with authMode jwks: the aud of your tokens; * accepts tokens for any app of the issuer")
		if a.JWKSURL != "" {
			c.https("authJwksUrl", a.JWKSURL)
		}
		c.unused(a.Mode, "authSecretArn", a.SecretARN)
		c.unused(a.Mode, "cognitoUserPoolId", a.UserPoolID)
		c.unused(a.Mode, "cognitoClientIds", a.ClientIDs...)
	case AuthHS256:
		c.match("authSecretArn", a.SecretARN, secretARN,
			"the whole ARN of a Secrets Manager secret, with the six characters that end it")
		c.unused(a.Mode, "authJwksUrl", a.JWKSURL)
		c.unused(a.Mode, "cognitoUserPoolId", a.UserPoolID)
		c.unused(a.Mode, "cognitoClientIds", a.ClientIDs...)
	default:
		c.addf("authMode: %q is none of cognito, jwks, hs256", a.Mode)
	}
}

// checkOverlap adds an error to c if SecretOverlapMinutes is set although the mode does not use it, or is out of range.
func (a Auth) checkOverlap(c *checker) {
	switch minutes := a.SecretOverlapMinutes; {
	case minutes == nil:
	case a.Mode != AuthHS256:
		c.unused(a.Mode, "authSecretOverlapMinutes", strconv.Itoa(*minutes))
	case *minutes < 0 || *minutes > maxSecretOverlapMinutes:
		c.addf("authSecretOverlapMinutes: %d is not from 0 to %d", *minutes, maxSecretOverlapMinutes)
	}
}
