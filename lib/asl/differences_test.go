package asl_test

// resultsMissing is the reason why an execution cannot be replayed.
const resultsMissing = "the recording does not hold the results of the tasks"

// knownDifferences lists the recorded executions whose outcome differs from the recording, with the reason.
var knownDifferences = map[string]string{
	"express/test_express_sync.py::TestExpressSync::test_catch#start_execution_sync_response":                                              resultsMissing,
	"local_mocking/test_base_scenarios.py::TestBaseScenarios::test_lambda_service_invoke_sync_execution#start_execution_sync_response":     resultsMissing,
	"states_variables/test_error_output.py::TestStateVariablesTemplate::test_parallel_catch_error[PARALLEL_CATCH_ERROR_OUTPUT]":            resultsMissing,
	"states_variables/test_error_output.py::TestStateVariablesTemplate::test_parallel_catch_error[PARALLEL_CATCH_ERROR_VARIABLE_SAMPLING]": resultsMissing,
	"states_variables/test_error_output.py::TestStateVariablesTemplate::test_parallel_catch_error[PARALLEL_CATCH_ERROR_OUTPUT_WITH_RETRY]": resultsMissing,
}

// reportDifferences lists the reports whose answer differs from what they want, with the reason. Where two sources disagree, recorded
// executions win, then AWS's documentation, then what others say that they measured.
var reportDifferences = map[string]string{
	"F06-choice-no-match": "AWS's documentation and the States Language name the error States.NoChoiceMatched",
	"F11-range-single":    "a recorded execution has a number as the result of a range of one number, although the documentation says that it is an array",
}
