// Package wiretest points the AWS SDK at a service under test.
package wiretest

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/smithy-go"
)

// Config serves the handler until the test ends, and returns the configuration of AWS clients that call it once.
func Config(t *testing.T, handler http.Handler) aws.Config {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return aws.Config{
		Region:           "us-east-1",
		Credentials:      credentials.NewStaticCredentialsProvider("x", "y", ""),
		BaseEndpoint:     aws.String(server.URL),
		RetryMaxAttempts: 1,

		// As config.LoadDefaultConfig has them.
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenSupported,
		ResponseChecksumValidation: aws.ResponseChecksumValidationWhenSupported,
	}
}

// WantCode fails the test if err is not an error of an AWS API with the code. What says where it came from.
func WantCode(t *testing.T, what string, err error, code string) {
	t.Helper()
	var refused smithy.APIError
	if !errors.As(err, &refused) || refused.ErrorCode() != code {
		t.Errorf("%s: got %v, want %s", what, err, code)
	}
}
