package message

import (
	"regexp"
	"strings"
	"unicode/utf8"
)

// Execution is what the ARN of a workflow's execution says of it.
type Execution struct {
	Region, Account string
	// Express is set for an execution of an Express workflow: Step Functions sends no event of its end, and does not
	// describe it.
	Express bool
}

// executionName matches one name in an ARN: of a state machine, a Map state's label, a version, an alias or an execution
// (https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartExecution.html). Names may hold letters of any
// script. U+FFFD is what stood for invalid Unicode.
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

// ParseExecution returns what the ARN of an execution says of it, and whether the text is such an ARN.
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
