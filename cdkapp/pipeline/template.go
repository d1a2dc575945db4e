package pipeline

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/jsii-runtime-go"

	"github.com/herald-progress/herald/lambdas"
)

// AuthModes returns the values of Auth.Mode.
func AuthModes() []string { return []string{AuthCognito, AuthJWKS, AuthHS256} }

// CodePath returns the path of a function's program beside a template, as a zip file.
func CodePath(function string) string { return "functions/" + function + ".zip" }

// Template is a CloudFormation template for deployers who have neither Go nor the CDK.
type Template struct {
	// JSON is the template. `aws cloudformation package` replaces the paths of the functions' programs in it, see CodePath.
	JSON []byte
	// Functions are the names of its functions.
	Functions []string
}

// NewTemplate returns the template of a stack with an auth mode, the only one of app. The settings that parameters lists are parameters of the template. The
// values that the context has for them are the defaults. Other settings are those of the context, without the other auth modes'. Names
// that must be unique in an account and Region begin with the name that the stack gets when it is deployed.
func NewTemplate(app awscdk.App, mode string, context map[string]any) (Template, error) {
	stack := awscdk.NewStack(app, jsii.String(DefaultStackName), &awscdk.StackProps{
		Description:        jsii.String(description),
		AnalyticsReporting: jsii.Bool(false),
		Synthesizer: awscdk.NewDefaultStackSynthesizer(&awscdk.DefaultStackSynthesizerProps{
			GenerateBootstrapVersionRule: jsii.Bool(false), // the template needs no bootstrapped account
		}),
	})
	awscdk.Validations_Of(stack).Acknowledge(&awscdk.Acknowledgment{
		Id: jsii.String("CloudFormation-Validate::W2509"), Reason: jsii.String("AuthSecretArn is no secret: it is the ARN of one"),
	})
	context, err := contextOf(mode, context)
	if err != nil {
		return Template{}, err
	}
	numbers, err := addParameters(stack, mode, context)
	if err != nil {
		return Template{}, err
	}
	settings, err := ParseSettings(context)
	if err != nil {
		return Template{}, err
	}
	bucket := awss3.Bucket_FromBucketName(stack, jsii.String("Code"), jsii.String("code")) // not in the template, see withPaths
	p, err := newPipeline(stack, "Herald", *awscdk.Aws_STACK_NAME(), settings.Props, func(function string) awslambda.Code {
		return awslambda.Code_FromBucketV2(bucket, jsii.String(CodePath(function)), nil)
	})
	if err != nil {
		return Template{}, err
	}
	p.addOutputs(stack)
	for key, number := range numbers {
		p.setNumber(key, number)
	}
	p.refuseRenamedTables(stack, "set the parameter")

	raw, err := json.Marshal(app.Synth(nil).GetStackByName(stack.StackName()).Template())
	if err != nil {
		return Template{}, fmt.Errorf("encode template: %w", err)
	}
	return withPaths(raw, slices.Sorted(maps.Keys(p.functions)))
}

// contextOf returns the context for a template with an auth mode. The settings of auth are those of the context only if it has this mode,
// or none.
func contextOf(mode string, context map[string]any) (map[string]any, error) {
	context = maps.Clone(context)
	var r reader
	r.context = context
	chosen := r.stringValue("authMode", mode)
	if !slices.Contains(AuthModes(), chosen) {
		(Auth{Mode: chosen}).check(&r.checker)
	}
	if err := r.err(); err != nil {
		return nil, err
	}
	if chosen != mode {
		for _, s := range authSettings() {
			delete(context, s.key)
		}
	}
	context["authMode"] = mode
	stackName := *awscdk.Aws_STACK_NAME()
	for _, s := range settings() {
		perStack, ok := s.fallback.(func(string) string)
		if chosen, _ := context[s.key].(string); ok && chosen == "" {
			context[s.key] = perStack(stackName)
		}
	}

	return context, nil
}

// addParameters adds the parameters of an auth mode to a stack. A setting that is text gets the parameter as its value in the context.
// It returns the parameters of the settings that are numbers, by their keys. Its error names each value that cannot be a default.
func addParameters(stack awscdk.Stack, mode string, context map[string]any) (map[string]awscdk.CfnParameter, error) {
	numbers, given := map[string]awscdk.CfnParameter{}, maps.Clone(context)
	var r reader
	r.context = context
	byKey := map[string]setting{}
	for _, s := range settings() {
		byKey[s.key] = s
	}
	for _, p := range parameters() {
		if len(p.modes) > 0 && !slices.Contains(p.modes, mode) {
			continue
		}
		parameter := awscdk.NewCfnParameter(stack, jsii.String(strings.ToUpper(p.key[:1])+p.key[1:]), p.props(byKey[p.key], r.text(byKey[p.key])))
		if p.number {
			numbers[p.key] = parameter
			r.checkBounds(p)
			continue
		}
		context[p.key] = *parameter.ValueAsString()
		if _, hasDefault := (&reader{context: given}).value(p.key); !hasDefault {
			given[p.key] = context[p.key]
		}
	}
	if _, err := ParseSettings(given); err != nil { // the rules of the texts, which are parameters in context
		return nil, err
	}

	return numbers, r.err()
}

// text returns the value of a setting as the default of a parameter: a list has commas, and a number no exponent.
func (r *reader) text(s setting) string {
	var all Settings
	value, ok := r.value(s.key)
	if !ok {
		return ""
	}
	if _, isList := s.field(&all).(*[]string); isList {
		return strings.Join(r.stringList(s.key), ",")
	}
	if number, isNumber := value.(float64); isNumber {
		return strconv.FormatFloat(number, 'f', -1, 64)
	}

	return fmt.Sprint(value)
}

// checkBounds checks that a number is in the bounds of its parameter, which may be narrower than those of the setting.
func (r *reader) checkBounds(p parameter) {
	_, ok := r.value(p.key)
	if number := r.floatValue(p.key, p.minimum); ok && len(p.values) == 0 && !(number >= p.minimum && number <= p.maximum) {
		r.addf("%s: %v is not from %v to %s, the bounds of the parameter", p.key, number, p.minimum, strconv.FormatFloat(p.maximum, 'f', -1, 64))
	}
}

// setNumber puts a parameter into all places that have the number of a setting.
func (p *Pipeline) setNumber(key string, parameter awscdk.CfnParameter) {
	value := parameter.ValueAsNumber()
	stage := cfnResource[awscdk.CfnResource](p.Stage)
	switch key {
	case "throttleRate":
		stage.AddPropertyOverride(jsii.String("DefaultRouteSettings.ThrottlingRateLimit"), value)
	case "throttleBurst":
		stage.AddPropertyOverride(jsii.String("DefaultRouteSettings.ThrottlingBurstLimit"), value)
	case "logRetentionDays":
		for _, logs := range p.logGroups {
			cfnResource[awscdk.CfnResource](logs).AddPropertyOverride(jsii.String("RetentionInDays"), value)
		}
	case "notifierMemoryMB":
		cfnResource[awscdk.CfnResource](p.Notifier).AddPropertyOverride(jsii.String("MemorySize"), value)
	default:
		p.setVariable(key, value)
	}
}

// setVariable sets the environment variable with the number of a setting in all functions that have it.
func (p *Pipeline) setVariable(key string, value *float64) {
	for _, s := range settings() {
		if s.key != key {
			continue
		}
		for _, f := range lambdas.Functions() {
			function, deployed := p.functions[f.Name]
			if !deployed {
				continue
			}
			if slices.Contains(f.Required, s.variable) || slices.Contains(f.Optional, s.variable) {
				cfnResource[awscdk.CfnResource](function).AddPropertyOverride(jsii.String("Environment.Variables."+s.variable), value)
			}
		}
	}
}

// withPaths returns the template with the path of the program of each function, as `aws cloudformation package` reads it.
func withPaths(raw []byte, functions []string) (Template, error) {
	var template map[string]any
	if err := json.Unmarshal(raw, &template); err != nil {
		return Template{}, fmt.Errorf("decode template: %w", err)
	}
	resources, _ := template["Resources"].(map[string]any)
	for _, resource := range resources {
		resource, _ := resource.(map[string]any)
		properties, _ := resource["Properties"].(map[string]any)
		if code, ok := properties["Code"].(map[string]any); ok && resource["Type"] == "AWS::Lambda::Function" {
			properties["Code"] = code["S3Key"]
		}
	}
	encoded, err := json.MarshalIndent(template, "", "  ")
	if err != nil {
		return Template{}, fmt.Errorf("encode template: %w", err)
	}

	return Template{JSON: append(encoded, '\n'), Functions: functions}, nil
}

// parameter is a setting that a template has as a parameter.
type parameter struct {
	key         string
	description string
	// modes are the auth modes whose templates have the parameter. Empty means all.
	modes []string
	// number is true if the value is a number from minimum to maximum. Values are the only ones allowed, if there are any.
	number           bool
	minimum, maximum float64
	values           []any
	// pattern matches the values that are text. Empty means that there is no rule.
	pattern string
	// optional is true if the value may be empty. Else deployers must give one, unless there is a default.
	optional bool
}

// The patterns of lists in which items are separated by commas, in Java's regular expressions as in Go's.
const (
	originsPattern   = `^(https?://[a-z0-9_.:\[\]-]+(,https?://[a-z0-9_.:\[\]-]+)*)?$`
	clientIDsPattern = `^[A-Za-z0-9_+]{1,128}(,[A-Za-z0-9_+]{1,128})*$`
	httpsPattern     = `^https://[^?#@\s]+$`
	anyHTTPSPattern  = `^(https://[^?#@\s]+)?$`
)

// parameters returns the settings that are parameters of templates. CloudFormation checks their patterns and bounds when a stack is
// deployed.
func parameters() []parameter {
	jwks, hs256 := []string{AuthJWKS}, []string{AuthHS256}
	retentionDays := make([]any, 0, len(retentions))
	for _, days := range slices.Sorted(maps.Keys(retentions)) {
		retentionDays = append(retentionDays, strconv.Itoa(days))
	}

	return []parameter{
		{key: "cognitoUserPoolId", description: "The user pool", modes: []string{AuthCognito}, pattern: userPoolID.String()},
		{key: "cognitoClientIds", description: "The app clients whose tokens are accepted, separated by commas", modes: []string{AuthCognito}, pattern: clientIDsPattern},
		{key: "authIssuer", description: "The iss of your tokens, an https URL", modes: jwks, pattern: httpsPattern},
		{key: "authAudience", description: "The aud of your app, separated by commas; * accepts tokens for any app of the issuer", modes: jwks, pattern: `^.+$`},
		{key: "authJwksUrl", description: "Where the issuer publishes its keys; empty is its /.well-known/jwks.json", modes: jwks, optional: true, pattern: anyHTTPSPattern},
		{key: "authSecretArn", description: "The whole ARN of the secret with your key", modes: hs256, pattern: secretARN.String()},
		{
			key: "authSecretOverlapMinutes", description: "How many minutes after a rotation tokens of the previous key are accepted", modes: hs256,
			number: true, minimum: 0, maximum: float64(maxSecretOverlapMinutes),
		},
		{key: "authIssuer", description: "The iss of your tokens; empty accepts any", modes: hs256, optional: true},
		{key: "authAudience", description: "The aud of your app, separated by commas; empty accepts any", modes: hs256, optional: true},
		{
			key: "allowedOrigins", description: "The origins whose pages may connect, separated by commas; empty is any", optional: true,
			pattern: originsPattern,
		},
		{key: "stageName", description: "The last part of the URL", pattern: stageNamePattern.String()},
		{key: "throttleRate", description: "Requests of all browsers in a second", number: true, minimum: 1, maximum: maxThrottle},
		{key: "throttleBurst", description: "Requests of all browsers at once", number: true, minimum: 1, maximum: maxThrottle},
		{key: "maxConnections", description: "Connections of one user", number: true, minimum: 1, maximum: maxUserConnections},
		{
			key: "maxPostsPerMinute", description: "Posts that the requests of one user cause in a minute: at least 1000, and 12 more for each connection",
			number: true, minimum: minUserPosts, maximum: maxUserPosts,
		},
		{key: "logRetentionDays", description: "How many days logs are stored", number: true, values: retentionDays},
		{key: "logLevel", description: "The lowest level that the functions log; empty is info", optional: true, pattern: logLevelPattern.String()},
		{key: "notifierMemoryMB", description: "The memory of the notifier in MB", number: true, minimum: minMemoryMB, maximum: maxMemoryMB},
	}
}

// The bounds of the limits of one user. The functions check them, too, together.
const (
	maxUserConnections = 500
	minUserPosts       = 1_012
	maxUserPosts       = 1_000_000
)

// props returns the parameter of a setting. Its default is the value that the context has, or else the setting's.
func (p parameter) props(s setting, value string) *awscdk.CfnParameterProps {
	props := &awscdk.CfnParameterProps{Type: jsii.String("String"), Description: jsii.String(p.description)}
	if p.number {
		props.Type = jsii.String("Number")
	}
	if len(p.values) > 0 {
		allowed := make([]*string, len(p.values))
		for i, v := range p.values {
			allowed[i] = jsii.String(fmt.Sprint(v))
		}
		props.AllowedValues = &allowed
	} else if p.number {
		props.MinValue, props.MaxValue = jsii.Number(p.minimum), jsii.Number(p.maximum)
	}
	if p.pattern != "" {
		props.AllowedPattern = jsii.String(p.pattern)
	}
	switch {
	case value != "":
		props.Default = value
	case s.fallback != nil:
		props.Default = fmt.Sprint(s.fallback)
	case p.optional:
		props.Default = ""
	}

	return props
}
