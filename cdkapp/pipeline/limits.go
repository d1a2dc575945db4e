package pipeline

import (
	"net/netip"
	"regexp"
	"strconv"
	"strings"

	"github.com/herald-progress/herald/lambdas"
	"github.com/herald-progress/herald/statemachines"
)

// Limits of AWS on what several settings make together.
const (
	// maxSettingBytes bounds the variables that come from settings. A function may have 4,096 bytes of them; those with the names of
	// resources need the rest (https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html).
	maxSettingBytes = 2800
	// maxStateMachineName is the length of the longest name of a state machine.
	maxStateMachineName = 80
	// maxAPIName is the length of the longest name of an API.
	maxAPIName = 128
	// maxTopicTitle is the length of the longest DisplayName of a topic of SNS.
	maxTopicTitle = 100
)

// originPattern matches what browsers send as Origin. They send the name of a host in ASCII.
var originPattern = regexp.MustCompile(`^(https?)://(?:[a-z0-9_-]+(?:\.[a-z0-9_-]+)*|\[([0-9a-f:.]+)\])(?::([1-9][0-9]{0,4}))?$`)

// isOrigin reports whether a browser may send value as Origin: in lower case, without a path, and without the default port.
func isOrigin(value string) bool {
	match := originPattern.FindStringSubmatch(value)
	if match == nil {
		return false
	}
	scheme, address, port := match[1], match[2], match[3]
	if _, err := netip.ParseAddr(address); address != "" && err != nil {
		return false
	}
	if _, err := strconv.ParseUint(port, 10, 16); port != "" && err != nil {
		return false
	}

	return scheme+port != "https443" && scheme+port != "http80"
}

// bucketNamePattern also matches the empty text, which means a new bucket.
var bucketNamePattern = regexp.MustCompile(`^([a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*)?$`)

// checkBucketName checks the name of an existing bucket
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html).
func checkBucketName(c *checker, s setting, all *Settings) {
	const rule, shortest, longest = "the name of a bucket, or empty: 3 to 63 lower-case letters, digits, dots and hyphens", 3, 63
	name := all.Props.UploadsBucket
	if name == "" || isToken(name) {
		return
	}
	_, err := netip.ParseAddr(name)
	if isAddress := err == nil; isAddress || len(name) < shortest || len(name) > longest {
		c.addf("%s: %q is not %s", s.key, name, rule)
		return
	}
	c.match(s.key, name, bucketNamePattern, rule)
}

// stackNameRule describes stackNamePattern.
const stackNameRule = "1 to 128 letters, digits and hyphens that start with a letter"

// checkStackName checks the name of the stack, and the names that begin with it.
func checkStackName(c *checker, s setting, all *Settings) {
	matches(stackNamePattern, stackNameRule)(c, s, all)
	c.checkNames(all.StackName, all.Props)
}

// checkNames checks the length of the names that begin with prefix.
func (c *checker) checkNames(prefix string, props Props) {
	if isToken(prefix) {
		return
	}
	if len(prefix) > maxAPIName {
		c.addf("stackName: the name of the API, %q, has more than %d characters", prefix, maxAPIName)
	}
	if !props.CSVImport {
		return
	}
	for _, name := range statemachines.Names() {
		if length := len(prefix) + len("-") + len(name); name == lambdas.CSVImport && length > maxStateMachineName {
			c.addf("stackName: the name of the state machine would have %d characters, at most %d: shorten it to %d, or leave out csvImport",
				length, maxStateMachineName, len(prefix)-(length-maxStateMachineName))
		}
	}
}

// checkVariables checks that functions can have the settings as variables.
func (c *checker) checkVariables(all *Settings) {
	longest, size, bytes := "", 0, 0
	for _, s := range settings() {
		if s.variable == "" {
			continue
		}
		value := s.stringValue(all)
		bytes += len(s.variable) + len(value)
		if len(value) > size {
			longest, size = s.key, len(value)
		}
	}
	if bytes > maxSettingBytes {
		c.addf("%s: the settings are %d bytes of the variables of functions, at most %d: shorten this one, the longest", longest, bytes, maxSettingBytes)
	}
}

// topicTitle returns the name that mails about alarms show as their sender.
func topicTitle(prefix string) *string {
	const begin = "Alarms of "
	title := begin + prefix
	if isToken(prefix) || len(title) > maxTopicTitle {
		title = begin + DefaultStackName
	}

	return &title
}

// What names state machines and log groups.
var (
	stateMachineARN = regexp.MustCompile(`^arn:aws[a-z-]*:states:[a-z0-9-]+:\d{12}:stateMachine:[A-Za-z0-9_.+@=()-]{1,80}$`)
	logGroupPattern = regexp.MustCompile(`^[A-Za-z0-9_/.#-]{1,512}$`)
)

// maxFilters is how many subscription filters a log group may have.
const maxFilters = 2

// checkWatchedNames checks that the stack can watch the state machines together.
func (c *checker) checkWatchedNames(key string, machines []WatchedStateMachine) {
	names, groups := map[string]string{}, map[string]int{}
	for _, m := range machines {
		c.match(key, m.ARN, stateMachineARN, "the ARN of a state machine without a version or an alias")
		name := m.ARN[strings.LastIndexByte(m.ARN, ':')+1:]
		switch other, known := names[name]; {
		case known && other == m.ARN:
			c.addf("%s: %s is there twice", key, m.ARN)
		case known:
			c.addf("%s: %s and %s are not both in the stack's account and Region", key, other, m.ARN)
		}
		names[name] = m.ARN
		if m.LogGroup != "" {
			c.match(key, m.LogGroup, logGroupPattern, "the name of a log group")
		}
		groups[m.logGroup()]++
		if groups[m.logGroup()] == maxFilters+1 {
			c.addf("%s: the log group %q would have more than %d subscription filters", key, m.logGroup(), maxFilters)
		}
	}
}
