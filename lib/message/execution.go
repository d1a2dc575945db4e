package message

import (
	"regexp"
	"strings"
	"unicode/utf8"
)

// Execution is what the ARN of a Step Functions execution contains.
type Execution struct {
	Region, Account string
	// Express is true for an execution of an Express workflow. Step Functions sends no event when such an execution ends, and
	// DescribeExecution does not support it.
	Express bool
}

// arnName matches one name in the ARN of an execution: the name of a state machine, a Map state's label, a version, an alias, an
// execution or an execution's id (https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartExecution.html).
// Letters of all scripts are allowed. U+FFFD is not allowed, because it stands for invalid Unicode.
const arnName = `[^\s\x00-\x1f\x7f-\x9f\x{FFFD}-\x{FFFF}<>{}\[\]?*"#%\\^|~\x60$&,;:/]{1,80}`

// executionARN matches the ARNs of executions, in every partition. After arn:aws:states:<region>:<account>: comes one of:
//
//	execution:<machine>:<execution>
//	execution:<machine>/<label>:<execution>                 a child execution of a Map run
//	execution:<machine>:<version or alias>:<execution>
//	express:<machine>:<execution>:<id>                      an execution of an Express workflow
//	express:<machine>/<label>:<execution>:<id>
//	express:<machine>:<version or alias>:<execution>:<id>
//
// It also accepts an Express execution without its id. Its groups are the Region, the account, and "express" or "".
var executionARN = regexp.MustCompile(strings.ReplaceAll(
	`^arn:aws(?:-[a-z]+)*:states:([a-z]+(?:-[a-z]+)*-[0-9]+):([0-9]{12}):`+
		`(?:execution:NAME(?:/NAME)?(?::NAME){1,2}|(express):NAME(?:/NAME)?(?::NAME){1,3})$`, "NAME", arnName))

// ParseExecution parses the ARN of an execution. It returns false if arn is not such an ARN.
func ParseExecution(arn string) (Execution, bool) {
	if utf8.RuneCountInString(arn) > MaxExecution {
		return Execution{}, false
	}
	match := executionARN.FindStringSubmatch(arn)
	if match == nil {
		return Execution{}, false
	}
	return Execution{Region: match[1], Account: match[2], Express: match[3] != ""}, true
}
