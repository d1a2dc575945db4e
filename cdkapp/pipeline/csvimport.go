package pipeline

import (
	"fmt"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/aws-cdk-go/awscdk/v2/awseventstargets"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsstepfunctions"
	"github.com/aws/jsii-runtime-go"

	"github.com/herald-progress/herald/statemachines"
)

// Sizes of the functions that stream files. 1,769 MB is one whole vCPU
// (https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html): the work is parsing, and takes memory for
// buffers only.
const (
	streamMemoryMB = 1769
	streamTimeoutS = 900
)

// addCSVImport makes the csv_import workflow: its functions, its state machine, and the rule that starts it.
func (p *Pipeline) addCSVImport() error {
	plan, chunk, finish := p.csvFunctions()
	substitutions := map[string]*string{
		"NotifierFunctionArn":  p.Notifier.FunctionArn(),
		"CsvPlanFunctionArn":   plan.FunctionArn(),
		"CsvChunkFunctionArn":  chunk.FunctionArn(),
		"CsvFinishFunctionArn": finish.FunctionArn(),
	}
	definition, err := checkedDefinition("csv_import", substitutions)
	if err != nil {
		return err
	}
	role := awsiam.NewRole(p.Construct, jsii.String("CsvImportRole"), &awsiam.RoleProps{
		AssumedBy:   awsiam.NewServicePrincipal(jsii.String("states.amazonaws.com"), nil),
		Description: jsii.String("Herald csv_import"),
	})
	for _, function := range []awslambda.Function{p.Notifier, plan, chunk, finish} {
		allow(role, function.FunctionArn(), "lambda:InvokeFunction")
	}
	// Names under /aws/vendedlogs/ keep the account's log resource policy from filling up
	// (https://docs.aws.amazon.com/step-functions/latest/dg/bp-cwl.html).
	logs := p.logGroup("CsvImportLogs", "/aws/vendedlogs/states/"+*awscdk.Names_UniqueResourceName(p.Construct,
		&awscdk.UniqueResourceNameOptions{Separator: jsii.String("-")})+"-csv_import")
	p.CSVImport = awsstepfunctions.NewStateMachine(p.Construct, jsii.String("CsvImport"),
		&awsstepfunctions.StateMachineProps{
			Comment:          jsii.String("csv_import: imports an uploaded parts list"),
			StateMachineType: awsstepfunctions.StateMachineType_STANDARD,
			DefinitionBody:   awsstepfunctions.DefinitionBody_FromString(jsii.String(definition)),
			// CloudFormation fills them in, so that the template holds the definition as it is written.
			DefinitionSubstitutions: &substitutions,
			Role:                    role,
			TracingEnabled:          jsii.Bool(true),
			Logs: &awsstepfunctions.LogOptions{
				Destination:          logs,
				Level:                awsstepfunctions.LogLevel_ERROR,
				IncludeExecutionData: jsii.Bool(false), // message bodies are never logged
			},
		})
	p.startOnUpload()
	return nil
}

// checkedDefinition returns the workflow's definition with its ${Name}s in place, after a check that substitutions holds
// exactly those.
func checkedDefinition(name string, substitutions map[string]*string) (string, error) {
	same := make(map[string]string, len(substitutions))
	for key := range substitutions {
		same[key] = "${" + key + "}"
	}
	definition, err := statemachines.Fill(name, same)
	if err != nil {
		return "", fmt.Errorf("fill definition: %w", err)
	}
	return definition, nil
}

// csvFunctions makes the functions of the workflow.
func (p *Pipeline) csvFunctions() (awslambda.Function, awslambda.Function, awslambda.Function) {
	plan := p.csvFunction("CsvPlan", "csvplan", "claims an upload and cuts it into ranges")
	p.allowObjects(plan, claimsPrefix, "s3:PutObject")
	chunk := p.csvFunction("CsvChunk", "csvchunk", "imports one range")
	p.allowObjects(chunk, stagedPrefix, "s3:PutObject", "s3:AbortMultipartUpload")
	finish := p.csvFunction("CsvFinish", "csvfinish", "puts the results together")
	p.allowObjects(finish, stagedPrefix, "s3:GetObject", "s3:DeleteObject")
	p.allowObjects(finish, resultsPrefix, "s3:PutObject", "s3:AbortMultipartUpload", "s3:DeleteObject")
	return plan, chunk, finish
}

// csvFunction makes a function that reads uploads, finds out which of an upload's imports is the newest, and reports its
// progress.
func (p *Pipeline) csvFunction(id, name, does string) awslambda.Function {
	environment := p.PublishEnvironment()
	environment[bucketVariable] = *p.Bucket.BucketName()
	function := p.function(spec{
		id: id, name: name, description: "Herald csv_import: " + does,
		memoryMB: streamMemoryMB, timeoutS: streamTimeoutS, environment: environment,
	})
	p.GrantReport(function)
	p.allowObjects(function, uploadsPrefix, "s3:GetObjectVersion") // each import is of one version
	p.allowObjects(function, claimsPrefix, "s3:GetObject")
	allow(function, p.Bucket.ArnForObjects(jsii.String(summaries)), "s3:GetObject")
	p.allowList(function)
	return function
}

// allowList lets function list keys, and makes S3 answer its read of a missing object by 404: without it the answer is 403
// (https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html).
func (p *Pipeline) allowList(function awslambda.Function) {
	allow(function, p.Bucket.BucketArn(), "s3:ListBucket")
}

// startOnUpload starts the workflow for each object created under uploads/.
func (p *Pipeline) startOnUpload() {
	awsevents.NewRule(p.Construct, jsii.String("UploadRule"), &awsevents.RuleProps{
		Description: jsii.String("Herald: an object under uploads/ starts csv_import"),
		EventPattern: &awsevents.EventPattern{
			Source:     jsii.Strings("aws.s3"),
			DetailType: jsii.Strings("Object Created"),
			Detail: &map[string]any{
				"bucket": map[string]any{"name": []any{p.Bucket.BucketName()}},
				"object": map[string]any{"key": []any{map[string]any{"prefix": uploadsPrefix}}},
			},
		},
		Targets: &[]awsevents.IRuleTarget{
			awseventstargets.NewSfnStateMachine(p.CSVImport, &awseventstargets.SfnStateMachineProps{
				DeadLetterQueue: p.deadLetters("UploadDeadLetters"),
				RetryAttempts:   jsii.Number(eventRetries),
				MaxEventAge:     awscdk.Duration_Hours(jsii.Number(eventMaxAgeHours)),
			}),
		},
	})
}

// allowObjects lets function do actions on the objects under prefix.
func (p *Pipeline) allowObjects(function awslambda.Function, prefix string, actions ...string) {
	allow(function, p.Bucket.ArnForObjects(jsii.String(prefix+"*")), actions...)
}
