package message

import "strings"

// traceForm is the form of the id of an X-Ray trace: a version, the time in seconds, and 96 random bits. Each x is a hexadecimal digit
// (https://docs.aws.amazon.com/xray/latest/devguide/xray-api-sendingdata.html).
const traceForm = "1-xxxxxxxx-xxxxxxxxxxxxxxxxxxxxxxxx"

// ValidTraceID reports whether id is the id of an X-Ray trace.
func ValidTraceID(id string) bool {
	if len(id) != len(traceForm) {
		return false
	}
	for i := range len(id) {
		isHex := '0' <= id[i] && id[i] <= '9' || 'a' <= id[i] && id[i] <= 'f'
		if traceForm[i] == 'x' && !isHex || traceForm[i] != 'x' && id[i] != traceForm[i] {
			return false
		}
	}

	return true
}

// TraceID returns the id of the trace in a tracing header such as Root=1-5759e988-bd862e3fe1be46a994272793;Parent=…;Sampled=1. Lambda
// hands each invocation such a header. It returns an empty string if the header has no valid id.
func TraceID(header string) string {
	for field := range strings.SplitSeq(header, ";") {
		if id, isRoot := strings.CutPrefix(strings.TrimSpace(field), "Root="); isRoot && ValidTraceID(id) {
			return id
		}
	}

	return ""
}
