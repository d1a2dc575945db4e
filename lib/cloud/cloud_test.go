package cloud_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/herald-progress/herald/lambdas"
	"github.com/herald-progress/herald/lib/cloud"
	"github.com/herald-progress/herald/lib/cloud/browser"
	"github.com/herald-progress/herald/lib/cloud/workflow"
)

// starters wire the functions. The keys are the functions' folders in lambdas/.
var starters = map[string]func(context.Context, func(string) string) error{
	"connect":    newStarter(browser.Connect),
	"disconnect": newStarter(browser.Disconnect),
	"default":    newStarter(browser.Default),
	"notifier":   newStarter(cloud.Notifier),
	"csvplan":    newStarter(workflow.CSVPlan),
	"csvchunk":   newStarter(workflow.CSVChunk),
	"csvfinish":  newStarter(workflow.CSVFinish),
	"reaper":     newStarter(browser.Reaper),
	"sweeper":    newStarter(workflow.Sweeper),
	"observer":   newStarter(workflow.Observer),
}

// newStarter returns wire without the handler that it returns.
func newStarter[H any](wire func(context.Context, func(string) string) (H, error)) func(context.Context, func(string) string) error {
	return func(ctx context.Context, getenv func(string) string) error {
		_, err := wire(ctx, getenv)
		return err
	}
}

// setLambdaVariables sets the variables that Lambda sets for every function, and the endpoint of all services.
func setLambdaVariables(t *testing.T, endpoint string) {
	t.Helper()
	for name, value := range map[string]string{
		"AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local", "AWS_ENDPOINT_URL": endpoint,
		"AWS_MAX_ATTEMPTS": "1",
	} {
		t.Setenv(name, value)
	}
}

// TestFunctionsReadTheVariablesOfTheTable starts each function in each auth mode, without its other variables. In all modes together
// it must read exactly its required and optional variables in the table of package lambdas. It stops before it calls AWS, because
// variables are missing.
func TestFunctionsReadTheVariablesOfTheTable(t *testing.T) {
	for _, f := range lambdas.Functions() {
		start, wired := starters[f.Name]
		if !wired {
			t.Errorf("%s is not wired", f.Name)
			continue
		}
		read := map[string]bool{}
		for _, mode := range []string{lambdas.AuthCognito, lambdas.AuthJWKS, lambdas.AuthHS256} {
			err := start(t.Context(), func(name string) string {
				read[name] = true
				return map[string]string{lambdas.EnvAuthMode: mode}[name]
			})
			if err == nil {
				t.Errorf("%s starts without its variables", f.Name)
			}
		}
		want := slices.Sorted(slices.Values(slices.Concat(f.Required, f.Optional)))
		if diff := cmp.Diff(want, slices.Sorted(maps.Keys(read))); diff != "" {
			t.Errorf("%s (-table +read):\n%s", f.Name, diff)
		}
	}
}

func TestErrorNamesMissingVariables(t *testing.T) {
	const publishing = "CONNECTIONS_TABLE, FEED_TABLE, WEBSOCKET_API_ENDPOINT"
	for name, want := range map[string]string{
		"connect":    "cloud: set CONNECTIONS_TABLE, AUTH_MODE",
		"disconnect": "cloud: set CONNECTIONS_TABLE",
		"default":    "cloud: set " + publishing + ", AUTH_MODE",
		"notifier":   "cloud: set " + publishing,
		"csvplan":    "cloud: set " + publishing + ", UPLOADS_BUCKET",
		"csvchunk":   "cloud: set " + publishing + ", UPLOADS_BUCKET",
		"csvfinish":  "cloud: set " + publishing + ", UPLOADS_BUCKET",
		"reaper":     "cloud: set CONNECTIONS_TABLE, WEBSOCKET_API_ENDPOINT",
		"sweeper":    "cloud: set " + publishing,
		"observer":   "cloud: set " + publishing + ", WATCHED_STATE_MACHINES",
	} {
		err := starters[name](t.Context(), func(string) string { return "" })
		if err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", name, err, want)
		}
	}
}

func TestFunctionsStartWithTheirVariables(t *testing.T) {
	aws := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]string{"SecretString": "0123456789abcdef0123456789abcdef"})
	}))
	defer aws.Close()
	setLambdaVariables(t, aws.URL)
	variables := map[string]string{
		"CONNECTIONS_TABLE": "t", "FEED_TABLE": "f", "WEBSOCKET_API_ENDPOINT": aws.URL + "/prod", "UPLOADS_BUCKET": "b",
		"AUTH_MODE": "hs256", "AUTH_SECRET_ARN": "arn:aws:secretsmanager:us-east-1:000000000000:secret:s", "WATCHED_STATE_MACHINES": "[]",
	}
	for name, start := range starters {
		if err := start(t.Context(), func(key string) string { return variables[key] }); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestNotifierOpensItsSocketsBeforeTheFirstEvent starts the notifier while every service fails. The notifier must call each service
// once, and the start must succeed nevertheless.
func TestNotifierOpensItsSocketsBeforeTheFirstEvent(t *testing.T) {
	calls := make(chan string, 10)
	aws := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls <- r.URL.Path + r.Header.Get("X-Amz-Target")
		w.WriteHeader(http.StatusForbidden)
	}))
	defer aws.Close()
	setLambdaVariables(t, aws.URL)
	variables := map[string]string{"CONNECTIONS_TABLE": "t", "FEED_TABLE": "f", "WEBSOCKET_API_ENDPOINT": aws.URL + "/prod"}
	if _, err := cloud.Notifier(t.Context(), func(key string) string { return variables[key] }); err != nil {
		t.Fatal(err)
	}
	close(calls)
	got := slices.Sorted(func(yield func(string) bool) {
		for call := range calls {
			if !yield(call) {
				return
			}
		}
	})
	want := []string{"/DynamoDB_20120810.GetItem", "/DynamoDB_20120810.Query", "/prod/@connections/nobody"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}

// errorText returns the text of an error, or an empty text if there is no error.
func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestTokenSettingsAreValidated(t *testing.T) {
	setLambdaVariables(t, "http://127.0.0.1:1")
	for _, tt := range []struct {
		name      string
		variables map[string]string
		want      string
	}{
		{"unknown mode", map[string]string{"AUTH_MODE": "none"}, "cloud: AUTH_MODE must be cognito, jwks or hs256"},
		{"jwks without issuer", map[string]string{"AUTH_MODE": "jwks"}, "cloud: set AUTH_ISSUER"},
		{"cognito without pool", map[string]string{"AUTH_MODE": "cognito"}, "cloud: set COGNITO_USER_POOL_ID"},
		{
			"cognito without clients", map[string]string{"AUTH_MODE": "cognito", "COGNITO_USER_POOL_ID": "eu-west-1_x"},
			"cognito: auth: ClientIDs must name at least one app client of the user pool",
		},
		{"jwks over http", map[string]string{"AUTH_MODE": "jwks", "AUTH_ISSUER": "http://issuer.example"}, "jwks: auth: Issuer must be an https URL"},
		{
			"jwks without audience", map[string]string{"AUTH_MODE": "jwks", "AUTH_ISSUER": "https://issuer.example"},
			"jwks: auth: Audience must name at least one audience, or be * to accept tokens for any app of the issuer",
		},
		{
			"an audience in addition to *", map[string]string{"AUTH_MODE": "jwks", "AUTH_ISSUER": "https://issuer.example", "AUTH_AUDIENCE": "*,app"},
			"jwks: auth: Audience must be * alone, or name audiences",
		},
		{
			"overlap that is no number", map[string]string{"AUTH_MODE": "hs256", "AUTH_SECRET_ARN": "arn", "AUTH_SECRET_OVERLAP_MINUTES": "15m"},
			"cloud: AUTH_SECRET_OVERLAP_MINUTES must be a whole number from 0 to 1440",
		},
		{
			"overlap below 0", map[string]string{"AUTH_MODE": "hs256", "AUTH_SECRET_ARN": "arn", "AUTH_SECRET_OVERLAP_MINUTES": "-1"},
			"cloud: AUTH_SECRET_OVERLAP_MINUTES must be a whole number from 0 to 1440",
		},
		{"key server down", map[string]string{"AUTH_MODE": "jwks", "AUTH_ISSUER": "http://127.0.0.1:1", "AUTH_AUDIENCE": "app"}, ""},
		{"any audience", map[string]string{"AUTH_MODE": "jwks", "AUTH_ISSUER": "http://127.0.0.1:1", "AUTH_AUDIENCE": "*"}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			maps.Copy(tt.variables, map[string]string{
				"CONNECTIONS_TABLE": "t", "FEED_TABLE": "f", "WEBSOCKET_API_ENDPOINT": "http://127.0.0.1:1/prod",
			})
			for _, name := range []string{"connect", "default"} {
				err := starters[name](t.Context(), func(key string) string { return tt.variables[key] })
				if errorText(err) != tt.want {
					t.Errorf("%s: %v, want %q", name, err, tt.want)
				}
			}
		})
	}
}

func TestLogLevelIsThatOfTheVariable(t *testing.T) {
	setLambdaVariables(t, "http://127.0.0.1:1")
	for _, tt := range []struct {
		level, want string
		logged      []slog.Level
	}{
		{"", "", []slog.Level{slog.LevelInfo, slog.LevelWarn, slog.LevelError}},
		{"debug", "", []slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError}},
		{"warn", "", []slog.Level{slog.LevelWarn, slog.LevelError}},
		{"error", "", []slog.Level{slog.LevelError}},
		{"loud", "cloud: LOG_LEVEL must be debug, info, warn or error", nil},
	} {
		variables := map[string]string{"CONNECTIONS_TABLE": "t", "LOG_LEVEL": tt.level}
		clients, err := cloud.NewClients(cloud.NewEnvironment("disconnect", func(key string) string { return variables[key] }))
		if errorText(err) != tt.want {
			t.Errorf("%q: %v, want %q", tt.level, err, tt.want)
		}
		for _, level := range []slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError} {
			if clients.Log != nil && clients.Log.Enabled(t.Context(), level) != slices.Contains(tt.logged, level) {
				t.Errorf("%q: %v is logged, or not, against the level", tt.level, level)
			}
		}
	}
}

func TestLimitSettingsAreValidated(t *testing.T) {
	setLambdaVariables(t, "http://127.0.0.1:1")
	for _, tt := range []struct{ connections, posts, want string }{
		{"", "", ""},
		{"20", "5000", ""},
		{"many", "", "cloud: MAX_CONNECTIONS must be a whole number over 0"},
		{"0", "-1", "cloud: MAX_CONNECTIONS must be a whole number over 0; MAX_POSTS_PER_MINUTE must be a whole number over 0"},
		{"501", "", "cloud: MAX_CONNECTIONS, MAX_POSTS_PER_MINUTE: session: MaxConnections must be from 1 to 500"},
		{"", "1599", "cloud: MAX_CONNECTIONS, MAX_POSTS_PER_MINUTE: session: MaxPosts must be at least 1000, and 12 more for each of MaxConnections"},
	} {
		variables := map[string]string{
			"CONNECTIONS_TABLE": "t", "FEED_TABLE": "f", "WEBSOCKET_API_ENDPOINT": "http://127.0.0.1:1/prod", "AUTH_MODE": "jwks",
			"AUTH_ISSUER": "http://127.0.0.1:1", "AUTH_AUDIENCE": "*", "MAX_CONNECTIONS": tt.connections, "MAX_POSTS_PER_MINUTE": tt.posts,
		}
		for _, name := range []string{"connect", "default"} {
			err := starters[name](t.Context(), func(key string) string { return variables[key] })
			if errorText(err) != tt.want {
				t.Errorf("%s, %q, %q: %v, want %q", name, tt.connections, tt.posts, err, tt.want)
			}
		}
	}
}
