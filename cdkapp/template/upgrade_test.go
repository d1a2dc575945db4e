package template

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/herald-progress/herald/cdkapp/pipeline"
)

var update = flag.Bool("update", false, "replace the last release in testdata/releases by this version")

// The files of the last release: the template of keptMode, the parameters of the other modes' templates, which have the same resources,
// and the golden template of the stack that the CDK deploys.
const (
	releases    = "../../testdata/releases"
	keptMode    = pipeline.AuthHS256
	goldenStack = "../../testdata/golden/stack.template.json"
	keptStack   = "stack.template.json"
)

// keptSettings are the settings of the templates in releases.
func keptSettings() []string { return []string{"csvImport=true", "architecture=arm64"} }

// parametersName returns the name of the file with the parameters of a mode's template.
func parametersName(mode string) string { return "herald-" + mode + ".parameters.json" }

// announced has the breaches between the last release and this version that are meant, with what they mean to deployers. If they have to do
// something, CHANGELOG.md says it. At the next release none is left.
var announced = map[string]string{
	"parameter AllowedOrigins: the pattern has changed, and may refuse a value that was accepted": "it also takes underscores, and refuses nothing more",
}

// lastRelease returns the version of the last release.
func lastRelease(t *testing.T) string {
	t.Helper()
	folders, err := os.ReadDir(releases)
	if err != nil || len(folders) != 1 {
		t.Fatalf("%s has %v, want the folder of one release: %v", releases, folders, err)
	}
	return folders[0].Name()
}

// decoded returns the template or the part of a template in a file.
func decoded(t *testing.T, path ...string) object {
	t.Helper()
	var out object
	if err := json.Unmarshal(read(t, path...), &out); err != nil {
		t.Fatalf("%v: %v", path, err)
	}
	return out
}

// keptTemplate returns the template of a mode in the last release.
func keptTemplate(t *testing.T, mode string) object {
	t.Helper()
	folder := filepath.Join(releases, lastRelease(t))
	out := decoded(t, folder, FileName(keptMode))
	if mode != keptMode {
		out["Parameters"] = decoded(t, folder, parametersName(mode))
	}
	return out
}

// TestLastReleaseIsKept checks that the kept templates are those of the release before this version. With -update it writes those of
// this version instead: a release is made so, see CONTRIBUTING.md.
func TestLastReleaseIsKept(t *testing.T) {
	if *update {
		keepThisVersion(t)
		return
	}
	last := lastRelease(t)
	var versions []string
	for _, heading := range regexp.MustCompile(`(?m)^## (\S+)$`).FindAllSubmatch(read(t, "../../.github/CHANGELOG.md"), -1) {
		versions = append(versions, string(heading[1]))
	}
	if want := []string{pipeline.Version, last}; len(versions) < len(want) || !slices.Equal(versions[:len(want)], want) {
		t.Errorf("the CHANGELOG has the versions %q, want this version and the one in %s first: %q", versions, releases, want)
	}
	for name, template := range map[string]object{
		FileName(keptMode): keptTemplate(t, keptMode), keptStack: decoded(t, releases, last, keptStack),
	} {
		if description, _ := template["Description"].(string); !strings.HasPrefix(description, "Herald "+last+":") {
			t.Errorf("%s in the release %s is described as %q", name, last, description)
		}
	}
}

// keepThisVersion replaces the last release by this version.
func keepThisVersion(t *testing.T) {
	t.Helper()
	from := written(t, keptSettings()...)
	if err := os.RemoveAll(releases); err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(releases, pipeline.Version)
	if err := os.MkdirAll(folder, folderMode); err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{FileName(keptMode): read(t, from, FileName(keptMode)), keptStack: read(t, goldenStack)}
	for _, mode := range pipeline.AuthModes() {
		if mode != keptMode {
			parameters, err := json.MarshalIndent(decoded(t, from, FileName(mode))["Parameters"], "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			files[parametersName(mode)] = append(parameters, '\n')
		}
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(folder, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// TestUpgradeKeepsDataAndNames checks that a stack of the last release, deployed from a template or by the CDK, can be updated: nothing that
// holds data is replaced or gone, and no name that deployers, browsers or apps use.
func TestUpgradeKeepsDataAndNames(t *testing.T) {
	today := written(t, keptSettings()...)
	found := map[string]bool{}
	compare := func(name string, before, after object) {
		for _, text := range breaches(before, after) {
			found[text] = true
			if announced[text] == "" {
				t.Errorf("the %s of release %s: %s", name, lastRelease(t), text)
			}
		}
	}
	compare("stack", decoded(t, releases, lastRelease(t), keptStack), decoded(t, goldenStack))
	for _, mode := range pipeline.AuthModes() {
		compare(mode+" template", keptTemplate(t, mode), decoded(t, today, FileName(mode)))
	}
	for text := range announced {
		if !found[text] {
			t.Errorf("announced, but it is not so: %s", text)
		}
	}
}
