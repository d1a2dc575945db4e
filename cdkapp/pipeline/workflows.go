package pipeline

import (
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/aws-cdk-go/awscdk/v2/awseventstargets"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsstepfunctions"
	"github.com/aws/jsii-runtime-go"

	"github.com/herald-progress/herald/lambdas"
	"github.com/herald-progress/herald/lib/csvimport"
	"github.com/herald-progress/herald/statemachines"
)

// addWorkflows creates the state machines of the workflows in package statemachines, and the rule that starts csv_import.
func (p *Pipeline) addWorkflows() error {
	p.workflows = map[string]awsstepfunctions.StateMachine{}
	for _, name := range statemachines.Names() {
		if name == lambdas.CSVImport && !p.props.CSVImport {
			continue
		}
		workflow, err := p.addWorkflow(name)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		p.workflows[name] = workflow
	}
	if p.props.CSVImport {
		p.CSVImport = p.workflows[lambdas.CSVImport]
		p.addUploadRule()
	}
	return nil
}

// addWorkflow creates the state machine of a workflow. Its role may invoke the functions whose placeholders are in the
// definition.
func (p *Pipeline) addWorkflow(name string) (awsstepfunctions.StateMachine, error) {
	id := constructID(name)
	role := awsiam.NewRole(p.Construct, jsii.String(id+"Role"), &awsiam.RoleProps{
		AssumedBy:   awsiam.NewServicePrincipal(jsii.String("states.amazonaws.com"), nil),
		Description: jsii.String("Herald " + name),
	})
	placeholders, substitutions := statemachines.Substitutions(name), map[string]*string{}
	for _, f := range lambdas.Functions() {
		_, deployed := p.functions[f.Name]
		if deployed && slices.Contains(placeholders, f.Substitution()) {
			target := p.invoked(f.Name)
			substitutions[f.Substitution()] = target.FunctionArn()
			grantActions(role, target.FunctionArn(), "lambda:InvokeFunction")
		}
	}
	definition, err := checkedDefinition(name, substitutions)
	if err != nil {
		return nil, err
	}
	// Names under /aws/vendedlogs/ keep the account's log resource policy from filling up
	// (https://docs.aws.amazon.com/step-functions/latest/dg/bp-cwl.html).
	logs := p.addLogGroup(id+"Logs", "/aws/vendedlogs/states/"+p.namePrefix+"-"+name)

	return awsstepfunctions.NewStateMachine(p.Construct, jsii.String(id),
		&awsstepfunctions.StateMachineProps{
			StateMachineName: jsii.String(p.namePrefix + "-" + name),
			StateMachineType: awsstepfunctions.StateMachineType_STANDARD,
			DefinitionBody:   awsstepfunctions.DefinitionBody_FromString(jsii.String(definition)),
			// CloudFormation replaces the substitutions, so that the template contains the definition as it is in the source.
			DefinitionSubstitutions: &substitutions,
			Role:                    role,
			TracingEnabled:          jsii.Bool(true),
			Logs: &awsstepfunctions.LogOptions{
				Destination:          logs,
				Level:                awsstepfunctions.LogLevel_ERROR,
				IncludeExecutionData: jsii.Bool(false), // message bodies are never logged
			},
		}), nil
}

// constructID returns the id of a workflow's construct: CsvImport for csv_import.
func constructID(workflow string) string {
	var id strings.Builder
	for word := range strings.SplitSeq(workflow, "_") {
		id.WriteString(strings.ToUpper(word[:1]) + word[1:])
	}
	return id.String()
}

// checkedDefinition returns the workflow's definition with its ${Name} placeholders. It returns an error if substitutions does
// not have exactly the names of these placeholders.
func checkedDefinition(name string, substitutions map[string]*string) (string, error) {
	unchanged := make(map[string]string, len(substitutions)) // Fill checks the names, and replaces each placeholder by itself
	for key := range substitutions {
		unchanged[key] = "${" + key + "}"
	}
	definition, err := statemachines.Fill(name, unchanged)
	if err != nil {
		return "", fmt.Errorf("fill definition: %w", err)
	}
	return definition, nil
}

// addUploadRule creates the rule that starts the workflow for each object created under uploads/.
func (p *Pipeline) addUploadRule() {
	awsevents.NewRule(p.Construct, jsii.String("UploadRule"), &awsevents.RuleProps{
		Description: jsii.String("Herald: an object under uploads/ starts csv_import"),
		EventPattern: &awsevents.EventPattern{
			Source:     jsii.Strings("aws.s3"),
			DetailType: jsii.Strings("Object Created"),
			Detail: &map[string]any{
				"bucket": map[string]any{"name": []any{p.Bucket.BucketName()}},
				"object": map[string]any{"key": []any{map[string]any{"prefix": csvimport.UploadsPrefix}}},
			},
		},
		Targets: &[]awsevents.IRuleTarget{
			awseventstargets.NewSfnStateMachine(p.CSVImport, &awseventstargets.SfnStateMachineProps{
				DeadLetterQueue: p.addDeadLetterQueue("UploadDeadLetters"),
				RetryAttempts:   jsii.Number(eventRetries),
				MaxEventAge:     awscdk.Duration_Hours(jsii.Number(eventMaxAgeHours)),
			}),
		},
	})
}
