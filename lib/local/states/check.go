package states

import (
	"cmp"
	"context"
	"strings"

	"github.com/herald-progress/herald/lib/local/awswire"
)

// ValidateStateMachineDefinition checks a definition as CreateStateMachine does and lists what is wrong.
func (s *StepFunctions) ValidateStateMachineDefinition(
	_ context.Context, in ValidateDefinitionInput,
) (ValidateDefinitionOutput, error) {
	const defaultDiagnostics = 100
	kind := cmp.Or(in.Type, typeStandard)
	if err := validateChoice("type", kind, typeStandard, typeExpress); err != nil {
		return ValidateDefinitionOutput{}, err
	}
	if err := validateChoice("severity", in.Severity, "ERROR", "WARNING"); err != nil {
		return ValidateDefinitionOutput{}, err
	}
	if in.MaxResults < 0 || in.MaxResults > defaultDiagnostics {
		return ValidateDefinitionOutput{}, errInvalid("maxResults", "Member must have value less than or equal to 100")
	}
	if len(in.Definition) > maxDefinition {
		return ValidateDefinitionOutput{}, errInvalid("definition", "Member must have length less than or equal to 1048576")
	}

	problems, _ := problemsOf(in.Definition, kind)
	out := ValidateDefinitionOutput{Result: "OK", Diagnostics: []Diagnostic{}}
	for i, p := range problems {
		out.Result = "FAIL"
		if i == cmp.Or(in.MaxResults, defaultDiagnostics) {
			out.Truncated = true
			break
		}
		location := p.Path
		if _, source, ok := strings.Cut(p.Rule, "\n at "); ok && location == "" { // The text is not JSON.
			location = source
		}
		out.Diagnostics = append(out.Diagnostics, Diagnostic{Severity: "ERROR", Code: p.Code, Message: p.Rule, Location: location})
	}
	return out, nil
}

// validateRole checks the ARN of a role.
func validateRole(arn string) error {
	const fields = 6 // arn:partition:iam::account:role/name
	parts := strings.SplitN(arn, ":", fields)
	if len(parts) < fields || parts[0] != "arn" || parts[2] != "iam" || !strings.HasPrefix(parts[fields-1], "role/") {
		return awswire.NewError("InvalidArn", "Invalid Role Arn: '"+arn+"'")
	}
	return nil
}

// metadataOnly is the value of IncludedData that leaves out inputs, outputs and definitions.
const metadataOnly = "METADATA_ONLY"

// validateIncludedData checks the field IncludedData.
func validateIncludedData(value string) error {
	return validateChoice("includedData", value, "ALL_DATA", metadataOnly)
}

// validate checks a logging configuration.
func (c LoggingConfiguration) validate() error {
	switch c.Level {
	case "", "OFF":
		return nil
	case "ALL", "ERROR", "FATAL":
	default:
		return validateChoice("loggingConfiguration.level", c.Level, "ALL", "ERROR", "FATAL", "OFF")
	}
	if len(c.Destinations) != 1 || c.Destinations[0].CloudWatchLogsLogGroup.LogGroupArn == "" {
		return awswire.NewError("InvalidLoggingConfiguration", "Invalid Logging Configuration: Must specify exactly one Log Destination.")
	}
	return nil
}
