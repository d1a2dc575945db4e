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
		if at(all[id], "Type") == kind {
			out = append(out, cfnResource{id: id, properties: at(all[id], "Properties")})
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

// at follows keys (string) and positions (int) into a decoded JSON value; nil where there is nothing.
func at(value any, path ...any) any {
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

// list returns value as a list: a value alone counts as a list of one, as IAM has it.
func list(value any) []any {
	switch value := value.(type) {
	case nil:
		return nil
	case []any:
		return value
	default:
		return []any{value}
	}
}

// text writes a template value as one line: references as <LogicalId>, attributes as <LogicalId.Attribute>.
func text(value any) string {
	object, isObject := value.(map[string]any)
	if !isObject {
		return fmt.Sprint(value)
	}
	if ref, ok := object["Ref"]; ok {
		return fmt.Sprintf("<%v>", ref)
	}
	if attribute, ok := object["Fn::GetAtt"]; ok {
		return fmt.Sprintf("<%v.%v>", at(attribute, 0), at(attribute, 1))
	}
	if join, ok := object["Fn::Join"]; ok {
		var parts []string
		for _, part := range list(at(join, 1)) {
			parts = append(parts, text(part))
		}
		return strings.Join(parts, fmt.Sprint(at(join, 0)))
	}

	return fmt.Sprint(value)
}

// texts is text for each value of a list.
func texts(value any) []string {
	var out []string
	for _, item := range list(value) {
		out = append(out, text(item))
	}
	return out
}

// logicalIDHash finds the hash that the CDK puts behind a logical id, in what text returns.
var logicalIDHash = regexp.MustCompile(`(<\w+)[0-9A-F]{8}(\.\w+>|>)`)

// named is text without the hashes of logical ids.
func named(value any) string { return logicalIDHash.ReplaceAllString(text(value), "$1$2") }

// plain removes the hash from a logical id.
func plain(id string) string { return id[:len(id)-8] }
