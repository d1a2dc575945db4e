package pipeline

import (
	"regexp"

	"github.com/aws/aws-cdk-go/awscdk/v2/awsssm"
	"github.com/aws/jsii-runtime-go"

	"github.com/herald-progress/herald/lambdas"
)

// The values of Props.LogLevel.
const (
	LogDebug = "debug"
	LogInfo  = "info"
	LogWarn  = "warn"
	LogError = "error"
)

// NoParameters as Props.ParameterPrefix creates no SSM parameters.
const NoParameters = "none"

// Limits of Lambda's VpcConfig (https://docs.aws.amazon.com/lambda/latest/api/API_VpcConfig.html).
const (
	maxSubnets        = 16
	maxSecurityGroups = 5
)

// maxParameterPrefix leaves room for the names of the outputs: SSM takes about 1,000 characters in all.
const maxParameterPrefix = 512

// The forms of what operators name.
var (
	logLevelPattern      = regexp.MustCompile(`^(debug|info|warn|error)?$`)
	keyARNPattern        = regexp.MustCompile(`^(arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:key/(mrk-[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}))?$`)
	subnetPattern        = regexp.MustCompile(`^subnet-[0-9a-f]{8,17}$`)
	securityGroupPattern = regexp.MustCompile(`^sg-[0-9a-f]{8,17}$`)
	// A name of SSM has at most 15 levels, and its first one is neither aws nor ssm.
	parameterPrefix         = regexp.MustCompile(`^(none|(/[A-Za-z0-9_.-]+){1,13})$`)
	reservedParameterPrefix = regexp.MustCompile(`^/(?i:aws|ssm)`)
)

// accountSettings returns the settings by which a stack fits into an account: its keys, its network, its logs and its parameters.
func accountSettings() []setting {
	return []setting{
		{
			key: "logLevel", field: func(s *Settings) any { return &s.Props.LogLevel }, variable: lambdas.EnvLogLevel,
			check: matches(logLevelPattern, "debug, info, warn or error"),
		},
		{
			key: "kmsKeyArn", field: func(s *Settings) any { return &s.Props.KMSKeyARN },
			check: matches(keyARNPattern, "the ARN of a key, as arn:aws:kms:REGION:ACCOUNT:key/ID; an alias will not do"),
		},
		{key: "vpcSubnetIds", field: func(s *Settings) any { return &s.Props.VPCSubnetIDs }, check: checkVPC},
		{
			key: "vpcSecurityGroupIds", field: func(s *Settings) any { return &s.Props.VPCSecurityGroupIDs },
			// the check of vpcSubnetIds applies the rules of both
		},
		{
			key: "parameterPrefix", field: func(s *Settings) any { return &s.Props.ParameterPrefix },
			fallback: func(stackName string) string { return "/herald/" + stackName },
			check:    checkParameterPrefix,
		},
	}
}

// checkVPC checks vpcSubnetIds and vpcSecurityGroupIds, because Lambda needs both.
func checkVPC(c *checker, _ setting, all *Settings) {
	const subnetsKey, groupsKey = "vpcSubnetIds", "vpcSecurityGroupIds"
	subnets, groups := all.Props.VPCSubnetIDs, all.Props.VPCSecurityGroupIDs
	if len(groups) > 0 {
		c.require(subnetsKey, subnets, "with "+groupsKey)
	}
	if len(subnets) > 0 {
		c.require(groupsKey, groups, "with "+subnetsKey)
	}
	if len(subnets) > maxSubnets {
		c.addf("%s: %d subnets are more than %d", subnetsKey, len(subnets), maxSubnets)
	}
	if len(groups) > maxSecurityGroups {
		c.addf("%s: %d security groups are more than %d", groupsKey, len(groups), maxSecurityGroups)
	}
	c.matchAll(subnetsKey, subnets, subnetPattern, "the id of a subnet such as subnet-0123456789abcdef0")
	c.matchAll(groupsKey, groups, securityGroupPattern, "the id of a security group such as sg-0123456789abcdef0")
}

// checkParameterPrefix checks the path of the SSM parameters.
func checkParameterPrefix(c *checker, s setting, all *Settings) {
	prefix := all.Props.ParameterPrefix
	c.match(s.key, prefix, parameterPrefix, "a path such as /herald/Herald, or none")
	if len(prefix) > maxParameterPrefix {
		c.addf("%s: %d characters are more than %d", s.key, len(prefix), maxParameterPrefix)
	}
	if reservedParameterPrefix.MatchString(prefix) {
		c.addf("%s: %q begins with a word that SSM reserves", s.key, prefix)
	}
}

// addParameter creates the SSM parameter with an output of the stack. Standard parameters cost nothing.
func (p *Pipeline) addParameter(o output) {
	if p.props.ParameterPrefix == NoParameters {
		return
	}
	awsssm.NewStringParameter(p.Construct, jsii.String(o.name+"Parameter"), &awsssm.StringParameterProps{
		ParameterName: jsii.String(p.props.ParameterPrefix + "/" + o.name),
		Description:   jsii.String("Herald: " + o.description),
		SimpleName:    jsii.Bool(false), // it has slashes
		StringValue:   o.value,
	})
}
