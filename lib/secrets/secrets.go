// Package secrets reads a shared key from AWS Secrets Manager.
package secrets

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"github.com/herald-progress/herald/lib/auth"
)

// The staging labels of a secret's versions
// (https://docs.aws.amazon.com/secretsmanager/latest/userguide/whats-in-a-secret.html).
const (
	currentStage  = "AWSCURRENT"
	previousStage = "AWSPREVIOUS"
)

// Secret is an [auth.SecretStore] on one secret in Secrets Manager. The string or binary value of the secret is the shared key. Secret
// needs the permission secretsmanager:GetSecretValue, and kms:Decrypt if a customer managed key encrypts the secret.
type Secret struct {
	Client *secretsmanager.Client
	// ARN is the whole ARN of the secret, with the six random characters at its end.
	ARN string
}

var _ auth.SecretStore = (*Secret)(nil)

// Current returns the version AWSCURRENT, and the time since when it is current. This is the creation time of the version, because a
// rotation creates a version moments before it moves the label to it. If the secret does not exist or is scheduled for deletion, the
// error is auth.ErrNoSecret.
func (s *Secret) Current(ctx context.Context) ([]byte, time.Time, error) {
	out, err := s.get(ctx, currentStage)
	var missing *types.ResourceNotFoundException
	var deleted *types.InvalidRequestException // the secret is scheduled for deletion
	if errors.As(err, &missing) || errors.As(err, &deleted) {
		return nil, time.Time{}, fmt.Errorf("%w: %w", auth.ErrNoSecret, err)
	}
	if err != nil {
		return nil, time.Time{}, err
	}
	return value(out), aws.ToTime(out.CreatedDate), nil
}

// Previous returns the version AWSPREVIOUS, or nil if no version has that label.
func (s *Secret) Previous(ctx context.Context) ([]byte, error) {
	out, err := s.get(ctx, previousStage)
	if missing := (*types.ResourceNotFoundException)(nil); errors.As(err, &missing) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return value(out), nil
}

// get returns the version of the secret that has a staging label.
func (s *Secret) get(ctx context.Context, stage string) (*secretsmanager.GetSecretValueOutput, error) {
	out, err := s.Client.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &s.ARN, VersionStage: &stage})
	if err != nil {
		return nil, fmt.Errorf("get secret value %s: %w", stage, err)
	}
	return out, nil
}

// value returns the string or the binary value of a secret.
func value(out *secretsmanager.GetSecretValueOutput) []byte {
	if out.SecretString != nil {
		return []byte(*out.SecretString)
	}
	return out.SecretBinary
}
