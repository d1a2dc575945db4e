package mock_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/herald-progress/herald/lib/asl/mock"
)

// documented is the example of AWS's documentation.
const documented = `{
  "StateMachines": {"LambdaSQSIntegration": {"TestCases": {
    "HappyPath": {"LambdaState": "MockedLambdaSuccess", "SQSState": "MockedSQSSuccess"},
    "RetryPath": {"LambdaState": "MockedLambdaRetry", "SQSState": "MockedSQSSuccess"},
    "HybridPath": {"LambdaState": "MockedLambdaSuccess"}
  }}},
  "MockedResponses": {
    "MockedLambdaSuccess": {"0": {"Return": {"StatusCode": 200, "Payload": {"StatusCode": 200, "body": "Hello from Lambda!"}}}},
    "LambdaMockedResourceNotReady": {"0": {"Throw": {"Error": "Lambda.ResourceNotReadyException", "Cause": "Lambda resource is not ready."}}},
    "MockedSQSSuccess": {"0": {"Return": {"MD5OfMessageBody": "3bcb6e8e-7h85-4375-b0bc-1a59812c6e51", "MessageId": "3bcb6e8e-8b51-4375-b0bc-1a59812c6e51"}}},
    "MockedLambdaRetry": {
      "0": {"Throw": {"Error": "Lambda.ResourceNotReadyException", "Cause": "Lambda resource is not ready."}},
      "1-2": {"Throw": {"Error": "Lambda.TimeoutException", "Cause": "Lambda timed out."}},
      "3": {"Return": {"StatusCode": 200, "Payload": {"StatusCode": 200, "body": "Hello from Lambda!"}}}
    }
  }
}`

// file returns a file with the state machine m, whose test case c mocks the state A with the response r.
func file(response string) string {
	return `{"StateMachines":{"m":{"TestCases":{"c":{"A":"r"}}}},"MockedResponses":{"r":` + response + `}}`
}

func TestParseRejectsWithPathAndRule(t *testing.T) {
	const throw = `{"Throw":{"Error":"E","Cause":"c"}}`
	for _, test := range []struct{ name, text, want string }{
		{"no JSON", `{`, "parse JSON: unexpected end of JSON input"},
		{"no object", `[]`, "Expected value of type Object"},
		{"no machines", `{"MockedResponses":{}}`, "The field 'StateMachines' is required but was missing"},
		{"no responses", `{"StateMachines":{}}`, "The field 'MockedResponses' is required but was missing"},
		{"unknown field", `{"StateMachines":{},"MockedResponses":{},"Mocks":{}}`, "/Mocks: The field is not supported; the fields are StateMachines and MockedResponses"},
		{"machine", `{"StateMachines":{"m":1},"MockedResponses":{}}`, "/StateMachines/m: Expected value of type Object"},
		{"no cases", `{"StateMachines":{"m":{}},"MockedResponses":{}}`, "/StateMachines/m: The field 'TestCases' is required but was missing"},
		{"unknown field of a machine", `{"StateMachines":{"m":{"TestCases":{},"Type":""}},"MockedResponses":{}}`, "/StateMachines/m/Type: The field is not supported; the fields are TestCases"},
		{"case", `{"StateMachines":{"m":{"TestCases":{"c":[]}}},"MockedResponses":{}}`, "/StateMachines/m/TestCases/c: Expected value of type Object"},
		{"state", `{"StateMachines":{"m":{"TestCases":{"c":{"A":{}}}}},"MockedResponses":{}}`, "/StateMachines/m/TestCases/c/A: Expected value of type String, the name of a mocked response"},
		{"unknown response", `{"StateMachines":{"m":{"TestCases":{"c":{"A":"x"}}}},"MockedResponses":{"b":{},"a":{}}}`, "/StateMachines/m/TestCases/c/A: There is no mocked response 'x'; MockedResponses has 'a', 'b'"},
		{"state twice", `{"StateMachines":{"m":{"TestCases":{"c":{"A":"r","A":"r"}}}},"MockedResponses":{"r":{}}}`, "/StateMachines/m/TestCases/c/A: The name occurs twice"},
		{"response", file(`[]`), "/MockedResponses/r: Expected value of type Object"},
		{"word", file(`{"first":` + throw + `}`), "/MockedResponses/r/first: Expected the number of an invocation from 0 to 99999999, such as 0, or a range such as 1-2"},
		{"negative", file(`{"-1":` + throw + `}`), "/MockedResponses/r/-1: Expected the number"},
		{"leading zero", file(`{"00":` + throw + `}`), "/MockedResponses/r/00: Expected the number"},
		{"too large", file(`{"0-100000000":` + throw + `}`), "/MockedResponses/r/0-100000000: Expected the number"},
		{"backwards", file(`{"0-3":` + throw + `,"5-4":` + throw + `}`), "/MockedResponses/r/5-4: The first number of a range must not be greater than the last"},
		{"overlap", file(`{"0-2":` + throw + `,"2-3":` + throw + `}`), "/MockedResponses/r/2-3: Invocation 2 has two answers"},
		{"twice", file(`{"0":` + throw + `,"0-0":` + throw + `}`), "Invocation 0 has two answers"},
		{"gap", file(`{"0":` + throw + `,"2":` + throw + `}`), "/MockedResponses/r/2: Invocations must be numbered from 0 without a gap, and invocation 1 is missing"},
		{"not from 0", file(`{"1":` + throw + `}`), "/MockedResponses/r/1: Invocations must be numbered from 0 without a gap, and invocation 0 is missing"},
		{"answer", file(`{"0":null}`), "/MockedResponses/r/0: Expected value of type Object"},
		{"neither", file(`{"0":{}}`), "/MockedResponses/r/0: Exactly one of the fields Return and Throw is required"},
		{"both", file(`{"0":{"Return":1,"Throw":{"Error":"E","Cause":"c"}}}`), "/MockedResponses/r/0: Exactly one of the fields Return and Throw is required"},
		{"unknown field of an answer", file(`{"0":{"Return":1,"Delay":1}}`), "/MockedResponses/r/0/Delay: The field is not supported; the fields are Return and Throw"},
		{"throw", file(`{"0":{"Throw":"E"}}`), "/MockedResponses/r/0/Throw: Expected value of type Object"},
		{"no error", file(`{"0":{"Throw":{"Cause":"c"}}}`), "/MockedResponses/r/0/Throw: The field 'Error' is required but was missing"},
		{"no cause", file(`{"0":{"Throw":{"Error":"E"}}}`), "/MockedResponses/r/0/Throw: The field 'Cause' is required but was missing"},
		{"empty error", file(`{"0":{"Throw":{"Error":"","Cause":""}}}`), "/MockedResponses/r/0/Throw/Error: Value cannot be empty"},
		{"error", file(`{"0":{"Throw":{"Error":1,"Cause":"c"}}}`), "/MockedResponses/r/0/Throw/Error: Expected value of type String"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := mock.Parse([]byte(test.text))
			var refused *mock.FileError
			if !errors.As(err, &refused) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got  %v\nwant %s", err, test.want)
			}
		})
	}
}

func TestParseListsEveryProblemOfAFile(t *testing.T) {
	_, err := mock.Parse([]byte(`{"StateMachines":{"m":{"TestCases":{"c":{"A":1,"B":"x"}}}},"MockedResponses":{"r":{"1":{"Return":1}}}}`))
	var refused *mock.FileError
	if !errors.As(err, &refused) {
		t.Fatalf("got %v", err)
	}
	want := []mock.Problem{
		{Path: "/MockedResponses/r/1", Rule: "Invocations must be numbered from 0 without a gap, and invocation 0 is missing"},
		{Path: "/StateMachines/m/TestCases/c/A", Rule: "Expected value of type String, the name of a mocked response"},
		{Path: "/StateMachines/m/TestCases/c/B", Rule: "There is no mocked response 'x'; MockedResponses has 'r'"},
	}
	if diff := cmp.Diff(want, refused.Problems); diff != "" {
		t.Error(diff)
	}
}

func TestErrorTextsListAtMostTenNames(t *testing.T) {
	var states, responses []string
	for i := range 12 {
		states = append(states, fmt.Sprintf(`"s%02d":"unknown"`, i))
		responses = append(responses, fmt.Sprintf(`"r%02d":{}`, i))
	}
	_, err := mock.Parse([]byte(`{"StateMachines":{"m":{"TestCases":{"c":{` + strings.Join(states, ",") + `}}}},"MockedResponses":{` + strings.Join(responses, ",") + `}}`))
	for _, want := range []string{"'r09' and 2 more", "/s09: ", "; and 2 more"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	if strings.Contains(err.Error(), "/s10: ") || strings.Contains(err.Error(), "'r10'") {
		t.Errorf("too many names: %v", err)
	}
}

func TestParseHoldsItsBounds(t *testing.T) {
	padded := func(size int) []byte { return []byte(documented + strings.Repeat(" ", size-len(documented))) }
	nested := func(depth int) []byte { // The file's own objects are 4 deep.
		return []byte(file(`{"0":{"Return":` + strings.Repeat("[", depth-4) + strings.Repeat("]", depth-4) + `}}`))
	}
	entries := func(n int) []byte { // Also an entry: the state machine m.
		cases := make([]string, n-1)
		for i := range cases {
			cases[i] = fmt.Sprintf(`"%d":{}`, i)
		}
		return []byte(`{"StateMachines":{"m":{"TestCases":{` + strings.Join(cases, ",") + `}}},"MockedResponses":{}}`)
	}
	for _, test := range []struct {
		name    string
		of      func(int) []byte
		allowed int
		rule    string
	}{
		{"size", padded, 8 << 20, "must not be larger than 8388608 bytes"},
		{"depth", nested, 500, "must not be nested deeper than 500"},
		{"entries", entries, 100_000, "must not have more than 100000 entries"},
	} {
		if _, err := mock.Parse(test.of(test.allowed)); err != nil {
			t.Errorf("%s at the bound: %v", test.name, err)
		}
		if _, err := mock.Parse(test.of(test.allowed + 1)); err == nil || !strings.Contains(err.Error(), test.rule) {
			t.Errorf("%s over the bound: got %v, want %s", test.name, err, test.rule)
		}
	}
}

func TestCaseListsTheKnownNames(t *testing.T) {
	f := parse(t, documented)
	for _, test := range []struct{ machine, testCase, want string }{
		{"LambdaSQSIntegration", "HappyPath", ""},
		{"Other", "HappyPath", "mock: the file has no state machine 'Other'; it has 'LambdaSQSIntegration'"},
		{"LambdaSQSIntegration", "SadPath", "mock: the state machine 'LambdaSQSIntegration' has no test case 'SadPath'; it has 'HappyPath', 'HybridPath', 'RetryPath'"},
		{"LambdaSQSIntegration", "", "has no test case ''"},
	} {
		_, err := f.Case(test.machine, test.testCase)
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s#%s: got %v, want %s", test.machine, test.testCase, err, test.want)
		}
	}
	if _, err := parse(t, `{"StateMachines":{},"MockedResponses":{}}`).Case("m", "c"); err == nil || !strings.HasSuffix(err.Error(), "it has none") {
		t.Errorf("got %v", err)
	}
}

func parse(t *testing.T, text string) *mock.File {
	t.Helper()
	f, err := mock.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// FuzzParse parses any file. Each test case of a valid one must answer each state that it mocks with JSON or an error.
func FuzzParse(f *testing.F) {
	f.Add([]byte(documented))
	f.Add([]byte(file(`{"0":{"Return":[1e400,"\ud800",{"a":{}}]},"1-99999999":{"Throw":{"Error":"E","Cause":""}}}`)))
	f.Add([]byte(file(`{"0":{"Return":{"StatusCode":200,"Payload":null}},"2":{"Return":1}}`)))
	f.Add([]byte(`{"StateMachines":{"m":{"TestCases":{"c":{"A":"r","A":"s"}}}},"MockedResponses":{"r":{},"r":{}}}`))

	f.Fuzz(func(t *testing.T, text []byte) {
		parsed, err := mock.Parse(text)
		var refused *mock.FileError
		if err != nil && (!errors.As(err, &refused) || len(refused.Problems) == 0) {
			t.Fatalf("got %v, want a FileError with problems", err)
		}
		if err != nil {
			return
		}

		var names struct {
			StateMachines map[string]struct {
				TestCases map[string]map[string]string
			}
		}
		if err := json.Unmarshal(text, &names); err != nil {
			t.Fatalf("Parse accepts what is not JSON: %v", err)
		}
		for machine, m := range names.StateMachines {
			for testCase, states := range m.TestCases {
				c, err := parsed.Case(machine, testCase)
				if err != nil {
					continue // encoding/json matches the names of fields in any case.
				}
				tasks := c.Tasks(nil)
				for state := range states {
					answerTwice(t, tasks, state)
				}
			}
		}
	})
}
