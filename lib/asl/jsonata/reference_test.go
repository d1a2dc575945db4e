package jsonata_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/herald-progress/herald/lib/asl/jsonata"
	"github.com/herald-progress/herald/lib/asl/jsontree"
)

// This file evaluates generated expressions here and with npm jsonata, the reference implementation.

// seedVariable is the environment variable with the seed of the generated expressions.
const seedVariable = "JSONATA_SEED"

// modulesVariable is the environment variable with the folder node_modules in which jsonata is installed.
const modulesVariable = "JSONATA_NODE_MODULES"

// A reference is a process that runs testdata/reference.js.
type reference struct {
	in  io.Writer
	out *bufio.Reader
}

// An answer is what the reference implementation returns for an expression.
type answer struct {
	Value     json.RawMessage `json:"value"`
	Undefined bool            `json:"undefined"`
	Function  bool            `json:"function"`
	Code      string          `json:"code"`
	Message   string          `json:"message"`

	Microseconds float64 `json:"microseconds"`
}

// startReference starts the process. It skips the test if the variable is not set.
func startReference(tb testing.TB) *reference {
	tb.Helper()
	modules := os.Getenv(modulesVariable)
	if modules == "" {
		tb.Skip(modulesVariable + " is not set: the reference implementation is not run")
	}
	cmd := exec.CommandContext(tb.Context(), "node", "--stack-size=4000", "testdata/reference.js", modules)
	in, err := cmd.StdinPipe()
	if err != nil {
		tb.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait()
	})
	return &reference{in: in, out: bufio.NewReader(out)}
}

// evaluate returns the answer for an expression.
func (r *reference) evaluate(tb testing.TB, expr, input string) answer {
	tb.Helper()
	return r.send(tb, map[string]any{"expr": expr, "input": json.RawMessage(input)})
}

// send sends a request and returns the answer.
func (r *reference) send(tb testing.TB, request map[string]any) answer {
	tb.Helper()
	expr := request["expr"]
	line, err := json.Marshal(request)
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := r.in.Write(append(line, '\n')); err != nil {
		tb.Fatal(expr, err)
	}
	reply, err := r.out.ReadBytes('\n')
	if err != nil {
		tb.Fatal(expr, err)
	}
	var a answer
	if err := json.Unmarshal(reply, &a); err != nil {
		tb.Fatal(expr, err)
	}
	return a
}

// text returns an answer as text.
func (a answer) text() string {
	switch {
	case a.Undefined:
		return "undefined"
	case a.Function:
		return "function"
	case a.Code != "" || a.Message != "":
		return strings.TrimSpace(a.Code)
	default:
		v, err := jsontree.Parse(a.Value)
		if err != nil {
			return err.Error()
		}
		return string(jsontree.Marshal(canonical(v)))
	}
}

// canonical returns v with all numbers as float64, and with sorted keys.
func canonical(v any) any {
	switch v := v.(type) {
	case []any:
		items := make([]any, len(v))
		for i := range v {
			items[i] = canonical(v[i])
		}
		return items
	case *jsontree.Object:
		fields := map[string]any{}
		for _, key := range v.Keys() {
			value, _ := v.Get(key)
			fields[key] = canonical(value)
		}
		sorted, _ := json.Marshal(fields) // A map of strings, numbers and so on.
		return string(sorted)
	default:
		if f, ok := jsontree.Float(v); ok {
			return strconv.FormatFloat(f, 'g', -1, 64)
		}
		return v
	}
}

// ours returns the result of an expression in the same form as answer.text.
func ours(tb testing.TB, expr, input string) string {
	tb.Helper()
	x, err := jsonata.Config{Limits: jsonata.Limits{Depth: 1000}}.Compile(expr)
	if err == nil {
		v, parseErr := jsontree.Parse([]byte(input))
		if parseErr != nil {
			tb.Fatal(parseErr)
		}
		var result any
		if result, err = x.EvalInput(v, nil); err == nil {
			return string(jsontree.Marshal(canonical(result)))
		}
	}
	var failure *jsonata.Error
	switch {
	case errors.Is(err, jsonata.ErrUndefined):
		return "undefined"
	case errors.Is(err, jsonata.ErrFunction):
		return "function"
	case errors.As(err, &failure):
		return failure.Code
	default:
		tb.Fatal(expr, err)
		return ""
	}
}

// errorCode matches the code of an error.
var errorCode = regexp.MustCompile(`^[STDU][0-9]{4}$`)

// agree reports whether our result is that of the reference implementation, or differs on purpose.
func agree(expr, got string, want answer) bool {
	switch {
	case got == want.text():
		return true
	case want.Code == "" && want.Message != "": // A defect there, such as a TypeError.
		return true
	case got == "U1001": // We have limits.
		return true
	case want.Code != "" && errorCode.MatchString(got) && strings.ContainsAny(expr, "[{,"): // It evaluates the parts of arrays, objects and calls in any order.
		return true
	case want.Code == "S0302": // It takes a slash after [] for a regular expression.
		return true
	case want.Code == "D1001" || want.Code == "D3001": // AWS has a value for an infinity.
		return true
	}
	return false
}

// referenceInput is the input of the generated expressions.
const referenceInput = `{"a":1,"b":[1,2,3],"s":"Ab c","e":[],"o":{"x":1,"y":[{"z":5},{"z":[6,7]}],"t":"q"},"n":null,"t":true,
	"l":[{"k":"p","v":3,"w":[1]},{"k":"q","v":1.5,"w":[]},{"k":"p","v":-2,"w":[2,[3]]}],"one":[4],"nest":[[1],[2,[3,4]]],"m":{}}`

// A generator makes random expressions.
type generator struct{ *rand.Rand }

func (g generator) pick(options ...string) string { return options[g.IntN(len(options))] }

// expr returns an expression, nested at most so deep.
func (g generator) expr(depth int) string {
	if depth <= 0 {
		return g.leaf()
	}
	sub := func() string { return g.expr(depth - 1) }
	switch g.IntN(22) {
	case 0:
		return sub() + g.pick(" + ", " - ", " * ", " / ", " % ", " & ", " = ", " != ", " < ", " >= ", " and ", " or ", " in ") + sub()
	case 1, 2:
		return "(" + sub() + ")." + g.pick("x", "z", "k", "v", "w", "("+sub()+")", "%", "["+sub()+"]", "{\"k\": "+sub()+"}")
	case 3:
		return "(" + sub() + ")[" + g.pick("0", "-1", "1", "k = 'p'", "v > 1", "[0,1]", "$", sub()) + "]"
	case 4:
		return "(" + sub() + ")[]"
	case 5:
		return "[" + sub() + ", " + sub() + "]"
	case 6:
		return "[1.." + g.pick("3", "0", "a", "1") + "]"
	case 7:
		return `{"p": ` + sub() + `, "q": ` + sub() + `}`
	case 8:
		return "(" + sub() + " ? " + sub() + " : " + sub() + ")"
	case 9:
		return "($x := " + sub() + "; " + g.pick("$x", "$x[0]", "$count($x)", "[$x]", sub()) + ")"
	case 10:
		return "$map(" + sub() + ", function($i" + g.pick("", ", $j") + ") { " + g.pick("$i", "$keys($i)", "$string($i)", "[$i]", "$i.v", "$filter($i, function($y) { true })",
			"["+sub()+"]") + " })" + g.pick("", "[]")
	case 11:
		return "$filter(" + sub() + ", function($i) { " + g.pick("true", "$i", "$i.v > 0", "$type($i) = 'number'") + " })" + g.pick("", "[]")
	case 12:
		return "$reduce(" + sub() + ", function($p, $c) { " + g.pick("$p", "[$p, $c]", "$append($p, $c)", "$string($p) & $string($c)") + " }" + g.pick("", ", []", ", ''") + ")"
	case 13:
		return g.pick("$keys", "$count", "$string", "$type", "$boolean", "$not", "$exists", "$distinct", "$reverse", "$spread", "$merge", "$sum", "$max",
			"$average", "$number", "$length", "$uppercase", "$trim", "$abs", "$floor", "$round", "$sort", "$shuffle", "$zip", "$lookup", "$sqrt", "$formatBase",
			"$base64encode", "$base64decode", "$encodeUrlComponent") + "(" + sub() + ")"
	case 14:
		return g.pick("$append", "$zip", "$join", "$split", "$contains", "$lookup", "$substring", "$substringBefore", "$substringAfter", "$pad",
			"$power", "$formatBase", "$match") + "(" + sub() + ", " + g.pick(sub(), "2", "'b'", "-1", "/b/", "/[a-z]+/") + ")"
	case 15:
		if g.IntN(3) == 0 {
			return "$round(" + sub() + ", " + g.pick("2", "-1", "0") + ")"
		}
		return "(" + sub() + ")^(" + g.pick("", ">", "<") + g.pick("k", "v", "$", "$string($)") + ")"
	case 16:
		return g.pick("l", "o.y", "b", "("+sub()+")") + "{" + g.pick("k", "'#' & $string($)", "'c'") + ": " + g.pick("v", "$", "$sum(v)", "$count($)", sub()) + "}"
	case 17:
		return sub() + " ~> " + g.pick("$count()", "$string", "$keys()", "$append(1)", "$map($string)", "$join('-')")
	case 18:
		return g.pick("l@$i.w@$j.{'i': $i.k, 'j': $j}", "b#$i.[$i, $]", "l#$i[v > 0].[$i, k]", "o.y.z.%.z", "l.w.%.k", "l.w.(%.v)", "o.y.z.%.%.x",
			"l@$i#$p.{'p': $p, 'k': $i.k}", "l^(v)#$i.{'i': $i, 'v': v}", "l[k='p']#$i.$i", "o.y#$i.z#$j.[$i,$j]", "l{k: $sum(v)}", "l@$i[$i.v > 0].$i.k", "nest.%", "l ~> |$|{'n': k & 'x'}|", "$ ~> |l|{'n': v}, ['w', 'v']|", "o ~> |y|{}, 'z'|",
			"$ ~> |l[k='p']|{'k': %.s}|")
	case 19:
		return "$replace(" + g.pick("s", "'abcabc'") + ", " + g.pick("'b'", "/b/", "/(b)(c)/", "/B/i", "/c*/") + ", " + g.pick("'x'", "'$1-$2'", "'$0$0'", "'$$'") + g.pick("", ", 1", ", 0") + ")"
	case 20:
		return "$formatNumber(" + g.pick("12345.678", "-3.5", "0", "1e14", "0.00012", "a") + ", '" + g.pick("#,##0.00", "0", "000.0#", "#", "#.##", "0.0;(0.0)", "0%", "##,00.0", "0.#") + "')"
	default:
		return g.pick("$formatInteger(", "$formatInteger(-", "$formatInteger(10*") + g.pick("3", "21", "1984", "730012", "a", "0") + ", '" + g.pick("0", "000", "#,##0", "I", "i", "a", "A", "w", "W", "Ww", "w;o", "0;o", "Ww;o") + "')"
	}
}

// leaf returns an expression without operands.
func (g generator) leaf() string {
	return g.pick("a", "b", "s", "e", "o", "n", "t", "l", "one", "nest", "m", "missing", "o.x", "o.y", "o.y.z", "l.k", "l.v", "l.w", "l[0]", "l[-1].k",
		"b[0]", "one[]", "$", "$$", "$$.a", "1", "0", "-2", "2.5", "'x'", "''", "true", "false", "null", "[]", "{}", "nest[0]", "*", "**.z", "o.*", "b[$ > 1]",
		"l[k='p'].v", "l.w[0]", "(l.w)[0]", "nest[1][1]", "o.y[0].z", "s.x", "'10'", "'1e3'", "1e21", "123456789012")
}

func TestGeneratedExpressionsAgreeWithTheReference(t *testing.T) {
	t.Parallel()
	const (
		expressions = 5000
		depth       = 3
		maxFailures = 20
	)
	r := startReference(t)
	seed := uint64(1) // Each run generates the same expressions, unless it is told otherwise.
	if text := os.Getenv(seedVariable); text != "" {
		seed, _ = strconv.ParseUint(text, 10, 64)
	}
	g := generator{rand.New(rand.NewPCG(seed, 0))}
	failures := 0
	for range expressions {
		expr := g.expr(1 + g.IntN(depth))
		if strings.Contains(expr, "$shuffle") {
			continue
		}
		want := r.evaluate(t, expr, referenceInput)
		if got := ours(t, expr, referenceInput); !agree(expr, got, want) {
			t.Errorf("%s\n got %s\nwant %s", expr, got, fmt.Sprint(want.text()))
			if failures++; failures == maxFailures {
				break
			}
		}
	}
	if failures > 0 {
		t.Logf("%s=%d generates these expressions", seedVariable, seed)
	}
}
