package asl

import (
	"errors"
	"strings"

	"github.com/herald-progress/herald/lib/asl/jsontree"
	"github.com/herald-progress/herald/lib/asl/shape"
)

// newProbe checks what the test says against the tested state, and returns the probe for its run.
func (test StateTest) newProbe(st *state) (*probe, error) {
	p := &probe{data: &jsontree.Object{}, mock: test.Mock, failedIterations: test.Configuration.MapIterationFailureCount}
	if err := test.checkMock(st); err != nil {
		return nil, err
	}

	var err error
	if len(test.Context) > 0 {
		if p.context, err = parseObject(test.Context); err != nil {
			return nil, rejectTestf("The context must be a JSON object.")
		}
	}
	if text := test.Configuration.MapItemReaderData; text != "" {
		if p.readerData, err = jsontree.Parse([]byte(text)); err != nil {
			return nil, rejectTestf("MapItemReaderData is not valid JSON: %s", err)
		}
	}
	if test.Mock != nil && test.Mock.Result != nil {
		if p.result, err = jsontree.Parse([]byte(*test.Mock.Result)); err != nil {
			return nil, rejectTestf("Mocked result is not valid JSON: %s", err)
		}
		return p, test.checkResult(st, p.result)
	}
	return p, nil
}

// checkMock returns an error if the state cannot be tested with the mock, or without one.
func (test StateTest) checkMock(st *state) error {
	runsThreads := st.kind == kindMap || st.kind == kindParallel
	if test.Mock == nil {
		switch {
		case test.Configuration.MapIterationFailureCount != nil:
			return rejectTestf("TestState does not support MapIterationFailureCount when a mock is not specified.")
		case runsThreads:
			return &StateTestError{
				Code: "InvalidDefinition",
				Message: "TestState API does not support Map or Parallel states. " +
					"Supported state types include: [Task, Wait, Pass, Succeed, Fail, Choice]",
			}
		case st.kind == kindTask && test.Execution.RoleARN == "":
			return rejectTestf("RoleArn must be specified when testing a Task state")
		case waitsForResult(st.resource), strings.Contains(st.resource, ":activity:"):
			return rejectTestf("The resource '%s' is not supported when a mock is not specified.", st.resource)
		}
		return nil
	}

	switch {
	case test.Mock.Result != nil && test.Mock.Error != nil:
		return rejectTestf("A test mock should have only one of the following fields: [result, errorOutput].")
	case test.RevealSecrets:
		return rejectTestf("TestState does not support RevealSecrets when a mock is specified.")
	case st.kind != kindTask && !runsThreads:
		return rejectTestf("State type '%s' is not supported when a mock is specified", st.kind)
	}
	return nil
}

// checkResult returns an error if the mocked result cannot be a result of the state.
func (test StateTest) checkResult(st *state, result any) error {
	items, isArray := result.([]any)
	_, isObject := result.(*jsontree.Object)
	writes := st.mapFields != nil && st.mapFields.writer != nil && st.mapFields.writer.location != nil
	switch {
	case st.kind == kindTask:
		return test.checkTaskResult(st.resource, result)
	case writes && !isObject:
		return rejectTestf("Mocked result must be a JSON object.")
	case !writes && !isArray:
		return rejectTestf("Mocked result must be an array.")
	case st.kind == kindParallel && len(items) != len(st.branches):
		return rejectTestf("Mocked result must be an array with one element for each branch.")
	}
	return nil
}

// checkTaskResult returns an error if the mocked result is not one that the service of a Task state's resource returns.
func (test StateTest) checkTaskResult(resource string, result any) error {
	switch test.Mock.Validation {
	case "", "STRICT", "PRESENT":
		if problem := checkShape(resource, result, test.Mock.Validation != "PRESENT"); problem != "" {
			return rejectTestf("Mock result schema validation error: %s", problem)
		}
		return nil
	case "NONE":
		return nil
	default:
		return rejectTestf("The field validation mode must be one of [STRICT, PRESENT, NONE], not '%s'", test.Mock.Validation)
	}
}

// errNoObject is the error of a JSON text that is not an object.
var errNoObject = errors.New("asl: not a JSON object")

// parseObject parses the text of a JSON object.
func parseObject(text []byte) (*jsontree.Object, error) {
	v, err := jsontree.Parse(text)
	if err != nil {
		return nil, err
	}
	o, ok := v.(*jsontree.Object)
	if !ok {
		return nil, errNoObject
	}
	return o, nil
}

// checkShape returns what is wrong with a mocked result of a Task state with a resource, or "". If strict is set, the result must have all
// fields that the service always returns.
func checkShape(resource string, result any, strict bool) string {
	parts, ok := parseARN(resource)
	if !ok || parts.service != statesService || waitsForResult(resource) {
		return "" // The result is not that of a service's operation.
	}

	service, operation, _ := strings.Cut(strings.TrimPrefix(parts.resource, "aws-sdk:"), ":")
	if o, ok := result.(*jsontree.Object); ok && service == lambdaService && operation == "invoke" {
		without := &jsontree.Object{} // The payload is any value here, because Step Functions parses it.
		for _, key := range o.Keys() {
			if key != "Payload" {
				v, _ := o.Get(key)
				without.Set(key, v)
			}
		}
		result = without
	}
	return shape.Check(service, operation, result, strict)
}
