package cloud

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/smithy-go/logging"
)

// minCompressedRequest is the SDK's default for the size from which on it compresses requests, in bytes.
const minCompressedRequest = 10 << 10

// awsConfig returns the AWS configuration from the variables that Lambda sets, and from those that choose endpoints and retries:
//
//	AWS_REGION, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY    required
//	AWS_SESSION_TOKEN                                       the session of the function's role
//	AWS_ENDPOINT_URL, AWS_ENDPOINT_URL_<SERVICE>            another endpoint for all services, or for one
//	AWS_IGNORE_CONFIGURED_ENDPOINT_URLS                     true: the two above are ignored
//	AWS_USE_FIPS_ENDPOINT, AWS_USE_DUALSTACK_ENDPOINT       true or false
//	AWS_RETRY_MODE, AWS_MAX_ATTEMPTS                        standard or adaptive; a whole number
//
// It does the same as the SDK's config.LoadDefaultConfig with these variables, which also reads profiles and asks other sources for
// credentials: the clients of those sources make a program a fifth larger, and its start slower. On Lambda, the credentials of the
// function's role come in the variables above. Only functions with SnapStart get them from AWS_CONTAINER_CREDENTIALS_FULL_URI, which
// is not supported: Lambda does not offer SnapStart for provided.al2023, the runtime of these functions.
func awsConfig(getenv func(string) string) (aws.Config, error) {
	v := &awsVariables{getenv: getenv}
	config := aws.Config{
		Region: v.required("AWS_REGION"),
		Credentials: credentials.NewStaticCredentialsProvider(
			v.required("AWS_ACCESS_KEY_ID"), v.required("AWS_SECRET_ACCESS_KEY"), getenv("AWS_SESSION_TOKEN")),
		RetryMode:        v.retryMode(),
		RetryMaxAttempts: v.maxAttempts(),
		Logger:           logging.NewStandardLogger(os.Stderr),
		// The SDK's defaults.
		DefaultsMode:                aws.DefaultsModeLegacy,
		AccountIDEndpointMode:       aws.AccountIDEndpointModePreferred,
		RequestMinCompressSizeBytes: minCompressedRequest,
		RequestChecksumCalculation:  aws.RequestChecksumCalculationWhenSupported,
		ResponseChecksumValidation:  aws.ResponseChecksumValidationWhenSupported,
	}
	endpoints := endpointVariables{
		getenv: getenv, fips: v.boolean("AWS_USE_FIPS_ENDPOINT"), dualStack: v.boolean("AWS_USE_DUALSTACK_ENDPOINT"),
		ignored: v.boolean("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS") == valueTrue,
	}
	config.ConfigSources = []any{endpoints}
	if url := getenv("AWS_ENDPOINT_URL"); url != "" && !endpoints.ignored {
		config.BaseEndpoint = aws.String(url)
	}
	return config, v.err()
}

// The values of a variable that switches something on or off.
const (
	valueTrue  = "true"
	valueFalse = "false"
)

// awsVariables reads the variables of the SDK, and records those that are missing or invalid.
type awsVariables struct {
	getenv  func(string) string
	missing []string
	invalid []error
}

// required reads a variable, and records it as missing if it is not set.
func (v *awsVariables) required(name string) string {
	value := v.getenv(name)
	if value == "" {
		v.missing = append(v.missing, name)
	}
	return value
}

// boolean returns valueTrue, valueFalse, or an empty string if the variable is not set. It records another value as invalid.
func (v *awsVariables) boolean(name string) string {
	value := strings.ToLower(v.getenv(name))
	if value != "" && value != valueTrue && value != valueFalse {
		v.invalid = append(v.invalid, fmt.Errorf("%s must be true or false", name))
	}
	return value
}

func (v *awsVariables) retryMode() aws.RetryMode {
	value := v.getenv("AWS_RETRY_MODE")
	if value == "" {
		return "" // The clients have a default.
	}
	mode, err := aws.ParseRetryMode(value)
	if err != nil {
		v.invalid = append(v.invalid, errors.New("AWS_RETRY_MODE must be standard or adaptive"))
	}
	return mode
}

// maxAttempts returns 0 if the variable is not set. The clients have a default then.
func (v *awsVariables) maxAttempts() int {
	value := v.getenv("AWS_MAX_ATTEMPTS")
	if value == "" {
		return 0
	}
	n, err := strconv.Atoi(value)
	if err != nil || n < 0 {
		v.invalid = append(v.invalid, errors.New("AWS_MAX_ATTEMPTS must be a whole number, 0 or more"))
	}
	return n
}

// err returns an error that names all variables that are missing, or those that are invalid, or nil.
func (v *awsVariables) err() error {
	if len(v.missing) > 0 {
		return fmt.Errorf("cloud: set %s, as Lambda does", strings.Join(v.missing, ", "))
	}
	if err := errors.Join(v.invalid...); err != nil {
		return fmt.Errorf("cloud: %w", err)
	}
	return nil
}

// endpointVariables has what the clients of services look for in [aws.Config.ConfigSources]: the choice of endpoints.
type endpointVariables struct {
	getenv func(string) string
	// fips and dualStack are valueTrue, valueFalse, or empty for the service's default.
	fips, dualStack string
	// ignored is true if the endpoints in variables are not used.
	ignored bool
}

// GetServiceBaseEndpoint returns the endpoint of one service, whose id is such as "Secrets Manager".
func (e endpointVariables) GetServiceBaseEndpoint(_ context.Context, sdkID string) (string, bool, error) {
	url := e.getenv("AWS_ENDPOINT_URL_" + strings.ReplaceAll(strings.ToUpper(sdkID), " ", "_"))
	return url, url != "", nil
}

// GetIgnoreConfiguredEndpoints returns whether the endpoints in variables are ignored.
func (e endpointVariables) GetIgnoreConfiguredEndpoints(context.Context) (value, found bool, err error) {
	return e.ignored, e.ignored, nil
}

// GetUseFIPSEndpoint returns whether endpoints are used that are validated for FIPS 140.
func (e endpointVariables) GetUseFIPSEndpoint(context.Context) (aws.FIPSEndpointState, bool, error) {
	states := map[string]aws.FIPSEndpointState{valueTrue: aws.FIPSEndpointStateEnabled, valueFalse: aws.FIPSEndpointStateDisabled}
	return states[e.fips], e.fips != "", nil
}

// GetUseDualStackEndpoint returns whether endpoints are used that have IPv6 addresses, too.
func (e endpointVariables) GetUseDualStackEndpoint(context.Context) (aws.DualStackEndpointState, bool, error) {
	states := map[string]aws.DualStackEndpointState{valueTrue: aws.DualStackEndpointStateEnabled, valueFalse: aws.DualStackEndpointStateDisabled}
	return states[e.dualStack], e.dualStack != "", nil
}
