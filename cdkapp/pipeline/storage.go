package pipeline

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsdynamodb"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/jsii-runtime-go"
)

// Names that the functions know: the index by which a user's connections are found, and the one by which ended
// sessions are.
const (
	userIndex          = "userIdIndex"
	sessionExpiryIndex = "sessionExpiryIndex"
)

// Prefixes of the uploads bucket.
const (
	uploadsPrefix = "uploads/" // what browsers put
	claimsPrefix  = "claims/"  // one marker for each imported object version
	stagedPrefix  = "staged/"  // results of an import under way
	resultsPrefix = "results/" // results of finished imports
	summaries     = resultsPrefix + "*/summary.json"
)

// Lifetimes of what is in the bucket.
const (
	abortMultipartDays = 1  // a presigned upload lasts minutes
	stagedDays         = 7  // an import lasts minutes; what is left belongs to one that died
	claimsDays         = 30 // an event is repeated within days, if ever
	noncurrentDays     = 30 // overwritten uploads and results can be restored for a month
	corsMaxAgeSeconds  = 3600
)

// addTables makes the tables of connections and of the feed. They go with the stack: all that they hold ends by itself.
func (p *Pipeline) addTables() {
	p.Feed = p.table("Feed", p.props.FeedTableName,
		attribute("owner", awsdynamodb.AttributeType_STRING), attribute("entry", awsdynamodb.AttributeType_STRING))
	p.Table = p.table("Connections", p.props.TableName, attribute("connectionId", awsdynamodb.AttributeType_STRING), nil)
	p.Table.AddGlobalSecondaryIndex(&awsdynamodb.GlobalSecondaryIndexProps{
		IndexName:      jsii.String(userIndex),
		PartitionKey:   attribute("userId", awsdynamodb.AttributeType_STRING),
		ProjectionType: awsdynamodb.ProjectionType_ALL,
	})
	p.Table.AddGlobalSecondaryIndex(&awsdynamodb.GlobalSecondaryIndexProps{
		IndexName:      jsii.String(sessionExpiryIndex),
		PartitionKey:   attribute("sessionMinute", awsdynamodb.AttributeType_NUMBER),
		SortKey:        attribute("tokenExpiresAt", awsdynamodb.AttributeType_NUMBER),
		ProjectionType: awsdynamodb.ProjectionType_ALL,
	})
}

// table makes a table with the given keys; sort may be nil.
func (p *Pipeline) table(id, name string, partition, sort *awsdynamodb.Attribute) awsdynamodb.Table {
	return awsdynamodb.NewTable(p.Construct, jsii.String(id), &awsdynamodb.TableProps{
		TableName:           jsii.String(name),
		PartitionKey:        partition,
		SortKey:             sort,
		BillingMode:         awsdynamodb.BillingMode_PAY_PER_REQUEST,
		TimeToLiveAttribute: jsii.String("expiresAt"),
		PointInTimeRecoverySpecification: &awsdynamodb.PointInTimeRecoverySpecification{
			PointInTimeRecoveryEnabled: jsii.Bool(true),
		},
		RemovalPolicy: awscdk.RemovalPolicy_DESTROY,
	})
}

// addBucket makes the uploads bucket. It outlives the stack: it holds what users gave.
func (p *Pipeline) addBucket() {
	p.Bucket = awss3.NewBucket(p.Construct, jsii.String("Uploads"), &awss3.BucketProps{
		BlockPublicAccess: awss3.BlockPublicAccess_BLOCK_ALL(),
		ObjectOwnership:   awss3.ObjectOwnership_BUCKET_OWNER_ENFORCED,
		Encryption:        awss3.BucketEncryption_S3_MANAGED,
		EnforceSSL:        jsii.Bool(true),
		Versioned:         jsii.Bool(true),
		Cors:              p.corsRules(),
		LifecycleRules: &[]*awss3.LifecycleRule{
			{
				Id:                                  jsii.String("tidy"),
				AbortIncompleteMultipartUploadAfter: days(abortMultipartDays),
				NoncurrentVersionExpiration:         days(noncurrentDays),
				ExpiredObjectDeleteMarker:           jsii.Bool(true),
			},
			{
				Id:                          jsii.String("staged"),
				Prefix:                      jsii.String(stagedPrefix),
				Expiration:                  days(stagedDays),
				NoncurrentVersionExpiration: days(1),
			},
			{
				Id:                          jsii.String("claims"),
				Prefix:                      jsii.String(claimsPrefix),
				Expiration:                  days(claimsDays),
				NoncurrentVersionExpiration: days(1),
			},
		},
		RemovalPolicy: awscdk.RemovalPolicy_RETAIN,
	})
	// Set on the resource: BucketProps.EventBridgeEnabled would deploy a function with rights on every bucket for it.
	resource[awss3.CfnBucket](p.Bucket).SetNotificationConfiguration(&awss3.CfnBucket_NotificationConfigurationProperty{
		EventBridgeConfiguration: &awss3.CfnBucket_EventBridgeConfigurationProperty{
			EventBridgeEnabled: jsii.Bool(true),
		},
	})
}

// corsRules lets browsers of the upload origins PUT, and read the ETag that a multipart upload needs.
func (p *Pipeline) corsRules() *[]*awss3.CorsRule {
	if len(p.props.UploadOrigins) == 0 {
		return nil
	}
	return &[]*awss3.CorsRule{{
		AllowedMethods: &[]awss3.HttpMethods{awss3.HttpMethods_PUT},
		AllowedOrigins: jsii.Strings(p.props.UploadOrigins...),
		AllowedHeaders: jsii.Strings("content-type", "content-md5", "x-amz-*"),
		ExposedHeaders: jsii.Strings("ETag"),
		MaxAge:         jsii.Number(corsMaxAgeSeconds),
	}}
}

func attribute(name string, kind awsdynamodb.AttributeType) *awsdynamodb.Attribute {
	return &awsdynamodb.Attribute{Name: jsii.String(name), Type: kind}
}

func days(n float64) awscdk.Duration { return awscdk.Duration_Days(jsii.Number(n)) }
