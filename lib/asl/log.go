package asl

import (
	"encoding/json"
	"fmt"
	"maps"
	"strconv"
)

// executionData are the details that Step Functions logs only with execution data
// (https://docs.aws.amazon.com/step-functions/latest/dg/cw-logs.html).
var executionData = []string{
	"input", "inputDetails", "output", "outputDetails", "parameters", "assignedVariables", "assignedVariablesDetails", "error", "cause",
}

// LogLine returns the event as Step Functions writes it to CloudWatch Logs at level ALL, as one line of JSON: all numbers are texts.
// execution is the ARN of the execution and redrives its redrive count. Without withData, the line has no data of the execution.
func (e Event) LogLine(execution string, redrives int, withData bool) ([]byte, error) {
	fields := object{}
	for _, value := range e.Details.Map() { // one object
		if inner, ok := value.(object); ok {
			maps.Copy(fields, inner)
		}
	}
	for name, value := range fields {
		switch number := value.(type) {
		case int:
			fields[name] = strconv.Itoa(number)
		case int64:
			fields[name] = strconv.FormatInt(number, 10)
		case float64: // from a stored history
			fields[name] = strconv.FormatInt(int64(number), 10)
		}
	}
	if !withData {
		for _, name := range executionData {
			delete(fields, name)
		}
	}
	line, err := json.Marshal(object{
		"id": strconv.FormatInt(e.ID, 10), "type": e.Type, "details": fields, "previous_event_id": strconv.FormatInt(e.PreviousID, 10),
		"event_timestamp": strconv.FormatInt(e.Time.UnixMilli(), 10), "execution_arn": execution, "redrive_count": strconv.Itoa(redrives),
	})
	if err != nil {
		return nil, fmt.Errorf("log event: %w", err)
	}
	return line, nil
}
