package message_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/herald-progress/herald/lib/message"
)

func TestParseExecutionAcceptsExecutionARNsOnly(t *testing.T) {
	const account = "123456789012"
	standard := message.Execution{Region: "us-east-1", Account: account}
	express := message.Execution{Region: "us-east-1", Account: account, Express: true}
	long := strings.Repeat("x", 80)
	for _, tt := range []struct {
		arn  string
		want message.Execution
		ok   bool
	}{
		{"arn:aws:states:us-east-1:123456789012:execution:m:x", standard, true},
		{"arn:aws:states:us-east-1:123456789012:execution:my-machine_1.2:5f0c0a2b-0e6e-4c5b-8a3e-5c1b1f3a9d11", standard, true},
		{"arn:aws:states:us-east-1:123456789012:execution:m/MapLabel:5f0c0a2b-0e6e-4c5b-8a3e-5c1b1f3a9d11", standard, true},
		{"arn:aws:states:us-east-1:123456789012:execution:m:7:x", standard, true},
		{"arn:aws:states:us-east-1:123456789012:execution:m:PROD:x", standard, true},
		{"arn:aws:states:us-east-1:123456789012:execution:überweisung:€€", standard, true},
		{"arn:aws:states:us-east-1:123456789012:execution:" + long + ":" + long, standard, true},
		{"arn:aws:states:us-east-1:123456789012:execution:" + strings.Repeat("€", 80) + ":" + strings.Repeat("€", 80), standard, true},
		{"arn:aws:states:us-east-1:123456789012:express:m:x:5f0c0a2b-0e6e-4c5b-8a3e-5c1b1f3a9d11", express, true},
		{"arn:aws:states:us-east-1:123456789012:express:m/L:x:5f0c0a2b", express, true},
		{"arn:aws:states:us-east-1:123456789012:express:m:PROD:x:5f0c0a2b", express, true},
		{"arn:aws:states:us-east-1:123456789012:express:m:x", express, true},
		{"arn:aws-cn:states:cn-north-1:123456789012:execution:m:x", message.Execution{Region: "cn-north-1", Account: account}, true},
		{"arn:aws-us-gov:states:us-gov-west-1:123456789012:execution:m:x", message.Execution{Region: "us-gov-west-1", Account: account}, true},
		{"arn:aws-iso:states:us-iso-east-1:123456789012:execution:m:x", message.Execution{Region: "us-iso-east-1", Account: account}, true},
		{"arn:aws-iso-b:states:us-isob-east-1:123456789012:execution:m:x", message.Execution{Region: "us-isob-east-1", Account: account}, true},
		{"arn:aws-eusc:states:eusc-de-east-1:123456789012:execution:m:x", message.Execution{Region: "eusc-de-east-1", Account: account}, true},

		{
			"arn:aws:lambda:us-east-1:123456789012:function:agent:$LATEST/durable-execution/run-1/0a2b3c4d-0e6e-4c5b-8a3e-5c1b1f3a9d11",
			message.Execution{Region: "us-east-1", Account: account, Durable: true}, true,
		},
		{"arn:aws-cn:lambda:cn-north-1:123456789012:function:a_b:7/durable-execution/r/i", message.Execution{Region: "cn-north-1", Account: account, Durable: true}, true},

		{"arn:aws:lambda:us-east-1:123456789012:function:agent:1/durable-execution/run", message.Execution{}, false},
		{"arn:aws:lambda:us-east-1:123456789012:function:agent:1/durable-execution//id", message.Execution{}, false},
		{"arn:aws:lambda:us-east-1:123456789012:function:agent:1/other/run/id", message.Execution{}, false},
		{"arn:aws:lambda:us-east-1:123456789012:layer:agent:1/durable-execution/run/id", message.Execution{}, false},
		{"arn:aws:lambda:us-east-1:123456789012:function:a b:1/durable-execution/run/id", message.Execution{}, false},
		{"arn:aws:states:us-east-1:123456789012:function:a:1/durable-execution/run/id", message.Execution{}, false},
		{"", message.Execution{}, false},
		{"x", message.Execution{}, false},
		{"arn:x", message.Execution{}, false},
		{"5f0c0a2b-0e6e-4c5b-8a3e-5c1b1f3a9d11", message.Execution{}, false},
		{"arn:aws:states:us-east-1:123456789012:execution:m", message.Execution{}, false},
		{"arn:aws:states:us-east-1:123456789012:execution:m:", message.Execution{}, false},
		{"arn:aws:states:us-east-1:123456789012:execution::x", message.Execution{}, false},
		{"arn:aws:states:us-east-1:123456789012:execution:m:1:x:y", message.Execution{}, false},
		{"arn:aws:states:us-east-1:123456789012:execution:m/a/b:x", message.Execution{}, false},
		{"arn:aws:states:us-east-1:123456789012:executions:m:x", message.Execution{}, false},
		{"arn:aws:states:us-east-1:12345678901:execution:m:x", message.Execution{}, false},
		{"arn:aws:states::123456789012:execution:m:x", message.Execution{}, false},
		{"arn:aws:states:us-east-1:123456789012:stateMachine:m", message.Execution{}, false},
		{"arn:aws:states:us-east-1:123456789012:stateMachine:m:x", message.Execution{}, false},
		{"arn:aws:states:us-east-1:123456789012:mapRun:m/L:5f0c0a2b", message.Execution{}, false},
		{"arn:aws:states:us-east-1:123456789012:activity:m:x", message.Execution{}, false},
		{"arn:aws:lambda:us-east-1:123456789012:function:f:1", message.Execution{}, false},
		{"arn:azure:states:us-east-1:123456789012:execution:m:x", message.Execution{}, false},
		{" arn:aws:states:us-east-1:123456789012:execution:m:x", message.Execution{}, false},
		{"arn:aws:states:us-east-1:123456789012:execution:m:x\n", message.Execution{}, false},
		{"arn:aws:states:us-east-1:123456789012:execution:m:x y", message.Execution{}, false},
		{"arn:aws:states:us-east-1:123456789012:execution:m:x*", message.Execution{}, false},
		{"arn:aws:states:us-east-1:123456789012:execution:m:x\x00", message.Execution{}, false},
		{"arn:aws:states:us-east-1:123456789012:execution:m:x\uFFFD", message.Execution{}, false},
		{"arn:aws:states:us-east-1:123456789012:execution:m:x" + long, message.Execution{}, false},
		{"ARN:AWS:STATES:US-EAST-1:123456789012:EXECUTION:M:X", message.Execution{}, false},
		{"https://us-east-1.console.aws.amazon.com/states/home#/v2/executions/details/arn:aws:states:us-east-1:123456789012:execution:m:x", message.Execution{}, false},
	} {
		got, ok := message.ParseExecution(tt.arn)
		if got != tt.want || ok != tt.ok {
			t.Errorf("ParseExecution(%q) is %+v, %v; want %+v, %v", tt.arn, got, ok, tt.want, tt.ok)
		}
	}
}

// executionPattern states the same rules as ParseExecution. The product does not use it, because a function would have to compile it
// at each cold start, which takes noticeable time. Its groups are the Region, the account, and "express" or "".
var executionPattern = regexp.MustCompile(strings.ReplaceAll(
	`^arn:aws(?:-[a-z]+)*:states:([a-z]+(?:-[a-z]+)*-[0-9]+):([0-9]{12}):`+
		`(?:execution:NAME(?:/NAME)?(?::NAME){1,2}|(express):NAME(?:/NAME)?(?::NAME){1,3})$`,
	"NAME", `[^\s\x00-\x1f\x7f-\x9f\x{FFFD}-\x{FFFF}<>{}\[\]?*"#%\\^|~\x60$&,;:/]{1,80}`))

// durablePattern states the rules for durable executions.
var durablePattern = regexp.MustCompile(`^arn:aws(?:-[a-z]+)*:lambda:([a-z]+(?:-[a-z]+)*-[0-9]+):([0-9]{12}):` +
	`function:[\w-]{1,80}:(?:\$LATEST|[\w-]{1,80})/durable-execution/[\w-]{1,80}/[\w-]{1,80}$`)

// FuzzParseExecution compares ParseExecution with executionPattern. It also checks that an accepted ARN is short enough for the sort
// key of a pointer in DynamoDB, which has a prefix before the ARN and a suffix after it.
func FuzzParseExecution(f *testing.F) {
	for _, arn := range []string{
		"arn:aws--b:states:us-east-1:123456789012:execution:m:x", "arn:aws:states:us--1:123456789012:execution:m:x",
		"arn:aws:states:-1:123456789012:execution:m:x", "arn:awsx:states:us-1:123456789012:execution:m:x", "arn:aws:states:us:123456789012:execution:m:x",
		"arn:aws:states:us-1:123456789012:execution:m/:x", "arn:aws:states:us-1:123456789012:express:m:a:b:c:d",
		"arn:aws:states:us-1:123456789012:execution:m:\xff", "arn:aws:states:us-1:123456789012:execution:m:\u0085", "arn:aws:states:us-1:123456789012:execution:m:\u2028",
		"arn:aws:states:us-1:123456789012:execution:m/L:x", "arn:aws:states:us-1:123456789012:execution:m:\ufffe",
	} {
		f.Add(arn)
	}
	f.Add("arn:aws:states:us-east-1:123456789012:express:m:x:id")
	f.Add("arn:aws:lambda:us-east-1:123456789012:function:f:$LATEST/durable-execution/r/i")
	f.Add("arn:aws:states:us-east-1:123456789012:execution:" + strings.Repeat("\U00010348", 80) + ":" + strings.Repeat("\U00010348", 80))
	f.Fuzz(func(t *testing.T, arn string) {
		const sortKey, prefixAndSuffix = 1024, 40 // bytes
		got, ok := message.ParseExecution(arn)
		match := executionPattern.FindStringSubmatch(arn)
		durable := durablePattern.FindStringSubmatch(arn)
		if durable != nil {
			match = slices.Concat(durable, []string{""})
		}
		if utf8.RuneCountInString(arn) > message.MaxExecution {
			match = nil
		}
		if ok != (match != nil) || ok && got != (message.Execution{Region: match[1], Account: match[2], Express: match[3] != "", Durable: durable != nil}) {
			t.Errorf("%q is %+v, %v, want %q", arn, got, ok, match)
		}
		if ok && (len(arn) > sortKey-prefixAndSuffix || len(got.Account) != 12 || got.Region == "" || !message.ValidID(arn, len(arn))) {
			t.Errorf("%q is accepted as %+v", arn, got)
		}
	})
}
