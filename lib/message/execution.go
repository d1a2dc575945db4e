package message

import (
	"regexp"
	"strings"
	"unicode/utf8"
)

// Execution is what the ARN of a Step Functions execution contains.
type Execution struct {
	Region, Account string
	// Express is true for an execution of an Express workflow. Step Functions sends no event when it ends, and
	// DescribeExecution does not support it.
	Express bool
}

// executionName matches one name in an ARN: of a state machine, the label of a Map state, a version, an alias or an execution
// (https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartExecution.html). Letters of all scripts are
// allowed. U+FFFD is not, because it replaces invalid Unicode.
const executionName = `[^\s\x00-\x1f\x7f-\x9f\x{FFFD}-\x{FFFF}<>{}\[\]?*"#%\\^|~\x60$&,;:/]{1,80}`

// executionARN matches the ARNs of executions, in every partition:
//
//	arn:aws:states:<region>:<account>:execution:<machine>:<execution>
//	arn:aws:states:<region>:<account>:execution:<machine>/<label>:<execution>               a child of a Map run
//	arn:aws:states:<region>:<account>:execution:<machine>:<version or alias>:<execution>
//	arn:aws:states:<region>:<account>:express:<machine>:<execution>:<id>                    and the other two likewise
var executionARN = regexp.MustCompile(strings.ReplaceAll(
	`^arn:aws(?:-[a-z]+)*:states:([a-z]+(?:-[a-z]+)*-[0-9]+):([0-9]{12}):`+
		`(?:execution:NAME(?:/NAME)?(?::NAME){1,2}|(express):NAME(?:/NAME)?(?::NAME){1,3})$`, "NAME", executionName))

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
