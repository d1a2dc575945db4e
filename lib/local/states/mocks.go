package states

import (
	"strings"

	"github.com/herald-progress/herald/lib/asl"
	"github.com/herald-progress/herald/lib/asl/mock"
	"github.com/herald-progress/herald/lib/local/awswire"
)

// SetMocks sets the test cases that StartExecution and StartSyncExecution know: stateMachineArn#TestCase starts an execution with one of
// them. Executions that are running continue with the ones before. Nil means none.
func (s *StepFunctions) SetMocks(file *mock.File) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mocks = file
}

// startTarget returns what the ARN in a request to start an execution stands for: the ARN of a state machine, a version or an alias, and
// perhaps # and the name of a test case. The test case must fit the definition. The caller holds the lock.
func (s *StepFunctions) startTarget(arn string) (target, error) {
	arn, name, isTest := strings.Cut(arn, "#")
	of, err := s.target(arn)
	if err != nil || !isTest {
		return of, err
	}
	return s.withMocks(of, name)
}

// withMocks returns of with the mocks of a test case. The caller holds the lock.
func (s *StepFunctions) withMocks(of target, name string) (target, error) {
	if s.mocks == nil {
		return target{}, errTestCase(name, "there is no mock configuration file")
	}

	var err error
	of.testCase = name
	of.mocks, err = s.mocks.Case(of.machine.name, name)
	if err == nil {
		err = of.mocks.Check(of.revision.parsed)
	}
	if err != nil {
		return target{}, errTestCase(name, strings.TrimPrefix(err.Error(), "mock: "))
	}
	return of, nil
}

// errTestCase returns the answer to a request with a test case that cannot be used.
func errTestCase(name, reason string) error {
	return awswire.NewError("ValidationException", "Invalid test case '"+name+"': "+reason)
}

// tasks returns what runs the tasks of one execution. next runs those that no test case mocks.
func (of target) tasks(next *taskRunner) asl.Tasks {
	if of.mocks == nil {
		return next
	}
	return of.mocks.Tasks(next)
}
