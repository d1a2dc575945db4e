package asl_test

// noResult: executions whose recording leaves out how their tasks ended cannot be replayed.
const noResult = "the recording does not hold the results of the tasks"

// differing lists the recorded executions whose outcome differs from ours, with the reason.
var differing = map[string]string{
	"express/test_express_sync.py::TestExpressSync::test_catch#start_execution_sync_response":                                              noResult,
	"local_mocking/test_base_scenarios.py::TestBaseScenarios::test_lambda_service_invoke_sync_execution#start_execution_sync_response":     noResult,
	"states_variables/test_error_output.py::TestStateVariablesTemplate::test_parallel_catch_error[PARALLEL_CATCH_ERROR_OUTPUT]":            noResult,
	"states_variables/test_error_output.py::TestStateVariablesTemplate::test_parallel_catch_error[PARALLEL_CATCH_ERROR_VARIABLE_SAMPLING]": noResult,
	"states_variables/test_error_output.py::TestStateVariablesTemplate::test_parallel_catch_error[PARALLEL_CATCH_ERROR_OUTPUT_WITH_RETRY]": noResult,
}
