package pipeline_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// mutant is a template in which a test makes a mistake.
type mutant struct {
	testing.TB
	template
}

// at returns the value at a path such as "HeraldStage/Properties/StageName", and a function that replaces it. The path begins with the
// logical id of a resource, without its hash.
func (m mutant) at(path string) (value any, set func(any)) {
	m.Helper()
	steps := strings.Split(path, "/")
	var parent any
	resources := fields(m.all["Resources"])
	for id := range resources {
		if withoutHash(id) == steps[0] {
			value, set = resources[id], func(v any) { resources[id] = v }
		}
	}
	for _, step := range steps[1:] {
		parent = value
		switch container := parent.(type) {
		case map[string]any:
			value, set = container[step], func(v any) { container[step] = v }
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i >= len(container) {
				m.Fatalf("%s: there is no position %s", path, step)
			}
			value, set = container[i], func(v any) { container[i] = v }
		default:
			m.Fatalf("%s: there is no %s", path, step)
		}
	}
	if set == nil {
		m.Fatalf("there is no resource %s", steps[0])
	}

	return value, set
}

// set replaces a value that exists.
func (m mutant) set(path string, with any) {
	m.Helper()
	value, set := m.at(path)
	if value == nil {
		m.Fatalf("there is no %s", path)
	}
	set(with)
}

// add sets a value that does not exist.
func (m mutant) add(path string, with any) {
	m.Helper()
	value, set := m.at(path)
	if value != nil {
		m.Fatalf("%s is there", path)
	}
	set(with)
}

// drop removes a key.
func (m mutant) drop(path string) {
	m.Helper()
	i := strings.LastIndexByte(path, '/')
	parent, _ := m.at(path[:i])
	if fields(parent)[path[i+1:]] == nil {
		m.Fatalf("there is no %s", path)
	}
	delete(fields(parent), path[i+1:])
}

// swap exchanges two values.
func (m mutant) swap(one, other string) {
	m.Helper()
	a, setA := m.at(one)
	b, setB := m.at(other)
	setA(b)
	setB(a)
}

// edit replaces a part of a text.
func (m mutant) edit(path, old, with string) {
	m.Helper()
	text, set := m.at(path)
	if !strings.Contains(valueText(text), old) {
		m.Fatalf("%s has no %s", path, old)
	}
	set(strings.Replace(valueText(text), old, with, 1))
}

// statement returns the statement of a role's policy with an action.
func (m mutant) statement(role, action string) map[string]any {
	m.Helper()
	statements, _ := m.at(role + "DefaultPolicy/Properties/PolicyDocument/Statement")
	for _, statement := range asList(statements) {
		if slices.Contains(valueTexts(lookUp(statement, "Action")), action) {
			return fields(statement)
		}
	}
	m.Fatalf("%s may not %s", role, action)
	return nil
}

// setActions changes the actions of the statement with an action.
func (m mutant) setActions(role, action string, change func([]string) []string) {
	m.Helper()
	statement := m.statement(role, action)
	actions := []any{}
	for _, name := range change(valueTexts(statement["Action"])) {
		actions = append(actions, name)
	}
	statement["Action"] = actions
}

// remove removes a resource.
func (m mutant) remove(name string) {
	m.Helper()
	resources := fields(m.all["Resources"])
	for id := range resources {
		if withoutHash(id) == name {
			delete(resources, id)
			return
		}
	}
	m.Fatalf("there is no resource %s", name)
}

// pongPath is where the answer to a ping is.
const pongPath = "HeraldPingIntegrationResponse/Properties/ResponseTemplates/200"

// templateMutations returns mistakes that people make in a stack like this.
func templateMutations() []struct {
	what   string
	change func(m mutant)
} {
	without := func(action string) func([]string) []string {
		return func(all []string) []string { return slices.DeleteFunc(all, func(a string) bool { return a == action }) }
	}
	with := func(action string) func([]string) []string {
		return func(all []string) []string { return append(all, action) }
	}
	only := func(action string) func([]string) []string {
		return func([]string) []string { return []string{action} }
	}
	return []struct {
		what   string
		change func(m mutant)
	}{
		// Permissions.
		{"the notifier may not read the feed", func(m mutant) { m.setActions("HeraldNotifierRole", "dynamodb:GetItem", without("dynamodb:GetItem")) }},
		{"$disconnect may also read the table", func(m mutant) { m.setActions("HeraldDisconnectRole", "dynamodb:DeleteItem", with("dynamodb:Scan")) }},
		{"the chunk step may do anything with objects", func(m mutant) { m.setActions("HeraldCsvChunkRole", "s3:PutObject", only("s3:*")) }},
		{"the notifier may write any table", func(m mutant) { m.statement("HeraldNotifierRole", "dynamodb:PutItem")["Resource"] = "*" }},
		{"the plan step writes the uploads", func(m mutant) {
			m.statement("HeraldCsvPlanRole", "s3:PutObject")["Resource"] = m.statement("HeraldCsvPlanRole", "s3:GetObjectVersion")["Resource"]
		}},
		{"the notifier queries the feed in the place of the index", func(m mutant) {
			m.statement("HeraldNotifierRole", "dynamodb:Query")["Resource"] = m.statement("HeraldNotifierRole", "dynamodb:PutItem")["Resource"]
		}},
		{"a permission is denied", func(m mutant) { m.statement("HeraldReaperRole", "dynamodb:Query")["Effect"] = "Deny" }},
		{"a permission has a condition", func(m mutant) {
			m.statement("HeraldReaperRole", "dynamodb:Query")["Condition"] = map[string]any{"Bool": map[string]any{"aws:MultiFactorAuthPresent": "true"}}
		}},
		{"all but one action is allowed", func(m mutant) {
			s := m.statement("HeraldDisconnectRole", "dynamodb:DeleteItem")
			s["NotAction"] = s["Action"]
			delete(s, "Action")
		}},
		{"a role has a managed policy", func(m mutant) {
			m.add("HeraldConnectRole/Properties/ManagedPolicyArns", []any{"arn:aws:iam::aws:policy/AdministratorAccess"})
		}},
		{"a role has an inline policy", func(m mutant) {
			m.add("HeraldConnectRole/Properties/Policies", []any{map[string]any{"PolicyName": "x"}})
		}},
		{"two functions swap their roles", func(m mutant) {
			m.swap("HeraldConnectFunction/Properties/Role", "HeraldDisconnectFunction/Properties/Role")
		}},
		{"any account may assume a role", func(m mutant) {
			m.set("HeraldNotifierRole/Properties/AssumeRolePolicyDocument/Statement/0/Principal", map[string]any{"AWS": "*"})
		}},
		{"the state machine has the role of the rule", func(m mutant) {
			m.swap("HeraldCsvImport/Properties/RoleArn", "HeraldUploadRule/Properties/Targets/0/RoleArn")
		}},
		{"the workflow may not call the notifier", func(m mutant) {
			role := m.statement("HeraldCsvImportRole", "lambda:InvokeFunction")
			role["Resource"] = asList(role["Resource"])[0]
		}},
		{"anybody may invoke a function", func(m mutant) { m.set("HeraldApiconnectRouteIntegrationPermission/Properties/Principal", "*") }},
		{"$connect may not call its function", func(m mutant) { m.remove("HeraldApiconnectRouteIntegrationPermission") }},
		{"any API may invoke $connect", func(m mutant) { m.drop("HeraldApiconnectRouteIntegrationPermission/Properties/SourceArn") }},

		// Functions.
		{"a function lacks the table's name", func(m mutant) { m.drop("HeraldConnectFunction/Properties/Environment/Variables/CONNECTIONS_TABLE") }},
		{"a function has the other table's name", func(m mutant) {
			m.swap("HeraldNotifierFunction/Properties/Environment/Variables/CONNECTIONS_TABLE", "HeraldNotifierFunction/Properties/Environment/Variables/FEED_TABLE")
		}},
		{"the endpoint is that of browsers", func(m mutant) {
			m.set("HeraldNotifierFunction/Properties/Environment/Variables/WEBSOCKET_API_ENDPOINT", "wss://api.example.com/prod")
		}},
		{"tokens are verified in another mode", func(m mutant) { m.set("HeraldConnectFunction/Properties/Environment/Variables/AUTH_MODE", "jwks") }},
		{"a function has 29 seconds", func(m mutant) { m.set("HeraldDefaultFunction/Properties/Timeout", 29.0) }},
		{"a step has 128 MB", func(m mutant) { m.set("HeraldCsvChunkFunction/Properties/MemorySize", 128.0) }},
		{"a function is for the other processor", func(m mutant) { m.set("HeraldNotifierFunction/Properties/Architectures", []any{"x86_64"}) }},
		{"a function is not traced", func(m mutant) { m.set("HeraldNotifierFunction/Properties/TracingConfig/Mode", "PassThrough") }},
		{"two functions swap their programs", func(m mutant) {
			m.swap("HeraldReaperFunction/Properties/Code/S3Key", "HeraldSweeperFunction/Properties/Code/S3Key")
		}},
		{"a function logs to another's group", func(m mutant) {
			m.swap("HeraldReaperFunction/Properties/LoggingConfig/LogGroup", "HeraldSweeperFunction/Properties/LoggingConfig/LogGroup")
		}},
		{"a function is created before its permissions", func(m mutant) { m.drop("HeraldNotifierFunction/DependsOn") }},
		{"the sweeper is not run again with an event", func(m mutant) { m.set("HeraldSweeperEvents/Properties/MaximumRetryAttempts", 0.0) }},
		{"logs are kept for ever", func(m mutant) { m.drop("HeraldNotifierLogs/Properties/RetentionInDays") }},
		{"logs outlive the stack", func(m mutant) { m.set("HeraldNotifierLogs/DeletionPolicy", "Retain") }},

		// Tables.
		{"the index has another name", func(m mutant) { m.set("HeraldConnections/Properties/GlobalSecondaryIndexes/0/IndexName", "userIndex") }},
		{"the index has the keys only", func(m mutant) {
			m.set("HeraldConnections/Properties/GlobalSecondaryIndexes/0/Projection/ProjectionType", "KEYS_ONLY")
		}},
		{"an index is sorted by another attribute", func(m mutant) {
			m.set("HeraldConnections/Properties/GlobalSecondaryIndexes/1/KeySchema/1/AttributeName", "connectedAt")
		}},
		{"rows expire by another attribute", func(m mutant) {
			m.set("HeraldConnections/Properties/TimeToLiveSpecification/AttributeName", "expires_at")
		}},
		{"rows do not expire", func(m mutant) { m.set("HeraldFeed/Properties/TimeToLiveSpecification/Enabled", false) }},
		{"the feed cannot be restored", func(m mutant) { m.drop("HeraldFeed/Properties/PointInTimeRecoverySpecification") }},
		{"the feed is deleted with the stack", func(m mutant) { m.set("HeraldFeed/DeletionPolicy", "Delete") }},
		{"anybody may delete the feed", func(m mutant) { m.set("HeraldFeed/Properties/DeletionProtectionEnabled", false) }},
		{"the table's capacity is provisioned", func(m mutant) { m.set("HeraldConnections/Properties/BillingMode", "PROVISIONED") }},
		{"the table has another name", func(m mutant) { m.set("HeraldConnections/Properties/TableName", "connections") }},

		// The bucket.
		{"the bucket is not encrypted", func(m mutant) { m.drop("HeraldUploads/Properties/BucketEncryption") }},
		{"the bucket may be public", func(m mutant) {
			m.set("HeraldUploads/Properties/PublicAccessBlockConfiguration/BlockPublicPolicy", false)
		}},
		{"any page may upload", func(m mutant) {
			m.set("HeraldUploads/Properties/CorsConfiguration/CorsRules/0/AllowedOrigins", []any{"*"})
		}},
		{"pages may read", func(m mutant) {
			m.set("HeraldUploads/Properties/CorsConfiguration/CorsRules/0/AllowedMethods", []any{"PUT", "GET"})
		}},
		{"a part's ETag is hidden from pages", func(m mutant) { m.drop("HeraldUploads/Properties/CorsConfiguration/CorsRules/0/ExposedHeaders") }},
		{"users' uploads expire", func(m mutant) { m.set("HeraldUploads/Properties/LifecycleConfiguration/Rules/1/Prefix", "uploads/") }},
		{"everything expires", func(m mutant) { m.drop("HeraldUploads/Properties/LifecycleConfiguration/Rules/2/Prefix") }},
		{"given-up parts of uploads stay", func(m mutant) {
			m.drop("HeraldUploads/Properties/LifecycleConfiguration/Rules/0/AbortIncompleteMultipartUpload")
		}},
		{"new objects are not reported", func(m mutant) { m.drop("HeraldUploads/Properties/NotificationConfiguration") }},
		{"objects have no versions", func(m mutant) { m.set("HeraldUploads/Properties/VersioningConfiguration/Status", "Suspended") }},
		{"the bucket takes requests without TLS", func(m mutant) { m.set("HeraldUploadsPolicy/Properties/PolicyDocument/Statement/0/Effect", "Allow") }},
		{"the bucket is deleted with the stack", func(m mutant) { m.set("HeraldUploads/DeletionPolicy", "Delete") }},

		// The gateway.
		{"two routes swap their functions", func(m mutant) {
			m.swap("HeraldApiconnectRoute/Properties/Target", "HeraldApidisconnectRoute/Properties/Target")
		}},
		{"a route is missing", func(m mutant) { m.remove("HeraldApidefaultRoute") }},
		{"a route has another key", func(m mutant) { m.set("HeraldPingRoute/Properties/RouteKey", "pong") }},
		{"ping has no answer", func(m mutant) { m.remove("HeraldPingRouteResponse") }},
		{"ping invokes a function", func(m mutant) { m.set("HeraldPingIntegration/Properties/IntegrationType", "AWS_PROXY") }},
		{"routes are selected by another field", func(m mutant) { m.set("HeraldApi/Properties/RouteSelectionExpression", "$request.body.type") }},
		{"requests are not throttled", func(m mutant) { m.drop("HeraldStage/Properties/DefaultRouteSettings") }},
		{"more requests at once", func(m mutant) { m.set("HeraldStage/Properties/DefaultRouteSettings/ThrottlingBurstLimit", 5000.0) }},
		{"the stage has another name", func(m mutant) { m.set("HeraldStage/Properties/StageName", "dev") }},
		{"the access log has the query", func(m mutant) {
			m.edit("HeraldStage/Properties/AccessLogSettings/Format", "$context.eventType", "$context.querystring")
		}},
		{"the frames are logged", func(m mutant) { m.add("HeraldStage/Properties/DefaultRouteSettings/DataTraceEnabled", true) }},

		// The answer to a ping.
		{"a month is another", func(m mutant) { m.edit(pongPath, `"Sep": "09"`, `"Sep": "10"`) }},
		{"a month is missing", func(m mutant) { m.edit(pongPath, `, "Dec": "12"`, "") }},
		{"the day is where the month is", func(m mutant) {
			m.edit(pongPath, `-${month}-${time.substring(0, 2)}`, `-${time.substring(0, 2)}-${month}`)
		}},
		{"the milliseconds are cut", func(m mutant) { m.edit(pongPath, "epoch.substring(10)", "epoch.substring(11)") }},
		{"the time is not UTC", func(m mutant) { m.edit(pongPath, `Z"}`, `"}`) }},
		{"the answer has no data", func(m mutant) { m.edit(pongPath, `"data":{},`, "") }},
		{"the epoch is in seconds", func(m mutant) { m.edit(pongPath, "$context.requestTimeEpoch", "$context.requestTime") }},

		// Events.
		{"every object starts the workflow", func(m mutant) { m.drop("HeraldUploadRule/Properties/EventPattern/detail/object") }},
		{"objects of any bucket start it", func(m mutant) { m.drop("HeraldUploadRule/Properties/EventPattern/detail/bucket") }},
		{"results start it", func(m mutant) {
			m.set("HeraldUploadRule/Properties/EventPattern/detail/object/key/0/prefix", "results/")
		}},
		{"aborted executions are not swept", func(m mutant) {
			m.set("HeraldExecutionRule/Properties/EventPattern/detail/status", []any{"SUCCEEDED", "FAILED", "TIMED_OUT"})
		}},
		{"stopped durable executions are not swept", func(m mutant) {
			m.set("HeraldDurableExecutionRule/Properties/EventPattern/detail/status", []any{"SUCCEEDED", "FAILED", "TIMED_OUT"})
		}},
		{"dead letters go to another queue", func(m mutant) {
			m.swap("HeraldUploadRule/Properties/Targets/0/DeadLetterConfig", "HeraldExecutionRule/Properties/Targets/0/DeadLetterConfig")
		}},
		{"there are no dead letters", func(m mutant) { m.drop("HeraldUploadRule/Properties/Targets/0/DeadLetterConfig") }},
		{"dead letters are kept for a day", func(m mutant) { m.set("HeraldUploadDeadLetters/Properties/MessageRetentionPeriod", 86_400.0) }},
		{"dead letters are not encrypted", func(m mutant) { m.set("HeraldSweeperDeadLetters/Properties/SqsManagedSseEnabled", false) }},
		{"EventBridge may not send dead letters", func(m mutant) { m.remove("HeraldUploadDeadLettersPolicy") }},
		{"an event is tried once", func(m mutant) { m.drop("HeraldUploadRule/Properties/Targets/0/RetryPolicy") }},
		{"the reaper runs every hour", func(m mutant) { m.set("HeraldReaperSchedule/Properties/ScheduleExpression", "rate(1 hour)") }},
		{"the sweeper never runs", func(m mutant) { m.set("HeraldSweeperSchedule/Properties/State", "DISABLED") }},
		{"a schedule runs the other function", func(m mutant) {
			m.swap("HeraldReaperSchedule/Properties/Targets/0/Arn", "HeraldSweeperSchedule/Properties/Targets/0/Arn")
		}},
		{"the observer gets some lines", func(m mutant) { m.set("HeraldWatch1Logs/Properties/FilterPattern", "Failed") }},

		// What is watched.
		{"an alarm never goes off", func(m mutant) { m.set("HeraldNotifierErrorsAlarm/Properties/Threshold", 1000.0) }},
		{"an alarm watches another function", func(m mutant) {
			m.swap("HeraldNotifierErrorsAlarm/Properties/Dimensions", "HeraldCsvImportFailuresAlarm/Properties/Dimensions")
		}},
		{"an alarm reads a metric that nothing writes", func(m mutant) { m.set("HeraldDeliveryFailuresAlarm/Properties/MetricName", "Failed") }},
		{"an alarm reads another stack's metric", func(m mutant) { m.set("HeraldPublishToPostAlarm/Properties/Dimensions/0/Value", "Staging") }},
		{"a reaper that stands still is no alarm", func(m mutant) { m.set("HeraldReaperLagAlarm/Properties/TreatMissingData", "notBreaching") }},
		{"nobody hears of an alarm", func(m mutant) { m.drop("HeraldSweeperFindsAlarm/Properties/AlarmActions") }},
		{"an alarm is the other way round", func(m mutant) {
			m.set("HeraldUploadDeadLettersAlarm/Properties/ComparisonOperator", "LessThanThreshold")
		}},
		{"a function writes metrics of another stack", func(m mutant) {
			m.set("HeraldNotifierFunction/Properties/Environment/Variables/METRICS_STACK", "Staging")
		}},
		{"anybody may publish to the alarms' topic", func(m mutant) {
			m.set("HeraldAlarmTopicPolicy/Properties/PolicyDocument/Statement/1/Principal", map[string]any{"AWS": "*"})
		}},
		{"any account's alarms may publish", func(m mutant) { m.drop("HeraldAlarmTopicPolicy/Properties/PolicyDocument/Statement/1/Condition") }},

		// The workflow.
		{"two substitutions are swapped", func(m mutant) {
			m.swap("HeraldCsvImport/Properties/DefinitionSubstitutions/CsvPlanFunctionArn", "HeraldCsvImport/Properties/DefinitionSubstitutions/CsvFinishFunctionArn")
		}},
		{"a substitution is missing", func(m mutant) { m.drop("HeraldCsvImport/Properties/DefinitionSubstitutions/NotifierFunctionArn") }},
		{"a task has another timeout", func(m mutant) {
			m.edit("HeraldCsvImport/Properties/DefinitionString", `"TimeoutSeconds": 900`, `"TimeoutSeconds": 9`)
		}},
		{"the logs have the data", func(m mutant) { m.set("HeraldCsvImport/Properties/LoggingConfiguration/IncludeExecutionData", true) }},
		{"the workflow is not traced", func(m mutant) { m.set("HeraldCsvImport/Properties/TracingConfiguration/Enabled", false) }},
		{"the workflow is an Express one", func(m mutant) { m.set("HeraldCsvImport/Properties/StateMachineType", "EXPRESS") }},
	}
}

// TestTemplateMutations makes mistakes in the full template, one at a time. A proof must find each. With -v it prints which do.
func TestTemplateMutations(t *testing.T) {
	all := passingProofs(t)
	table := &strings.Builder{}
	for _, mutation := range templateMutations() {
		changed := fullTemplate(t)
		mutation.change(mutant{t, changed})
		var finders []string
		for _, p := range all {
			if p.failure(t, changed) != "" {
				finders = append(finders, p.test)
			}
		}
		if len(finders) == 0 {
			t.Errorf("no proof finds that %s", mutation.what)
		}
		fmt.Fprintf(table, "%-55s %s\n", mutation.what, strings.Join(finders, " "))
	}
	t.Logf("%d mistakes, and the proofs that find them:\n%s", len(templateMutations()), table)
}

// TestProofsAreTests checks that each proof bears the name of the test that runs it.
func TestProofsAreTests(t *testing.T) {
	files, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	source := &strings.Builder{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		source.Write(text)
	}
	for _, p := range proofs() {
		if !strings.Contains(source.String(), "\nfunc "+p.test+"(t *testing.T)") {
			t.Errorf("there is no %s", p.test)
		}
	}
}
