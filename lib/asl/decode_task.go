package asl

import (
	"slices"
	"strings"

	"github.com/herald-progress/herald/lib/asl/jsontree"
)

func (d *decoder) decodeTask(f *fieldReader, s *state) {
	f.require("Resource")
	s.resource = f.stringValue("Resource")
	if s.resource != "" {
		d.checkResource(f, s.resource)
	}

	s.timeout = d.decodeSeconds(f, s, "TimeoutSeconds")
	s.heartbeat = d.decodeSeconds(f, s, "HeartbeatSeconds")
	s.credentials = d.decodeTemplate(f, s, "Credentials")
	if v, ok := f.object.Get("Credentials"); ok {
		o, _ := v.(*jsontree.Object)
		if o == nil {
			o = &jsontree.Object{}
		}
		if !slices.ContainsFunc(o.Keys(), func(key string) bool { return strings.TrimSuffix(key, ".$") == "RoleArn" }) {
			f.invalid("Credentials", "The field 'RoleArn' is required but was missing")
		}
	}

	timeout, hasTimeout := f.object.Get("TimeoutSeconds")
	heartbeat, hasHeartbeat := f.object.Get("HeartbeatSeconds")
	if hasTimeout && hasHeartbeat && jsontree.CompareNumbers(heartbeat, timeout) == 1 {
		f.invalid("HeartbeatSeconds", "HeartbeatSeconds must be smaller than TimeoutSeconds")
	}
}

// decodeSeconds decodes the field name, a number of seconds from 1 or an expression, or the field name+Path.
func (d *decoder) decodeSeconds(f *fieldReader, s *state, name string) secondsField {
	l := secondsField{field: name}
	if v, ok := f.value(name); ok {
		text, _ := v.(string)
		if x := d.compileExpression(text, f.path(name)); s.jsonata && x != nil {
			l.seconds = x
		} else {
			n, ok := v.(int64)
			if !ok || n < 1 || n > maxWaitSeconds {
				f.invalid(name, "Expected value of type Integer, from 1 to 99999999")
			}
			l.seconds = literalTemplate{n}
		}
	}

	if s.jsonata {
		return l
	}

	if _, ok := f.object.Get(name + "Path"); ok {
		if l.seconds != nil {
			d.invalid(f.at, "A state must not have both "+name+" and "+name+"Path")
		}
		l.path = f.referenceValue(name + "Path")
	}
	return l
}

// statesService is the service segment of a Step Functions ARN.
const statesService = "states"

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
	const parts = 6
	segments := strings.SplitN(resource, ":", parts)
	if len(segments) == parts && segments[0] == "arn" && isSupportedResource(segments[2], segments[parts-1]) {
		return
	}
	f.invalid("Resource", "The resource provided "+resource+
		" is not recognized. The value is not a valid resource ARN, or the resource is not available in this region.")
}

// isSupportedResource reports whether Step Functions supports a resource, given the service and the last part of its ARN.
func isSupportedResource(service, rest string) bool {
	kind, action, _ := strings.Cut(rest, ":")
	if service == "lambda" {
		return kind == "function"
	}
	if service != statesService || kind == "activity" || kind == "aws-sdk" {
		return service == statesService
	}

	action, _, _ = strings.Cut(action, ".")
	actions, ok := optimizedActions[kind]
	return ok && (len(actions) == 0 || slices.Contains(actions, action))
}

func (d *decoder) decodeHandlers(f *fieldReader, s *state) {
	for i, v := range f.arrayValue("Retry") {
		if inner, ok := d.readObject(v, indexPath(f.path("Retry"), i)); ok {
			s.retry = append(s.retry, inner.decodeRetrier())
			inner.rejectUnknown()
		}
	}

	for i, v := range f.arrayValue("Catch") {
		if inner, ok := d.readObject(v, indexPath(f.path("Catch"), i)); ok {
			s.catch = append(s.catch, d.decodeCatcher(inner, s))
			inner.rejectUnknown()
		}
	}
}

func indexPath(at string, i int) string { return at + "[" + jsontree.FormatNumber(int64(i)) + "]" }

// decodeErrorEquals decodes ErrorEquals.
func (f *fieldReader) decodeErrorEquals() []string {
	f.require("ErrorEquals")
	items := f.arrayValue("ErrorEquals")
	names := make([]string, 0, len(items))
	for _, v := range items {
		name, ok := v.(string)
		if !ok {
			f.invalid("ErrorEquals", "Expected value of type String")
		}
		names = append(names, name)
	}

	if len(names) > 1 && slices.Contains(names, errorAll) {
		f.invalid("ErrorEquals", "States.ALL must be alone in ErrorEquals")
	}
	return names
}

const (
	defaultInterval = 1
	defaultAttempts = 3
	defaultBackoff  = 2
	maxAttempts     = 99_999_999
	maxRetryDelay   = 31_622_400
)

func (f *fieldReader) decodeRetrier() retrier {
	r := retrier{
		errors:   f.decodeErrorEquals(),
		interval: seconds(f.numberValue("IntervalSeconds", 1, maxWaitSeconds, defaultInterval)),
		attempts: int(f.numberValue("MaxAttempts", 0, maxAttempts, defaultAttempts)),
		backoff:  f.numberValue("BackoffRate", 1, maxAttempts, defaultBackoff),
		maxDelay: seconds(f.numberValue("MaxDelaySeconds", 1, maxRetryDelay, maxRetryDelay)),
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

func (d *decoder) decodeCatcher(f *fieldReader, s *state) catcher {
	f.require("Next")
	c := catcher{errors: f.decodeErrorEquals(), next: f.stringValue("Next"), assign: d.decodeAssign(f, s)}
	if s.jsonata {
		c.output = d.decodeTemplate(f, s, "Output")
	} else {
		c.resultPath = f.decodeResultPath("ResultPath")
	}
	return c
}
