package jsontree

import "hash/maphash"

// Hash returns a hash of a JSON value. Values that are Equal have the same one.
func Hash(seed maphash.Seed, v any) uint64 {
	const prime = 1_099_511_628_211
	switch v := v.(type) {
	case string:
		return maphash.String(seed, v)
	case []any:
		hash := uint64(1)
		for _, item := range v {
			hash = hash*prime + Hash(seed, item)
		}
		return hash
	case *Object:
		hash := uint64(2)
		for i, key := range v.keys { // The sum does not depend on the order of the keys.
			hash += maphash.Comparable(seed, [2]uint64{maphash.String(seed, key), Hash(seed, v.values[i])})
		}
		return hash
	default:
		if number, ok := Float(v); ok {
			return maphash.Comparable(seed, number)
		}
		return maphash.Comparable(seed, v) // true, false and null
	}
}
