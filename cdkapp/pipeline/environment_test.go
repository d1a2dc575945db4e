package pipeline_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/herald-progress/herald/cdkapp/pipeline"
	"github.com/herald-progress/herald/lib/cloud"
)

// started adapts a constructor of package cloud to what the test needs of it.
func started[H any](start func(context.Context, func(string) string) (H, error)) func(context.Context, func(string) string) error {
	return func(ctx context.Context, getenv func(string) string) error {
		_, err := start(ctx, getenv)
		return err
	}
}

// TestFunctionsHaveTheVariablesTheyRead starts each function with only the auth mode set, so that it stops before it calls
// AWS, and compares the variables that it read with those that the stack sets.
func TestFunctionsHaveTheVariablesTheyRead(t *testing.T) {
	functions := map[string]func(context.Context, func(string) string) error{
		"HeraldConnectFunction":    started(cloud.Connect),
		"HeraldDisconnectFunction": started(cloud.Disconnect),
		"HeraldDefaultFunction":    started(cloud.Default),
		"HeraldNotifierFunction":   started(cloud.Notifier),
		"HeraldReaperFunction":     started(cloud.Reaper),
		"HeraldSweeperFunction":    started(cloud.Sweeper),
		"HeraldCsvPlanFunction":    started(cloud.CSVPlan),
		"HeraldCsvChunkFunction":   started(cloud.CSVChunk),
		"HeraldCsvFinishFunction":  started(cloud.CSVFinish),
	}
	jwks := pipeline.Auth{Mode: pipeline.AuthJWKS, Issuer: "https://id.example", Audience: []string{"app"}, JWKSURL: "https://id.example/keys"}
	for _, auth := range []pipeline.Auth{cognito(), jwks, {Mode: pipeline.AuthHS256, SecretARN: secretARN, SecretOverlapMinutes: new(int)}} {
		settings := hs256()
		settings.Props.Auth = auth
		template := synthesise(t, settings)
		if deployed := len(template.ofType("AWS::Lambda::Function")); deployed != len(functions) {
			t.Errorf("%d functions are deployed, %d looked at", deployed, len(functions))
		}
		for id, start := range functions {
			given, _ := at(template.one(t, "AWS::Lambda::Function", id).properties, "Environment", "Variables").(map[string]any)
			var asked []string
			err := start(t.Context(), func(name string) string {
				asked = append(asked, name)
				if name == "AUTH_MODE" {
					return auth.Mode
				}
				return ""
			})
			if err == nil {
				t.Fatalf("%s starts without its variables", id)
			}
			for name := range given {
				if !slices.Contains(asked, name) {
					t.Errorf("%s, %s: given %s, which it does not read", id, auth.Mode, name)
				}
			}
			_, missing, found := strings.Cut(err.Error(), "set ")
			if !found {
				t.Fatalf("%s: %v", id, err)
			}
			for name := range strings.SplitSeq(missing, ", ") {
				if given[name] == nil {
					t.Errorf("%s, %s: not given %s, which it requires", id, auth.Mode, name)
				}
			}
		}
	}
}
