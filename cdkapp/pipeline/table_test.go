package pipeline

import (
	"reflect"
	"slices"
	"testing"

	"github.com/herald-progress/herald/lambdas"
)

// TestEachFieldHasASetting: the app can set every field of Settings, but for the folder of the functions.
func TestEachFieldHasASetting(t *testing.T) {
	var all Settings
	set := map[any]int{}
	for _, s := range settings() {
		field := s.field(&all)
		if opposite, ok := field.(inverted); ok {
			field = opposite.flag
		}
		set[field]++
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

// TestEachVariableComesFromASettingOrTheStack: and no setting gives a variable that no function reads.
func TestEachVariableComesFromASettingOrTheStack(t *testing.T) {
	read := map[string]bool{}
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
	for _, name := range append(lambdas.PublishVariables(), lambdas.EnvUploadsBucket) {
		delete(read, name)
	}
	for name := range read {
		t.Errorf("nothing gives %s, which a function reads", name)
	}
}
