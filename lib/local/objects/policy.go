package objects

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxObject is the size of the largest object that a form can upload, in bytes.
const maxObject = 5 << 30

// policy is the policy of a form,
// https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTConstructPolicy.html.
type policy struct {
	expiration time.Time
	conditions []condition
	min, max   int64 // The bounds of the file's size, in bytes.
}

// condition is a condition on one field.
type condition struct {
	operator string // "eq" or "starts-with"
	field    string // The field's name in lower case.
	value    string
	text     string // The condition as S3 writes it in errors.
}

// parsePolicy decodes a policy in base64.
func parsePolicy(encoded string) (policy, *s3Error) {
	text, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return policy{}, invalidPolicy("Invalid JSON.")
	}

	var document map[string]json.RawMessage // A struct would ignore the case of the names.
	var conditions []json.RawMessage
	var expiration string
	switch err = json.Unmarshal(withJSONEscapes(text), &document); {
	case err != nil:
		return policy{}, invalidPolicy("Invalid JSON.")
	case document["expiration"] == nil:
		return policy{}, invalidPolicy("Policy missing expiration.")
	case document["conditions"] == nil:
		return policy{}, invalidPolicy("Policy missing conditions.")
	case json.Unmarshal(document["conditions"], &conditions) != nil:
		return policy{}, invalidPolicy("Invalid 'conditions' value: must be a List.")
	case json.Unmarshal(document["expiration"], &expiration) != nil:
		return policy{}, invalidPolicy("Invalid 'expiration' value: must be a String.")
	}

	p := policy{max: maxObject}
	p.expiration, err = time.Parse(time.RFC3339, expiration)
	if err != nil {
		return policy{}, invalidPolicy("Invalid 'expiration' value: '" + expiration + "'")
	}
	for _, c := range conditions {
		if err := p.add(c); err != nil {
			return policy{}, err
		}
	}
	return p, nil
}

func invalidPolicy(message string) *s3Error {
	return newError(http.StatusBadRequest, "InvalidPolicyDocument", "Invalid Policy: "+message)
}

// withJSONEscapes replaces the escapes \$ and \v, which a policy may have but JSON has not.
func withJSONEscapes(text []byte) []byte {
	replaced := make([]byte, 0, len(text))
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' || i+1 == len(text) {
			replaced = append(replaced, text[i])
			continue
		}

		i++
		switch text[i] {
		case '$':
			replaced = append(replaced, '$')
		case 'v':
			replaced = append(replaced, `\u000b`...)
		default:
			replaced = append(replaced, '\\', text[i])
		}
	}
	return replaced
}

// add adds a condition: {"field": "value"}, ["eq" or "starts-with", "$field", "value"] or ["content-length-range", min, max].
func (p *policy) add(encoded json.RawMessage) *s3Error {
	var simple map[string]json.RawMessage
	if json.Unmarshal(encoded, &simple) == nil && simple != nil {
		return p.addSimple(simple)
	}

	var list []json.RawMessage
	var operator string
	if json.Unmarshal(encoded, &list) != nil || len(list) != 3 || json.Unmarshal(list[0], &operator) != nil {
		return invalidPolicy("Invalid Condition: a condition must be an object, or a list of three values.")
	}

	operator = strings.ToLower(operator)
	if operator == "content-length-range" {
		return p.addRange(list)
	}
	if operator != "eq" && operator != "starts-with" {
		return invalidPolicy("Invalid Condition: unknown operation '" + operator + "'.")
	}

	var field, value string
	if json.Unmarshal(list[1], &field) != nil || json.Unmarshal(list[2], &value) != nil {
		return invalidPolicy("Invalid Condition: values must be strings.")
	}
	name, found := strings.CutPrefix(field, "$")
	c := condition{operator, strings.ToLower(name), value, conditionText(list)}
	if !found {
		c.field = "" // No field has this name, so that the condition fails.
	}
	p.conditions = append(p.conditions, c)
	return nil
}

func (p *policy) addSimple(simple map[string]json.RawMessage) *s3Error {
	if len(simple) != 1 {
		return invalidPolicy("Invalid Simple-Condition: Simple-Conditions must have exactly one property specified.")
	}

	for field, encoded := range simple {
		var value string
		if json.Unmarshal(encoded, &value) != nil {
			return invalidPolicy("Invalid Simple-Condition: value must be a string.")
		}
		text := conditionText([]json.RawMessage{quote("eq"), quote("$" + field), encoded})
		p.conditions = append(p.conditions, condition{"eq", strings.ToLower(field), value, text})
	}
	return nil
}

// addRange adds a content-length-range. Its bounds may be strings.
func (p *policy) addRange(list []json.RawMessage) *s3Error {
	least, isLeast := readBound(list[1])
	most, isMost := readBound(list[2])
	switch {
	case !isLeast || !isMost:
		p.conditions = append(p.conditions, condition{text: conditionText(list)}) // It fails.
	case least < 0 || most < 0:
		return invalidPolicy("Invalid content-length-range: the bounds must not be negative.")
	default:
		p.min, p.max = max(p.min, least), min(p.max, most) // Of several ranges, each holds.
	}
	return nil
}

func readBound(encoded json.RawMessage) (bound int64, ok bool) {
	bound, err := strconv.ParseInt(strings.Trim(string(encoded), `"`), 10, 64)
	return bound, err == nil
}

// conditionText returns a condition as S3 writes it in errors.
func conditionText(list []json.RawMessage) string {
	values := make([]string, len(list))
	for i, value := range list {
		values[i] = string(value)
	}
	return "[" + strings.Join(values, ", ") + "]"
}

func quote(text string) json.RawMessage {
	quoted, err := json.Marshal(text)
	if err != nil {
		return nil // Cannot happen: a string always encodes.
	}
	return quoted
}

// check returns the error with which S3 answers a form that the policy does not allow. It does not check the file's size.
func (p *policy) check(f *form, bucket string, now time.Time) *s3Error {
	if !now.Before(p.expiration) {
		return accessDenied("Invalid according to Policy: Policy expired.")
	}

	covered := map[string]bool{}
	for _, c := range p.conditions {
		value, sent := f.fields[c.field]
		if c.field == "bucket" {
			value, sent = bucket, true
		}
		if c.field == "" || !sent || !c.holds(value) {
			return accessDenied("Invalid according to Policy: Policy Condition failed: " + c.text)
		}
		covered[c.field] = true
	}

	for _, name := range f.names {
		if !covered[name] && !slices.Contains(uncheckedFields, name) && !strings.HasPrefix(name, "x-ignore-") {
			return accessDenied("Invalid according to Policy: Extra input fields: " + name)
		}
	}
	return nil
}

// uncheckedFields need no condition.
var uncheckedFields = []string{"policy", "x-amz-signature", "signature", "awsaccesskeyid"}

// holds reports whether a field's value meets the condition. A content type may be a list: each of it must begin with the value.
func (c condition) holds(value string) bool {
	if c.operator == "eq" {
		return value == c.value
	}

	values := []string{value}
	if c.field == "content-type" {
		values = strings.Split(value, ",")
	}
	return !slices.ContainsFunc(values, func(v string) bool { return !strings.HasPrefix(v, c.value) })
}
