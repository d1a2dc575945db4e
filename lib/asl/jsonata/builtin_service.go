package jsonata

import (
	"crypto/md5"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"hash"
	"math"
	"slices"

	"github.com/herald-progress/herald/lib/asl/jsontree"
)

// maxRange is the greatest number of items that $range returns.
const maxRange = 1000

// serviceFunctions returns the functions that Step Functions adds: see "Transforming data with JSONata" in its developer
// guide.
func serviceFunctions() map[string]definition {
	return map[string]definition{
		"partition": {"<an:a>", ifDefined(partition)},
		"range":     {"<nnn:a>", ifDefined(rangeItems)},
		"hash":      {"<s-s:s>", ifDefined(func(args []any) (any, error) { return Hash(stringArg(args, 0), stringArg(args, 1)) })},
		"uuid":      {"<:s>", func(*evaluation, []any) (any, error) { return UUID(), nil }},
		"parse": {"<s-:x>", ifDefined(func(args []any) (any, error) {
			v, err := jsontree.Parse([]byte(stringArg(args, 0)))
			if err != nil {
				return nil, evalError("D3120", "Syntax error in JSON passed to function parse")
			}
			return v, nil
		})},
	}
}

// partition evaluates $partition.
func partition(args []any) (any, error) {
	size := int(math.Floor(numberArg(args, 1, 0)))
	if size < 1 {
		return nil, evalError("D3030", "The second argument of the partition function must be a positive number")
	}

	parts := []any{}
	for part := range slices.Chunk(itemsOf(args[0]), size) {
		parts = append(parts, &array{items: part})
	}
	return &array{items: parts}, nil
}

// rangeItems evaluates $range.
func rangeItems(args []any) (any, error) {
	from, to, step := numberArg(args, 0, 0), numberArg(args, 1, 0), numberArg(args, 2, 0)
	if step == 0 || (to-from)/step >= maxRange {
		return nil, evalError("D2014", "The range function makes arrays of at most 1000 items, and its step is not zero")
	}

	items := newSequence()
	for x := from; step > 0 && x <= to || step < 0 && x >= to; x += step {
		items.appendDefined(numberValue(x))
	}
	return unwrapSequence(items), nil
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
