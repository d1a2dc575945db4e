package asl

import (
	"slices"
	"strings"

	"github.com/herald-progress/herald/lib/asl/jsontree"
)

// decodeTask decodes the fields that only a Task state has.
func (d *decoder) decodeTask(f *fieldReader, s *state) {
	f.require("Resource")
	s.resource = f.stringValue("Resource")
	if v, ok := f.object.Get("Resource"); ok && v == s.resource { // Otherwise there is a problem already.
		d.checkResource(f, s.resource)
	}

	s.timeout = d.decodeSeconds(f, s, "TimeoutSeconds")
	s.heartbeat = d.decodeSeconds(f, s, "HeartbeatSeconds")
	d.decodeCredentials(f, s)
	d.checkHeartbeat(f)
}

// checkHeartbeat adds a problem if HeartbeatSeconds is not smaller than TimeoutSeconds (States Language, "Task State").
func (d *decoder) checkHeartbeat(f *fieldReader) {
	if !f.has("TimeoutSeconds") || !f.has("HeartbeatSeconds") {
		return
	}
	timeout, _ := f.take("TimeoutSeconds")
	heartbeat, _ := f.take("HeartbeatSeconds")
	if order := jsontree.CompareNumbers(heartbeat, timeout); order == 0 || order == 1 {
		f.invalid("HeartbeatSeconds", "HeartbeatSeconds must be smaller than TimeoutSeconds")
	}
}

// decodeCredentials decodes Credentials, which must be an object with the key RoleArn or RoleArn.$.
func (d *decoder) decodeCredentials(f *fieldReader, s *state) {
	s.credentials = d.decodeTemplate(f, s, "Credentials")
	v, ok := f.take("Credentials")
	if !ok {
		return
	}

	var keys []string
	if o, ok := v.(*jsontree.Object); ok {
		keys = o.Keys()
	}
	if !slices.Contains(keys, "RoleArn") && !slices.Contains(keys, "RoleArn.$") {
		f.invalid("Credentials", "The field 'RoleArn' is required but was missing")
	}
}

// decodeSeconds decodes a timeout of a Task state. The field called name holds an expression or a whole number of seconds, which is at
// least 1; the field called name+"Path" holds a path.
func (d *decoder) decodeSeconds(f *fieldReader, s *state, name string) secondsField {
	duration := secondsField{name: name}
	if v, ok := f.take(name); ok {
		if x := d.decodeExpression(s, v, f.path(name)); x != nil {
			duration.seconds = x
		} else {
			n, ok := v.(int64)
			if !ok || n < 1 || n > maxWaitSeconds {
				f.invalid(name, "Expected value of type Integer, from 1 to 99999999")
			}
			duration.seconds = literalTemplate{n}
		}
	}

	pathName := name + "Path"
	if s.jsonata || !f.has(pathName) {
		return duration
	}

	if duration.seconds != nil {
		d.invalid(f.at, "A state must not have both "+name+" and "+pathName)
	}
	duration.name, duration.path = pathName, f.referencePath(pathName)
	return duration
}

// The service segments of ARNs.
const (
	statesService = "states"
	lambdaService = "lambda"
)

// optimizedActions lists the actions of each optimized integration: see "Integrating services" in the developer guide of Step
// Functions. An empty list allows any action.
var optimizedActions = map[string][]string{
	"lambda": {"invoke"}, "states": {"startExecution"}, "sqs": {"sendMessage"}, "sns": {"publish"}, "events": {"putEvents"},
	"dynamodb": {"getItem", "putItem", "deleteItem", "updateItem"}, "apigateway": {"invoke"}, "http": {"invoke"},
	"batch": {"submitJob"}, "ecs": {"runTask"}, "codebuild": {}, "glue": {"startJobRun"}, "athena": {}, "eks": {}, "databrew": {},
	"elasticmapreduce": {}, "emr-serverless": {}, "emr-containers": {}, "sagemaker": {}, "bedrock": {}, "mediaconvert": {"createJob"},
}

// checkResource adds a problem if Step Functions does not support the resource.
func (d *decoder) checkResource(f *fieldReader, resource string) {
	if parts, ok := parseARN(resource); !ok || !isSupportedResource(parts) {
		f.unknownResource(resource)
	}
}

// unknownResource adds a problem for a resource that Step Functions does not support in the object.
func (f *fieldReader) unknownResource(resource string) {
	f.invalid("Resource", "The resource provided "+resource+
		" is not recognized. The value is not a valid resource ARN, or the resource is not available in this region.")
}

// An arn holds the parts of an Amazon Resource Name that this package uses.
type arn struct{ service, region, resource string }

// parseARN parses arn:<partition>:<service>:<region>:<account>:<resource>. ok is false if text does not have this form.
func parseARN(text string) (parts arn, ok bool) {
	const count = 6 // The number of parts.
	fields := strings.SplitN(text, ":", count)
	if len(fields) < count || fields[0] != "arn" {
		return arn{}, false
	}
	return arn{service: fields[2], region: fields[3], resource: fields[5]}, true
}

// isSupportedResource reports whether Step Functions supports the Resource of a Task state with this ARN.
func isSupportedResource(parts arn) bool {
	kind, action, _ := strings.Cut(parts.resource, ":") // Such as function, activity, or the name of an integration.
	switch {
	case parts.service == lambdaService:
		return kind == "function"
	case parts.service != statesService:
		return false
	case kind == "activity":
		return action != ""
	case kind == "aws-sdk":
		_, operation, _ := strings.Cut(action, ":")
		operation, pattern, _ := strings.Cut(operation, ".")
		return operation != "" && (pattern == "" || "."+pattern == tokenSuffix)
	}

	action, pattern, _ := strings.Cut(action, ".")
	actions, ok := optimizedActions[kind]
	return ok && (len(actions) == 0 || slices.Contains(actions, action)) && isSupportedPattern(kind, pattern)
}

// isSupportedPattern reports whether an integration supports an integration pattern: the part of a Resource after its dot, such as sync. It
// is empty if the task does not wait. See "Integrating services" in the developer guide of Step Functions.
func isSupportedPattern(integration, pattern string) bool {
	switch pattern {
	case "":
		return true
	case "waitForTaskToken":
		return !slices.Contains([]string{"dynamodb", "http", "athena", "codebuild", "databrew", "elasticmapreduce"}, integration)
	case "sync":
		return !slices.Contains([]string{lambdaService, "sqs", "sns", "events", "dynamodb", "apigateway", "http"}, integration)
	case "sync:2":
		return integration == statesService
	default:
		return false
	}
}

// decodeHandlers decodes Retry and Catch.
func (d *decoder) decodeHandlers(f *fieldReader, s *state) {
	var names [][]string // The ErrorEquals of each item.
	for i, v := range f.arrayValue("Retry") {
		if inner, ok := d.readObject(v, indexPath(f.path("Retry"), i)); ok {
			s.retry = append(s.retry, inner.decodeRetrier())
			names = append(names, s.retry[len(s.retry)-1].errors)
			inner.rejectUnknown(s.language())
		}
	}
	d.checkAll(f.path("Retry"), names)

	names = nil
	for i, v := range f.arrayValue("Catch") {
		if inner, ok := d.readObject(v, indexPath(f.path("Catch"), i)); ok {
			s.catch = append(s.catch, d.decodeCatcher(inner, s))
			names = append(names, s.catch[len(s.catch)-1].errors)
			inner.rejectUnknown(s.language())
		}
	}
	d.checkAll(f.path("Catch"), names)
}

// checkAll adds a problem for each States.ALL that is not alone in its ErrorEquals, or not in the last item. at is the path of Retry or
// Catch, and handlers has the names of each item's ErrorEquals.
func (d *decoder) checkAll(at string, handlers [][]string) {
	for i, names := range handlers {
		for j, name := range names {
			if name == errorAll && (len(names) > 1 || i < len(handlers)-1) {
				d.invalid(indexPath(indexPath(at, i)+"/ErrorEquals", j), "States.ALL must appear alone and at end of list")
			}
		}
	}
}

// indexPath returns the path of item i of the array at the given path.
func indexPath(at string, i int) string { return at + "[" + jsontree.FormatNumber(int64(i)) + "]" }

// decodeErrorEquals decodes ErrorEquals.
func (f *fieldReader) decodeErrorEquals() []string {
	f.require("ErrorEquals")
	items := f.filledArray("ErrorEquals")
	names := make([]string, 0, len(items))
	for _, v := range items {
		name, ok := v.(string)
		if !ok {
			f.invalid("ErrorEquals", "Expected value of type String")
		}
		names = append(names, name)
	}

	return names
}

// The defaults and the largest values of a retrier's fields: see "Retrying after an error" in the developer guide of Step
// Functions. Intervals are in seconds. The guide names no largest BackoffRate. maxBackoffRate has no effect, because with this rate the
// delay before the second retry is already over maxDelaySeconds.
const (
	defaultInterval    = 1
	defaultAttempts    = 3
	defaultBackoffRate = 2
	maxAttempts        = 99_999_999
	maxBackoffRate     = 99_999_999
	maxDelaySeconds    = 366 * 24 * 60 * 60
)

// decodeRetrier decodes one item of Retry.
func (f *fieldReader) decodeRetrier() retrier {
	interval := f.integerValue("IntervalSeconds", 1, maxWaitSeconds, defaultInterval)
	maxDelay := f.integerValue("MaxDelaySeconds", 1, maxDelaySeconds, maxDelaySeconds)
	if f.has("MaxDelaySeconds") && maxDelay <= interval {
		f.invalid("MaxDelaySeconds", "MaxDelaySeconds must be greater than IntervalSeconds")
	}

	r := retrier{
		errors:   f.decodeErrorEquals(),
		interval: seconds(interval),
		attempts: int(f.integerValue("MaxAttempts", 0, maxAttempts, defaultAttempts)),
		backoff:  f.numberValue("BackoffRate", 1, maxBackoffRate, defaultBackoffRate),
		maxDelay: seconds(maxDelay),
	}

	switch f.stringValue("JitterStrategy") {
	case "", "NONE":
	case "FULL":
		r.jitter = true
	default:
		f.invalid("JitterStrategy", "The field 'JitterStrategy' should have one of these values: [NONE, FULL]")
	}

	return r
}

// decodeCatcher decodes one item of the Catch of state s.
func (d *decoder) decodeCatcher(f *fieldReader, s *state) catcher {
	f.require("Next")
	d.readable.errorOutput = true
	defer func() { d.readable = statesFields{} }()
	c := catcher{errors: f.decodeErrorEquals(), next: f.targetValue("Next"), assign: d.decodeAssign(f, s)}
	if s.jsonata {
		c.output = d.decodeTemplate(f, s, "Output")
	} else {
		c.resultPath = f.decodeResultPath("ResultPath")
	}
	return c
}
