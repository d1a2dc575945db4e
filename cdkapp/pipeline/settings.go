package pipeline

import (
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/herald-progress/herald/lambdas"
	"github.com/herald-progress/herald/lib/session"
)

// The defaults of Settings. The defaults of the limits of one user are in package session.
const (
	DefaultStackName        = "Herald"
	DefaultTableName        = "websocket_connections"
	DefaultFeedTableName    = "websocket_feed"
	DefaultStageName        = "prod"
	DefaultThrottleRate     = 1000.0 // requests per second: a tenth of the account's quota, which posts to connections use, too
	DefaultThrottleBurst    = 500
	DefaultLogRetentionDays = 30
)

// The values of Props.RemovalPolicy.
const (
	// RemovalRetain keeps the tables, and protects them against deletion.
	RemovalRetain = "retain"
	// RemovalDestroy deletes the tables with their rows.
	RemovalDestroy = "destroy"
)

// The values of Props.Architecture, as Lambda names them.
const (
	ArchitectureARM64 = "arm64"
	ArchitectureX86   = "x86_64"
)

// Settings is what the app reads from the CDK context.
type Settings struct {
	// StackName is the CloudFormation stack's name. Empty is DefaultStackName.
	StackName string
	// Props configures the stack's Pipeline; FunctionsDir is empty.
	Props Props
}

// Props configures a Pipeline. FunctionsDir and Auth are required; every other field has a useful zero value.
// Strings may be CDK tokens, such as a user pool's id.
type Props struct {
	// FunctionsDir is the folder that bootstrap.Build filled: one sub-folder per function.
	FunctionsDir string
	// Architecture is the processor of the functions: ArchitectureARM64 or ArchitectureX86. Empty is ArchitectureARM64. bootstrap.Build
	// must have compiled the functions for it.
	Architecture string
	// Auth says how $connect verifies tokens.
	Auth Auth
	// AllowedOrigins lists the Origin values that $connect accepts, such as "https://app.example.com".
	// Empty accepts any.
	AllowedOrigins []string
	// UploadOrigins lists the origins whose pages may upload files. Empty switches uploads from browsers off: the bucket has
	// no CORS rule, and the function of $default neither knows the bucket nor has a permission on it.
	UploadOrigins []string
	// TableName is the connections table's name. Empty is DefaultTableName. In a stack of another name than DefaultStackName, the
	// stack's name and an underscore come before it.
	TableName string
	// FeedTableName is the feed table's name. Empty is DefaultFeedTableName, likewise.
	FeedTableName string
	// ExistingTables adopts the tables with these names in place of creating them, such as the tables that a deleted stack has left.
	ExistingTables bool
	// RemovalPolicy says what happens to the tables that the stack has created when it no longer needs them: RemovalRetain or
	// RemovalDestroy. Empty is RemovalRetain. The bucket is always retained.
	RemovalPolicy string
	// UploadsBucket is the name of an existing bucket for uploads. Empty creates one. An existing bucket must report new objects
	// to EventBridge, and needs its own CORS and lifecycle rules.
	UploadsBucket string
	// StageName is the WebSocket stage's name, the last part of its URL. Empty is DefaultStageName.
	StageName string
	// ThrottleRate bounds the requests per second from all browsers. 0 is DefaultThrottleRate.
	ThrottleRate float64
	// ThrottleBurst bounds the concurrent requests from all browsers. 0 is DefaultThrottleBurst.
	ThrottleBurst int
	// ConnectConcurrency, DefaultRouteConcurrency and NotifierConcurrency are the reserved concurrency of these functions: the
	// number of concurrent executions that Lambda reserves for the function, which is also its maximum. 0 reserves none, so
	// that the function shares the account's unreserved concurrency. An account must leave 100 unreserved. A new account has
	// only 10, so it can reserve nothing.
	ConnectConcurrency, DefaultRouteConcurrency, NotifierConcurrency int
	// MaxConnections is how many connections a user may have, from 1 to 500. 0 is
	// session.DefaultMaxConnections.
	MaxConnections int
	// MaxPostsPerMinute bounds the posts that the requests of one user may cause in a minute. The smallest valid value is
	// 1,000 + 12 × MaxConnections: each connection may cost 12 posts for refusals and its close. 0 is session.DefaultMaxPosts.
	MaxPostsPerMinute int
	// LogRetentionDays is the retention of logs, one of the values that CloudWatch Logs accepts. 0 is
	// DefaultLogRetentionDays.
	LogRetentionDays int
	// AccessLogs turns on the stage's access log. It needs the CloudWatch role in API Gateway's account settings. An
	// account has one per Region, so the construct does not create it.
	AccessLogs bool
	// CSVImport adds the example workflow csv_import and its functions. Your own workflows do not need them.
	CSVImport bool
	// WatchedStateMachines are state machines outside of the stack whose executions are shown without a change of their definitions, as
	// Pipeline.Watch does it.
	WatchedStateMachines []WatchedStateMachine

	// UploadDays and ResultDays are how many days the objects of users under uploads/ and the results of imports are stored.
	// 0 stores them for ever. An expired or overwritten object can be restored for one more day. They must be 0 with an
	// existing bucket, which has its own rules.
	UploadDays, ResultDays int
	// LogLevel is the lowest level that the functions log: LogDebug, LogInfo, LogWarn or LogError. Empty is LogInfo, which is
	// the default of the functions themselves.
	LogLevel string
	// NotifierMemoryMB is the memory of the notifier in MB, from 128 to 10,240. 0 is the memory that package lambdas lists.
	NotifierMemoryMB int
	// NotifierProvisionedConcurrency is how many execution environments of the notifier are always started. Workflows then call
	// its alias NotifierAlias. 0 starts environments only on demand. It must not exceed NotifierConcurrency, unless that is 0.
	NotifierProvisionedConcurrency int
	// KMSKeyARN is the ARN of a customer-managed key that encrypts the tables, the bucket, the logs, the queues and the topic of
	// AlarmEmail. Empty means the keys of AWS. With ExistingTables or UploadsBucket the functions may use the key for them, too.
	// The key's policy must allow the account's policies, CloudWatch Logs, EventBridge and CloudWatch to use it; see SECURITY.md.
	KMSKeyARN string
	// VPCSubnetIDs and VPCSecurityGroupIDs attach the functions to these subnets of a VPC, with these security groups. Set both or
	// none. The subnets need a way to the Internet, such as a NAT gateway: @connections has no VPC endpoint.
	VPCSubnetIDs, VPCSecurityGroupIDs []string
	// ParameterPrefix is the path of the SSM parameters that have what an app needs to find Herald: /PREFIX/NotifierFunctionArn and
	// so on, see NewStack. Empty is /herald/ and the name of the stack, NoParameters creates none.
	ParameterPrefix string

	// Alarms says whether the stack has alarms. Nil means yes.
	Alarms *bool
	// AlarmTopicARN is the ARN of a topic of SNS that each alarm notifies when it goes off, and when all is well again. Its policy must
	// let CloudWatch publish. Empty means none.
	AlarmTopicARN string
	// AlarmEmail is an address that gets the same from a topic of the stack, once its owner has confirmed the subscription. Set at most
	// one of AlarmTopicARN and AlarmEmail. Without both, alarms are only shown in CloudWatch.
	AlarmEmail string
	// Dashboard adds a dashboard to CloudWatch.
	Dashboard bool
}

// setting is one key of the CDK context.
type setting struct {
	key string
	// field returns a pointer to the field that stores the value: *string, *[]string, *float64, *int, **int, *bool, **bool or
	// *[]WatchedStateMachine. It is a **int or **bool if the field is a pointer, which stays nil if the context does not set it.
	field func(*Settings) any
	// fallback is the default of a string, a number or a **bool: a value, or a func(stackName string) string for a name that must be unique
	// in an account and Region. Nil means the zero value.
	fallback any
	// check adds the rules that the value breaks to c. Nil means that there are no rules, or that the check of another setting
	// applies them.
	check func(c *checker, s setting, all *Settings)
	// variable is the name of the environment variable in which functions receive the value. Empty means that they do not receive
	// it. A function gets no variable for an empty value.
	variable string
}

// fallbackFor returns the default in a stack with this name. It is nil if the default is the zero value.
func (s setting) fallbackFor(stackName string) any {
	if perStack, ok := s.fallback.(func(string) string); ok {
		return perStack(stackName)
	}
	return s.fallback
}

// afterStackName returns a fallback for setting.fallback: name, with the name of the stack before it unless that is DefaultStackName.
func afterStackName(name string) func(stackName string) string {
	return func(stackName string) string {
		if stackName == DefaultStackName {
			return name
		}
		return stackName + "_" + name
	}
}

// settings returns all settings. cdk.json lists them with their defaults. The settings of Auth are in auth.go.
func settings() []setting {
	return slices.Concat([]setting{{
		key: "stackName", field: func(s *Settings) any { return &s.StackName }, fallback: DefaultStackName,
		check: checkStackName,
	}}, authSettings(), []setting{
		{
			key: "allowedOrigins", field: func(s *Settings) any { return &s.Props.AllowedOrigins }, check: checkOrigins,
			variable: lambdas.EnvAllowedOrigins,
		},
		{
			key: "uploadOrigins", field: func(s *Settings) any { return &s.Props.UploadOrigins }, check: checkOrigins,
		},
		{
			key: "tableName", field: func(s *Settings) any { return &s.Props.TableName },
			fallback: afterStackName(DefaultTableName),
			check:    matches(tableNamePattern, "3 to 255 letters, digits, underscores, dots and hyphens"),
		},
		{
			key: "feedTableName", field: func(s *Settings) any { return &s.Props.FeedTableName },
			fallback: afterStackName(DefaultFeedTableName),
			check: func(c *checker, s setting, all *Settings) {
				matches(tableNamePattern, "3 to 255 letters, digits, underscores, dots and hyphens")(c, s, all)
				if all.Props.FeedTableName == all.Props.TableName {
					c.addf("%s: %q is tableName too", s.key, all.Props.FeedTableName)
				}
			},
		},
		{key: "existingTables", field: func(s *Settings) any { return &s.Props.ExistingTables }},
		{
			key: "removalPolicy", field: func(s *Settings) any { return &s.Props.RemovalPolicy }, fallback: RemovalRetain,
			check: matches(removalPolicy, RemovalRetain+" or "+RemovalDestroy),
		},
		{
			key: "uploadsBucket", field: func(s *Settings) any { return &s.Props.UploadsBucket },
			check: checkBucketName,
		},
		{
			key: "stageName", field: func(s *Settings) any { return &s.Props.StageName }, fallback: DefaultStageName,
			check: matches(stageNamePattern, "1 to 128 letters, digits, underscores and hyphens"),
		},
		{
			key: "throttleRate", field: func(s *Settings) any { return &s.Props.ThrottleRate }, fallback: DefaultThrottleRate,
			check: func(c *checker, s setting, all *Settings) {
				if rate := all.Props.ThrottleRate; !(rate > 0 && rate <= maxThrottle) {
					c.addf("%s: %v is not over 0 and at most %d requests per second", s.key, rate, maxThrottle)
				}
			},
		},
		{
			key: "throttleBurst", field: func(s *Settings) any { return &s.Props.ThrottleBurst }, fallback: DefaultThrottleBurst,
			check: between(1, maxThrottle, "requests"),
		},
		{
			key: "connectConcurrency", field: func(s *Settings) any { return &s.Props.ConnectConcurrency },
			check: between(0, maxConcurrency, "executions at once; 0 reserves none"),
		},
		{
			key: "defaultRouteConcurrency", field: func(s *Settings) any { return &s.Props.DefaultRouteConcurrency },
			check: between(0, maxConcurrency, "executions at once; 0 reserves none"),
		},
		{
			key: "notifierConcurrency", field: func(s *Settings) any { return &s.Props.NotifierConcurrency },
			check: between(0, maxConcurrency, "executions at once; 0 reserves none"),
		},
		{
			key: "maxConnections", field: func(s *Settings) any { return &s.Props.MaxConnections }, fallback: session.DefaultMaxConnections,
			variable: lambdas.EnvMaxConnections, check: checkUserLimits,
		},
		{
			key: "maxPostsPerMinute", field: func(s *Settings) any { return &s.Props.MaxPostsPerMinute }, fallback: session.DefaultMaxPosts,
			variable: lambdas.EnvMaxPosts, // the check of maxConnections applies the rules of both limits
		},
		{
			key: "logRetentionDays", field: func(s *Settings) any { return &s.Props.LogRetentionDays }, fallback: DefaultLogRetentionDays,
			check: checkRetention,
		},
		{key: "accessLogs", field: func(s *Settings) any { return &s.Props.AccessLogs }},
		{
			key: "architecture", field: func(s *Settings) any { return &s.Props.Architecture }, fallback: ArchitectureARM64,
			check: matches(architecture, ArchitectureARM64+" or "+ArchitectureX86),
		},
		{key: "csvImport", field: func(s *Settings) any { return &s.Props.CSVImport }},
		{key: "watchedStateMachines", field: func(s *Settings) any { return &s.Props.WatchedStateMachines }, check: checkWatched},
	}, lifetimeSettings(), notifierSettings(), accountSettings(), alarmSettings())
}

// ParseSettings returns the settings in a CDK context: "context" in cdk.json, overridden by -c key=value. A list is a JSON array
// or comma-separated text. A number or a boolean may be text. Empty text counts as absent.
//
// The error has one line for each broken rule, which names the key. An unknown key is an error unless it has a colon, a slash or
// a hyphen: such keys belong to the CDK.
func ParseSettings(context map[string]any) (Settings, error) {
	r := reader{context: context}
	var parsed Settings
	for _, s := range settings() {
		r.store(s, &parsed)
	}
	r.refuseUnknown()
	r.checkAll(&parsed)
	if err := r.err(); err != nil {
		return Settings{}, err
	}
	return parsed, nil
}

// ParseStackName returns the stack's name from a CDK context. It accepts settings that ParseSettings refuses, so that a stack can be
// destroyed without them. Its error names the key stackName, or each unknown key: it may be a misspelt stackName.
func ParseStackName(context map[string]any) (string, error) {
	r := reader{context: context}
	var parsed Settings
	stackName := settings()[0]
	r.store(stackName, &parsed)
	stackName.check(&r.checker, stackName, &parsed)
	r.refuseUnknown()
	return parsed.StackName, r.err()
}

// withDefaults returns props in which each empty text and each number that is 0 is replaced by its default in a stack with this name.
func (props Props) withDefaults(stackName string) Props {
	all := Settings{Props: props}
	for _, s := range settings() {
		field, fallback := reflect.ValueOf(s.field(&all)), s.fallbackFor(stackName)
		hasDefault := fallback != nil && field.Elem().Kind() != reflect.Pointer // a nil pointer already means the default
		if !hasDefault || !field.Elem().IsZero() {
			continue
		}
		field.Elem().Set(reflect.ValueOf(fallback))
	}
	return all.Props
}

// validate returns every broken rule, joined, for a Pipeline whose names begin with prefix. Settings are named by their context key.
func (props Props) validate(prefix string) error {
	var c checker
	c.checkNames(prefix, props)
	c.checkAll(&Settings{StackName: DefaultStackName, Props: props}) // props has no stack name, so use one that passes its check
	return c.err()
}

// variables returns the environment variables whose values come from settings.
func (props Props) variables() map[string]string {
	all, variables := Settings{Props: props}, map[string]string{}
	for _, s := range settings() {
		if s.variable != "" {
			variables[s.variable] = s.stringValue(&all)
		}
	}
	return variables
}

// stringValue returns the value as functions read it from the environment: a list is comma-separated, and a number that is nil is
// empty text.
func (s setting) stringValue(all *Settings) string {
	switch field := s.field(all).(type) {
	case *string:
		return *field
	case *[]string:
		return strings.Join(*field, ",")
	case *int:
		return strconv.Itoa(*field)
	case **int:
		if *field != nil {
			return strconv.Itoa(**field)
		}
	}
	return ""
}
