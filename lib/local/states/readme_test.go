package states_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/sfn"

	"github.com/herald-progress/herald/lib/local/states"
)

// TestTheREADMEListsEveryOperation compares the README's table with the operations of the SDK, and with what is served.
func TestTheREADMEListsEveryOperation(t *testing.T) {
	readme, err := os.ReadFile("../../asl/README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(readme), "## What the twin serves")
	table, _, _ = strings.Cut(table, "\n## ")
	listed := map[string]bool{} // Whether the operation is served.
	for row := range strings.Lines(table) {
		if cells := strings.Split(row, "|"); len(cells) > 3 {
			for _, name := range regexp.MustCompile("`(\\w+)`").FindAllStringSubmatch(cells[1], -1) {
				listed[name[1]] = strings.TrimSpace(cells[2]) == "yes"
			}
		}
	}

	service := newService(t, states.Config{}, nil)
	isServed := func(operation string) bool {
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader("{}"))
		r.Header.Set("X-Amz-Target", "AWSStepFunctions."+operation)
		w := httptest.NewRecorder()
		service.ServeHTTP(w, r)
		return w.Header().Get("X-Amzn-Errortype") != "UnknownOperationException"
	}
	if isServed("NoSuchOperation") {
		t.Error("an operation that Step Functions does not have is served")
	}
	for method := range reflect.TypeFor[*sfn.Client]().Methods() {
		if method.Name == "Options" {
			continue
		}
		served, ok := listed[method.Name]
		if !ok {
			t.Errorf("the README does not list %s", method.Name)
		}
		delete(listed, method.Name)
		if got := isServed(method.Name); got != served {
			t.Errorf("%s is served: %v, the README says %v", method.Name, got, served)
		}
	}
	for name := range listed {
		t.Errorf("the SDK has no operation %s", name)
	}
}
