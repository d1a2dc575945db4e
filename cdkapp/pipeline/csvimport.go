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

// Memory and timeout of the functions that stream files. 1,769 MB gives one full vCPU
// (https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html). The functions need the CPU for parsing, and
// memory for buffers only.
const (
	streamMemoryMB = 1769
	streamTimeoutS = 900
)

// addCSVImport creates the csv_import workflow: its functions, its state machine, and the rule that starts it.
func (p *Pipeline) addCSVImport() error {
	plan, chunk, finish := p.addCSVFunctions()
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
		grantActions(role, function.FunctionArn(), "lambda:InvokeFunction")
	}
	// Names under /aws/vendedlogs/ keep the account's log resource policy from filling up
	// (https://docs.aws.amazon.com/step-functions/latest/dg/bp-cwl.html).
	logs := p.addLogGroup("CsvImportLogs", "/aws/vendedlogs/states/"+*awscdk.Names_UniqueResourceName(p.Construct,
		&awscdk.UniqueResourceNameOptions{Separator: jsii.String("-")})+"-csv_import")
	p.CSVImport = awsstepfunctions.NewStateMachine(p.Construct, jsii.String("CsvImport"),
		&awsstepfunctions.StateMachineProps{
			Comment:          jsii.String("csv_import: imports an uploaded parts list"),
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
		})
	p.addUploadRule()
	return nil
}

// checkedDefinition returns the workflow's definition with its ${Name} placeholders, after a check that substitutions has
// exactly these names.
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

// addCSVFunctions creates the functions of the workflow.
func (p *Pipeline) addCSVFunctions() (awslambda.Function, awslambda.Function, awslambda.Function) {
	plan := p.addCSVFunction("CsvPlan", "csvplan", "claims an upload and cuts it into ranges")
	p.grantObjects(plan, claimsPrefix, "s3:PutObject")
	chunk := p.addCSVFunction("CsvChunk", "csvchunk", "imports one range")
	p.grantObjects(chunk, stagedPrefix, "s3:PutObject", "s3:AbortMultipartUpload")
	finish := p.addCSVFunction("CsvFinish", "csvfinish", "puts the results together")
	p.grantObjects(finish, stagedPrefix, "s3:GetObject", "s3:DeleteObject")
	p.grantObjects(finish, resultsPrefix, "s3:PutObject", "s3:AbortMultipartUpload", "s3:DeleteObject")
	return plan, chunk, finish
}

// addCSVFunction creates a function that may read uploads, claims and summaries, and may report progress.
func (p *Pipeline) addCSVFunction(id, name, does string) awslambda.Function {
	environment := p.PublishEnvironment()
	environment[bucketVariable] = *p.Bucket.BucketName()
	function := p.addFunction(functionSpec{
		id: id, name: name, description: "Herald csv_import: " + does,
		memoryMB: streamMemoryMB, timeoutS: streamTimeoutS, environment: environment,
	})
	p.GrantReport(function)
	p.grantObjects(function, uploadsPrefix, "s3:GetObjectVersion") // each import reads one version
	p.grantObjects(function, claimsPrefix, "s3:GetObject")
	grantActions(function, p.Bucket.ArnForObjects(jsii.String(summaryKeys)), "s3:GetObject")
	p.grantListBucket(function)
	return function
}

// grantListBucket lets function list keys. It also makes S3 answer a read of a missing object with 404 instead of 403
// (https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html).
func (p *Pipeline) grantListBucket(function awslambda.Function) {
	grantActions(function, p.Bucket.BucketArn(), "s3:ListBucket")
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
				"object": map[string]any{"key": []any{map[string]any{"prefix": uploadsPrefix}}},
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

// grantObjects allows function the actions on the objects under prefix.
func (p *Pipeline) grantObjects(function awslambda.Function, prefix string, actions ...string) {
	grantActions(function, p.Bucket.ArnForObjects(jsii.String(prefix+"*")), actions...)
}
