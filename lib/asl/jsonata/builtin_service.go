package jsonata

import (
	"crypto/md5"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"math"
	"slices"
	"strings"

	"github.com/herald-progress/herald/lib/asl/jsontree"
)

// maxRange is the greatest number of items that $range returns within the default limits, as measured on AWS.
const maxRange = 360_145

// serviceFunctions returns the functions that Step Functions adds: see "Transforming data with JSONata" in its developer
// guide.
func serviceFunctions() map[string]definition {
	return map[string]definition{
		"partition": {"<an?:a>", ifDefined(partition)},
		"range":     {"<nn?n?:a>", rangeItems},
		"hash": {"<s-s?:s>", ifDefined(func(_ *evaluation, args []any) (any, error) {
			if isUndefined(argAt(args, 1)) {
				return undefined{}, nil
			}
			return Hash(stringArg(args, 0), stringArg(args, 1))
		})},
		"uuid": {"<:s>", func(*evaluation, []any) (any, error) { return UUID(), nil }},
		"parse": {"<s-:x>", ifDefined(func(e *evaluation, args []any) (any, error) {
			text := stringArg(args, 0)
			const room = 4 // The values take several times as much room as the text.
			if err := e.reserve(room * len(text)); err != nil {
				return nil, err
			}
			if err := e.step(len(text) >> parsedPerStep); err != nil {
				return nil, err
			}
			v, err := jsontree.Parse([]byte(text))
			if err != nil || hasRepeatedKey(text) {
				return nil, evalError("D3137", "Invalid JSON")
			}
			return v, nil
		})},
	}
}

// partition evaluates $partition.
func partition(e *evaluation, args []any) (any, error) {
	items := itemsOf(args[0])
	x, ok := jsontree.Float(argAt(args, 1))
	size := int(min(math.Trunc(x), math.MaxInt32))
	if !ok {
		size = max(1, len(items))
	}
	if size < 1 {
		return undefined{}, nil
	}

	if err := e.reserveItems(2 * len(items)); err != nil {
		return nil, err
	}
	parts := []any{}
	for part := range slices.Chunk(items, size) {
		parts = append(parts, &array{items: part})
	}
	return &array{items: parts}, nil
}

// rangeItems evaluates $range. It rounds its arguments towards zero, as measured on AWS.
func rangeItems(e *evaluation, args []any) (any, error) {
	for i := range 3 {
		if _, ok := jsontree.Float(argAt(args, i)); !ok {
			return undefined{}, nil
		}
	}
	from, to, step := math.Trunc(numberArg(args, 0, 0)), math.Trunc(numberArg(args, 1, 0)), math.Trunc(numberArg(args, 2, 0))
	if step == 0 {
		return undefined{}, nil
	}

	count := math.Floor((to-from)/step) + 1
	if count > float64(maxRange)*float64(e.limits.Bytes)/defaultBytes || math.IsNaN(count) {
		return nil, e.reserve(e.limits.Bytes + 1)
	}
	// A recorded execution on AWS has one number, not an array, as the result of a range of one number.
	result := &array{items: []any{}, sequence: count == 1}
	if count < 1 {
		return result, nil
	}
	if err := e.reserveItems(int(count)); err != nil {
		return nil, err
	}
	for i := range int(count) {
		result.items = append(result.items, numberValue(from+float64(i)*step))
	}
	return result, nil
}

// hasRepeatedKey reports whether an object in a valid JSON text has a key twice.
func hasRepeatedKey(text string) bool {
	d := json.NewDecoder(strings.NewReader(text))
	var objects []map[string]bool // The keys of each open object; nil for an array.
	isKey := false
	for {
		t, err := d.Token()
		if err != nil {
			return false
		}
		switch t {
		case json.Delim('{'):
			objects = append(objects, map[string]bool{})
			isKey = true
			continue
		case json.Delim('['):
			objects = append(objects, nil)
			isKey = false
			continue
		case json.Delim('}'), json.Delim(']'):
			objects = objects[:len(objects)-1]
		default:
			if name, ok := t.(string); ok && isKey {
				keys := objects[len(objects)-1]
				if keys[name] {
					return true
				}
				keys[name] = true
				isKey = false
				continue
			}
		}
		isKey = len(objects) > 0 && objects[len(objects)-1] != nil
	}
}

// Hash returns the hash of s in hexadecimal. The algorithm is MD5, SHA-1, SHA-256, SHA-384 or SHA-512; any other is an error.
func Hash(s, algorithm string) (string, error) {
	var h hash.Hash
	switch algorithm {
	case "MD5":
		h = md5.New()
	case "SHA-1":
		h = sha1.New()
	case "SHA-256":
		h = sha256.New()
	case "SHA-384":
		h = sha512.New384()
	case "SHA-512":
		h = sha512.New()
	default:
		return "", evalError("D3030", "Unknown hash algorithm "+quote(algorithm))
	}

	h.Write([]byte(s))
	return hex.EncodeToString(h.Sum(nil)), nil
}

// UUID returns a random UUID, version 4 (RFC 9562, section 5.4).
func UUID() string {
	const (
		size        = 16
		versionByte = 6
		variantByte = 8
		version     = 0x40 // The version is the high half of its byte.
		variant     = 0x80 // The variant is the two high bits of its byte.
	)
	b := make([]byte, size)
	_, _ = rand.Read(b) // Never fails.
	b[versionByte] = b[versionByte]&0x0f | version
	b[variantByte] = b[variantByte]&0x3f | variant
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
