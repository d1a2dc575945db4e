package message

import (
	"regexp"
	"strings"
	"unicode/utf8"
)

// taskNames match what follows arn:<partition>:<service>:<region>:<account>: in the ARN of a task, by the service. A Batch job that
// is one of an array has its index after a colon.
var taskNames = map[string]*regexp.Regexp{
	"ecs":          regexp.MustCompile(`^task/([A-Za-z0-9_-]{1,255}/)?[A-Za-z0-9-]{1,64}$`),
	"batch":        regexp.MustCompile(`^job/[A-Za-z0-9-]{1,64}(:[0-9]{1,9})?$`),
	"mediaconvert": regexp.MustCompile(`^jobs/[A-Za-z0-9-]{1,64}$`),
}

// parseTask parses the ARN of a task, in any partition: a task of ECS, or a job of Batch or of MediaConvert. It returns false if arn is
// not such an ARN. After arn:aws:<service>:<region>:<account>: comes one of:
//
//	task/<cluster>/<id>    in ECS, or task/<id> with the short ARNs of old accounts
//	job/<id>               in Batch, or job/<id>:<index>
//	jobs/<id>              in MediaConvert
func parseTask(arn string) (Execution, bool) {
	const fieldCount = 6
	fields := strings.SplitN(arn, ":", fieldCount)
	if len(fields) < fieldCount || utf8.RuneCountInString(arn) > MaxExecution {
		return Execution{}, false
	}
	partition, service, region, account := fields[1], fields[2], fields[3], fields[4]
	names, known := taskNames[service]
	valid := fields[0] == arnScheme && isPartition(partition) && known && isRegion(region) && len(account) == accountDigits && isDigits(account) &&
		names.MatchString(fields[5])
	if !valid {
		return Execution{}, false
	}
	return Execution{Region: region, Account: account, Task: true}, true
}

// isPartition reports whether s looks like the name of a partition, such as aws-cn.
func isPartition(s string) bool {
	return (s == "aws" || strings.HasPrefix(s, "aws-")) && isWords(s)
}
