package asl

import (
	"slices"
	"strings"

	"github.com/herald-progress/herald/lib/asl/jsontree"
)

func (d *decoder) decodeTask(f *fieldReader, s *state) {
	f.require("Resource")
	s.resource = f.text("Resource")
	if s.resource != "" {
		d.checkResource(f, s.resource)
	}

	s.timeout = d.limit(f, s, "TimeoutSeconds")
	s.heartbeat = d.limit(f, s, "HeartbeatSeconds")
	s.credentials = d.template(f, s, "Credentials")

	if v, ok := f.object.Get("Credentials"); ok {
		o, _ := v.(*jsontree.Object)
		if o == nil {
			o = &jsontree.Object{}
		}
		if !slices.ContainsFunc(o.Keys(), func(key string) bool { return strings.TrimSuffix(key, ".$") == "RoleArn" }) {
			f.problem("Credentials", "The field 'RoleArn' is required but was missing")
		}
	}

	timeout, hasTimeout := f.object.Get("TimeoutSeconds")
	heartbeat, hasHeartbeat := f.object.Get("HeartbeatSeconds")
	if hasTimeout && hasHeartbeat && jsontree.CompareNumbers(heartbeat, timeout) == 1 {
		f.problem("HeartbeatSeconds", "HeartbeatSeconds must be smaller than TimeoutSeconds")
	}
}

// limit reads a number of seconds of at least 1, or the path of one.
func (d *decoder) limit(f *fieldReader, s *state, name string) limit {
	l := limit{field: name}
	if v, ok := f.value(name); ok {
		text, _ := v.(string)
		if x := d.expression(text, f.path(name)); s.jsonata && x != nil {
			l.seconds = x
		} else {
			n, ok := v.(int64)
			if !ok || n < 1 || n > maxWaitSeconds {
				f.problem(name, "Expected value of type Integer, from 1 to 99999999")
			}
			l.seconds = fixed{n}
		}
	}

	if s.jsonata {
		return l
	}

	if _, ok := f.object.Get(name + "Path"); ok {
		if l.seconds != nil {
			d.problem(f.at, "A state must not have both "+name+" and "+name+"Path")
		}
		l.path = f.reference(name + "Path")
	}
	return l
}

// statesService is the part of an ARN that names Step Functions.
const statesService = "states"

// optimized lists the actions of the optimized integrations: see "Integrating services" in the service's developer guide.
// An empty list allows any.
var optimized = map[string][]string{
	"lambda": {"invoke"}, "states": {"startExecution"}, "sqs": {"sendMessage"}, "sns": {"publish"}, "events": {"putEvents"},
	"dynamodb": {"getItem", "putItem", "deleteItem", "updateItem"}, "apigateway": {"invoke"}, "http": {"invoke"},
	"batch": {"submitJob"}, "ecs": {"runTask"}, "codebuild": {}, "glue": {"startJobRun"}, "athena": {}, "eks": {}, "databrew": {},
	"elasticmapreduce": {}, "emr-serverless": {}, "emr-containers": {}, "sagemaker": {}, "bedrock": {}, "mediaconvert": {"createJob"},
}

// checkResource reports a resource that the service does not know.
func (d *decoder) checkResource(f *fieldReader, resource string) {
	const parts = 6
	segments := strings.SplitN(resource, ":", parts)
	if len(segments) == parts && segments[0] == "arn" {
		rest := segments[parts-1]
		if known(segments[2], rest) {
			return
		}
	}

	f.problem("Resource", "The resource provided "+resource+
		" is not recognized. The value is not a valid resource ARN, or the resource is not available in this region.")
}

// known reports whether the service runs a resource: the parts of its ARN that name the service and what comes last.
func known(service, rest string) bool {
	kind, action, _ := strings.Cut(rest, ":")
	if service == "lambda" {
		return kind == "function"
	}
	if service != statesService || kind == "activity" || kind == "aws-sdk" {
		return service == statesService
	}

	action, _, _ = strings.Cut(action, ".")
	actions, ok := optimized[kind]
	return ok && (len(actions) == 0 || slices.Contains(actions, action))
}

func (d *decoder) decodeHandlers(f *fieldReader, s *state) {
	for i, v := range f.list("Retry") {
		if inner, ok := d.fields(v, index(f.path("Retry"), i)); ok {
			s.retry = append(s.retry, inner.retrier())
			inner.finish()
		}
	}

	for i, v := range f.list("Catch") {
		if inner, ok := d.fields(v, index(f.path("Catch"), i)); ok {
			s.catch = append(s.catch, d.catcher(inner, s))
			inner.finish()
		}
	}
}

func index(at string, i int) string { return at + "[" + jsontree.FormatNumber(int64(i)) + "]" }

// errorNames reads ErrorEquals.
func (f *fieldReader) errorNames() []string {
	f.require("ErrorEquals")
	items := f.list("ErrorEquals")
	names := make([]string, 0, len(items))
	for _, v := range items {
		name, ok := v.(string)
		if !ok {
			f.problem("ErrorEquals", "Expected value of type String")
		}
		names = append(names, name)
	}

	if len(names) > 1 && slices.Contains(names, errorAll) {
		f.problem("ErrorEquals", "States.ALL must be alone in ErrorEquals")
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

func (f *fieldReader) retrier() retrier {
	r := retrier{
		errors:   f.errorNames(),
		interval: seconds(f.number("IntervalSeconds", 1, maxWaitSeconds, defaultInterval)),
		attempts: int(f.number("MaxAttempts", 0, maxAttempts, defaultAttempts)),
		backoff:  f.number("BackoffRate", 1, maxAttempts, defaultBackoff),
		maxDelay: seconds(f.number("MaxDelaySeconds", 1, maxRetryDelay, maxRetryDelay)),
	}

	switch f.text("JitterStrategy") {
	case "", "NONE":
	case "FULL":
		r.jitter = true
	default:
		f.problem("JitterStrategy", "The field 'JitterStrategy' should have one of these values: [NONE, FULL]")
	}

	return r
}

func (d *decoder) catcher(f *fieldReader, s *state) catcher {
	f.require("Next")
	c := catcher{errors: f.errorNames(), next: f.text("Next"), assign: d.assignments(f, s)}
	if s.jsonata {
		c.output = d.template(f, s, "Output")
	} else {
		c.resultPath = f.resultPath("ResultPath")
	}
	return c
}
