package pipeline_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/herald-progress/herald/cdkapp/pipeline"
	"github.com/herald-progress/herald/lib/cloud"
)

// errorOnly returns a constructor of package cloud that returns only its error.
func errorOnly[H any](start func(context.Context, func(string) string) (H, error)) func(context.Context, func(string) string) error {
	return func(ctx context.Context, getenv func(string) string) error {
		_, err := start(ctx, getenv)
		return err
	}
}

// TestFunctionsHaveTheVariablesTheyRead starts each function with only the auth mode set, so that it stops before it calls
// AWS, and compares the variables that it read with those that the stack sets.
func TestFunctionsHaveTheVariablesTheyRead(t *testing.T) {
	functions := map[string]func(context.Context, func(string) string) error{
		"HeraldConnectFunction":    errorOnly(cloud.Connect),
		"HeraldDisconnectFunction": errorOnly(cloud.Disconnect),
		"HeraldDefaultFunction":    errorOnly(cloud.Default),
		"HeraldNotifierFunction":   errorOnly(cloud.Notifier),
		"HeraldReaperFunction":     errorOnly(cloud.Reaper),
		"HeraldSweeperFunction":    errorOnly(cloud.Sweeper),
		"HeraldCsvPlanFunction":    errorOnly(cloud.CSVPlan),
		"HeraldCsvChunkFunction":   errorOnly(cloud.CSVChunk),
		"HeraldCsvFinishFunction":  errorOnly(cloud.CSVFinish),
	}
	jwks := pipeline.Auth{Mode: pipeline.AuthJWKS, Issuer: "https://id.example", Audience: []string{"app"}, JWKSURL: "https://id.example/keys"}
	for _, auth := range []pipeline.Auth{cognito(), jwks, {Mode: pipeline.AuthHS256, SecretARN: secretARN, SecretOverlapMinutes: new(int)}} {
		settings := hs256()
		settings.Props.Auth = auth
		template := synthesise(t, settings)
		if deployed := len(template.ofType("AWS::Lambda::Function")); deployed != len(functions) {
			t.Errorf("%d functions are deployed, %d are tested", deployed, len(functions))
		}
		for id, start := range functions {
			given, _ := lookUp(template.one(t, "AWS::Lambda::Function", id).properties, "Environment", "Variables").(map[string]any)
			var read []string
			err := start(t.Context(), func(name string) string {
				read = append(read, name)
				if name == "AUTH_MODE" {
					return auth.Mode
				}
				return ""
			})
			if err == nil {
				t.Fatalf("%s starts without its variables", id)
			}
			for name := range given {
				if !slices.Contains(read, name) {
					t.Errorf("%s, %s: the stack sets %s, which the function does not read", id, auth.Mode, name)
				}
			}
			_, missing, found := strings.Cut(err.Error(), "set ")
			if !found {
				t.Fatalf("%s: %v", id, err)
			}
			for name := range strings.SplitSeq(missing, ", ") {
				if given[name] == nil {
					t.Errorf("%s, %s: the stack does not set %s, which the function requires", id, auth.Mode, name)
				}
			}
		}
	}
}
