package web_test

import (
	"flag"
	"fmt"
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/herald-progress/herald/lib/message"
)

const (
	wireFile   = "src/wire.ts"
	messageDir = "../message"
)

var update = flag.Bool("update", false, "rewrite "+wireFile)

// TestWireTypesMatchTheGoTypes generates the TypeScript types of all frames from lib/message and compares them with
// src/wire.ts. With -update it rewrites the file.
func TestWireTypesMatchTheGoTypes(t *testing.T) {
	want := generateWire(t)
	if *update {
		if err := os.WriteFile(wireFile, []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(wireFile)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("%s differs from the Go types of lib/message: run `go test ./lib/web -run TestWireTypes -update`", wireFile)
	}
}

// wireLimits are the limits of lib/message that the client needs.
var wireLimits = []struct {
	name  string
	value int64
	unit  string
}{
	{"maxHave", message.MaxHave, "jobs in the field have of a sync"},
	{"maxHaveBytes", message.MaxHaveBytes, "bytes of JSON in the field have of a sync"},
	{"maxID", message.MaxID, "bytes of a job's id"},
	{"maxCursor", message.MaxCursor, "bytes of the cursor of a sync"},
	{"maxUploadName", message.MaxUploadName, "bytes of an uploaded file's name"},
	{"maxOpenUploads", message.MaxOpenUploads, "open uploads of a user"},
	{"maxUploadBytes", message.MaxUploadBytes, "bytes of an uploaded file"},
}

// generateWire returns the content of src/wire.ts.
func generateWire(t *testing.T) string {
	t.Helper()
	g := &wireGenerator{t: t}
	g.parse()
	g.linef("// Generated from lib/message by `go test ./lib/web -run TestWireTypes -update`. Do not edit.")
	g.linef("")
	for _, limit := range wireLimits {
		g.linef("/** The maximum of %s. */", limit.unit)
		g.linef("export const %s = %d", limit.name, limit.value)
	}
	for _, named := range g.types {
		g.emitType(named)
	}
	g.emitCloseCodes()
	g.emitFrames()
	return g.out.String()
}

type wireGenerator struct {
	t     *testing.T
	out   strings.Builder
	types []*doc.Type
	// specs are the definitions of all types, by name.
	specs map[string]ast.Expr
	// consts are the values of all string constants, by name; frameTypes are the constants of the type Type.
	consts     map[string]string
	frameTypes []string
	closeCodes []string
}

func (g *wireGenerator) linef(format string, args ...any) { fmt.Fprintf(&g.out, format+"\n", args...) }

// parse reads the types and constants of lib/message. It uses go/doc, which sorts them by name.
func (g *wireGenerator) parse() {
	g.t.Helper()
	entries, err := os.ReadDir(messageDir)
	if err != nil {
		g.t.Fatal(err)
	}
	set := token.NewFileSet()
	var files []*ast.File
	for _, entry := range entries {
		if !strings.HasSuffix(entry.Name(), ".go") || strings.HasSuffix(entry.Name(), "_test.go") {
			continue
		}
		file, err := parser.ParseFile(set, messageDir+"/"+entry.Name(), nil, parser.ParseComments)
		if err != nil {
			g.t.Fatal(err)
		}
		files = append(files, file)
	}
	pkg, err := doc.NewFromFiles(set, files, "github.com/herald-progress/herald/lib/message")
	if err != nil {
		g.t.Fatal(err)
	}
	g.consts, g.specs = map[string]string{}, map[string]ast.Expr{}
	values := slices.Clone(pkg.Consts)
	for _, named := range pkg.Types {
		g.specs[named.Name] = namedSpec(named).Type
		values = append(values, named.Consts...)
		if g.isFrameData(named) || slices.Contains([]string{"Envelope", "Severity", "Status", "Step", "StepStatus", "UploadPart"}, named.Name) {
			g.types = append(g.types, named)
		}
	}
	for _, value := range values {
		for _, spec := range value.Decl.Specs {
			g.addConst(spec.(*ast.ValueSpec))
		}
	}
}

func (g *wireGenerator) addConst(spec *ast.ValueSpec) {
	for i, name := range spec.Names {
		if i >= len(spec.Values) {
			continue
		}
		literal, ok := spec.Values[i].(*ast.BasicLit)
		if !ok || literal.Kind != token.STRING {
			continue
		}
		text, err := strconv.Unquote(literal.Value)
		if err != nil {
			g.t.Fatal(err)
		}
		g.consts[name.Name] = text
		switch ident, _ := spec.Type.(*ast.Ident); {
		case ident != nil && ident.Name == "Type":
			g.frameTypes = append(g.frameTypes, name.Name)
		case strings.HasPrefix(name.Name, "Close"):
			g.closeCodes = append(g.closeCodes, text)
		}
	}
}

// isFrameData reports whether a type is the data of a frame: a struct with a method Type. It leaves out Unknown, which stands for
// the types of frames that lib/message does not know.
func (g *wireGenerator) isFrameData(named *doc.Type) bool {
	_, isStruct := namedSpec(named).Type.(*ast.StructType)
	return isStruct && named.Name != "Unknown" && slices.ContainsFunc(named.Methods, func(m *doc.Func) bool { return m.Name == "Type" })
}

func namedSpec(named *doc.Type) *ast.TypeSpec {
	return named.Decl.Specs[0].(*ast.TypeSpec)
}

// emitType writes a struct as an interface, and a string type such as Status as the union of its constants.
func (g *wireGenerator) emitType(named *doc.Type) {
	g.linef("")
	g.comment("", named.Doc)
	object, ok := namedSpec(named).Type.(*ast.StructType)
	if !ok {
		var values []string
		for _, value := range named.Consts {
			for _, spec := range value.Decl.Specs {
				name := spec.(*ast.ValueSpec).Names[0].Name
				values = append(values, "'"+g.consts[name]+"'")
			}
		}
		g.linef("export type %s = %s", named.Name, strings.Join(values, " | "))
		return
	}
	if named.Name == "Envelope" {
		g.linef("export interface Envelope<T extends string = string, D = unknown> {")
	} else {
		g.linef("export interface %s {", named.Name)
	}
	g.emitFields(object)
	g.linef("}")
}

func (g *wireGenerator) emitFields(object *ast.StructType) {
	for _, field := range object.Fields.List {
		g.comment("  ", field.Doc.Text())
		tag, err := strconv.Unquote(field.Tag.Value)
		if err != nil {
			g.t.Fatal(err)
		}
		name, options, _ := strings.Cut(reflect.StructTag(tag).Get("json"), ",")
		optional := ""
		if options != "" {
			optional = "?"
		}
		g.linef("  %s%s: %s", name, optional, g.typeOf(field.Type))
	}
}

// typeOf returns the TypeScript type of a field.
func (g *wireGenerator) typeOf(expr ast.Expr) string {
	switch expr := expr.(type) {
	case *ast.ArrayType:
		element := g.typeOf(expr.Elt)
		if length, ok := expr.Len.(*ast.BasicLit); ok && length.Value == "2" {
			return "[" + element + ", " + element + "]"
		}
		if strings.Contains(element, " ") {
			element = "(" + element + ")"
		}
		return element + "[]"
	case *ast.MapType:
		return "Record<string, " + g.typeOf(expr.Value) + ">"
	case *ast.StarExpr:
		return g.typeOf(expr.X)
	case *ast.SelectorExpr:
		return "unknown" // json.RawMessage
	case *ast.Ident:
		switch expr.Name {
		case "string", "Time":
			return "string"
		case "bool":
			return "boolean"
		case "int", "int64", "float64":
			return "number"
		case "Status", "StepStatus", "Severity", "UploadPart":
			return expr.Name
		case "Steps": // a list as JSON text
			return "Step[]"
		case "Type":
			return "T"
		case "Data":
			return "D"
		}
		if spec, ok := g.specs[expr.Name]; ok {
			return g.typeOf(spec)
		}
		return "unknown"
	case *ast.StructType:
		inner := &wireGenerator{t: g.t, consts: g.consts, specs: g.specs}
		inner.emitFields(expr)
		return "{\n" + inner.out.String() + "}"
	}
	g.t.Fatalf("no TypeScript type for %T", expr)
	return ""
}

func (g *wireGenerator) emitCloseCodes() {
	g.linef("")
	g.linef("/** The codes of Closing that this version knows. */")
	g.linef("export type CloseCode = %s", union(g.closeCodes))
}

// emitFrames writes the map from the type of a frame to its data.
func (g *wireGenerator) emitFrames() {
	dataTypes := map[string]string{}
	for _, named := range g.types {
		dataTypes["Type"+named.Name] = named.Name
	}
	g.linef("")
	g.linef("/** The data of each type of frame. */")
	g.linef("export interface FrameData {")
	for _, name := range g.frameTypes {
		dataType, ok := dataTypes[name]
		if !ok {
			dataType = "unknown"
		}
		g.linef("  %s: %s", g.consts[name], dataType)
	}
	g.linef("}")
}

func union(values []string) string { return "'" + strings.Join(values, "' | '") + "'" }

func (g *wireGenerator) comment(indent, text string) {
	text = strings.TrimSpace(strings.NewReplacer("[*", "", "[", "", "]", "", "\n", " ").Replace(text))
	if text != "" {
		g.linef("%s/** %s */", indent, text)
	}
}
