package pipeline

import (
	"slices"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/jsii-runtime-go"
)

// What a service asks of KMS in the name of its caller. DynamoDB:
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/encryption.usagenotes.html; S3:
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html; SQS:
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html.
var (
	keyReadsTable  = []string{"kms:Decrypt", "kms:DescribeKey"}
	keyWritesTable = append(keyReadsTable[:len(keyReadsTable):len(keyReadsTable)],
		"kms:Encrypt", "kms:GenerateDataKey", "kms:GenerateDataKeyWithoutPlaintext", "kms:ReEncryptFrom", "kms:ReEncryptTo")
	keyReads  = []string{"kms:Decrypt"}
	keyWrites = []string{"kms:Decrypt", "kms:GenerateDataKey"}
)

// keyActions has the actions on the key that the service needs from the caller of an action. The others need none.
var keyActions = map[string][]string{
	"dynamodb:GetItem":    keyReadsTable,
	"dynamodb:Query":      keyReadsTable,
	"dynamodb:PutItem":    keyWritesTable,
	"dynamodb:UpdateItem": keyWritesTable,
	"dynamodb:DeleteItem": keyWritesTable,
	"s3:GetObject":        keyReads,
	"s3:GetObjectVersion": keyReads,
	"s3:PutObject":        keyWrites,
	"sqs:SendMessage":     keyWrites,
}

// addKey finds the key that encrypts what is stored. Its policy is not the stack's.
func (p *Pipeline) addKey() {
	if p.props.KMSKeyARN != "" {
		p.key = awskms.Key_FromKeyArn(p.Construct, jsii.String("Key"), jsii.String(p.props.KMSKeyARN))
	}
}

// grantKey lets grantee use the key as far as the services need it that encrypt by it, when grantee performs actions on them. The key
// works only for requests of these services in its name.
func (p *Pipeline) grantKey(grantee awsiam.IGrantable, actions ...string) {
	if p.key == nil {
		return
	}
	needed := map[string][]string{}
	for _, action := range actions {
		service, _, _ := strings.Cut(action, ":")
		needed[service] = append(needed[service], keyActions[action]...)
	}
	for _, service := range []string{"dynamodb", "s3", "sqs"} {
		allowed := slices.Compact(slices.Sorted(slices.Values(needed[service])))
		if len(allowed) == 0 {
			continue
		}
		via := service + "." + *awscdk.Aws_REGION() + "." + *awscdk.Aws_URL_SUFFIX()
		grantee.GrantPrincipal().AddToPrincipalPolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
			Actions:    jsii.Strings(allowed...),
			Resources:  &[]*string{p.key.KeyArn()},
			Conditions: &map[string]any{"StringEquals": map[string]string{"kms:ViaService": via}},
		}))
	}
}
