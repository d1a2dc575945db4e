package pipeline_test

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// template is a CloudFormation template, decoded from JSON.
type template struct {
	all map[string]any
	// programs has the content of the stub program of each function. The keys are the S3 keys of the functions' code. Only the full
	// template has it.
	programs map[string]string
}

// cfnResource is one resource of a template.
type cfnResource struct {
	id         string
	properties any
}

// ofType returns the resources of a type, sorted by logical id.
func (t template) ofType(kind string) []cfnResource {
	all, _ := t.all["Resources"].(map[string]any)
	var out []cfnResource
	for _, id := range slices.Sorted(maps.Keys(all)) {
		if lookUp(all[id], "Type") == kind {
			out = append(out, cfnResource{id: id, properties: lookUp(all[id], "Properties")})
		}
	}
	return out
}

// one returns the only resource of a type whose logical id starts with prefix.
func (t template) one(tb testing.TB, kind, prefix string) cfnResource {
	tb.Helper()
	found := slices.DeleteFunc(t.ofType(kind), func(r cfnResource) bool { return !strings.HasPrefix(r.id, prefix) })
	if len(found) != 1 {
		tb.Fatalf("%d resources of type %s with the prefix %s, want 1", len(found), kind, prefix)
	}
	return found[0]
}

// lookUp follows a path of keys (string) and positions (int) into a decoded JSON value. It returns nil if the value has no such
// path.
func lookUp(value any, path ...any) any {
	for _, step := range path {
		switch step := step.(type) {
		case string:
			object, _ := value.(map[string]any)
			value = object[step]
		case int:
			list, _ := value.([]any)
			if step >= len(list) {
				return nil
			}
			value = list[step]
		}
	}

	return value
}

// fields returns the fields of an object, or nil.
func fields(value any) map[string]any {
	object, _ := value.(map[string]any)
	return object
}

// asList returns value as a list. A single value becomes a list of one, because IAM accepts it in the place of such a list.
func asList(value any) []any {
	switch value := value.(type) {
	case nil:
		return nil
	case []any:
		return value
	default:
		return []any{value}
	}
}

// noValue is the text of a value that the template does not have.
const noValue = "(no value)"

// valueText returns the text of a template value: references as <LogicalId>, attributes as <LogicalId.Attribute>, and noValue
// for nil.
func valueText(value any) string {
	if value == nil {
		return noValue
	}
	object, _ := value.(map[string]any)
	if len(object) != 1 {
		return fmt.Sprint(value)
	}
	if ref, ok := object["Ref"]; ok {
		return fmt.Sprintf("<%v>", ref)
	}
	if attribute := asList(object["Fn::GetAtt"]); len(attribute) == 2 {
		return fmt.Sprintf("<%v.%v>", attribute[0], attribute[1])
	}
	if join := asList(object["Fn::Join"]); len(join) == 2 {
		var parts []string
		for _, part := range asList(join[1]) {
			parts = append(parts, valueText(part))
		}
		return strings.Join(parts, fmt.Sprint(join[0]))
	}

	return fmt.Sprint(value)
}

// isIntrinsic reports whether value is a function of CloudFormation, such as a reference.
func isIntrinsic(value any) bool {
	for key := range fields(value) {
		if key == "Ref" || strings.HasPrefix(key, "Fn::") {
			return true
		}
	}
	return false
}

// valueTexts returns the valueText of each value of a list.
func valueTexts(value any) []string {
	var out []string
	for _, item := range asList(value) {
		out = append(out, valueText(item))
	}
	return out
}

// logicalIDHash matches a logical id in a valueText, with the hash that the CDK appends to it.
var logicalIDHash = regexp.MustCompile(`(<\w+)[0-9A-F]{8}(\.\w+>|>)`)

// withoutCDKHashes returns the valueText without the hashes of logical ids.
func withoutCDKHashes(value any) string {
	return logicalIDHash.ReplaceAllString(valueText(value), "$1$2")
}

// withoutHash removes the hash of eight characters from a logical id.
func withoutHash(id string) string { return id[:max(0, len(id)-len("89ABCDEF"))] }
