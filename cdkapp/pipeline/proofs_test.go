package pipeline_test

import (
	"fmt"
	"runtime"
	"testing"
)

// proof is a check of the full template, and the test that runs it.
type proof struct {
	test  string
	check func(testing.TB, template)
}

// proofs returns all checks of the full template. Its golden file is not one of them: it shows that the template has changed, but not
// whether it still is what Herald needs.
func proofs() []proof {
	return []proof{
		{"TestFunctions", checkFunctions},
		{"TestTable", checkTables},
		{"TestBucket", checkBucket},
		{"TestOutputs", checkOutputs},
		{"TestRolesHaveExactlyThesePermissions", checkPermissions},
		{"TestNoPermissionIsForAllResources", checkNoPermissionForAllResources},
		{"TestEachFunctionHasItsOwnInlineRole", checkRoles},
		{"TestResourcePolicies", checkResourcePolicies},
		{"TestSchedules", checkSchedules},
		{"TestExecutionRule", checkExecutionRule},
		{"TestDurableExecutionRule", checkDurableExecutionRule},
		{"TestFailedEvents", checkFailedEvents},
		{"TestDeadLetterQueues", checkDeadLetterQueues},
		{"TestRoutes", checkRoutes},
		{"TestPingIsTwoWay", checkPing},
		{"TestStage", func(tb testing.TB, template template) { tb.Helper(); checkStage(tb, template, "prod", 1000, 500) }},
		{"TestAccessLogHoldsNoToken", checkAccessLog},
		{"TestPingIsAnsweredByThePongOfTheProtocol", checkPong},
		{"TestStateMachine", checkStateMachine},
		{"TestSubstitutionsAreFilled", checkSubstitutions},
		{"TestUploadRule", checkUploadRule},
		{"TestAWatchedStateMachineOfAnotherStack", checkWatched},
		{"TestParametersHaveTheOutputs", checkParameters},
		{"TestStackHasOnlyTheseResources", checkResources},
		{"TestFunctionsRunTheirOwnPrograms", checkPrograms},
		{"TestOnlyRoutesAndRulesInvokeFunctions", checkInvocations},
		{"TestRolesAreCreatedBeforeTheirUsers", checkOrderOfCreation},
		{"TestServicesMayUseOnlyTheirOwnRoles", checkTrust},
		{"TestTablesAreRetainedAndProtectedUnlessToldOtherwise", func(tb testing.TB, template template) {
			tb.Helper()
			checkTableRemoval(tb, template, retained)
		}},
		{"TestAlarms", checkAlarms},
		{"TestDashboard", checkDashboard},
		{"TestOnlyAlarmsOfTheStackMayPublishToItsTopic", checkTopic},
		{"TestAlarmsAndTheDashboardReadMetricsThatFunctionsWrite", func(tb testing.TB, template template) {
			tb.Helper()
			checkMetrics(tb, template, "Herald")
		}},
		{"TestRenamedTableIsRefused", func(tb testing.TB, template template) {
			tb.Helper()
			checkRenameRefusal(tb, template, map[string]string{"DeployedTable": "websocket_connections", "DeployedFeedTable": "websocket_feed"})
		}},
	}
}

// passingProofs returns all proofs. It fails unless they pass the full template: a proof that always fails would find any mistake.
func passingProofs(t *testing.T) []proof {
	t.Helper()
	untouched := fullTemplate(t)
	for _, p := range proofs() {
		if failure := p.failure(t, untouched); failure != "" {
			t.Fatalf("%s fails without a mistake: %s", p.test, failure)
		}
	}
	return proofs()
}

// recorder is the testing.TB of a check that may fail. It records the first failure.
type recorder struct {
	testing.TB

	failure string
}

func (r *recorder) Helper() {}

func (r *recorder) Errorf(format string, args ...any) {
	if r.failure == "" {
		r.failure = fmt.Sprintf(format, args...)
	}
}

func (r *recorder) Error(args ...any) { r.Errorf("%s", fmt.Sprint(args...)) }

func (r *recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	runtime.Goexit()
}

func (r *recorder) Fatal(args ...any) { r.Fatalf("%s", fmt.Sprint(args...)) }

// failure returns the first failure of the proof with a template, or an empty string.
func (p proof) failure(t *testing.T, template template) string {
	t.Helper()
	r := &recorder{TB: t}
	done := make(chan struct{})
	go func() { // Fatal ends the goroutine.
		defer close(done)
		p.check(r, template)
	}()
	<-done
	return r.failure
}
