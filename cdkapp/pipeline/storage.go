package pipeline

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsdynamodb"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/jsii-runtime-go"

	"github.com/herald-progress/herald/lib/csvimport"
	"github.com/herald-progress/herald/lib/dynamo"
)

// summaryKeys matches the keys of the summaries of imports.
const summaryKeys = csvimport.ResultsPrefix + "*/summary.json"

// corsMaxAgeSeconds is how long browsers cache the answer to a preflight request.
const corsMaxAgeSeconds = 3600

// addTables creates the tables of connections and of the feed, or adopts them if they exist.
func (p *Pipeline) addTables() {
	if p.props.ExistingTables {
		adopt := func(id, name string) awsdynamodb.ITable {
			return awsdynamodb.Table_FromTableName(p.Construct, jsii.String(id), jsii.String(name))
		}
		p.FeedTable = adopt("Feed", p.props.FeedTableName)
		p.ConnectionsTable = adopt("Connections", p.props.TableName)
		return
	}
	p.FeedTable = p.addTable("Feed", p.props.FeedTableName,
		attribute("owner", awsdynamodb.AttributeType_STRING), attribute("entry", awsdynamodb.AttributeType_STRING))
	connections := p.addTable("Connections", p.props.TableName, attribute("connectionId", awsdynamodb.AttributeType_STRING), nil)
	connections.AddGlobalSecondaryIndex(&awsdynamodb.GlobalSecondaryIndexProps{
		IndexName:      jsii.String(dynamo.UserIndex),
		PartitionKey:   attribute("userId", awsdynamodb.AttributeType_STRING),
		ProjectionType: awsdynamodb.ProjectionType_ALL,
	})
	connections.AddGlobalSecondaryIndex(&awsdynamodb.GlobalSecondaryIndexProps{
		IndexName:      jsii.String(dynamo.SessionExpiryIndex),
		PartitionKey:   attribute("sessionMinute", awsdynamodb.AttributeType_NUMBER),
		SortKey:        attribute("tokenExpiresAt", awsdynamodb.AttributeType_NUMBER),
		ProjectionType: awsdynamodb.ProjectionType_ALL,
	})
	p.ConnectionsTable = connections
}

// addTable creates a table with the given keys; sort may be nil. A table that is retained is also protected against deletion by
// others than the stack.
func (p *Pipeline) addTable(id, name string, partition, sort *awsdynamodb.Attribute) awsdynamodb.Table {
	policy, protected := awscdk.RemovalPolicy_RETAIN, true
	if p.props.RemovalPolicy == RemovalDestroy {
		policy, protected = awscdk.RemovalPolicy_DESTROY, false
	}

	return awsdynamodb.NewTable(p.Construct, jsii.String(id), &awsdynamodb.TableProps{
		TableName:           jsii.String(name),
		PartitionKey:        partition,
		SortKey:             sort,
		BillingMode:         awsdynamodb.BillingMode_PAY_PER_REQUEST,
		EncryptionKey:       p.key,
		TimeToLiveAttribute: jsii.String("expiresAt"),
		PointInTimeRecoverySpecification: &awsdynamodb.PointInTimeRecoverySpecification{
			PointInTimeRecoveryEnabled: jsii.Bool(true),
		},
		DeletionProtection: jsii.Bool(protected),
		RemovalPolicy:      policy,
	})
}

// addBucket creates the uploads bucket, or adopts one that exists. The bucket is always retained when the stack is deleted, as it
// holds users' files.
func (p *Pipeline) addBucket() {
	if p.props.UploadsBucket != "" {
		p.Bucket = awss3.Bucket_FromBucketName(p.Construct, jsii.String("Uploads"), jsii.String(p.props.UploadsBucket))
		return
	}
	encryption, bucketKey := awss3.BucketEncryption_S3_MANAGED, (*bool)(nil)
	if p.key != nil { // a bucket key saves most requests to KMS
		encryption, bucketKey = awss3.BucketEncryption_KMS, jsii.Bool(true)
	}
	bucket := awss3.NewBucket(p.Construct, jsii.String("Uploads"), &awss3.BucketProps{
		BlockPublicAccess: awss3.BlockPublicAccess_BLOCK_ALL(),
		ObjectOwnership:   awss3.ObjectOwnership_BUCKET_OWNER_ENFORCED,
		Encryption:        encryption,
		EncryptionKey:     p.key,
		BucketKeyEnabled:  bucketKey,
		EnforceSSL:        jsii.Bool(true),
		Versioned:         jsii.Bool(true),
		Cors:              p.corsRules(),
		LifecycleRules:    p.lifecycleRules(),
		RemovalPolicy:     awscdk.RemovalPolicy_RETAIN,
	})
	// This is set on the CloudFormation resource, because BucketProps.EventBridgeEnabled would deploy a function that sets it, with
	// rights on every bucket.
	cfnResource[awss3.CfnBucket](bucket).SetNotificationConfiguration(&awss3.CfnBucket_NotificationConfigurationProperty{
		EventBridgeConfiguration: &awss3.CfnBucket_EventBridgeConfigurationProperty{
			EventBridgeEnabled: jsii.Bool(true),
		},
	})
	p.Bucket = bucket
}

// corsRules lets pages of the upload origins PUT, and read the ETag. A PUT that must not replace an object has If-None-Match.
func (p *Pipeline) corsRules() *[]*awss3.CorsRule {
	if !p.takesUploads() {
		return nil
	}
	return &[]*awss3.CorsRule{{
		AllowedMethods: &[]awss3.HttpMethods{awss3.HttpMethods_PUT},
		AllowedOrigins: jsii.Strings(p.props.UploadOrigins...),
		AllowedHeaders: jsii.Strings("content-type", "content-md5", "if-none-match", "x-amz-*"),
		ExposedHeaders: jsii.Strings("ETag"),
		MaxAge:         jsii.Number(corsMaxAgeSeconds),
	}}
}

func attribute(name string, kind awsdynamodb.AttributeType) *awsdynamodb.Attribute {
	return &awsdynamodb.Attribute{Name: jsii.String(name), Type: kind}
}
