package pipeline

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"

	"github.com/herald-progress/herald/lib/session"
)

// Patterns of AWS names: DynamoDB CreateTable, API Gateway CreateStage, CloudFormation CreateStack, Cognito
// DescribeUserPool and CreateUserPoolClient, Secrets Manager ARNs.
var (
	tableName  = regexp.MustCompile(`^[A-Za-z0-9_.-]{3,255}$`)
	stageName  = regexp.MustCompile(`^[A-Za-z0-9_-]{1,128}$`)
	stackName  = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9-]{0,127}$`)
	userPoolID = regexp.MustCompile(`^[a-z]{2,}(-[a-z]+)+-\d_[A-Za-z0-9]{1,45}$`)
	clientID   = regexp.MustCompile(`^[A-Za-z0-9_+]{1,128}$`)
	secretARN  = regexp.MustCompile(`^arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:\d{12}:secret:[A-Za-z0-9/_+=.@!-]+-[A-Za-z0-9]{6}$`)
)

// retentions are the numbers of days that CloudWatch Logs PutRetentionPolicy accepts.
var retentions = map[int]awslogs.RetentionDays{
	1: awslogs.RetentionDays_ONE_DAY, 3: awslogs.RetentionDays_THREE_DAYS, 5: awslogs.RetentionDays_FIVE_DAYS,
	7: awslogs.RetentionDays_ONE_WEEK, 14: awslogs.RetentionDays_TWO_WEEKS, 30: awslogs.RetentionDays_ONE_MONTH,
	60: awslogs.RetentionDays_TWO_MONTHS, 90: awslogs.RetentionDays_THREE_MONTHS,
	120: awslogs.RetentionDays_FOUR_MONTHS, 150: awslogs.RetentionDays_FIVE_MONTHS,
	180: awslogs.RetentionDays_SIX_MONTHS, 365: awslogs.RetentionDays_ONE_YEAR,
	400: awslogs.RetentionDays_THIRTEEN_MONTHS, 545: awslogs.RetentionDays_EIGHTEEN_MONTHS,
	731: awslogs.RetentionDays_TWO_YEARS, 1096: awslogs.RetentionDays_THREE_YEARS,
	1827: awslogs.RetentionDays_FIVE_YEARS, 2192: awslogs.RetentionDays_SIX_YEARS,
	2557: awslogs.RetentionDays_SEVEN_YEARS, 2922: awslogs.RetentionDays_EIGHT_YEARS,
	3288: awslogs.RetentionDays_NINE_YEARS, 3653: awslogs.RetentionDays_TEN_YEARS,
}

// maxThrottle is API Gateway's default quota of requests per second for an account in a Region.
const maxThrottle = 10_000

// maxConcurrency is a bound that no account reaches.
const maxConcurrency = 100_000

// SettingError is one setting that breaks a rule.
type SettingError struct {
	// Text names the setting by its context key, followed by the rule.
	Text string
}

// Error returns the text.
func (e *SettingError) Error() string { return e.Text }

// validate returns every broken rule, joined. Settings are named by their context key.
func (props Props) validate() error {
	var c checker
	props.Auth.check(&c)
	c.match("tableName", props.TableName, tableName, "3 to 255 letters, digits, underscores, dots and hyphens")
	c.match("feedTableName", props.FeedTableName, tableName, "3 to 255 letters, digits, underscores, dots and hyphens")
	if props.FeedTableName == props.TableName {
		c.addf("feedTableName: %q is tableName too", props.FeedTableName)
	}
	c.match("stageName", props.StageName, stageName, "1 to 128 letters, digits, underscores and hyphens")
	c.origins("allowedOrigins", props.AllowedOrigins)
	if !slices.Equal(props.UploadOrigins, props.AllowedOrigins) {
		c.origins("uploadOrigins", props.UploadOrigins)
	}
	if !(props.ThrottleRate > 0 && props.ThrottleRate <= maxThrottle) {
		c.addf("throttleRate: %v is not over 0 and at most %d requests per second", props.ThrottleRate, maxThrottle)
	}
	if props.ThrottleBurst < 1 || props.ThrottleBurst > maxThrottle {
		c.addf("throttleBurst: %d is not from 1 to %d requests", props.ThrottleBurst, maxThrottle)
	}
	c.concurrency("connectConcurrency", props.ConnectConcurrency)
	c.concurrency("defaultConcurrency", props.DefaultConcurrency)
	c.concurrency("notifierConcurrency", props.NotifierConcurrency)
	limits := session.Limits{MaxConnections: props.MaxConnections, MaxPosts: props.MaxPostsPerMinute}
	if err := limits.Validate(); err != nil {
		c.addf("maxConnections, maxPostsPerMinute: %d and %d are not accepted: %v", props.MaxConnections, props.MaxPostsPerMinute, err)
	}
	if _, ok := retentions[props.LogRetentionDays]; !ok {
		c.addf("logRetentionDays: %d is not a number that CloudWatch Logs accepts: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, "+
			"180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653", props.LogRetentionDays)
	}
	return c.err()
}

// checker collects broken rules. CDK tokens pass every rule, since their value is known only on deployment.
type checker struct {
	errs []error
}

func (c *checker) addf(format string, args ...any) {
	c.errs = append(c.errs, &SettingError{Text: fmt.Sprintf(format, args...)})
}

func (c *checker) err() error { return errors.Join(c.errs...) }

func (c *checker) require(key string, values []string, when string) {
	if len(values) == 0 {
		c.addf("%s: required %s", key, when)
	}
}

func (c *checker) concurrency(key string, value int) {
	if value < 0 || value > maxConcurrency {
		c.addf("%s: %d is not from 0, which reserves none, to %d executions at once", key, value, maxConcurrency)
	}
}

func (c *checker) match(key, value string, pattern *regexp.Regexp, rule string) {
	if !isToken(value) && !pattern.MatchString(value) {
		c.addf("%s: %q is not %s", key, value, rule)
	}
}

func (c *checker) matchAll(key string, values []string, pattern *regexp.Regexp, rule string) {
	for _, value := range values {
		c.match(key, value, pattern, rule)
	}
}

func (c *checker) unused(mode, key string, values ...string) {
	if strings.Join(values, "") != "" {
		c.addf("%s: not used with authMode %s; leave it out", key, mode)
	}
}

// https does not repeat a user or a query, which may hold a secret.
func (c *checker) https(key, value string) {
	if isToken(value) {
		return
	}
	shown := strconv.Quote(value) + " is "
	if strings.ContainsAny(value, "@?") {
		shown = ""
	}
	u, err := url.Parse(value)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		c.addf("%s: %snot an https URL without user, query and fragment", key, shown)
	}
}

// origins checks the serialisation of RFC 6454, section 6.2, as browsers send it.
func (c *checker) origins(key string, values []string) {
	for _, value := range values {
		if isToken(value) {
			continue
		}
		u, err := url.Parse(value)
		if err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" ||
			value != u.Scheme+"://"+u.Host || value != strings.ToLower(value) {
			c.addf("%s: %q is not an origin such as https://app.example.com, in lower case and without a path", key, value)
		}
	}
}

// isToken reports whether value contains a CDK token.
func isToken(value string) bool { return strings.Contains(value, "${Token[") }
