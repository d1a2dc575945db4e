package message

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// Execution is what the ARN of an execution contains: of a Step Functions execution, of a Lambda durable execution, see parseDurable, or
// of a task, see parseTask.
type Execution struct {
	Region, Account string
	// Express is true for an execution of an Express workflow. Step Functions sends no event when such an execution ends, and
	// DescribeExecution does not support it.
	Express bool
	// Task is true for a task of ECS, and for a job of Batch or MediaConvert. Herald gets the events of their ends if a rule sends them.
	Task bool
	// Durable is true for an execution of a Lambda durable function.
	Durable bool
}

// arnScheme begins each ARN.
const arnScheme = "arn"

// Limits of the parts of an ARN.
const (
	accountDigits = 12
	// maxARNName bounds one name in the ARN of an execution, in characters
	// (https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartExecution.html).
	maxARNName = 80
)

// maxExecutionNames is how many names may follow the state machine in the ARN of an execution, by the ARN's type.
var maxExecutionNames = map[string]int{"execution": 2, "express": 3}

// ParseExecution parses the ARN of an execution, a durable execution or a task, in any partition. It returns false if arn is not such an
// ARN. In the ARN of an execution of Step Functions, one of these follows arn:aws:states:<region>:<account>:
//
//	execution:<machine>:<execution>
//	execution:<machine>/<label>:<execution>                 a child execution of a Map run
//	execution:<machine>:<version or alias>:<execution>
//	express:<machine>:<execution>:<id>                      an execution of an Express workflow
//	express:<machine>/<label>:<execution>:<id>
//	express:<machine>:<version or alias>:<execution>:<id>
//
// It also accepts an Express execution without its id. For durable executions see parseDurable, and for tasks parseTask.
func ParseExecution(arn string) (Execution, bool) {
	if task, ok := parseTask(arn); ok {
		return task, true
	}
	if durable, ok := parseDurable(arn); ok {
		return durable, true
	}
	const firstName = 7 // the index of the first field after the state machine
	if utf8.RuneCountInString(arn) > MaxExecution {
		return Execution{}, false
	}
	fields := strings.Split(arn, ":")
	if len(fields) <= firstName {
		return Execution{}, false
	}
	partition, service, region, account, kind := fields[1], fields[2], fields[3], fields[4], fields[5]
	machine, label, hasLabel := strings.Cut(fields[6], "/")
	names := append([]string{machine}, fields[firstName:]...)
	if hasLabel {
		names = append(names, label)
	}

	valid := fields[0] == arnScheme && isPartition(partition) &&
		service == "states" && isRegion(region) && len(account) == accountDigits && isDigits(account) &&
		len(fields)-firstName <= maxExecutionNames[kind] && !slices.ContainsFunc(names, func(name string) bool { return !isARNName(name) })
	if !valid {
		return Execution{}, false
	}
	return Execution{Region: region, Account: account, Express: kind == "express"}, true
}

// isRegion reports whether s looks like the name of a Region, such as us-gov-west-1.
func isRegion(s string) bool {
	dash := strings.LastIndexByte(s, '-')
	return dash > 0 && isWords(s[:dash]) && isDigits(s[dash+1:])
}

// isWords reports whether s is words of small letters with hyphens between them.
func isWords(s string) bool {
	for word := range strings.SplitSeq(s, "-") {
		if word == "" || strings.Trim(word, "abcdefghijklmnopqrstuvwxyz") != "" {
			return false
		}
	}
	return true
}

func isDigits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

// isARNName reports whether s may be a name in the ARN of an execution: that of a state machine, a Map state's label, a version, an
// alias, an execution or an execution's id. Letters of all scripts are allowed. U+FFFD is not allowed, because it stands for invalid
// Unicode.
func isARNName(s string) bool {
	const forbidden = " <>{}[]?*\"#%\\^|~`$&,;:/"
	n := utf8.RuneCountInString(s)
	return n >= 1 && n <= maxARNName && !strings.ContainsFunc(s, func(r rune) bool {
		return r < ' ' || r >= 0x7f && r <= 0x9f || r >= utf8.RuneError && r <= 0xffff || strings.ContainsRune(forbidden, r)
	})
}
