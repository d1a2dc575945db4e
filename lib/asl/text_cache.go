package asl

import (
	"math"

	"github.com/herald-progress/herald/lib/asl/jsontree"
)

// A textCache remembers the JSON texts of the values that a thread has encoded last. The output of a state is the input of the next one
// and the data of several events, so they share one text. It works because values never change: the same array or object always has the
// same text.
type textCache struct {
	// Two entries, the newest first, because the arguments of a task come between a state's input and an output that is the input again.
	entries [2]cachedText

	shared string // The text of an event. If the next text that is made is equal, it shares the memory of this one.
}

// A cachedText is a value with its JSON text, or only with the size of that text.
type cachedText struct {
	value any // Nil in an entry that is not used.
	size  int
	text  string // Empty if only the size is known.
}

// text returns the JSON text of v.
func (c *textCache) text(v any) string {
	text, _ := c.textUpTo(v, math.MaxInt)
	return text
}

// textUpTo returns the JSON text of v. ok is false if it has more than limit bytes.
func (c *textCache) textUpTo(v any, limit int) (text string, ok bool) {
	cached := c.find(v)
	if cached.text == "" {
		text, ok := jsontree.TextUpTo(v, limit)
		if !ok {
			return "", false
		}
		if text == c.shared {
			text = c.shared
		}
		c.shared = ""
		cached = cachedText{value: v, size: len(text), text: text}
	}
	c.add(cached)
	return cached.text, cached.size <= limit
}

// isUpTo reports whether v's JSON text has at most limit bytes.
func (c *textCache) isUpTo(v any, limit int) bool {
	cached := c.find(v)
	if cached.value == nil {
		if cached = (cachedText{value: v, size: jsontree.SizeUpTo(v, limit)}); cached.size > limit {
			return false
		}
	}
	c.add(cached)
	return cached.size <= limit
}

// textOnce does what text does, but does not remember v.
func (c *textCache) textOnce(v any) string {
	if cached := c.find(v); cached.text != "" {
		return cached.text
	}
	return jsontree.Text(v)
}

// shareNext sets a text that the next text may share.
func (c *textCache) shareNext(text string) { c.shared = text }

// find returns the entry of v. The entry is empty if there is none.
func (c *textCache) find(v any) cachedText {
	for _, entry := range c.entries {
		if isSameValue(entry.value, v) {
			return entry
		}
	}
	return cachedText{}
}

// add makes entry the newest entry.
func (c *textCache) add(entry cachedText) {
	if !isSameValue(c.entries[0].value, entry.value) {
		c.entries[1] = c.entries[0]
	}
	c.entries[0] = entry
}

// isSameValue reports whether a and b are the same array, object or string. It is false for all other values: their texts are short.
func isSameValue(a, b any) bool {
	switch a := a.(type) {
	case *jsontree.Object:
		return a == b
	case []any:
		b, ok := b.([]any)
		return ok && len(a) > 0 && len(a) == len(b) && &a[0] == &b[0]
	case string:
		return a == b
	default:
		return false
	}
}
