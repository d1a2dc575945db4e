package pipeline

import (
	"reflect"
	"slices"
	"testing"

	"github.com/herald-progress/herald/lambdas"
)

// TestEachFieldHasASetting checks that exactly one setting sets each field of Settings. The only exception is FunctionsDir, which
// the app sets itself.
func TestEachFieldHasASetting(t *testing.T) {
	var all Settings
	set := map[any]int{}
	for _, s := range settings() {
		set[s.field(&all)]++
	}
	var check func(path string, v reflect.Value)
	check = func(path string, v reflect.Value) {
		if v.Kind() == reflect.Struct {
			for i := range v.NumField() {
				check(path+"."+v.Type().Field(i).Name, v.Field(i))
			}
			return
		}
		if n := set[v.Addr().Interface()]; n != 1 && path != "Settings.Props.FunctionsDir" {
			t.Errorf("%s is set by %d settings, want 1", path, n)
		}
	}
	check("Settings", reflect.ValueOf(&all).Elem())
}

// TestEachVariableComesFromASettingOrTheStack checks that each variable that a function reads has a value, and that a function
// reads each variable that a setting gives.
func TestEachVariableComesFromASettingOrTheStack(t *testing.T) {
	read := map[string]bool{} // the names of the variables that functions read
	for _, f := range lambdas.Functions() {
		for _, name := range slices.Concat(f.Required, f.Optional) {
			read[name] = true
		}
	}
	for name := range (Props{}).variables() {
		if !read[name] {
			t.Errorf("a setting gives %s, which no function reads", name)
		}
		delete(read, name)
	}
	for _, name := range append(lambdas.PublishVariables(), lambdas.EnvUploadsBucket, lambdas.EnvWatched, lambdas.EnvMetrics) { // the stack gives these
		delete(read, name)
	}
	for name := range read {
		t.Errorf("nothing gives %s, which a function reads", name)
	}
}
