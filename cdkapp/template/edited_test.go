package template

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
)

// edited is a template in which a test changes something.
type edited struct {
	t        *testing.T
	template object
}

// id returns the logical id of the only resource of a type whose id has a prefix.
func (e edited) id(kind, prefix string) string {
	e.t.Helper()
	var ids []string
	for id, resource := range member(e.template, "Resources") {
		if strings.HasPrefix(id, prefix) && resource.(object)["Type"] == "AWS::"+kind {
			ids = append(ids, id)
		}
	}
	if len(ids) != 1 {
		e.t.Fatalf("%s with the prefix %s: %q", kind, prefix, ids)
	}
	return ids[0]
}

func (e edited) resource(kind, prefix string) object {
	e.t.Helper()
	return member(member(e.template, "Resources"), e.id(kind, prefix))
}

func (e edited) properties(kind, prefix string) object {
	e.t.Helper()
	return member(e.resource(kind, prefix), "Properties")
}

func (e edited) parameters() object { return member(e.template, "Parameters") }

func (e edited) add(id, kind string, properties object) {
	member(e.template, "Resources")[id] = object{"Type": "AWS::" + kind, "Properties": properties}
}

// rename gives a resource another logical id, also where the template refers to it.
func (e edited) rename(id string) {
	e.t.Helper()
	encoded, err := json.Marshal(e.template)
	if err != nil {
		e.t.Fatal(err)
	}
	clear(e.template)
	if err := json.Unmarshal([]byte(strings.ReplaceAll(string(encoded), `"`+id+`"`, `"`+id+`Renamed"`)), &e.template); err != nil {
		e.t.Fatal(err)
	}
}

// copied returns a copy of a template to edit.
func copied(t *testing.T, template object) edited {
	t.Helper()
	encoded, err := json.Marshal(template)
	if err != nil {
		t.Fatal(err)
	}
	return edited{t: t, template: parsed(t, string(encoded))}
}

// parsed returns the template in a text.
func parsed(t *testing.T, text string) object {
	t.Helper()
	var out object
	if err := json.Unmarshal([]byte(text), &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// isFound checks that a breach contains a text.
func isFound(t *testing.T, before, after object, want string) {
	t.Helper()
	found := breaches(before, after)
	if !slices.ContainsFunc(found, func(text string) bool { return strings.Contains(text, want) }) {
		t.Errorf("found %q, want %q", found, want)
	}
}

// keptTemplates returns the templates of the last release that have resources.
func keptTemplates(t *testing.T) map[string]object {
	t.Helper()
	return map[string]object{"template": keptTemplate(t, keptMode), "stack": decoded(t, releases, lastRelease(t), keptStack)}
}

// TestEachProtectedResourceIsHeld renames and removes each protected resource of the last release, and changes each property that is fixed or
// guarded.
func TestEachProtectedResourceIsHeld(t *testing.T) {
	for name, before := range keptTemplates(t) {
		resources, protected := member(before, "Resources"), (&upgrade{before: before}).protected()
		held, changes := 0, 0
		for _, id := range slices.Sorted(maps.Keys(resources)) {
			if protected[id] == "" {
				continue
			}
			held++
			kind := member(resources, id)["Type"].(string)
			after := copied(t, before)
			after.rename(id)
			isFound(t, before, after.template, id+" ("+kind+") is gone")
			after = copied(t, before)
			delete(member(after.template, "Resources"), id)
			isFound(t, before, after.template, id+" ("+kind+") is gone")
			for _, property := range slices.Concat(kinds[kind].fixed, kinds[kind].guarded) {
				after := copied(t, before)
				resource := member(member(after.template, "Resources"), id)
				if resource["Properties"] == nil {
					resource["Properties"] = object{}
				}
				member(resource, "Properties")[property] = object{"Ref": "Other"}
				isFound(t, before, after.template, id+": "+property+" has changed")
				changes++
			}
		}
		if held < 30 || changes < held {
			t.Errorf("the %s has %d protected resources, in which %d properties are held", name, held, changes)
		}
	}
}

// TestHarmlessChangesAreNoBreaches changes the templates of the last release in ways that an update takes.
func TestHarmlessChangesAreNoBreaches(t *testing.T) {
	for _, change := range []struct {
		name string
		make func(edited)
	}{
		{"nothing", func(edited) {}},
		{"a new alarm", func(e edited) { e.add("Alarm", "CloudWatch::Alarm", object{"AlarmName": "Herald-New"}) }},
		{"a new table", func(e edited) { e.add("Table", "DynamoDB::Table", object{"TableName": "new"}) }},
		{"a new index", func(e edited) {
			properties := e.properties("DynamoDB::Table", "HeraldFeed")
			properties["GlobalSecondaryIndexes"] = []any{object{"IndexName": "new"}}
			properties["AttributeDefinitions"] = append(properties["AttributeDefinitions"].([]any), object{"AttributeName": "at", "AttributeType": "N"})
		}},
		{"a new output", func(e edited) { member(e.template, "Outputs")["New"] = object{"Value": "new"} }},
		{"a new parameter", func(e edited) { e.parameters()["New"] = object{"Type": "String", "Default": ""} }},
		{"wider bounds", func(e edited) {
			e.parameters()["Rate"].(object)["MinValue"] = 0
			delete(e.parameters()["Rate"].(object), "MaxValue")
		}},
		{"another value", func(e edited) {
			e.parameters()["Days"].(object)["AllowedValues"] = append(e.parameters()["Days"].(object)["AllowedValues"].([]any), "4000")
		}},
		{"no pattern", func(e edited) { delete(e.parameters()["Name"].(object), "AllowedPattern") }},
		{"a default", func(e edited) { e.parameters()["Name"].(object)["Default"] = "a" }},
		{"more memory", func(e edited) { e.properties("Lambda::Function", "HeraldNotifier")["MemorySize"] = 512 }},
		{"a variable", func(e edited) { e.properties("Lambda::Function", "HeraldReaper")["Environment"] = nil }},
		{"another program", func(e edited) { e.properties("Lambda::Function", "HeraldNotifier")["Code"] = "functions/new.zip" }},
		{"another processor", func(e edited) { e.properties("Lambda::Function", "HeraldNotifier")["Architectures"] = []any{"x86_64"} }},
		{"a role is gone", func(e edited) { delete(member(e.template, "Resources"), e.id("IAM::Role", "HeraldReaper")) }},
		{"a role has another logical id", func(e edited) { e.rename(e.id("IAM::Role", "HeraldReaper")) }},
		{"a function that no output names has another logical id", func(e edited) { e.rename(e.id("Lambda::Function", "HeraldCsvPlan")) }},
		{"a permission is replaced", func(e edited) { e.properties("Lambda::Permission", "HeraldReaper")["SourceArn"] = "arn" }},
		{"uploads from another page", func(e edited) { e.properties("S3::Bucket", "")["CorsConfiguration"] = object{"CorsRules": []any{}} }},
		{"a workflow's definition", func(e edited) { e.properties("StepFunctions::StateMachine", "HeraldCsv")["DefinitionString"] = "{}" }},
		{"another description", func(e edited) { e.template["Description"] = "Herald 9.9.9: new" }},
		{"a queue is retained", func(e edited) { e.resource("SQS::Queue", "HeraldUpload")["DeletionPolicy"] = "Retain" }},
	} {
		for name, kept := range keptTemplates(t) {
			t.Run(change.name+" in the "+name, func(t *testing.T) {
				before := copied(t, kept)
				before.parameters()["Rate"] = object{"Type": "Number", "MinValue": 1, "MaxValue": 10}
				before.parameters()["Days"] = object{"Type": "Number", "Default": "1", "AllowedValues": []any{"1", "3"}}
				before.parameters()["Name"] = object{"Type": "String", "AllowedPattern": "^a$"}
				after := copied(t, before.template)
				change.make(after)
				if found := breaches(before.template, after.template); len(found) > 0 {
					t.Errorf("found %q", found)
				}
			})
		}
	}
}
