package template

import (
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// object is a JSON object of a template.
type object = map[string]any

// member returns an object in an object, or nil.
func member(parent object, name string) object {
	child, _ := parent[name].(object)
	return child
}

// breaches returns what an update from the template before to the template after would lose, break or be refused for, sorted. A resource is
// protected if it holds something, or if an output leads to it.
func breaches(before, after object) []string {
	u := &upgrade{before: before, after: after}
	protected := u.protected()
	olds, news := member(before, "Resources"), member(after, "Resources")
	for id := range olds {
		u.resource(id, member(olds, id), member(news, id), protected[id])
	}
	for id := range news {
		if kind, _ := member(news, id)["Type"].(string); olds[id] == nil {
			u.hasKind(id, kind)
		}
	}
	u.identities()
	for name := range member(before, "Outputs") {
		u.output(name)
	}
	for name := range member(after, "Parameters") {
		if old := member(member(before, "Parameters"), name); old == nil && member(member(after, "Parameters"), name)["Default"] == nil {
			u.addf("parameter %s is new and has no default: an update without it is refused", name)
		}
	}
	for name := range member(before, "Parameters") {
		u.parameter(name)
	}
	slices.Sort(u.found)

	return u.found
}

// upgrade is an update of a stack from one template to another.
type upgrade struct {
	before, after object
	found         []string
}

func (u *upgrade) addf(format string, arguments ...any) {
	u.found = append(u.found, fmt.Sprintf(format, arguments...))
}

// protected returns what each protected resource holds. The keys are logical ids.
func (u *upgrade) protected() map[string]string {
	out := map[string]string{}
	for name, output := range member(u.before, "Outputs") {
		for _, id := range references(output) {
			out[id] = "the output " + name
		}
	}
	resources := member(u.before, "Resources")
	for id := range resources {
		kind, _ := member(resources, id)["Type"].(string)
		if holds := kinds[kind].holds; holds != "" {
			out[id] = holds
		}
	}

	return out
}

// substituted matches a reference in a Fn::Sub.
var substituted = regexp.MustCompile(`\$\{([A-Za-z0-9]+)`)

// references returns the names to which a value refers: logical ids, and names of parameters.
func references(value any) []string {
	var out []string
	switch value := value.(type) {
	case []any:
		for _, item := range value {
			out = append(out, references(item)...)
		}
	case object:
		for key, item := range value {
			text, _ := item.(string)
			list, _ := item.([]any)
			switch {
			case key == "Ref":
				out = append(out, text)
			case key == "Fn::GetAtt" && len(list) > 0:
				out = append(out, fmt.Sprint(list[0]))
			case key == "Fn::GetAtt":
				id, _, _ := strings.Cut(text, ".")
				out = append(out, id)
			case key == "Fn::Sub":
				for _, found := range substituted.FindAllStringSubmatch(fmt.Sprint(item), -1) {
					out = append(out, found[1])
				}
			}
			out = append(out, references(item)...)
		}
	}

	return out
}

func (u *upgrade) hasKind(id, kind string) {
	if _, known := kinds[kind]; !known {
		u.addf("%s: kinds has no row for %s", id, kind)
	}
}

// resource compares a resource. Holds is what is lost with it, or empty.
func (u *upgrade) resource(id string, old, changed object, holds string) {
	kind, _ := old["Type"].(string)
	u.hasKind(id, kind)
	switch {
	case changed == nil && holds != "":
		u.addf("%s (%s) is gone, and with it %s", id, kind, holds)
	case changed == nil:
	case changed["Type"] != kind:
		u.addf("%s: the type has changed from %s to %v, which CloudFormation refuses", id, kind, changed["Type"])
	case holds != "":
		u.protectedResource(id, old, changed, holds)
	}
}

func (u *upgrade) protectedResource(id string, old, changed object, holds string) {
	kind, _ := old["Type"].(string)
	for _, policy := range []string{"DeletionPolicy", "UpdateReplacePolicy"} {
		if was := old[policy]; was != nil && was != "Delete" && changed[policy] != was {
			u.addf("%s: %s was %v, and is %v", id, policy, was, changed[policy])
		}
	}
	u.condition(id, old, changed)
	was, is := member(old, "Properties"), member(changed, "Properties")
	for _, name := range kinds[kind].fixed {
		if !reflect.DeepEqual(was[name], is[name]) {
			u.addf("%s: %s has changed, which replaces the resource: %s would be lost", id, name, holds)
		}
	}
	for _, name := range kinds[kind].guarded {
		if !reflect.DeepEqual(was[name], is[name]) {
			u.addf("%s: %s has changed", id, name)
		}
	}
	if kind == "AWS::DynamoDB::Table" {
		u.table(id, was, is)
	}
}

// condition compares the condition of a resource or an output.
func (u *upgrade) condition(what string, old, changed object) {
	name, _ := changed["Condition"].(string)
	if old["Condition"] != changed["Condition"] ||
		!reflect.DeepEqual(member(u.before, "Conditions")[name], member(u.after, "Conditions")[name]) {
		u.addf("%s: the condition has changed", what)
	}
}

// table compares the attributes and the indexes of a table.
func (u *upgrade) table(id string, was, is object) {
	attributes := named(is["AttributeDefinitions"], "AttributeName")
	for name, old := range named(was["AttributeDefinitions"], "AttributeName") {
		if !reflect.DeepEqual(old, attributes[name]) {
			u.addf("%s: the type of the attribute %s has changed, which replaces the table", id, name)
		}
	}
	olds, news := named(was["GlobalSecondaryIndexes"], "IndexName"), named(is["GlobalSecondaryIndexes"], "IndexName")
	added := 0
	for name := range news {
		if olds[name] == nil {
			added++
		}
	}
	for name, old := range olds {
		if !reflect.DeepEqual(old, news[name]) {
			u.addf("%s: the index %s has changed or is gone: functions of the last release read it", id, name)
		}
	}
	if added > 1 {
		u.addf("%s: %d indexes are new: CloudFormation creates one in an update", id, added)
	}
}

// named returns the objects of a list by the text that each has as key.
func named(list any, key string) map[string]any {
	out := map[string]any{}
	items, _ := list.([]any)
	for _, item := range items {
		item, _ := item.(object)
		out[fmt.Sprint(item[key])] = item
	}

	return out
}

// identities finds resources of AWS that move from one logical id to another, or that are replaced by one of the same name. CloudFormation
// creates the new one first: AWS refuses that, or the new one is deleted with the old one.
func (u *upgrade) identities() {
	olds, news := member(u.before, "Resources"), member(u.after, "Resources")
	owners := map[string]string{}
	for id := range olds {
		if identity := identityOf(member(olds, id)); identity != "" {
			owners[identity] = id
		}
	}
	for id := range news {
		identity := identityOf(member(news, id))
		owner := owners[identity]
		if owner == "" {
			continue
		}
		if owner != id {
			u.addf("%s is what %s was: %s", id, owner, identity)
			continue
		}
		kind, _ := member(news, id)["Type"].(string)
		was, is := member(member(olds, id), "Properties"), member(member(news, id), "Properties")
		for _, name := range kinds[kind].fixed {
			if !reflect.DeepEqual(was[name], is[name]) {
				u.addf("%s: %s has changed, but not what it is: %s", id, name, identity)
			}
		}
	}
}

// identityOf returns by what AWS knows a resource, or nothing if AWS chooses it.
func identityOf(resource object) string {
	kind, _ := resource["Type"].(string)
	values := object{}
	for _, name := range kinds[kind].identity {
		if value := member(resource, "Properties")[name]; value != nil {
			values[name] = value
		}
	}
	if len(values) == 0 {
		return ""
	}
	encoded, err := json.Marshal(values)
	if err != nil {
		panic(err) // it was decoded from JSON
	}

	return kind + " " + string(encoded)
}

func (u *upgrade) output(name string) {
	old, changed := member(member(u.before, "Outputs"), name), member(member(u.after, "Outputs"), name)
	if changed == nil {
		u.addf("output %s is gone", name)
		return
	}
	u.condition("output "+name, old, changed)
	if !reflect.DeepEqual(old["Value"], changed["Value"]) {
		u.addf("output %s: the value has changed", name)
	}
	if old["Export"] != nil && !reflect.DeepEqual(old["Export"], changed["Export"]) {
		u.addf("output %s: the export has changed, which CloudFormation refuses while another stack imports it", name)
	}
}

// parameter compares a parameter: the values of all deployers must be accepted, and mean the same.
func (u *upgrade) parameter(name string) {
	old, changed := member(member(u.before, "Parameters"), name), member(member(u.after, "Parameters"), name)
	if changed == nil {
		u.addf("parameter %s is gone: a deployment that gives it is refused", name)
		return
	}
	if old["Type"] != changed["Type"] {
		u.addf("parameter %s: the type has changed from %v to %v", name, old["Type"], changed["Type"])
	}
	switch was, is := old["Default"], changed["Default"]; {
	case was != nil && is == nil:
		u.addf("parameter %s has no default any more", name)
	case was != nil && was != is:
		u.addf("parameter %s: the default has changed from %v to %v, for updates that do not give a value", name, was, is)
	}
	if pattern := changed["AllowedPattern"]; pattern != nil && pattern != old["AllowedPattern"] {
		u.addf("parameter %s: the pattern has changed, and may refuse a value that was accepted", name)
	}
	if isNarrower(old, changed) {
		u.addf("parameter %s: values that were accepted are refused", name)
	}
}

// isNarrower reports whether the bounds or the list of a parameter exclude values that were accepted.
func isNarrower(old, changed object) bool {
	excludes := func(bound string, sign float64) bool {
		is, bounded := number(changed[bound])
		was, wasBounded := number(old[bound])
		return bounded && (!wasBounded || sign*is > sign*was)
	}
	for _, what := range []string{"Value", "Length"} {
		if excludes("Min"+what, 1) || excludes("Max"+what, -1) {
			return true
		}
	}
	is, listed := changed["AllowedValues"].([]any)
	was, wasListed := old["AllowedValues"].([]any)
	if !listed {
		return false
	}

	return !wasListed || slices.ContainsFunc(was, func(value any) bool { return !slices.Contains(is, value) })
}

// number returns a number of a template, which may be text.
func number(value any) (float64, bool) {
	n, err := strconv.ParseFloat(fmt.Sprint(value), 64)
	return n, err == nil
}
