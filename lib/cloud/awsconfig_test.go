package cloud

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// lambdaVariables are the variables that Lambda sets for the SDK.
var lambdaVariables = map[string]string{
	"AWS_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_SESSION_TOKEN": "session",
}

// setVariables sets variables of the SDK for the test, in addition to those of Lambda, and unsets all others. An empty value unsets.
func setVariables(t *testing.T, more map[string]string) {
	t.Helper()
	for _, variable := range os.Environ() {
		if name, _, _ := strings.Cut(variable, "="); strings.HasPrefix(name, "AWS_") {
			t.Setenv(name, "") // restores it at the end of the test
			os.Unsetenv(name)
		}
	}
	// No profile of this machine's user takes part.
	t.Setenv("AWS_CONFIG_FILE", os.DevNull)
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", os.DevNull)
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	variables := maps.Clone(lambdaVariables)
	maps.Copy(variables, more)
	for name, value := range variables {
		if value != "" {
			t.Setenv(name, value)
		}
	}
}

// recorder is an HTTP client that answers each request with the status 500, which the SDK retries, and records the requests.
type recorder struct{ requests []string }

func (r *recorder) Do(request *http.Request) (*http.Response, error) {
	headers := []string{request.Method, request.URL.String()}
	for name, values := range request.Header {
		value := strings.Join(values, ",")
		switch name {
		case "User-Agent", "Amz-Sdk-Invocation-Id", "X-Amz-Date": // the source of the credentials; random; the time of the retry
			continue
		case "Authorization": // without the signature, which depends on the headers above
			value, _, _ = strings.Cut(value, ", Signature=")
		}
		headers = append(headers, name+": "+value)
	}
	slices.Sort(headers[2:])
	r.requests = append(r.requests, strings.Join(headers, "\n"))
	return &http.Response{StatusCode: http.StatusInternalServerError, Header: http.Header{}, Body: http.NoBody, Request: request}, nil
}

// requestsOf returns the requests that the clients of all services send with a configuration, with their retries.
func requestsOf(ctx context.Context, c aws.Config) []string {
	r := &recorder{}
	c.HTTPClient = r
	_, _ = dynamodb.NewFromConfig(c).DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: aws.String("t")})
	_, _ = s3.NewFromConfig(c).PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String("b"), Key: aws.String("k"), Body: strings.NewReader("text")})
	_, _ = sfn.NewFromConfig(c).DescribeExecution(ctx, &sfn.DescribeExecutionInput{ExecutionArn: aws.String("arn")})
	_, _ = secretsmanager.NewFromConfig(c).GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: aws.String("s")})
	return r.requests
}

// TestAWSConfigurationIsThatOfTheSDK compares the requests that services get with this package's configuration and with the SDK's
// own: the endpoints, the credentials, the headers, and the number of retries.
func TestAWSConfigurationIsThatOfTheSDK(t *testing.T) {
	for name, variables := range map[string]map[string]string{
		"as Lambda sets them":          {},
		"without a session":            {"AWS_SESSION_TOKEN": ""},
		"China":                        {"AWS_REGION": "cn-north-1"},
		"GovCloud, FIPS":               {"AWS_REGION": "us-gov-west-1", "AWS_USE_FIPS_ENDPOINT": "TRUE"},
		"FIPS":                         {"AWS_USE_FIPS_ENDPOINT": "true"},
		"no FIPS":                      {"AWS_USE_FIPS_ENDPOINT": "false"},
		"dual stack":                   {"AWS_USE_DUALSTACK_ENDPOINT": "true"},
		"dual stack, FIPS":             {"AWS_USE_DUALSTACK_ENDPOINT": "true", "AWS_USE_FIPS_ENDPOINT": "true"},
		"no dual stack":                {"AWS_USE_DUALSTACK_ENDPOINT": "False"},
		"one endpoint":                 {"AWS_ENDPOINT_URL": "http://127.0.0.1:4566"},
		"an endpoint for each service": {"AWS_ENDPOINT_URL_DYNAMODB": "http://d:1", "AWS_ENDPOINT_URL_S3": "http://s:1", "AWS_ENDPOINT_URL_SFN": "http://f:1", "AWS_ENDPOINT_URL_SECRETS_MANAGER": "http://m:1"},
		"one endpoint, another for S3": {"AWS_ENDPOINT_URL": "http://127.0.0.1:4566", "AWS_ENDPOINT_URL_S3": "http://s:1/x"},
		"ignored endpoints":            {"AWS_ENDPOINT_URL": "http://127.0.0.1:4566", "AWS_ENDPOINT_URL_S3": "http://s:1", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"},
		"endpoints that are not":       {"AWS_ENDPOINT_URL_S3": "http://s:1", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "false"},
		"adaptive retries":             {"AWS_RETRY_MODE": "adaptive"},
		"standard retries":             {"AWS_RETRY_MODE": "standard", "AWS_MAX_ATTEMPTS": "2"},
		"one attempt":                  {"AWS_MAX_ATTEMPTS": "1"},
		"six attempts":                 {"AWS_MAX_ATTEMPTS": "6"},
	} {
		t.Run(name, func(t *testing.T) {
			setVariables(t, variables)
			var ours, theirs []string
			synctest.Test(t, func(t *testing.T) { // The SDK waits before each retry.
				own, err := awsConfig(os.Getenv)
				if err != nil {
					t.Fatal(err)
				}
				sdk, err := config.LoadDefaultConfig(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				ours, theirs = requestsOf(t.Context(), own), requestsOf(t.Context(), sdk)
			})
			if diff := cmp.Diff(theirs, ours); diff != "" || len(ours) < 4 {
				t.Errorf("%d requests (-the SDK's +ours):\n%s", len(ours), diff)
			}
		})
	}
}

// TestAWSConfigurationHasTheValuesOfTheSDK compares what requests do not show.
func TestAWSConfigurationHasTheValuesOfTheSDK(t *testing.T) {
	setVariables(t, map[string]string{"AWS_RETRY_MODE": "adaptive", "AWS_MAX_ATTEMPTS": "7", "AWS_ENDPOINT_URL": "http://127.0.0.1:1"})
	own, err := awsConfig(os.Getenv)
	if err != nil {
		t.Fatal(err)
	}
	sdk, err := config.LoadDefaultConfig(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	keys := func(c aws.Config) string {
		value, err := c.Credentials.Retrieve(t.Context())
		return fmt.Sprint(value.AccessKeyID, value.SecretAccessKey, value.SessionToken, value.AccountID, value.CanExpire, err)
	}
	if keys(own) != keys(sdk) {
		t.Error("the credentials differ")
	}
	// The credentials are compared above. The sources of endpoints have types of their own, the loggers write to the same file, and no
	// function writes files with the SDK.
	ignored := cmpopts.IgnoreFields(aws.Config{}, "Credentials", "ConfigSources", "Logger", "RestrictFilePermissions")
	if diff := cmp.Diff(sdk, own, ignored, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("configuration (-the SDK's +ours):\n%s", diff)
	}
}

func TestAWSConfigurationNamesVariablesThatAreMissingOrInvalid(t *testing.T) {
	for _, tt := range []struct {
		name      string
		variables map[string]string
		want      string
	}{
		{"none", map[string]string{"AWS_REGION": "", "AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, "cloud: set AWS_REGION, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, as Lambda does"},
		{"no Region", map[string]string{"AWS_REGION": ""}, "cloud: set AWS_REGION, as Lambda does"},
		{"no secret", map[string]string{"AWS_SECRET_ACCESS_KEY": ""}, "cloud: set AWS_SECRET_ACCESS_KEY, as Lambda does"},
		{"SnapStart", map[string]string{"AWS_ACCESS_KEY_ID": "", "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:9001"}, "cloud: set AWS_ACCESS_KEY_ID, as Lambda does"},
		{"FIPS", map[string]string{"AWS_USE_FIPS_ENDPOINT": "yes"}, "cloud: AWS_USE_FIPS_ENDPOINT must be true or false"},
		{"dual stack", map[string]string{"AWS_USE_DUALSTACK_ENDPOINT": "1"}, "cloud: AWS_USE_DUALSTACK_ENDPOINT must be true or false"},
		{"retries", map[string]string{"AWS_RETRY_MODE": "often", "AWS_MAX_ATTEMPTS": "three"}, "cloud: AWS_RETRY_MODE must be standard or adaptive\nAWS_MAX_ATTEMPTS must be a whole number, 0 or more"},
		{"endless", map[string]string{"AWS_MAX_ATTEMPTS": "-1"}, "cloud: AWS_MAX_ATTEMPTS must be a whole number, 0 or more"},
		{"all", map[string]string{}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			variables := maps.Clone(lambdaVariables)
			maps.Copy(variables, tt.variables)
			_, err := awsConfig(func(name string) string { return variables[name] })
			if got := fmt.Sprint(err); got != tt.want && (err != nil || tt.want != "") {
				t.Errorf("%s, want %s", got, tt.want)
			}
		})
	}
}
