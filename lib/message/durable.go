package message

import "strings"

// parseDurable parses the ARN of an execution of a Lambda durable function, in any partition:
//
//	arn:aws:lambda:<region>:<account>:function:<name>:<version>/durable-execution/<execution>/<id>
func parseDurable(arn string) (Execution, bool) {
	const count = 8
	fields := strings.Split(arn, ":")
	if len(fields) != count || len(arn) > MaxExecution || fields[0] != arnScheme || fields[2] != "lambda" || fields[5] != "function" {
		return Execution{}, false
	}
	region, account, name := fields[3], fields[4], fields[6]
	version, rest, _ := strings.Cut(fields[7], "/durable-execution/")
	execution, id, _ := strings.Cut(rest, "/")
	valid := isPartition(fields[1]) && isRegion(region) && len(account) == accountDigits && isDigits(account) &&
		isWordName(name) && (version == "$LATEST" || isWordName(version)) && isWordName(execution) && isWordName(id)
	if !valid {
		return Execution{}, false
	}
	return Execution{Region: region, Account: account, Durable: true}, true
}

// isWordName reports whether s is a name of Lambda: 1 to 80 letters, digits, hyphens and underscores of ASCII.
func isWordName(s string) bool {
	return s != "" && len(s) <= maxARNName &&
		strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") == ""
}
