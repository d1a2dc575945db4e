package pipeline

import (
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// DefaultStackName is the stack's name when the setting stackName is absent.
const DefaultStackName = "Herald"

// Settings is what the app reads from the CDK context.
type Settings struct {
	// StackName is the CloudFormation stack's name.
	StackName string
	// Props configures the stack's Pipeline; FunctionsDir is empty.
	Props Props
}

// ParseSettings returns the settings in a CDK context: cdk.json's "context", with -c key=value on top. Lists are JSON
// arrays or comma-separated text; numbers and booleans may be text; empty text counts as absent. It returns every
// broken rule, joined, each naming its key; an unknown key of letters only is one, other keys belong to the CDK.
func ParseSettings(context map[string]any) (Settings, error) {
	r := reader{context: context, known: map[string]bool{}}
	settings := Settings{
		StackName: r.text("stackName", DefaultStackName),
		Props: Props{
			Auth: Auth{
				Mode:      r.text("authMode", ""),
				Issuer:    r.text("authIssuer", ""),
				Audience:  r.list("authAudience"),
				JWKSURL:   r.text("authJwksUrl", ""),
				SecretARN: r.text("authSecretArn", ""),

				SecretOverlapMinutes: r.unless("authSecretOverlapMinutes", DefaultSecretOverlapMinutes),

				UserPoolID: r.text("cognitoUserPoolId", ""),
				ClientIDs:  r.list("cognitoClientIds"),
			},
			AllowedOrigins: r.list("allowedOrigins"),
			UploadOrigins:  r.list("uploadOrigins"),
			TableName:      r.text("tableName", DefaultTableName),
			FeedTableName:  r.text("feedTableName", DefaultFeedTableName),
			StageName:      r.text("stageName", DefaultStageName),
			ThrottleRate:   r.number("throttleRate", DefaultThrottleRate),
			ThrottleBurst:  r.whole("throttleBurst", DefaultThrottleBurst),

			ConnectConcurrency:  r.whole("connectConcurrency", 0),
			DefaultConcurrency:  r.whole("defaultConcurrency", 0),
			NotifierConcurrency: r.whole("notifierConcurrency", 0),

			MaxConnections:    r.whole("maxConnections", DefaultMaxConnections),
			MaxPostsPerMinute: r.whole("maxPostsPerMinute", DefaultMaxPostsPerMinute),

			LogRetentionDays: r.whole("logRetentionDays", DefaultLogRetentionDays),
			AccessLogs:       r.flag("accessLogs", false),
			WithoutCSVImport: !r.flag("csvImport", true),
		},
	}
	r.match("stackName", settings.StackName, stackName,
		"1 to 128 letters, digits and hyphens that start with a letter")
	r.refuseUnknown()
	if err := settings.Props.validate(); err != nil {
		r.errs = append(r.errs, err)
	}
	if err := r.err(); err != nil {
		return Settings{}, err
	}
	return settings, nil
}

// reader takes typed values out of a context.
type reader struct {
	checker

	context map[string]any
	known   map[string]bool
}

// value returns what key holds, and false when that is nothing or empty text.
func (r *reader) value(key string) (any, bool) {
	r.known[key] = true
	value, ok := r.context[key]
	if text, isText := value.(string); isText {
		text = strings.TrimSpace(text)
		return text, text != ""
	}
	return value, ok && value != nil
}

func (r *reader) text(key, fallback string) string {
	value, ok := r.value(key)
	if !ok {
		return fallback
	}
	text, ok := value.(string)
	if !ok {
		r.addf("%s: %v is not text", key, value)
		return fallback
	}
	return text
}

func (r *reader) list(key string) []string {
	value, ok := r.value(key)
	if !ok {
		return nil
	}
	var parts []string
	switch value := value.(type) {
	case string:
		parts = strings.Split(value, ",")
	case []any:
		for _, part := range value {
			text, isText := part.(string)
			if !isText {
				r.addf("%s: %v in the list is not text", key, part)
			}
			parts = append(parts, strings.Split(text, ",")...)
		}
	default:
		r.addf("%s: %v is neither a list nor comma-separated text", key, value)
	}
	for i := range parts {
		parts[i] = strings.TrimSpace(parts[i])
	}
	return slices.DeleteFunc(parts, func(part string) bool { return part == "" })
}

func (r *reader) number(key string, fallback float64) float64 {
	value, ok := r.value(key)
	if !ok {
		return fallback
	}
	switch value := value.(type) {
	case float64:
		return value
	case string:
		if number, err := strconv.ParseFloat(value, 64); err == nil {
			return number
		}
	}
	r.addf("%s: %v is not a number", key, value)
	return fallback
}

func (r *reader) whole(key string, fallback int) int {
	number := r.number(key, float64(fallback))
	if number != math.Trunc(number) || math.Abs(number) > math.MaxInt32 {
		r.addf("%s: %v is not a whole number", key, number)
		return fallback
	}
	return int(number)
}

// unless returns the whole number that key holds, nil if that is the default.
func (r *reader) unless(key string, fallback int) *int {
	number := r.whole(key, fallback)
	if number == fallback {
		return nil
	}
	return &number
}

func (r *reader) flag(key string, fallback bool) bool {
	value, ok := r.value(key)
	if !ok {
		return fallback
	}
	switch value {
	case true, "true":
		return true
	case false, "false":
		return false
	}
	r.addf("%s: %v is neither true nor false", key, value)
	return fallback
}

// plainKey matches keys that can only be meant as settings: the CDK's own hold a colon, a slash or a hyphen.
var plainKey = regexp.MustCompile(`^[A-Za-z]+$`)

func (r *reader) refuseUnknown() {
	for _, key := range slices.Sorted(maps.Keys(r.context)) {
		if plainKey.MatchString(key) && !r.known[key] {
			r.addf("%s: unknown setting; the settings are %s", key, strings.Join(slices.Sorted(maps.Keys(r.known)), ", "))
		}
	}
}
