package asl

import "github.com/herald-progress/herald/lib/asl/jsontree"

// A batch is the input of a child execution that has several items.
type batch struct {
	input *jsontree.Object
	items int
}

// batches returns the batches of the items of a Map state. A batch ends when it has as many items as it may have, or when the next item
// would make the text of its input too long. An item that is too long by itself is a failure.
func (s *stateRun) batches(b *itemBatcher, items []any) ([]batch, error) {
	count, maxBytes, err := s.batchLimits(b)
	if err != nil {
		return nil, err
	}

	empty := &jsontree.Object{}
	if b.input != nil {
		input, err := b.input.eval(s, "ItemBatcher/BatchInput")
		if err != nil {
			return nil, err
		}
		empty.Set("BatchInput", input)
	}
	withItems := func(items []any) *jsontree.Object {
		o := empty.Clone()
		o.Set("Items", items)
		return o
	}
	emptySize := jsontree.Size(withItems([]any{})) - 1 // Each item counts with a comma, but there is one comma less.

	var batches []batch
	current, size := []any{}, emptySize
	end := func() {
		if len(current) > 0 {
			batches = append(batches, batch{withItems(current), len(current)})
		}
		current, size = []any{}, emptySize
	}

	for i, v := range items {
		input, _, err := s.itemInput(v, i)
		if err != nil {
			return nil, err
		}

		itemSize := jsontree.Size(input) + 1
		if len(current) == count || len(current) > 0 && size+itemSize > maxBytes {
			end()
		}
		if size+itemSize > maxBytes {
			return nil, &failure{name: errorItemReader, cause: "An item is larger than the maximum size of a batch."}
		}
		current, size = append(current, input), size+itemSize
	}
	end()
	return batches, nil
}

// batchLimits evaluates the limits of a batch: its greatest number of items and of bytes.
func (s *stateRun) batchLimits(b *itemBatcher) (count, maxBytes int, err error) {
	count, maxBytes = maxReaderItems, maxPayload
	for _, limit := range []struct {
		field numberField
		value *int
	}{{b.maxItems, &count}, {b.maxBytes, &maxBytes}} {
		n, ok, err := s.evalNumber(limit.field, "integer")
		if err != nil {
			return 0, 0, err
		}
		if ok && n < 0 {
			return 0, 0, runtimeFailuref("field %s must be positive", limit.field.name)
		}
		if ok && n > 0 {
			*limit.value = int(min(n, float64(*limit.value)))
		}
	}
	return count, maxBytes, nil
}
