package pipeline

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"

	"github.com/herald-progress/herald/lib/session"
)

// Patterns of AWS names: DynamoDB CreateTable, API Gateway CreateStage, CloudFormation CreateStack, Cognito
// DescribeUserPool and CreateUserPoolClient, Secrets Manager ARNs.
var (
	tableNamePattern = regexp.MustCompile(`^[A-Za-z0-9_.-]{3,255}$`)
	stageNamePattern = regexp.MustCompile(`^[A-Za-z0-9_-]{1,128}$`)
	stackNamePattern = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9-]{0,127}$`)
	removalPolicy    = regexp.MustCompile(`^(retain|destroy)$`)
	architecture     = regexp.MustCompile(`^(arm64|x86_64)$`)

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

// matches returns a check that the text of a setting matches pattern. rule describes the pattern to the deployer.
func matches(pattern *regexp.Regexp, rule string) func(*checker, setting, *Settings) {
	return func(c *checker, s setting, all *Settings) { c.match(s.key, s.stringValue(all), pattern, rule) }
}

// between returns a check that the whole number of a setting is in a range. unit ends the text of the error.
func between(minimum, maximum int, unit string) func(*checker, setting, *Settings) {
	return func(c *checker, s setting, all *Settings) {
		if n, ok := s.field(all).(*int); ok && (*n < minimum || *n > maximum) {
			c.addf("%s: %d is not from %d to %d %s", s.key, *n, minimum, maximum, unit)
		}
	}
}

// checkOrigins checks a list of origins in the serialisation of RFC 6454, section 6.2, as browsers send it.
func checkOrigins(c *checker, s setting, all *Settings) {
	values, _ := s.field(all).(*[]string)
	for i, value := range *values {
		if isToken(value) {
			continue
		}
		if !isOrigin(value) {
			c.addf("%s: %q is not an origin such as https://app.example.com, as browsers send it: in lower case, without a path and a default port", s.key, value)
		}
		if slices.Contains((*values)[:i], value) {
			c.addf("%s: %q is there twice", s.key, value)
		}
	}
}

// checkUserLimits checks maxConnections and maxPostsPerMinute, because the smallest valid value of one depends on the other.
func checkUserLimits(c *checker, _ setting, all *Settings) {
	limits := session.Limits{MaxConnections: all.Props.MaxConnections, MaxPosts: all.Props.MaxPostsPerMinute}
	if err := limits.Validate(); err != nil {
		c.addf("maxConnections, maxPostsPerMinute: %d and %d are not accepted: %v", limits.MaxConnections, limits.MaxPosts, err)
	}
}

// checkRetention checks that CloudWatch Logs accepts the number of days.
func checkRetention(c *checker, s setting, all *Settings) {
	days := all.Props.LogRetentionDays
	if _, ok := retentions[days]; ok {
		return
	}
	accepted := strings.Trim(fmt.Sprint(slices.Sorted(maps.Keys(retentions))), "[]")
	c.addf("%s: %d is not a number that CloudWatch Logs accepts: %s", s.key, days, strings.ReplaceAll(accepted, " ", ", "))
}

// checker collects broken rules. A CDK token passes every rule, because its value is known only on deployment.
type checker struct {
	errs []error
}

// checkAll checks all settings.
func (c *checker) checkAll(all *Settings) {
	for _, s := range settings() {
		if s.check != nil {
			s.check(c, s, all)
		}
	}
	c.checkVariables(all)
}

func (c *checker) addf(format string, args ...any) {
	c.errs = append(c.errs, &SettingError{Text: fmt.Sprintf(format, args...)})
}

func (c *checker) err() error { return errors.Join(c.errs...) }

// require adds an error if there are no values. when says when the setting is required.
func (c *checker) require(key string, values []string, when string) {
	if len(values) == 0 {
		c.addf("%s: required %s", key, when)
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

// unused adds an error if a setting is set that the auth mode does not use.
func (c *checker) unused(mode, key string, values ...string) {
	if strings.Join(values, "") != "" {
		c.addf("%s: not used with authMode %s; leave it out", key, mode)
	}
}

// https checks that value is an https URL. The error does not repeat a URL with a user or a query, which may be a secret.
func (c *checker) https(key, value string) {
	if isToken(value) {
		return
	}
	u, err := url.Parse(value)
	if err == nil && u.Scheme == "https" && u.Host != "" && u.User == nil && u.RawQuery == "" && u.Fragment == "" {
		return
	}

	const rule = "not an https URL without user, query and fragment"
	if mayHoldSecret := strings.ContainsAny(value, "@?"); mayHoldSecret {
		c.addf("%s: %s", key, rule)
	} else {
		c.addf("%s: %q is %s", key, value, rule)
	}
}

// isToken reports whether value contains a CDK token.
func isToken(value string) bool {
	return strings.Contains(value, "${Token[") || strings.Contains(value, "#{Token[") // the second is a list that is one token
}
