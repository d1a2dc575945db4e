package pipeline_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/herald-progress/herald/cdkapp/pipeline"
	"github.com/herald-progress/herald/lambdas"
)

// keyARN is the ARN of a customer-managed key.
const keyARN = "arn:aws:kms:eu-west-1:123456789012:key/01234567-89ab-cdef-0123-456789abcdef"

// allowedConditions returns the conditions of the statements of a role that allow an action, without hashes.
func allowedConditions(t template, role, action string) []string {
	var out []string
	for _, policy := range t.ofType("AWS::IAM::Policy") {
		for _, of := range asList(lookUp(policy.properties, "Roles")) {
			if withoutHash(fmt.Sprint(lookUp(of, "Ref"))) != role {
				continue
			}
			for _, statement := range asList(lookUp(policy.properties, "PolicyDocument", "Statement")) {
				if slices.Contains(valueTexts(lookUp(statement, "Action")), action) {
					equals := lookUp(statement, "Condition", "StringEquals", "kms:ViaService")
					out = append(out, withoutCDKHashes(equals)+fmt.Sprint(lookUp(statement, "Condition", "Null")))
				}
			}
		}
	}
	slices.Sort(out)
	return out
}

func TestKeyEncryptsAllThatIsStored(t *testing.T) {
	settings := hs256()
	settings.Props.KMSKeyARN, settings.Props.AccessLogs = keyARN, true
	template := synthesise(t, settings)
	var encrypted int
	for kind, path := range map[string][]any{
		"AWS::DynamoDB::Table": {"SSESpecification", "KMSMasterKeyId"},
		"AWS::S3::Bucket":      {"BucketEncryption", "ServerSideEncryptionConfiguration", 0, "ServerSideEncryptionByDefault", "KMSMasterKeyID"},
		"AWS::Logs::LogGroup":  {"KmsKeyId"},
		"AWS::SQS::Queue":      {"KmsMasterKeyId"},
	} {
		for _, resource := range template.ofType(kind) {
			encrypted++
			if got := lookUp(resource.properties, path...); got != keyARN {
				t.Errorf("%s is encrypted by %v", resource.id, got)
			}
		}
	}
	if want := 2 + 1 + len(template.ofType("AWS::Lambda::Function")) + 2 + 2; encrypted != want {
		t.Errorf("%d resources are checked, want %d: tables, the bucket, the logs of functions, a workflow and the stage, queues", encrypted, want)
	}
	rule := lookUp(template.one(t, "AWS::S3::Bucket", "HeraldUploads").properties, "BucketEncryption", "ServerSideEncryptionConfiguration", 0)
	if lookUp(rule, "BucketKeyEnabled") != true {
		t.Error("each object costs a request to KMS: the bucket has no bucket key")
	}
}

// TestRolesMayUseTheKeyOnlyForWhatTheyDo checks that each role may use the key as its other permissions demand, and only through the
// services that encrypt by it.
func TestRolesMayUseTheKeyOnlyForWhatTheyDo(t *testing.T) {
	settings := hs256()
	settings.Props.KMSKeyARN, settings.Props.UploadOrigins = keyARN, []string{"https://app.example.com"}
	template := synthesise(t, settings)
	const (
		dynamodb = "dynamodb.<AWS::Region>.<AWS::URLSuffix><nil>"
		s3       = "s3.<AWS::Region>.<AWS::URLSuffix><nil>"
		sqs      = "sqs.<AWS::Region>.<AWS::URLSuffix><nil>"
	)
	for role, want := range map[string]map[string][]string{
		"HeraldConnectRole":    {"kms:Decrypt": {dynamodb}, "kms:Encrypt": {dynamodb}},
		"HeraldDisconnectRole": {"kms:Decrypt": {dynamodb}, "kms:Encrypt": {dynamodb}},
		"HeraldDefaultRole":    {"kms:Decrypt": {dynamodb, s3}, "kms:Encrypt": {dynamodb}, "kms:GenerateDataKey": {dynamodb, s3}},
		"HeraldNotifierRole":   {"kms:Decrypt": {dynamodb}, "kms:Encrypt": {dynamodb}},
		"HeraldReaperRole":     {"kms:Decrypt": {dynamodb}, "kms:Encrypt": {dynamodb}},
		"HeraldSweeperRole":    {"kms:Decrypt": {dynamodb, sqs}, "kms:Encrypt": {dynamodb}, "kms:GenerateDataKey": {dynamodb, sqs}},
		"HeraldCsvPlanRole":    {"kms:Decrypt": {dynamodb, s3}, "kms:GenerateDataKey": {dynamodb, s3}},
		"HeraldCsvImportRole":  {"kms:Decrypt": nil},
	} {
		for action, conditions := range want {
			got := slices.Compact(allowedConditions(template, role, action))
			if diff := cmp.Diff(conditions, got); diff != "" {
				t.Errorf("%s, %s through (-want +got):\n%s", role, action, diff)
			}
		}
	}
	for role, granted := range rolePermissions(template) {
		for _, line := range granted {
			if strings.HasPrefix(line, "kms:") && (!strings.HasSuffix(line, " "+keyARN) || strings.Contains(line, "*")) {
				t.Errorf("%s has %s", role, line)
			}
		}
	}
}

// TestEachRoleMayUseTheKeyExactlyAsTheServicesAsk demands all actions that the services document for what a role does, and no other.
func TestEachRoleMayUseTheKeyExactlyAsTheServicesAsk(t *testing.T) {
	settings := hs256()
	settings.Props.KMSKeyARN, settings.Props.UploadOrigins = keyARN, []string{"https://app.example.com"}
	template := synthesise(t, settings)
	toRead, toWrite := []string{"kms:Decrypt"}, []string{"kms:Decrypt", "kms:GenerateDataKey"}
	readTable := []string{"kms:Decrypt", "kms:DescribeKey"}
	writeTable := slices.Concat(readTable, []string{"kms:Encrypt", "kms:GenerateDataKey", "kms:GenerateDataKeyWithoutPlaintext", "kms:ReEncryptFrom", "kms:ReEncryptTo"})
	needed := map[string][]string{
		"dynamodb:GetItem": readTable, "dynamodb:Query": readTable, "dynamodb:PutItem": writeTable, "dynamodb:UpdateItem": writeTable,
		"dynamodb:DeleteItem": writeTable, "s3:GetObject": toRead, "s3:GetObjectVersion": toRead, "s3:PutObject": toWrite, "sqs:SendMessage": toWrite,
	}
	for role, granted := range rolePermissions(template) {
		want := map[string][]string{}
		for _, line := range granted {
			action, _, _ := strings.Cut(line, " ")
			service, _, _ := strings.Cut(action, ":")
			for _, use := range needed[action] {
				if through := service + ".<AWS::Region>.<AWS::URLSuffix><nil>"; !slices.Contains(want[use], through) {
					want[use] = append(want[use], through)
				}
			}
		}
		got := map[string][]string{}
		for _, line := range granted {
			if action, _, _ := strings.Cut(line, " "); strings.HasPrefix(action, "kms:") {
				got[action] = slices.Compact(allowedConditions(template, role, action))
			}
		}
		for _, through := range want {
			slices.Sort(through)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: uses of the key, and the services that they are through (-want +got):\n%s", role, diff)
		}
	}
}

func TestFunctionsAreAttachedToTheVPC(t *testing.T) {
	settings := watching(hs256())
	settings.Props.VPCSubnetIDs = []string{"subnet-0123456789abcdef0", "subnet-0123456789abcdef1"}
	settings.Props.VPCSecurityGroupIDs = []string{"sg-0123456789abcdef0"}
	template := synthesise(t, settings)
	for _, function := range template.ofType("AWS::Lambda::Function") {
		got := fmt.Sprint(lookUp(function.properties, "VpcConfig", "SubnetIds"), lookUp(function.properties, "VpcConfig", "SecurityGroupIds"))
		if want := "[subnet-0123456789abcdef0 subnet-0123456789abcdef1] [sg-0123456789abcdef0]"; got != want {
			t.Errorf("%s is in %s, want %s", function.id, got, want)
		}
	}
	permissions := rolePermissions(template)
	for _, f := range lambdas.Functions() {
		role := "Herald" + f.ID + "Role"
		if !slices.Contains(permissions[role], "ec2:CreateNetworkInterface *") {
			t.Errorf("%s: Lambda may not create network interfaces: %v", role, permissions[role])
		}
		want := []string{noValue + "map[lambda:SourceFunctionArn:true]"}
		if diff := cmp.Diff(want, allowedConditions(template, role, "ec2:CreateNetworkInterface")); diff != "" {
			t.Errorf("%s: the function itself may create network interfaces (-want +got):\n%s", role, diff)
		}
	}
	if plain := synthesise(t, hs256()); lookUp(plain.ofType("AWS::Lambda::Function")[0].properties, "VpcConfig") != nil {
		t.Error("without the settings a function is in a VPC")
	}
}

// lifecycle returns the bucket's rules that delete objects: the prefix, and after how many days.
func lifecycle(tb testing.TB, template template) []string {
	tb.Helper()
	var rules []string
	for _, rule := range asList(lookUp(template.one(tb, "AWS::S3::Bucket", "HeraldUploads").properties, "LifecycleConfiguration", "Rules")) {
		if after := lookUp(rule, "ExpirationInDays"); after != nil {
			rules = append(rules, fmt.Sprint(lookUp(rule, "Prefix"), " ", after, " ", lookUp(rule, "NoncurrentVersionExpiration", "NoncurrentDays")))
		}
	}
	return rules
}

func TestUploadsAndResultsAreStoredForEverOrForTheDaysThatAreSet(t *testing.T) {
	if diff := cmp.Diff([]string{"staged/ 7 1", "claims/ 30 1"}, lifecycle(t, synthesise(t, hs256()))); diff != "" {
		t.Errorf("by default (-want +got):\n%s", diff)
	}
	settings := hs256()
	settings.Props.UploadDays, settings.Props.ResultDays = 1, 3653
	want := []string{"staged/ 7 1", "claims/ 30 1", "uploads/ 1 1", "results/ 3653 1"}
	if diff := cmp.Diff(want, lifecycle(t, synthesise(t, settings))); diff != "" {
		t.Errorf("with days (-want +got):\n%s", diff)
	}
}

func TestLogLevelAndMemoryReachTheFunctions(t *testing.T) {
	settings := watching(hs256())
	settings.Props.LogLevel, settings.Props.NotifierMemoryMB = pipeline.LogWarn, 1024
	template := synthesise(t, settings)
	for _, f := range lambdas.Functions() {
		function := template.one(t, "AWS::Lambda::Function", "Herald"+f.ID+"Function")
		if got := lookUp(function.properties, "Environment", "Variables", lambdas.EnvLogLevel); got != "warn" {
			t.Errorf("%s logs from %v on", f.Name, got)
		}
		want := f.MemoryMB
		if f.Name == "notifier" {
			want = 1024
		}
		if got := lookUp(function.properties, "MemorySize"); got != float64(want) {
			t.Errorf("%s has %v MB, want %d", f.Name, got, want)
		}
	}
}

func TestWorkflowsAndOutputsNameTheAliasWithProvisionedConcurrency(t *testing.T) {
	settings := hs256()
	settings.Props.NotifierProvisionedConcurrency = 3
	template := synthesise(t, settings)
	alias := template.one(t, "AWS::Lambda::Alias", "HeraldNotifierAlias")
	for path, want := range map[string]string{
		"Name": "live", "FunctionName": "<HeraldNotifierFunction>",
	} {
		if got := withoutCDKHashes(lookUp(alias.properties, path)); got != want {
			t.Errorf("%s of the alias is %s, want %s", path, got, want)
		}
	}
	if got := lookUp(alias.properties, "ProvisionedConcurrencyConfig", "ProvisionedConcurrentExecutions"); got != 3.0 {
		t.Errorf("%v executions are provisioned, want 3", got)
	}
	workflow := template.one(t, "AWS::StepFunctions::StateMachine", "HeraldCsvImport")
	if got := withoutHash(fmt.Sprint(lookUp(workflow.properties, "DefinitionSubstitutions", "NotifierFunctionArn", "Ref"))); got != "HeraldNotifierAlias" {
		t.Errorf("csv_import calls %s", got)
	}
	granted := rolePermissions(template)["HeraldCsvImportRole"]
	if !slices.Contains(granted, "lambda:InvokeFunction <HeraldNotifierAlias>") || slices.Contains(granted, "lambda:InvokeFunction <HeraldNotifierFunction.Arn>") {
		t.Errorf("csv_import may not call the alias alone: %v", granted)
	}
	if got := withoutCDKHashes(lookUp(template.all, "Outputs", "NotifierFunctionArn", "Value")); got != "<HeraldNotifierAlias>" {
		t.Errorf("the output NotifierFunctionArn is %s", got)
	}
	name := fmt.Sprint(lookUp(template.all, "Outputs", "NotifierFunctionName", "Value"))
	if !strings.Contains(name, "NotifierAlias") || !strings.Contains(name, ":live") {
		t.Errorf("the output NotifierFunctionName is %s", name)
	}
	if plain := synthesise(t, hs256()); len(plain.ofType("AWS::Lambda::Alias")) != 0 || len(plain.ofType("AWS::Lambda::Version")) != 0 {
		t.Error("by default there is an alias or a version")
	}
}

func TestParametersHaveTheOutputs(t *testing.T) {
	checkParameters(t, fullTemplate(t))
	settings := hs256()
	settings.Props.ParameterPrefix = pipeline.NoParameters
	if found := synthesise(t, settings).ofType("AWS::SSM::Parameter"); len(found) != 0 {
		t.Errorf("%d parameters in spite of none", len(found))
	}
}

func checkParameters(tb testing.TB, template template) {
	tb.Helper()
	outputs, _ := template.all["Outputs"].(map[string]any)
	got := map[string]string{}
	for _, parameter := range template.ofType("AWS::SSM::Parameter") {
		name, ok := strings.CutPrefix(fmt.Sprint(lookUp(parameter.properties, "Name")), "/herald/Herald/")
		if !ok || lookUp(parameter.properties, "Tier") != nil || lookUp(parameter.properties, "Type") != "String" {
			tb.Errorf("%s has the name %v, or is not text, or not of the tier that is free", parameter.id, lookUp(parameter.properties, "Name"))
		}
		got[name] = valueText(lookUp(parameter.properties, "Value"))
	}
	want := map[string]string{}
	for name, output := range outputs {
		want[name] = valueText(lookUp(output, "Value"))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		tb.Errorf("parameters (-outputs +parameters):\n%s", diff)
	}
}
