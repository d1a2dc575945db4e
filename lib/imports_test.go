// Package lib_test checks rules that concern all packages, and the documentation.
package lib_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/herald-progress/herald/"

// allowed lists, for each package, the packages of this module that it may import. Imports go in one direction: every package stands
// below the packages that it imports. The adapters (lib/dynamo and others) and the two packages that put all together (lib/cloud and
// lib/local) are at the bottom.
var allowed = map[string][]string{
	"lib/message":                   {},
	"lib/metrics":                   {},
	"lib/metrics/metricstest":       {"lib/metrics"},
	"lib/connection":                {},
	"lib/connection/connectiontest": {"lib/connection"},
	"lib/auth":                      {"lib/message"},
	"lib/broadcast":                 {"lib/connection", "lib/message"},
	"lib/feed":                      {"lib/message"},
	"lib/feed/feedtest":             {"lib/feed", "lib/message"},
	"lib/notify":                    {"lib/broadcast", "lib/feed", "lib/message", "lib/metrics"},
	"lib/trace":                     {},
	"lib/observe":                   {"lib/message", "lib/notify", "lib/trace"},
	"lib/trace/tracetest":           {"lib/trace"},
	"lib/progress":                  {"lib/message"},
	"lib/upload":                    {"lib/message"},
	"lib/upload/uploadtest":         {"lib/message", "lib/upload"},
	"lib/session":                   {"lib/auth", "lib/broadcast", "lib/connection", "lib/feed", "lib/message", "lib/metrics", "lib/upload"},
	"lib/csvimport":                 {"lib/message", "lib/progress"},
	"lib/csvimport/storetest":       {"lib/csvimport"},
	"lib/client":                    {"lib/message"},
	"lib/web":                       {},
	"lib/asl":                       {"lib/asl/jsonata", "lib/asl/jsontree", "lib/asl/shape"},
	"lib/asl/mock":                  {"lib/asl", "lib/asl/jsontree"},
	"lib/asl/shape":                 {"lib/asl/jsontree"},
	"lib/asl/jsonata":               {"lib/asl/jsonata/ecmaregexp", "lib/asl/jsontree"},
	"lib/asl/jsonata/ecmaregexp":    {},
	"lib/asl/jsontree":              {},
	"lib/asl/substitution":          {},
	"lib/asl/coverage":              {"lib/asl"},
	"lib/asl/asltest":               {"lib/asl", "lib/asl/coverage", "lib/asl/jsontree", "lib/asl/mock", "lib/asl/substitution"},
	"statemachines":                 {"lib/asl/substitution"},
	"lambdas":                       {},

	"lib/dynamo":            {"lib/connection", "lib/feed", "lib/message", "lib/trace", "lib/upload"},
	"lib/dynamo/dynamotest": {"lib/dynamo"},
	"lib/benchtest":         {},
	"lib/logtest":           {},
	"lib/apigw":             {"lib/broadcast"},
	"lib/stepfn":            {"lib/message", "lib/notify", "lib/observe"},
	"lib/s3store":           {"lib/csvimport", "lib/upload"},
	"lib/secrets":           {"lib/auth"},

	"lib/cloud":       {"lambdas", "lib/apigw", "lib/broadcast", "lib/dynamo", "lib/feed", "lib/message", "lib/metrics", "lib/notify"},
	"lib/cloud/scale": {"lambdas", "lib/broadcast", "lib/client", "lib/connection", "lib/message", "lib/session"},
	"lib/cloud/browser": {
		"lambdas", "lib/auth", "lib/cloud", "lib/csvimport", "lib/dynamo", "lib/metrics", "lib/s3store", "lib/secrets", "lib/session", "lib/upload",
	},
	"lib/cloud/workflow":         {"lambdas", "lib/cloud", "lib/csvimport", "lib/dynamo", "lib/metrics", "lib/notify", "lib/observe", "lib/s3store", "lib/stepfn"},
	"lib/local/awswire":          {},
	"lib/local/awswire/wiretest": {},
	"lib/local/loopback":         {},
	"lib/local/gateway":          {"lib/local/awswire"},
	"lib/local/background":       {},
	"lib/local/invoke":           {"lib/local/awswire", "lib/local/background"},
	"lib/local/states":           {"lib/asl", "lib/asl/mock", "lib/local/awswire", "lib/local/background", "lib/local/durable", "lib/local/invoke"},
	"lib/local/durable":          {},
	"lib/local/idle":             {},
	"lib/local/filewatch":        {},
	"lib/local/process":          {"lib/local/awswire", "lib/local/background", "lib/local/filewatch", "lib/local/invoke", "lib/local/loopback"},
	"lib/local/objects":          {"lib/local/awswire", "lib/local/durable"},
	"lib/local": {
		"lib/apigw", "lib/asl", "lib/asl/mock", "lib/asl/substitution", "lib/auth", "lib/broadcast", "lib/connection", "lib/csvimport", "lib/feed", "lib/message", "lib/notify", "lib/observe",
		"lib/s3store", "lib/session", "lib/stepfn", "lib/trace", "lib/upload", "lib/web", "lambdas", "statemachines",
		"lib/local/awswire", "lib/local/background", "lib/local/durable", "lib/local/filewatch", "lib/local/gateway", "lib/local/idle", "lib/local/invoke",
		"lib/local/loopback", "lib/local/objects", "lib/local/process", "lib/local/states",
	},
	"lib/local/browsertwin": {"lib/feed", "lib/local"},

	"cdkapp/bootstrap": {"lambdas"},
	"cdkapp/local": {
		"lib/asl", "lib/client", "lib/csvimport", "lib/dynamo", "lib/local", "lib/local/loopback", "lib/local/states", "lib/message", "lib/observe",
		"cdkapp/local/format", "cdkapp/local/watch",
	},
	"cdkapp/local/format":  {"lib/message"},
	"cdkapp/local/noquery": {},
	"cdkapp/local/watch":   {"lib/client", "lib/message", "cdkapp/local/format", "cdkapp/local/noquery"},
}

// stdOnly are the packages that need nothing but the standard library.
var stdOnly = []string{"lib/message", "lib/metrics", "lib/connection", "lib/trace", "statemachines", "lambdas", "cdkapp/bootstrap", "cdkapp/local/format", "cdkapp/local/noquery"}

// withSDK are the packages that may use the AWS SDK: adapters and assemblies.
var withSDK = []string{"lib/dynamo", "lib/dynamo/dynamotest", "lib/apigw", "lib/s3store", "lib/secrets", "lib/stepfn", "lib/cloud", "lib/cloud/browser", "lib/cloud/workflow", "lib/local", "lib/local/awswire/wiretest", "cdkapp/local"}

// goPackage is a package in the output of go list.
type goPackage struct {
	ImportPath string
	Imports    []string
	Deps       []string
	Standard   bool
}

func TestImportsRunDownward(t *testing.T) {
	for _, p := range goList(t, "./lib/...", "./statemachines", "./cdkapp/bootstrap", "./cdkapp/local/...", "./lambdas/...") {
		name := strings.TrimPrefix(p.ImportPath, module)
		if name == "lib" {
			continue // this test
		}
		mayImport, known := allowed[name]
		if strings.HasPrefix(name, "lambdas/") {
			mayImport, known = []string{"lib/cloud", "lib/cloud/browser", "lib/cloud/workflow"}, true
		}
		if !known {
			t.Errorf("%s: say in this test what it may import", name)

			continue
		}
		for _, imported := range p.Imports {
			ownName, isOwn := strings.CutPrefix(imported, module)
			if isOwn && !slices.Contains(mayImport, ownName) {
				t.Errorf("%s imports %s", name, ownName)
			}
			firstSegment, _, _ := strings.Cut(imported, "/")
			isThirdParty := strings.Contains(firstSegment, ".") && !isOwn // the standard library has no domain names
			if isThirdParty && slices.Contains(stdOnly, name) {
				t.Errorf("%s imports %s, but may use the standard library only", name, imported)
			}
			if strings.HasPrefix(imported, "github.com/aws/aws-sdk-go-v2") && !slices.Contains(withSDK, name) {
				t.Errorf("%s imports %s: declare an interface in this package instead", name, imported)
			}
		}
		for _, dependency := range p.Deps {
			if strings.Contains(dependency, "/aws-cdk-go/") || strings.Contains(dependency, "/jsii-runtime-go") {
				t.Errorf("%s depends on %s, which is for cdkapp only", name, dependency)
			}
			if strings.HasPrefix(dependency, "github.com/charmbracelet/") && !slices.Contains([]string{"cdkapp/local", "cdkapp/local/watch"}, name) {
				t.Errorf("%s depends on %s, which draws on terminals", name, dependency)
			}
		}
	}
}

// TestFunctionsLinkOnlyWhatTheyUse names packages that a function must not link, directly or through others. A program initializes
// every package that it links, before it does anything else.
func TestFunctionsLinkOnlyWhatTheyUse(t *testing.T) {
	const sdk = "github.com/aws/aws-sdk-go-v2/"
	// The SDK's default configuration looks for credentials where a Lambda function has none.
	everyFunction := []string{
		sdk + "config", sdk + "feature/ec2/imds", sdk + "service/sso", sdk + "service/ssooidc", sdk + "service/signin", sdk + "service/sts",
	}
	// A workflow waits for the notifier, and a page for $connect.
	others := map[string][]string{
		"notifier": {
			module + "lib/csvimport", module + "lib/session", module + "lib/auth", module + "lib/progress",
			sdk + "service/sfn", sdk + "service/secretsmanager", sdk + "service/s3",
		},
		"connect": {sdk + "service/sfn"},
	}
	for _, p := range goList(t, "./lambdas/...") {
		function, isFunction := strings.CutPrefix(p.ImportPath, module+"lambdas/")
		if !isFunction {
			continue // the table of functions
		}
		if slices.ContainsFunc(p.Deps, func(d string) bool {
			return strings.HasPrefix(d, "go.etcd.io/bbolt") || strings.HasPrefix(d, module+"lib/local")
		}) {
			t.Errorf("%s links the local twin or its store", function)
		}
		for _, unused := range slices.Concat(everyFunction, others[function]) {
			for _, dependency := range p.Deps {
				if dependency == unused || strings.HasPrefix(dependency, unused+"/") {
					t.Errorf("%s links %s", function, dependency)
				}
			}
		}
	}
}

func TestNoPackageIsForEverything(t *testing.T) {
	for _, p := range goList(t, "./lib/...") {
		for segment := range strings.SplitSeq(strings.TrimPrefix(p.ImportPath, module), "/") {
			if slices.Contains([]string{"util", "utils", "common", "helpers", "types", "misc", "base"}, segment) {
				t.Errorf("%s: name the package after its purpose", p.ImportPath)
			}
		}
	}
}

// goList returns the packages that match the patterns of go list.
func goList(t *testing.T, patterns ...string) []goPackage {
	t.Helper()
	command := exec.CommandContext(t.Context(), "go", append([]string{"list", "-json=ImportPath,Imports,Deps,Standard"}, patterns...)...)
	command.Dir = ".."
	out, err := command.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var packages []goPackage
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p goPackage
		err := d.Decode(&p)
		if errors.Is(err, io.EOF) {
			return packages
		}
		if err != nil {
			t.Fatal(err)
		}
		packages = append(packages, p)
	}
}
