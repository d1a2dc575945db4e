package pipeline_test

import (
	"context"
	"strings"
	"testing"

	"github.com/herald-progress/herald/cdkapp/pipeline"
	"github.com/herald-progress/herald/lambdas"
	"github.com/herald-progress/herald/lib/cloud/browser"
)

// TestFunctionsHaveTheVariablesTheyRequire checks each function in each auth mode: the stack must set the variables that the table
// in package lambdas requires, and those that the auth mode requires. The test learns the latter from the errors of the functions
// that verify tokens: without variables other than the auth mode they do not start, and name what is missing.
func TestFunctionsHaveTheVariablesTheyRequire(t *testing.T) {
	verifiesTokens := map[string]func(context.Context, func(string) string) error{
		"connect": func(ctx context.Context, getenv func(string) string) error {
			_, err := browser.Connect(ctx, getenv)
			return err
		},
		"default": func(ctx context.Context, getenv func(string) string) error {
			_, err := browser.Default(ctx, getenv)
			return err
		},
	}
	jwks := pipeline.Auth{Mode: pipeline.AuthJWKS, Issuer: "https://id.example", Audience: []string{"app"}, JWKSURL: "https://id.example/keys"}
	for _, auth := range []pipeline.Auth{cognito(), jwks, {Mode: pipeline.AuthHS256, SecretARN: secretARN, SecretOverlapMinutes: new(int)}} {
		settings := watching(hs256())
		settings.Props.Auth = auth
		template := synthesise(t, settings)
		if deployed := len(template.ofType("AWS::Lambda::Function")); deployed != len(lambdas.Functions()) {
			t.Errorf("%d functions are deployed, the table has %d", deployed, len(lambdas.Functions()))
		}
		for _, f := range lambdas.Functions() {
			variables, _ := lookUp(template.one(t, "AWS::Lambda::Function", "Herald"+f.ID+"Function").properties, "Environment", "Variables").(map[string]any)
			required := f.Required
			if start, ok := verifiesTokens[f.Name]; ok {
				err := start(t.Context(), func(name string) string { return map[string]string{lambdas.EnvAuthMode: auth.Mode}[name] })
				if err == nil {
					t.Fatalf("%s starts without its variables", f.Name)
				}
				_, names, _ := strings.Cut(err.Error(), "cloud: set ")
				required = append(required, strings.Split(names, ", ")...)
			}
			for _, name := range required {
				if variables[name] == nil {
					t.Errorf("%s, %s: not given %s, which it requires", f.Name, auth.Mode, name)
				}
			}
		}
	}
}
